#!/usr/bin/env bash
# Sees to it that projects in JavaScript and Python can be built and tested here: Node.js with npm, and Python with pip; and that the
# guide can be followed, which has curl for an identity provider. What turns projects into components is fetched by the build itself,
# once, below target/tools.
set -euo pipefail

say() { echo "==> languages: $*"; }
fail() { echo "error: $*" >&2; exit 1; }
missing=()
command -v node >/dev/null && command -v npm >/dev/null || missing+=(nodejs npm)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3 python3-pip python3-venv)
command -v curl >/dev/null || missing+=(curl)
if [ ${#missing[@]} -eq 0 ]; then
    say "Node.js $(node --version), $(python3 --version) and curl are here"
    exit 0
fi
# Debian's own packages, where we may install them.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing ${missing[*]} with apt-get"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null && exit 0
fi
fail "the tests build plugins in JavaScript and Python and follow the guide, which needs ${missing[*]} (Debian: apt-get install ${missing[*]})"
