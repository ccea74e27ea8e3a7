#!/usr/bin/env bash
# Everything that `make test` checks once set-up is done, cheapest first, each
# step with its time. Stops at the first step that fails.
#   infra/check.sh           all steps
#   infra/check.sh NAME..    only these: fmt buf deny machete build guests sdk doctests tests, or
#                            clippy, which lints without building
set -euo pipefail
# shellcheck source=infra/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"

# Guests, the guest SDK and the fuzzer have workspaces, and so lock files, of their own.
OTHER_WORKSPACES=(sandbox/guests sdk/rust sdk/examples fuzz/libfuzzer)
# A lock file that does not match is an error in CI; a developer's is brought up to date.
LOCKED=(${CI:+--locked})

step_fmt() {
  cargo fmt --all --check
  local workspace
  for workspace in "${OTHER_WORKSPACES[@]}"; do
    (cd "$workspace" && cargo fmt --all --check)
  done
}

step_buf() { infra/buf/node_modules/@bufbuild/buf-linux-x64/bin/buf lint proto; }

# Advisories are left out: their database is a git repository elsewhere (deny.toml).
# Doubled versions are warnings; they are shown by `make duplicates`.
step_deny() {
  local workspace
  for workspace in . "${OTHER_WORKSPACES[@]}"; do
    cargo-deny --log-level error --config "$ROOT/deny.toml" --workspace --manifest-path "$workspace/Cargo.toml" \
      check --hide-inclusion-graph licenses bans sources
  done
}

step_machete() { cargo-machete; }

# While developing; in a whole run the build lints.
step_clippy() { cargo clippy --workspace --all-targets "${LOCKED[@]}" -- -D warnings; }

# Our own crates compiled by clippy's driver. Every step that compiles them goes through
# here, or cargo would compile them again.
linted() {
  local deny=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
  RUSTC_WORKSPACE_WRAPPER=$ROOT/infra/clippy-rustc CLIPPY_ARGS=$deny "$@"
}

# Integration tests start the programs of other packages, which cargo does not
# build for them. Tests are named here too, so that features stay the same.
step_build() { linted cargo build --workspace --bins --tests --benches "${LOCKED[@]}"; }

step_guests() { COMPONENTIZE=$BIN_DIR/componentize infra/build-wasm.sh; }

# The SDK and the examples are plain functions natively.
step_sdk() {
  local workspace
  for workspace in sdk/rust sdk/examples; do
    (cd "$workspace" && cargo test --quiet "${LOCKED[@]}")
  done
}

step_doctests() { linted cargo test --workspace --doc --quiet "${LOCKED[@]}"; }

step_tests() { linted cargo nextest run --workspace --no-fail-fast "${LOCKED[@]}"; }

run() {
  local started=$SECONDS
  say "$1"
  "step_$1"
  say "$1: passed in $((SECONDS - started)) s"
}

(($#)) || set -- fmt buf deny machete build guests sdk doctests tests
for name in "$@"; do
  declare -F "step_$name" >/dev/null || die "no step is called $name"
  run "$name"
done
