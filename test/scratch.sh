#!/bin/sh
# Makes an empty folder with links to what SQL run in it may name: sh test/scratch.sh FOLDER
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
rm -rf "$1"
mkdir -p "$1"
for name in vecshard.so vecshard.dylib sql test docs; do
    [ ! -e "$root/$name" ] || ln -s "$root/$name" "$1/$name"
done
