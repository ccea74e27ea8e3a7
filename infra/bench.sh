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

# A token of SoftHSM, where there is one, to measure the PKCS#11 vault with.
token() {
  have softhsm2-util || return 0
  SEKISHO_BENCH_TOKEN=$(mktemp -d)
  trap 'rm -rf "$SEKISHO_BENCH_TOKEN"' EXIT
  export SEKISHO_BENCH_TOKEN SOFTHSM2_CONF=$SEKISHO_BENCH_TOKEN/softhsm2.conf
  mkdir "$SEKISHO_BENCH_TOKEN/tokens"
  echo "directories.tokendir = $SEKISHO_BENCH_TOKEN/tokens" >"$SOFTHSM2_CONF"
  (umask 077 && printf 0000 >"$SEKISHO_BENCH_TOKEN/pin")
  softhsm2-util --init-token --free --label figures --so-pin 0000 --pin 0000 >/dev/null
}

# The bench is named together with the programs it starts, and the whole workspace in both
# commands: otherwise cargo would choose other features and compile dependencies twice.
cargo build --release --workspace --bins --bench figures
COMPONENTIZE=$(dirname "$BIN_DIR")/release/componentize infra/build-wasm.sh
token
cargo bench --quiet --workspace --bench figures -- "$@" | tee "$ROOT/build/figures.txt"
