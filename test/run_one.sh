#!/bin/sh
# Runs one job of run_all.sh, prints one line about it (and its output when it failed), and appends
# "part passed failed seconds" to OUT/counts, and its name to OUT/failed when it failed.
#
#   sh test/run_one.sh OUT "part<TAB>name<TAB>seconds<TAB>command"
#
# Counting: a cmocka program announces how many tests it will run and prints "[       OK ]" after
# each good one; what was announced and is neither good nor skipped has failed, so a program that
# dies half-way counts its missing tests as failures. Scripts print "ok NAME" or "not ok NAME: why"
# per case. A program that counts nothing is one case; a bad exit status (also a leak report, or
# the time limit) is at least one failure.
set -u
out=$1
tab=$(printf '\t')
IFS=$tab read -r part name limit command <<END
$2
END

word=$(echo "$name" | tr -c 'A-Za-z0-9.\n' '_')
log="$out/$word.log"
# Files that the job makes go with it when it is good: the copies of the tree that package checks
# build in would fill a small disk.
scratch="$out/$word.files"
mkdir -p "$scratch"
start=$(date +%s)
VS_TEST_DIR=$scratch CMOCKA_MESSAGE_OUTPUT=stdout \
ASAN_OPTIONS=allow_user_segv_handler=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
    timeout --kill-after=5 "$limit" sh -c "exec env $command" > "$log" 2>&1 < /dev/null
status=$?
seconds=$(($(date +%s) - start))

counts=$(awk -v status="$status" '
    /^\[==========\].* Running [0-9]+ test/ {
        sub(/.* Running /, "")
        announced += $1
    }
    /^\[       OK \]/ { good++ }
    /^\[ RUN      \] / { running = $4 }
    /^\[  SKIPPED \] / && $4 == running { announced--; running = "" }
    /^ok / { passed++ }
    /^not ok / { failed++ }
    END {
        passed += good
        failed += announced - good
        if (status != 0 && failed == 0) {
            failed = 1
        }
        if (status == 0 && passed + failed == 0) {
            passed = 1
        }
        print passed + 0, failed + 0
    }' "$log")
passed=${counts% *}
failed=${counts#* }
echo "$part $passed $failed $seconds" >> "$out/counts"

if [ "$failed" -eq 0 ]; then
    rm -rf "$scratch"
    echo "$name: $passed passed (${seconds} s)"
else
    reason="exit status $status"
    [ "$status" -ne 124 ] || reason="stopped after $limit s"
    echo "$name ($reason)" >> "$out/failed"
    # Only what matters of a long log; the whole of it stays in the file.
    echo "$name: $passed passed, $failed FAILED ($reason; $log)
$(grep -v -e '^\[ RUN ' -e '^\[       OK' -e '^ok ' "$log" | tail -n 60 | sed 's/^/    /')"
fi
