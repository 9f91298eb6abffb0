#!/bin/sh
# The Makefile's own promises: targets are listed, and an up-to-date tree is not built again.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
for target in all demo test cuda gpu-check bench bench-check check-asan fuzz-smoke install uninstall dist clean format; do
    check "help_lists_$target" "$(make -s help | grep -c "^$target ")" = 1
done
library_time() {
    stat -c %Y.%y vecshard.so
}
before=$(library_time)
check_run make_succeeds_on_a_built_tree make -s all
check second_make_builds_nothing "$(library_time)" = "$before"
check_done
