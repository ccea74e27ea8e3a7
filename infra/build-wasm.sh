#!/usr/bin/env bash
# Builds the guests (hostile fixtures) and the examples for wasm32-unknown-unknown
# and turns each into a component: build/wasm/<package>.wasm.
#
# Quick when nothing changed: cargo decides what to compile, and a component is
# made again only when its core module or the tool that makes it is newer.
set -euo pipefail
# shellcheck source=infra/env.sh
. "$(dirname "$0")/env.sh"

# Workspaces of their own, because they have another target and other lints.
WORKSPACES=(sandbox/guests sdk/examples)
TARGET=wasm32-unknown-unknown
# Apart from the host's target folder: one of two toolchains writes here.
WASM_TARGET_DIR=$CACHE/target-wasm

main() {
  choose_toolchain
  componentizer
  mkdir -p "$WASM_DIR"
  local workspace cores core kept=()
  for workspace in "${WORKSPACES[@]}"; do
    cores=$(build "$workspace") || die "$workspace did not build, or holds no module"
    for core in $cores; do componentize "$core"; done
  done
  forget_stale
}

# Sets COMPILE to the command that compiles a workspace for wasm.
choose_toolchain() {
  if [[ ${SEKISHO_WASM:-} != debian ]] && have rustup &&
    (cd "$ROOT" && rustup target list --installed) 2>/dev/null | grep -qx "$TARGET"; then
    COMPILE=(cargo build)
    WASM_TARGET_DIR+=/rustup
    return
  fi
  # Debian's toolchain has no ready-made library for the target: it builds one,
  # for which cargo wants to be told that unstable flags are meant.
  local linkers=(/usr/bin/wasm-ld*)
  [[ -x ${linkers[0]} && -d /usr/lib/rustlib/src/rust/library ]] ||
    die "no way to compile for $TARGET: run infra/setup.sh build"
  COMPILE=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTFLAGS="-C linker=${linkers[0]}"
    /usr/bin/cargo build "-Zbuild-std=std,panic_abort")
  WASM_TARGET_DIR+=/debian
}

# Sets COMPONENTIZE, unless the caller has built it. The whole workspace is named
# so that features are those of `make demo`; for one package alone cargo would
# choose others and compile large dependencies a second time.
componentizer() {
  [[ -z ${COMPONENTIZE:-} ]] || return 0
  (cd "$ROOT" && cargo build --quiet --workspace --bin componentize)
  COMPONENTIZE=$BIN_DIR/componentize
}

# build WORKSPACE: compiles it and prints the path of each core module.
build() {
  say "compiling $1 for $TARGET"
  (cd "$ROOT/$1" && CARGO_TARGET_DIR=$WASM_TARGET_DIR "${COMPILE[@]}" --quiet ${CI:+--locked} \
    --release --target "$TARGET" --message-format=json-render-diagnostics) |
    grep -oE '"[^"]+/release/[^"/]+\.wasm"' | tr -d '"' | sort -u
}

# componentize CORE: the file name of a component is that of its package.
componentize() {
  local name out
  name=$(basename "$1" .wasm)
  out=$WASM_DIR/${name//_/-}.wasm
  kept+=("$out")
  [[ $out -nt $1 && $out -nt $COMPONENTIZE ]] && return 0
  "$COMPONENTIZE" "$1" "$out.part" || die "$name: not a module that our interfaces can describe"
  mv "$out.part" "$out"
}

# A guest that was renamed or removed must not go on being tested.
forget_stale() {
  local file
  for file in "$WASM_DIR"/*.wasm; do
    [[ -e $file && " ${kept[*]} " != *" $file "* ]] && rm -- "$file"
  done
  return 0
}

main
