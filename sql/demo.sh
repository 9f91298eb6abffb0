#!/bin/sh
# Loads 5,000 definitions into build/demo/wordnet.db and asks them by meaning, first as an ordinary table, then through
# indexes. `make demo` builds the extension first.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/demo
rm -f build/demo/wordnet.db
sqlite3 -batch -init /dev/null build/demo/wordnet.db ".load ./vecshard" ".bail on" \
    ".read sql/examples/wordnet_demo.sql" ".read sql/examples/wordnet_indexed.sql" \
    ".print" \
    ".print \"14. What the searches above did, per search (vec_stats): by a pass, each row is a full vector;\"" \
    ".print \"through codes, only those are read that can be among the nearest.\"" \
    "SELECT target, operation, strategy, calls AS searches, max(rows_read, rows_scanned) / calls AS scanned,
            rows_read / calls AS \"read in full\", rows_finished / calls AS refined,
            rows_returned / calls AS returned, format('%.2f', time_ms / calls) AS ms
     FROM vec_stats"
cat <<'END'

The database stays. To ask it yourself, these two lines open it:

    sqlite3 build/demo/wordnet.db
    .load ./vecshard

Every statement above is in sql/examples/wordnet_demo.sql and sql/examples/wordnet_indexed.sql.
END
