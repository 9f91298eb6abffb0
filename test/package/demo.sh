#!/bin/sh
# What `make demo` runs ends well, shows no error and leaves its database.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
check_run demo_runs sh sql/demo.sh
check demo_shows_no_error "$(echo "$check_output" | grep -i -E '(^| )error')" = ""
check demo_leaves_a_database_of_5000_rows \
    "$(sqlite3 -init /dev/null build/demo/wordnet.db 'SELECT count(*) FROM glosses')" = 5000
check_done
