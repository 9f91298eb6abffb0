#!/bin/sh
# Builds the SQLite versions that the tests use beside the system's own:
#
#   build/sqlite-3.53   the newest: unit, fault and SQL tests run with it too (by LD_LIBRARY_PATH)
#   build/sqlite-3.37   too old: loading into it must be refused
#
# Their amalgamations come from inside pinned npm packages; only the checksums below are trusted.
# Does nothing once they are there.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/npm

# Options of common hosts: what the extension meets in the wild.
host_options="-DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_JSON1 -DSQLITE_ENABLE_RTREE
    -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_DBSTAT_VTAB
    -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_API_ARMOR"

# build VERSION PACKAGE_VERSION SHA512 COMPILER_FLAGS
build() {
    folder=build/sqlite-$1
    package=better-sqlite3-$2.tgz
    [ ! -e "$folder/libsqlite3.so.0" ] || return 0

    echo "building SQLite $1"
    if [ ! -e "build/npm/$package" ]; then
        (cd build/npm && npm pack --loglevel=error --ignore-scripts "better-sqlite3@$2") > /dev/null
    fi
    if ! echo "$3  build/npm/$package" | sha512sum --check --status; then
        rm -f "build/npm/$package"
        echo "sqlite_versions.sh: $package does not have the pinned checksum" >&2
        return 1
    fi
    mkdir -p "$folder"
    # Old packages hold the sources in an archive of their own.
    tar -xzf "build/npm/$package" -C "$folder" --strip-components=2 package/deps
    if [ -e "$folder/sqlite3.tar.gz" ]; then
        tar -xzf "$folder/sqlite3.tar.gz" -C "$folder"
    else
        mv "$folder"/sqlite3/* "$folder"
    fi
    # Under a temporary name first, so that an interrupted build leaves nothing half-made.
    # shellcheck disable=SC2086  # lists of options
    cc -shared -fPIC $4 $host_options -Wl,-soname,libsqlite3.so.0 -o "$folder/new.so" \
        "$folder/sqlite3.c" -lm -lpthread -ldl
    mv "$folder/new.so" "$folder/libsqlite3.so.0"
}

build 3.53 12.11.1 76af40b40a608393c616d0733c54819771d94231e893981a40233ace1d989346929830acd426e7548f3f1e001242434ab16169b1e20ef5b7a0e71c696216c87c -O2
# Only asked to refuse, so it need not be fast.
build 3.37 7.4.6 2c1fd4c67321709635d9b4420d79768d393496c6d71c21ce2e7ddc3e31a1cb71827153c6ab8e6c08624f51d7c16677d718dd78b584c9caad33b542379469e0f0 -O0
