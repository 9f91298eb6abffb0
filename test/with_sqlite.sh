#!/bin/sh
# Runs a program with one of the SQLite builds of .ci/sqlite_versions.sh:
#
#   sh test/with_sqlite.sh 3.53 program [argument...]
#
# Without that build it fails, so that the system's SQLite never stands in for it unseen.
set -u
folder=$(cd "$(dirname "$0")/.." && pwd)/build/sqlite-$1
shift
if [ ! -e "$folder/libsqlite3.so.0" ]; then
    echo "not ok $folder/libsqlite3.so.0 is missing (sh .ci/sqlite_versions.sh builds it)"
    exit 1
fi
LD_LIBRARY_PATH=$folder exec "$@"
