#!/usr/bin/env bash
# Called by cargo in place of rustc, with rustc and its arguments: gives FUZZ_RUSTFLAGS to the crates that are looked at and
# to no other. An instrumented Cranelift is several times slower, and what a fuzzer finds new in it leads nowhere. Build
# scripts and macros are compiled without --target, and not linked to libFuzzer.
set -euo pipefail
instrumented=' --crate-name (scruple[a-z_]*|wasmparser|upload|guest) '
if [[ " $* " =~ $instrumented && " $* " == *" --target "* ]]; then
    # The flags are words.
    # shellcheck disable=SC2086
    exec "$@" $FUZZ_RUSTFLAGS
fi
exec "$@"
