#!/bin/sh
# Two builds in two folders, at two times, give the same bytes.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
first=$work/first
second=$work/a/folder/with/a/longer/name
copy_tree "$first"
mkdir -p "$(dirname "$second")"
cp -R "$first" "$second"
for folder in "$first" "$second"; do
    (cd "$folder" && check_run "builds_in_$(basename "$folder")" make -s CC=gcc && check_done) || check_failed=1
done
check two_builds_have_the_same_bytes "$(sha256sum < "$first/vecshard.so")" = "$(sha256sum < "$second/vecshard.so")"
check holds_no_path_of_the_build "$(strings -a "$first/vecshard.so" | grep -c -F "$PWD")" = 0
check_done
