#!/usr/bin/env bash
# Installs the checkers that `make test` runs, at pinned versions, into the tool
# folder of infra/env.sh; a second run does nothing.
set -euo pipefail
# shellcheck source=infra/env.sh
. "$(dirname "$0")/env.sh"

main() {
  cargo_tool cargo-machete 0.9.2
  cargo_tool cargo-deny 0.20.2
  # Any recent nextest will do, so one that is on the machine is used.
  have cargo-nextest || cargo_tool cargo-nextest 0.9.143 --no-default-features --features default-no-update
  python_with pyarrow==26.0.1
  node_project "$ROOT/infra/buf"
  node_project "$ROOT/tests/oidc"
}

# cargo_tool NAME VERSION [cargo install arguments]
# Built without optimisation: they run for seconds, but an optimised build takes minutes.
cargo_tool() {
  local name=$1 version=$2
  shift 2
  # Asked of our own copy only: another version on the machine may judge differently.
  "$TOOLS/bin/$name" --version 2>/dev/null | grep -qwF "$version" && return 0
  say "installing $name $version into $TOOLS"
  # Outside the clone, so that neither its settings nor its lock file apply.
  (cd / && RUSTUP_TOOLCHAIN=$(toolchain) CARGO_TARGET_DIR=$CACHE/target-tools CARGO_PROFILE_DEV_DEBUG=0 \
    cargo install --quiet --locked --debug --root "$TOOLS" --version "$version" "$@" "$name")
  rm -rf "$CACHE/target-tools"
}

# The toolchain of rust-toolchain.toml: outside the clone another may be the default, or none.
toolchain() { sed -nE 's/^channel *= *"(.*)"/\1/p' "$ROOT/rust-toolchain.toml"; }

# python_with REQUIREMENT: sekisho-python, which the tests read sealed files with.
python_with() {
  local folder=$TOOLS/python
  grep -qxF "$1" "$folder/.sekisho-requirement" 2>/dev/null && return 0
  say "installing $1 into $folder"
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$1"
  mkdir -p "$TOOLS/bin"
  # Not a link: a virtual environment is known by the path it is called by.
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$folder/bin/python" >"$TOOLS/bin/sekisho-python"
  chmod +x "$TOOLS/bin/sekisho-python"
  echo "$1" >"$folder/.sekisho-requirement"
}

# A copy of the lock file inside node_modules marks what was installed.
node_project() {
  local stamp=$1/node_modules/.sekisho-lock
  cmp -s "$1/package-lock.json" "$stamp" && return 0
  say "installing the npm packages of ${1#"$ROOT"/}"
  (cd "$1" && npm ci --loglevel=error --no-audit --no-fund >&2)
  cp "$1/package-lock.json" "$stamp"
}

main
