#!/bin/sh
# clang compiles everything that gcc does, with warnings as errors: the library and the tests.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
folder=$work/clang
copy_tree "$folder"
check_run builds_with_clang_without_a_warning make -s -C "$folder" CC=clang all
check_run tests_build_with_clang_without_a_warning make -s -C "$folder" CC=clang CFLAGS='-O0 -g0' test-programs
check_done
