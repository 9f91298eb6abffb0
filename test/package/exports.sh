#!/bin/sh
# What the shared library shows to the program that loads it, and needs from it.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
library=vecshard.so

exported=$(nm -D --defined-only "$library" | awk '{print $NF}')
check exports_exactly_its_entry_point "$exported" = sqlite3_vecshard_init

needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libc\.so\.6$' -e '^libm\.so\.6$')
check needs_only_libc_and_libm "$needed" = ""

newest=$(nm -D --undefined-only "$library" | sed -n 's/.*@GLIBC_//p' | sort -V | tail -n 1)
check needs_no_glibc_above_2_34 "$(printf '%s\n2.34\n' "$newest" | sort -V | tail -n 1)" = 2.34

check has_no_text_relocations "$(readelf -d "$library" | grep -c TEXTREL)" = 0
flags=$(readelf -d "$library" | grep -E 'FLAGS')
check is_bound_at_load "$(echo "$flags" | grep -c -w -E "FLAGS_1.*NOW")" = 1
check is_never_unloaded "$(echo "$flags" | grep -c -w NODELETE)" = 1
check has_no_executable_stack "$(readelf -lW "$library" | grep GNU_STACK | grep -c E)" = 0

foreign=$(nm -D --undefined-only "$library" | awk '{print $NF}' | grep -E '^(sqlite3|ZSTD)_')
check reaches_sqlite_only_through_the_hosts_table "$foreign" = ""
check_done
