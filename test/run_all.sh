#!/bin/sh
# Runs the tests, several at a time, and counts them.
#
#   sh test/run_all.sh [part...]     without arguments: every part but asan
#
#   unit kernels gpu differential fault   cmocka programs; unit, differential, fault
#            and what of gpu runs SQL on both SQLites; gpu is the GPU module on the host
#   sql      golden tests, also in a defensive host and on the scalar level; refusal of an old SQLite
#   fuzz     replay of the fuzzers' corpora; half a minute of fuzzing what decodes compressed bytes
#   docs     the SQL blocks of README.md and docs/
#   package  what is shipped: exports, reproducible builds, amalgamation, install, wording
#   asan     the sanitizer builds of the above (make check-asan)
#
# Environment: JOBS (tests at a time), ONLY (run only jobs whose name contains this word).
#
# A run keeps its logs and scratch files in a folder of its own, so that several may go on at once;
# each job's VS_TEST_DIR is a folder in it. It is removed when nothing failed.
#
# The last line is "N passed, N failed", in test cases: each cmocka test, each SQL file, each SQL
# block of a document, each corpus, each package check; run_one.sh says how they are counted.
# Exit status: 0 when something ran and nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 2

# The longest first, so that they do not stand alone at the end.
parts=${*:-kernels fuzz package fault differential unit gpu sql docs}
jobs=${JOBS:-1}
mkdir -p build/test
out=$(mktemp -d "$PWD/build/test/run.XXXXXX") || exit 2

# add PART NAME SECONDS COMMAND: one job. Results of a part are summed up.
add() {
    case $2 in
    *"${ONLY:-}"*) printf '%s\t%s\t%s\t%s\n' "$@" >> "$out/jobs" ;;
    esac
}

# add_programs PART FOLDER [PREFIX]: the cmocka programs of one folder of tests; both SQLites when
# PREFIX, the SQLite to run them with, is given.
add_programs() {
    for source in "test/$2"/test_*.c; do
        [ -e "$source" ] || continue
        name=$(basename "$source" .c)
        case $2/$name in
        gpu/test_gpu_sql_*) runs_sql=1 ;;
        kernels/* | gpu/*) runs_sql= ;;
        *) runs_sql=1 ;;
        esac
        case $runs_sql in
        '') add "$1" "$2/$name" 600 "build/$3test/$2/$name" ;;
        *)
            add "$1" "$2/$name" 300 "build/$3test/$2/$name"
            [ -n "$3" ] || add "$1" "$2/$name (SQLite 3.53)" 300 \
                "sh test/with_sqlite.sh 3.53 build/test/$2/$name"
            ;;
        esac
    done
}

add_corpora() { # PART PREFIX
    for source in test/fuzz/fuzz_*.c; do
        [ -e "$source" ] || continue
        name=$(basename "$source" .c)
        add "$1" "$name corpus" 300 "sh test/fuzz/replay.sh build/$2test/fuzz/$name"
    done
}

: > "$out/jobs"
for part in $parts; do
    case $part in
    package)
        for script in test/package/*.sh; do
            add package "$(basename "$script" .sh)" 600 "sh $script"
        done
        ;;
    fault | unit | differential | gpu) add_programs "$part" "$part" "" ;;
    kernels)
        [ ! -e test/kernels/cross.sh ] || add kernels "kernels/cross" 900 "sh test/kernels/cross.sh"
        add_programs kernels kernels ""
        ;;
    sql)
        for variant in system newest defensive scalar; do
            add sql "sql $variant" 600 "sh test/sql/golden.sh $variant"
        done
        add sql "sql refuses SQLite 3.37" 60 "sh test/sql/refuse.sh"
        ;;
    fuzz)
        add fuzz "decoders fuzzed" 900 "sh test/fuzz/decoders.sh"
        add_corpora fuzz ""
        ;;
    docs) add docs "docs" 300 "sh test/docs/run_docs.sh" ;;
    asan)
        for folder in unit kernels gpu fault differential; do
            add_programs asan "$folder" asan/
        done
        add_corpora asan asan/
        add asan "sql asan" 600 "sh test/sql/golden.sh asan"
        ;;
    *)
        echo "run_all.sh: no part named '$part'" >&2
        exit 2
        ;;
    esac
done

case " $parts " in
*" unit "* | *" differential "* | *" fault "* | *" gpu "* | *" sql "*) sh .ci/sqlite_versions.sh ;;
esac

: > "$out/counts"
tr '\n' '\0' < "$out/jobs" | xargs -0 -n 1 -P "$jobs" sh test/run_one.sh "$out"

echo
for part in $parts; do
    awk -v part="$part" '$1 == part {passed += $2; failed += $3; seconds += $4}
        END {printf "%-14s %6d passed %6d failed %8d s\n", part, passed, failed, seconds}' \
        "$out/counts"
done
# Once more at the end, where whoever reads only the end of a long log sees it; a full disk makes
# builds fail in ways that do not look like it.
if [ -e "$out/failed" ]; then
    echo
    sed 's/^/FAILED: /' "$out/failed"
    df -Pk "$out" | awk 'NR == 2 {printf "free on the disk of %s: %d MB\n", $6, $4 / 1024}'
fi
awk '{passed += $2; failed += $3}
    END {printf "\n%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0}' \
    "$out/counts" || exit 1
rm -rf "$out"
