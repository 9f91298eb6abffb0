#!/bin/sh
# Copies the headers and libraries that gpu-check builds with into build/gpu-kit, for a machine that has
# a GPU and a compiler, but neither these libraries nor a network: make gpu-kit. There, check.sh finds
# the folder by itself.
set -eu
cd "$(dirname "$0")/../.."
kit=build/gpu-kit
rm -rf "$kit"
mkdir -p "$kit/include" "$kit/lib"

# header NAME: copies it, where the compiler finds it.
header() {
    path=$(printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <%s>\n' "$1" |
        cc -M -xc - | tr ' ' '\n' | grep "/$1\$")
    cp "$path" "$kit/include"
}

# library NAME...: copies the first of these files that the compiler knows.
library() {
    for name in "$@"; do
        path=$(cc -print-file-name="$name")
        if [ "$path" != "$name" ]; then
            cp -L "$path" "$kit/lib/$name"
            return 0
        fi
    done
    echo "kit.sh: there is no $1" >&2
    return 1
}

for name in sqlite3.h sqlite3ext.h zstd.h zstd_errors.h zdict.h cmocka.h; do
    header "$name"
done
library libsqlite3.a libsqlite3.so
library libzstd.a
library libcmocka.a libcmocka.so
# The name under which a program that was linked with it looks for it.
if [ -e "$kit/lib/libcmocka.so" ]; then
    cp "$kit/lib/libcmocka.so" "$kit/lib/libcmocka.so.0"
fi
du -sh "$kit"
