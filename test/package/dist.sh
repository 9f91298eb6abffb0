#!/bin/sh
# The amalgamation compiles by itself, shows no name that is not ours, and works linked into a program.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
folder=$work/dist
rm -rf "$folder"
mkdir -p "$folder"
check_run amalgamation_is_made make -s dist
[ $check_failed -eq 0 ] || check_done
cp dist/vecshard.c dist/vecshard.h "$folder"

check amalgamation_includes_no_local_file "$(grep '#include "' "$folder/vecshard.c" | sort -u)" = '#include "vecshard.h"'

flags="-std=c11 -O1 -ffp-contract=off -Wall -Wextra -Wpedantic -Werror"
for compiler in gcc clang; do
    object=$folder/vecshard-$compiler.o
    # shellcheck disable=SC2086  # a list of flags
    check_run "compiles_with_$compiler" $compiler $flags -DSQLITE_CORE -c "$folder/vecshard.c" -o "$object"
    names=$(nm --defined-only --extern-only "$object" | awk '{print $NF}' |
        grep -v -E '^(vs_|vsk_|sqlite3_vecshard_init$)')
    check "${compiler}_object_has_only_our_prefixes" "$names" = ""
    # shellcheck disable=SC2086
    check_run "smoke_program_builds_with_$compiler" $compiler $flags -I"$folder" -o "$folder/smoke-$compiler" \
        test/package/smoke.c "$object" -lsqlite3 -lzstd -lm -lpthread
    check_run "smoke_program_runs_with_$compiler" "$folder/smoke-$compiler"
done

# Without -DSQLITE_CORE the same file is a loadable extension.
# shellcheck disable=SC2086
check_run amalgamation_is_also_loadable gcc $flags -fPIC -shared -o "$folder/vecshard.so" \
    "$folder/vecshard.c" -lzstd -lm
check loaded_amalgamation_answers \
    "$(sqlite3 -init /dev/null :memory: ".load $folder/vecshard" "SELECT vec_distance_l2('[0,0]', '[3,4]');")" = 5.0
check_done
