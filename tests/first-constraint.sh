#!/usr/bin/env bash
# From an empty folder to a constraint that a running server enforces: types the commands of the guide's first page (Rust) and prints
# what each of them took. Nothing of the plugin or its SDK is compiled before; what cargo has downloaded already is used.
# Fails if there are more than 6 commands, if they take more than 10 minutes, or if nothing is refused in the end.
#
#   tests/first-constraint.sh [PROGRAM]      # PROGRAM is `scruple`; the one on the path, if absent
set -euo pipefail
commands_max=6
seconds_max=600

page=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/plugin-sdk/src/guide/rust.md
program=$(command -v "${1:-scruple}") || { echo "error: there is no \`${1:-scruple}\`: cargo build --release --package scruple" >&2; exit 1; }
folder=$(mktemp -d)
mkdir "$folder/bin" "$folder/home" "$folder/empty"
ln -s "$(realpath "$program")" "$folder/bin/scruple"
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} HOME=$folder/home PATH=$folder/bin:$PATH
unset CARGO_TARGET_DIR XDG_CONFIG_HOME XDG_CACHE_HOME "${!SCRUPLE_@}"
# A port that nobody has, in the place of the page's.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT

# The commands in the blocks of a part of the page, a line each.
commands() { awk "$1"' /^## /{ part++ } /^```/{ inside = /^```sh/; next } inside && part == wanted' "$page" | sed "s/127.0.0.1:8080/127.0.0.1:$port/"; }

cd "$folder/empty"
count=0 started=$SECONDS
while IFS= read -r command; do
    count=$((count + 1)) before=$(date +%s%N)
    case $command in "scruple serve "*) command="${command/scruple serve /scruple serve --listen 127.0.0.1:$port }" ;; esac
    # In this shell, since one of them is `cd`.
    eval "$command" >"$folder/printed" 2>&1 </dev/null || { cat "$folder/printed" >&2; echo "error: $command" >&2; exit 1; }
    case $command in *"&")
        server=$!
        for _ in $(seq 300); do grep -q 'administrator of tenant' "$folder/printed" && break; sleep 0.1; done
    esac
    printf '%7.1f s  %s\n' "$(($(date +%s%N) - before))e-9" "$command"
done < <(commands 'BEGIN { wanted = 0 }')
took=$((SECONDS - started))

eval "$(commands 'BEGIN { wanted = 1 }')" >"$folder/printed" 2>&1
grep -q 'eve@elsewhere.example. is not an address at example.com' "$folder/printed" || { cat "$folder/printed" >&2; echo "error: nothing was refused" >&2; exit 1; }
echo "$count commands and $took s until the constraint was enforced (at most $commands_max, and $seconds_max s)"
[ "$count" -le "$commands_max" ] && [ "$took" -le "$seconds_max" ]
