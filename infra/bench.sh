#!/usr/bin/env bash
# Builds everything optimised and measures the figures of docs/performance.md; what it
# prints is kept in build/figures.txt.
#   infra/bench.sh                 all
#   infra/bench.sh cohort calls    only these: cohort patients data overhead calls
#   infra/bench.sh --quick         less of everything, to see that it works
set -euo pipefail
# shellcheck source=infra/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"

# The bench is named together with the programs it starts, and the whole workspace in both
# commands: otherwise cargo would choose other features and compile dependencies twice.
cargo build --release --workspace --bins --bench figures
COMPONENTIZE=$(dirname "$BIN_DIR")/release/componentize infra/build-wasm.sh
cargo bench --quiet --workspace --bench figures -- "$@" | tee "$ROOT/build/figures.txt"
