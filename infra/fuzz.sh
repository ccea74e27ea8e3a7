#!/usr/bin/env bash
# Fuzzes what takes bytes that nobody vouches for, longer than a test run can.
#   infra/fuzz.sh                    every target for a minute, then many made-up modules
#   infra/fuzz.sh 600 ticket output  only these, for ten minutes each
# Targets: manifest ticket sealed_file output (libFuzzer, guided by coverage; fuzz/), and
# modules (fixed seeds through the engine; sandbox/engine/tests/it/smith.rs).
#
# libFuzzer comes with a crate that compiles it from C++. The instrumentation is that of the
# stable compiler; no nightly toolchain and no address sanitizer is used. Inputs that were
# found are kept in build/fuzz, those that break something beside them.
set -euo pipefail
# shellcheck source=infra/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"

TARGET=x86_64-unknown-linux-gnu
FUZZ_DIR=$CACHE/fuzz
COVERAGE="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"

# A named target keeps the instrumentation away from build scripts and macros.
build() {
  have c++ || die "libFuzzer is compiled from C++: install g++"
  (cd fuzz/libfuzzer && CARGO_TARGET_DIR=$FUZZ_DIR/target RUSTFLAGS=$COVERAGE \
    cargo build --quiet --bins --target "$TARGET" ${CI:+--locked})
}

target() {
  local name=$1 seconds=$2 programs=$FUZZ_DIR/target/$TARGET/debug
  "$programs/seeds" "$FUZZ_DIR/inputs"
  say "$name for $seconds s"
  "$programs/$name" "$FUZZ_DIR/inputs/$name" -max_total_time="$seconds" -max_len=70000 \
    -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -artifact_prefix="$FUZZ_DIR/$name-"
}

# As many modules as a test run has, once for every six seconds.
modules() {
  say "modules"
  SEKISHO_FUZZ=$((1 + $1 / 6)) cargo nextest run --workspace -E 'test(/^smith::/)'
}

main() {
  local seconds=${1:-60} name
  (($# < 2)) && set -- "$seconds" manifest ticket sealed_file output modules
  shift
  [[ " $* " == " modules " ]] || build
  for name in "$@"; do
    case $name in
      manifest | ticket | sealed_file | output) target "$name" "$seconds" ;;
      modules) modules "$seconds" ;;
      *) die "no target is called $name" ;;
    esac
  done
}

main "$@"
