#!/bin/sh
# A SQLite that is too old must get one sentence with both versions, and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 2
work=${VS_TEST_DIR:-build/test/single}
mkdir -p "$work"
echo "SELECT vec_version();" > "$work/refuse.sql"
text=$(sh test/with_sqlite.sh 3.37 build/test/sql/run "$work/refuse.sql" 2>&1)
status=$?
echo "$text"
case "$status $(echo "$text" | wc -l) $text" in
"1 1 Error: "*3.38*3.37.0*) echo "ok sqlite_3_37_is_refused_with_both_versions_named" ;;
*)
    echo "not ok sqlite_3_37_is_refused_with_both_versions_named: exit status $status"
    exit 1
    ;;
esac
