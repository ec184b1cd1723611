#!/usr/bin/env bash
# Counts instructions (`benches/instructions.rs`) and leaves summaries in TARGET/gungraun. Needs valgrind and gungraun's
# runner, which it installs into TARGET/tools once. Without them it says so and ends well: the report says "not measured".
# usage: tests/compare/instructions.sh TARGET
set -euo pipefail
target=$1
manifest=$(dirname "$0")/Cargo.toml
cargo=${CARGO:-cargo}

skip() {
    echo "==> compare: instructions are not counted: $1"
    exit 0
}

command -v valgrind >/dev/null || skip "valgrind is not installed (Debian: apt-get install valgrind)"
# The runner has to be of the library's version.
version=$(sed -n '/^name = "gungraun"$/{n;s/^version = "\(.*\)"$/\1/p}' "$(dirname "$0")/Cargo.lock")
runner=$target/tools/bin/gungraun-runner
if ! "$runner" --version 2>/dev/null | grep -qF "$version"; then
    echo "==> compare: installing gungraun-runner $version into $target/tools"
    "$cargo" install --quiet gungraun-runner --version "$version" --locked --force --root "$target/tools" \
        || skip "gungraun-runner $version could not be installed"
fi
export PATH="$target/tools/bin:$PATH" GUNGRAUN_HOME=$target/gungraun GUNGRAUN_SAVE_SUMMARY=json
"$cargo" bench --locked --manifest-path "$manifest" --target-dir "$target" --package scruple-compare --bench instructions
