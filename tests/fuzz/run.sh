#!/usr/bin/env bash
# Builds the fuzz targets with coverage instrumentation and runs each for FUZZ_SECONDS (300). It needs a C++ compiler and
# nothing else: the flags are those of cargo-fuzz, which also stable compilers take, and libFuzzer comes with a crate.
# What fails is kept in target/fuzz/findings; the target given its file plays it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${FUZZ_SECONDS:-300}
targets=${FUZZ_TARGETS:-filter path patch_body put_body upload guest}
command -v c++ >/dev/null || { echo "error: a C++ compiler is needed (Debian: apt-get install g++)" >&2; exit 1; }
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
host=$(rustc --version --verbose | sed -n 's/^host: //p')

# With --target the flags do not reach build scripts and macros.
build() { # workspace, folder
    ${CARGO:-cargo} build --quiet --release --locked --manifest-path "$1/Cargo.toml" --target-dir "$2" --target "$host"
}

# Those that need the sandbox have a workspace of their own. Only what is wanted is built: wasmtime takes minutes.
folder_of() {
    case $1 in upload | guest) echo target/fuzz/sandbox ;; *) echo target/fuzz ;; esac
}

# An upload is as long as a component, and most are a few KB. A guest's bytes are used up from the first input on, so
# they are long from the start.
options_of() {
    case $1 in
        upload) echo "-max_len=16384" ;;
        guest) echo "-max_len=4096 -len_control=0" ;;
        *) echo "-max_len=4096 -dict=tests/fuzz/words.dict tests/fuzz/seeds/$1" ;;
    esac
}

for target in $targets; do folder_of "$target"; done | sort -u | while read -r folder; do
    if [ "$folder" = target/fuzz ]; then
        echo "==> fuzz: building"
        RUSTFLAGS=$flags build tests/fuzz "$folder"
    else
        echo "==> fuzz: building with the sandbox (the first time takes some minutes)"
        FUZZ_RUSTFLAGS=$flags RUSTC_WRAPPER=$PWD/tests/fuzz/instrument.sh build tests/fuzz/sandbox "$folder"
    fi
done
mkdir -p target/fuzz/findings
failed=()
for target in $targets; do
    echo "==> fuzz: $target for $seconds seconds"
    mkdir -p "target/fuzz/corpus/$target"
    # The options are words.
    # shellcheck disable=SC2046
    if ! "$(folder_of "$target")/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="target/fuzz/findings/$target-" -print_final_stats=1 -verbosity=1 \
        "target/fuzz/corpus/$target" $(options_of "$target") >"target/fuzz/$target.log" 2>&1; then
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
