#!/bin/sh
# Runs every SQL file and compares what it prints with the stored output.
#
#   sh test/sql/golden.sh system      with the system's SQLite
#   sh test/sql/golden.sh newest      with build/sqlite-3.53
#   sh test/sql/golden.sh defensive   as newest, every connection set up as careful hosts do
#   sh test/sql/golden.sh scalar      as system, with the portable kernels: same results, bit for bit
#   sh test/sql/golden.sh asan        the sanitizer build, with the system's SQLite
#   sh test/sql/golden.sh update      rewrites the stored outputs
#
# Files and their outputs:
#   test/sql/NAME.sql     test/sql/NAME.out
#   sql/FOLDER/NAME.sql   test/sql/expected/FOLDER/NAME.out
# Where the newest SQLite prints something else (it words plans in its own way), NAME.3.53.out is
# its output. An update writes that only where it is needed, and shows how it differs.
#
# The outputs of a file are the same in every variant. Where it shows what a careful host refuses by
# design, it says "-- defensive off" before that, and why.
#
# ONLY=word restricts an update to the files whose path contains it. Each file runs in a scratch
# folder that holds links to vecshard.so, sql/ and test/, so that files it writes do no harm.
set -u
cd "$(dirname "$0")/../.." || exit 2
root=$PWD
variant=$1
work=${VS_TEST_DIR:-$root/build/test/single}/sql-$variant
failed=0
mkdir -p "$work"

files() {
    find test/sql sql -name '*.sql' | LC_ALL=C sort
}

# stored FILE: the path of its output, without ".out"
stored() {
    case $1 in
    sql/*) set -- "test/sql/expected/${1#sql/}" ;;
    esac
    echo "${1%.sql}"
}

# run VARIANT FILE: what it prints, and a line with the exit status when that is not 0
run() {
    runner=$root/build/test/sql/run
    with_newest="sh $root/test/with_sqlite.sh 3.53"
    level=${VECSHARD_CPU:-}
    case $1 in
    newest) runner="$with_newest $runner" ;;
    defensive) runner="$with_newest $runner --defensive" ;;
    scalar) level=scalar ;;
    asan) runner=$root/build/asan/test/sql/run ;;
    esac
    scratch=$work/scratch
    sh test/scratch.sh "$scratch"
    (
        cd "$scratch" || exit 2
        [ -z "$level" ] || export VECSHARD_CPU="$level"
        # shellcheck disable=SC2086  # a command and its arguments
        timeout 120 $runner "$root/$2" 2>&1
        status=$?
        [ $status -eq 0 ] || echo "exit status $status"
    )
}

update() {
    files | while read -r file; do
        case $file in
        *"${ONLY:-}"*) ;;
        *) continue ;;
        esac
        expected=$(stored "$file")
        mkdir -p "$(dirname "$expected")"
        run system "$file" > "$expected.out"
        run newest "$file" > "$expected.3.53.out"
        if cmp -s "$expected.out" "$expected.3.53.out"; then
            rm "$expected.3.53.out"
        else
            echo "$file differs on SQLite 3.53:"
            diff "$expected.out" "$expected.3.53.out"
        fi
    done
}

if [ "$variant" = update ]; then
    update
    exit
fi

for file in $(files); do
    expected=$(stored "$file")
    case $variant in
    newest | defensive)
        [ ! -e "$expected.3.53.out" ] || expected=$expected.3.53
        ;;
    esac
    actual=$work/$(echo "$file" | tr / _).out
    run "$variant" "$file" > "$actual"
    if [ ! -e "$expected.out" ]; then
        echo "not ok $file: no $expected.out (make golden-update writes it)"
        failed=1
    elif cmp -s "$expected.out" "$actual"; then
        echo "ok $file"
    else
        echo "not ok $file: expected -, came +"
        diff -u "$expected.out" "$actual" | tail -n +3 | head -n 40
        failed=1
    fi
done
exit $failed
