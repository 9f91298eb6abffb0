#!/bin/sh
# Loads 5,000 definitions into build/demo/wordnet.db and asks them by meaning. `make demo` builds the extension first.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/demo
rm -f build/demo/wordnet.db
sqlite3 -batch -init /dev/null build/demo/wordnet.db ".load ./vecshard" ".bail on" ".read sql/examples/wordnet_demo.sql"
cat <<'END'

The database stays. To ask it yourself, these two lines open it:

    sqlite3 build/demo/wordnet.db
    .load ./vecshard

Every statement above is in sql/examples/wordnet_demo.sql.
END
