#!/bin/bash
# Runs a command with a PostgreSQL server of its own, whose address is in SCRUPLE_TEST_DATABASE, and ends the server with it:
#   tests/postgres.sh cargo nextest run --workspace
# If SCRUPLE_TEST_DATABASE is set already, that server is used and none is started.
set -euo pipefail

if [ -n "${SCRUPLE_TEST_DATABASE:-}" ]; then
    echo "==> test: using the PostgreSQL of SCRUPLE_TEST_DATABASE"
    exec "$@"
fi

programs() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
    if [ -z "$found" ] && command -v pg_config >/dev/null; then found=$(pg_config --bindir); fi
    if [ -n "$found" ] && [ -x "$found/initdb" ]; then echo "$found"; fi
}

bin=$(programs)
if [ -z "$bin" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "error: the tests need a PostgreSQL (15 or later): install it (Debian: apt-get install postgresql)," >&2
        echo "       or name a server in SCRUPLE_TEST_DATABASE=postgres://user@host/database" >&2
        exit 1
    fi
    echo "==> test: installing PostgreSQL"
    apt-get update -qq
    # The tests start a server of their own; that of the distribution need not run.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null
    bin=$(programs)
fi

# Its own folder: as root, PostgreSQL runs as another user, who may not see this one.
folder=$(mktemp -d "${TMPDIR:-/tmp}/scruple-postgres.XXXXXX")
as=()
if [ "$(id -u)" = 0 ]; then
    user=$(id -u postgres >/dev/null 2>&1 && echo postgres || echo nobody)
    chown "$user" "$folder"
    as=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
fi

end() {
    "${as[@]}" "$bin/pg_ctl" --pgdata "$folder/data" --mode immediate --silent stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM

echo "==> test: starting a PostgreSQL server in $folder"
(cd "$folder" && "${as[@]}" "$bin/initdb" --pgdata "$folder/data" --username scruple --auth trust --encoding UTF8 --no-sync >"$folder/initdb.log" 2>&1) ||
    { cat "$folder/initdb.log" >&2; exit 1; }
# Nothing of it outlives the tests, so nothing need be on the disk. Only a socket in its folder: nobody else reaches it.
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$folder'
max_connections = 400
shared_buffers = 64MB
max_pred_locks_per_transaction = 256
log_min_messages = warning
CONF
# What measures wants to wait for the disk.
if [ -z "${SCRUPLE_TEST_DURABLE:-}" ]; then
    printf 'fsync = off\nfull_page_writes = off\n' >>"$folder/data/postgresql.conf"
else
    printf 'max_wal_size = 4GB\n' >>"$folder/data/postgresql.conf"
fi
"${as[@]}" "$bin/pg_ctl" --pgdata "$folder/data" --log "$folder/log" --silent --wait start >/dev/null ||
    { cat "$folder/log" >&2; exit 1; }

SCRUPLE_TEST_DATABASE="postgres://scruple@${folder//\//%2F}/postgres"
export SCRUPLE_TEST_DATABASE
"$@"
