#!/usr/bin/env bash
# Builds the fuzz targets with coverage instrumentation and runs each for FUZZ_SECONDS (300). It needs a C++ compiler and
# nothing else: the flags are those of cargo-fuzz, which also stable compilers take, and libFuzzer comes with a crate.
# What fails is kept in target/fuzz/findings; the target given its file plays it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${FUZZ_SECONDS:-300}
targets=${FUZZ_TARGETS:-filter path patch_body put_body}
command -v c++ >/dev/null || { echo "error: a C++ compiler is needed (Debian: apt-get install g++)" >&2; exit 1; }
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
echo "==> fuzz: building"
# With --target the flags do not reach build scripts and macros.
host=$(rustc --version --verbose | sed -n 's/^host: //p')
${CARGO:-cargo} build --quiet --release --locked --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz --target "$host"
mkdir -p target/fuzz/findings
failed=()
for target in $targets; do
    echo "==> fuzz: $target for $seconds seconds"
    mkdir -p "target/fuzz/corpus/$target"
    if ! "target/fuzz/$host/release/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
        -dict=tests/fuzz/words.dict -artifact_prefix="target/fuzz/findings/$target-" -print_final_stats=1 -verbosity=1 \
        "target/fuzz/corpus/$target" "tests/fuzz/seeds/$target" >"target/fuzz/$target.log" 2>&1; then
        failed+=("$target")
        grep -m 3 -A 2 -E "panicked at|ERROR: libFuzzer" "target/fuzz/$target.log" || true
    fi
    grep -E "stat::number_of_executed_units|stat::average_exec_per_sec" "target/fuzz/$target.log" || true
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "error: failed: ${failed[*]}; the inputs are in target/fuzz/findings, the logs in target/fuzz/*.log" >&2
    exit 1
fi
echo "==> fuzz: nothing found"
