#!/bin/sh
# Runs a command beside a PostgreSQL server, which is started for it in a temporary folder and stopped again; the command finds its address in
# FIRECLAY_TEST_POSTGRES. Needs Debian's package `postgresql`; run as root it uses the user `postgres`, since PostgreSQL refuses root.
#
#     scripts/with_postgres.sh COMMAND [ARGUMENTS]
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
folder=$(mktemp -d)
port=${PORT:-54329}
as=""
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder"
    as="runuser -u postgres --"
fi
stop() {
    $as "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
$as "$bin/initdb" -D "$folder/data" -U fireclay --auth=trust >/dev/null
$as "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
    -o "-p $port -k $folder -c listen_addresses=127.0.0.1 -c max_connections=400" start >/dev/null
FIRECLAY_TEST_POSTGRES="postgres://fireclay@127.0.0.1:$port" "$@"
