#!/usr/bin/env bash
# Builds the fuzz targets and runs each for a while, from fuzz/seeds and from what was found before.
#
#   scripts/fuzz.sh [SECONDS [TARGET…]]      10 seconds each, by default
#
# What is found is written to fuzz/artifacts, and fails the run; the corpus grows in fuzz/corpus. The instrumentation is
# what `cargo fuzz build --sanitizer none` asks of a stable compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(wire segments stack http)

command -v g++ >/dev/null || { echo "fuzz.sh: g++ is missing (apt-get install g++)" >&2; exit 1; }
host=$(rustc -vV | sed -n 's/^host: //p')
flags="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="$flags" cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$host"

for target in "${targets[@]}"; do
    corpus=fuzz/corpus/$target seeds=fuzz/seeds/$target
    artifacts=fuzz/artifacts/$target
    mkdir -p "$corpus" "$seeds" "$artifacts"
    echo "fuzz: $target for $seconds s, from $(find "$corpus" "$seeds" -type f | wc -l) inputs"
    log=$artifacts/log
    if "fuzz/target/$host/release/$target" "$corpus" "$seeds" -artifact_prefix="$artifacts/" -max_total_time="$seconds" \
        -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
        sed -n 's/^stat::number_of_executed_units: */    inputs tried: /p' "$log"
    else
        grep -vE '^#|^INFO|REDUCE' "$log" | tail -n 60 >&2
        echo "fuzz: $target has found something, see $artifacts; once mended it becomes a test" >&2
        exit 1
    fi
done
