#!/usr/bin/env bash
# Fuzzes every target for FUZZ_SECONDS (30), from its corpus and its regressions. Runs on stable,
# without sanitizers and without cargo-fuzz; writes nothing but build output into the tree.
#
#   fuzz/ci.sh                 all targets
#   fuzz/ci.sh session hub     these
#
# FUZZ_JOBS (2) targets run at a time. FUZZ_SEED is where randomness begins (0: anywhere). FUZZ_KEEP=1 leaves what grew in the
# temporary directory. FUZZ_BUILD_ONLY=1 builds, and runs nothing.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TERM_COLOR=never

seconds=${FUZZ_SECONDS:-30}
jobs=${FUZZ_JOBS:-2}
seed=${FUZZ_SEED:-0}
if [ $# -eq 0 ]; then
  set -- accounts apply changeset frames histories hub merge replicas session tracking
fi

# What `cargo fuzz -s none` builds with: LLVM's coverage counters, and nothing that needs nightly.
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$coverage" cargo build --release --bins --target "$host"
programs=${CARGO_TARGET_DIR:-target}/$host/release
[ -z "${FUZZ_BUILD_ONLY:-}" ] || exit 0

work=$(mktemp -d)
trap '[ -n "${FUZZ_KEEP:-}" ] && echo "kept: $work" || rm -rf "$work"' EXIT

fuzz() {
  local target=$1
  mkdir -p "$work/$target/grown" "$work/$target/crashes"
  # The first directory is where libFuzzer puts what it finds; the others are only read.
  local read=("corpus/$target")
  [ -d "regressions/$target" ] && read+=("regressions/$target")
  if ! nice "$programs/$target" -max_total_time="$seconds" -seed="$seed" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$work/$target/crashes/" "$work/$target/grown" "${read[@]}" > "$work/$target/log" 2>&1; then
    echo "== $target FAILED"
    tail -n 60 "$work/$target/log"
    for crash in "$work/$target/crashes"/*; do
      [ -e "$crash" ] || continue
      echo "-- to reproduce, from the repository's root:"
      echo "   base64 -d <<< '$(base64 -w0 "$crash")' > fuzz/regressions/$target/name-what-it-broke"
      echo "   (cd fuzz && cargo test $target)"
    done
    return 1
  fi
  echo "== $target: $(grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "$work/$target/log" | tr -s ' \n' ' ')"
}

failed=0
running=0
for target; do
  fuzz "$target" &
  running=$((running + 1))
  if [ "$running" -ge "$jobs" ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit "$failed"
