#!/bin/sh
# The tests of stored conversations on a real PostgreSQL server (scripts/with_postgres.sh).
#
#     scripts/check_postgres.sh [more arguments of cargo]
exec "$(dirname "$0")/with_postgres.sh" cargo test --release -p fireclay-serve --features postgres --test store "$@"
