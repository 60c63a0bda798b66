#!/usr/bin/env bash
# Counts the instructions of the hot paths with callgrind, and fails where one takes 5 % more than
# benches/instructions.json says.
#
#   benches/guard.sh            compares
#   benches/guard.sh --record   stores what it counts, after a change on purpose
#
# Wants valgrind (apt-get install valgrind) and the runner of the version that Cargo.lock has
# (cargo install gungraun-runner --locked --version X); skipped with a line where one is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
  echo "skipped: no valgrind (apt-get install valgrind)"
  exit 0
fi
version=$(sed -n '/^name = "gungraun"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
if ! gungraun-runner --version 2>/dev/null | grep -qF " $version"; then
  echo "skipped: no gungraun-runner $version (cargo install gungraun-runner --locked --version $version)"
  exit 0
fi

target=${CARGO_TARGET_DIR:-target}
counts=$(realpath -m "$target")/guard
rm -rf "$counts"
# Linking takes longer than the whole count; and the counts are those of this setting.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! GUNGRAUN_HOME="$counts" GUNGRAUN_PARALLEL=2 cargo bench -q -p pocketsync-benches --bench instructions >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
# What was counted came with the program of the same build.
"$target/release/pocketsync-benches" check-instructions "$counts" benches/instructions.json "$@"
