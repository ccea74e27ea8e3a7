# shellcheck shell=bash disable=SC2034
# Sourced by every script here: where things are kept, and three small helpers.
#
# SEKISHO_CACHE, when set, is a folder outside the clone for compiled code and
# tools, so that a fresh clone does not start from nothing. Without it all of
# that lives inside the clone, in target/ and build/, both ignored by git.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${SEKISHO_CACHE:-$ROOT/build}
TOOLS=$CACHE/tools
WASM_DIR=$ROOT/build/wasm
if [[ -n ${SEKISHO_CACHE:-} ]]; then
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
fi
# Where cargo puts binaries of the dev profile.
BIN_DIR=${CARGO_TARGET_DIR:-$ROOT/target}/debug
export PATH=$TOOLS/bin:$PATH

say() { if [[ -t 2 ]]; then printf '\033[1m== %s\033[0m\n' "$*" >&2; else printf '== %s\n' "$*" >&2; fi; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
