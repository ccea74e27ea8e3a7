#!/usr/bin/env bash
# Sets up, builds, and plays the whole story (demo/) on this machine.
set -euo pipefail
# shellcheck source=infra/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"

infra/setup.sh build
say "building (the first time takes some minutes)"
cargo build --workspace --bins
infra/build-wasm.sh
# Started directly: `cargo run -p` would resolve features for this one package
# and compile its dependencies a second time.
exec "$BIN_DIR/sekisho-demo" "$@"
