#!/usr/bin/env bash
# Installs the public conformance suites below target/conformance, once for each state of requirements.txt. The test
# `suites` runs them with target/conformance/python and never downloads anything itself.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/requirements.txt
target=${CARGO_TARGET_DIR:-$here/../../target}/conformance
stamp=$target/installed.txt

if cmp --silent "$requirements" "$stamp" && [ -x "$target/python" ]; then
    echo "==> conformance: the suites are installed ($target)"
    exit 0
fi

say() { echo "==> conformance: $*"; }
fail() { echo "error: $*" >&2; exit 1; }
# Debian's own packages, where we may install them.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $* with apt-get"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}
in_venv() {
    rm -rf "$target/venv"
    python3 -m venv "$target/venv" >"$target/log" 2>&1 || return 1
    "$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" || return 1
    interpreter="exec \"$target/venv/bin/python\" \"\$@\""
}
in_folder() {
    rm -rf "$target/site"
    python3 -m pip --version >/dev/null 2>&1 || return 1
    python3 -m pip install --quiet --disable-pip-version-check --target "$target/site" -r "$requirements" || return 1
    interpreter="PYTHONPATH=\"$target/site\" exec python3 \"\$@\""
}

mkdir -p "$target"
target=$(cd "$target" && pwd)
command -v python3 >/dev/null || apt_install python3 python3-venv ||
    fail "the conformance suites need python3 (Debian: apt-get install python3 python3-venv)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "the conformance suites need python3 3.10 or newer, and $(python3 --version) is installed"
say "installing scim2-tester and scim-sanity below $target (once)"
in_venv || in_folder || { apt_install python3-venv && in_venv; } ||
    fail "the conformance suites could not be installed: \`python3 -m venv\` and \`python3 -m pip\` both failed \
(Debian: apt-get install python3-venv; a package index is needed, too). $(tail -n 3 "$target/log" 2>/dev/null)"

printf '#!/bin/sh\n%s\n' "$interpreter" >"$target/python"
chmod +x "$target/python"
"$target/python" -c 'import scim2_cli, scim2_tester, scim_sanity' || fail "what was installed cannot be imported"
cp "$requirements" "$stamp"
say "installed"
