#!/bin/sh
# Runs the SQL of README.md and docs/*.md, and compares it with the results printed beside it.
#
#   sh test/docs/run_docs.sh [file.md...]
#
# Every ```sql block is given to the sqlite3 shell, as a reader would paste it: dot-commands work,
# the output mode is box until the text changes it, the extension is loaded. The blocks of one file
# share one session, in a scratch folder with links to vecshard.so, sql/, test/ and docs/.
#
# When the next thing after a block, blank lines apart, is a ```text block, that is its result: every
# line must agree (blanks at line ends apart; " near line N" in errors is left out). A block with no
# ```text after it must run without an error. SQL that cannot run, such as a grammar, belongs in a
# fence of another kind.
set -u
cd "$(dirname "$0")/../.." || exit 2
root=$PWD
failed=0
[ $# -gt 0 ] || set -- README.md docs/*.md

for document in "$@"; do
    [ -e "$document" ] || continue
    work=${VS_TEST_DIR:-$root/build/test/single}/docs/$(basename "$document" .md)
    rm -rf "$work"
    mkdir -p "$work"
    sh test/scratch.sh "$work/scratch"

    # One script for the session, a marker line before each block; the expected results in files.
    # "blocks" lists "number line has_result".
    awk -v work="$work" '
        function end_of_block() {
            if (number > 0) {
                print number, line, has_result > (work "/blocks")
            }
        }
        in_block && /^```/ {
            close(work "/" number ".expected")
            in_block = 0
            next
        }
        in_block == "sql" { print > script; next }
        in_block == "text" { print > (work "/" number ".expected"); next }
        in_block { next }
        /^```sql *$/ {
            end_of_block()
            in_block = "sql"
            number++
            line = NR
            has_result = 0
            follows = 1
            print ".print @@block " number > script
            next
        }
        /^```text *$/ && follows {
            in_block = "text"
            has_result = 1
            follows = 0
            printf "" > (work "/" number ".expected")
            next
        }
        /^```/ { in_block = "other"; follows = 0; next }
        /[^ \t]/ { follows = 0 }
        END { end_of_block() }
        BEGIN {
            script = work "/script.sql"
            printf "" > script
            printf "" > (work "/blocks")
        }' "$document"
    [ -s "$work/blocks" ] || continue

    # Unbuffered, so that errors stand among the rows where they happened.
    {
        printf '.load ./vecshard\n.mode box\n'
        cat "$work/script.sql"
        echo ".print @@block end"
    } > "$work/session.sql"
    (cd "$work/scratch" && stdbuf -o0 timeout 120 sqlite3 -batch -init /dev/null :memory: \
        < "$work/session.sql") > "$work/output" 2>&1
    status=$?

    awk -v work="$work" '
        BEGIN { file = work "/0.actual" }
        /^@@block / { close(file); file = work "/" $2 ".actual"; printf "" > file; next }
        {
            sub(/[ \t\r]+$/, "")
            # "Parse error near line 7: no such ..." is "Parse error: no such ..." to an interactive reader.
            if ($0 ~ /rror near line [0-9]+: /) {
                sub(/ near line [0-9]+: /, ": ")
            }
            print > file
        }' "$work/output"

    if [ -s "$work/0.actual" ]; then
        echo "not ok $document: the session does not start: $(cat "$work/0.actual")"
        failed=1
        continue
    fi

    while read -r number line has_result; do
        name="$document:$line"
        actual=$work/$number.actual
        expected=$work/$number.expected
        next=$work/$((number + 1)).actual
        if [ ! -e "$actual" ]; then
            echo "not ok $name: did not run (exit status $status; is a statement before it unfinished?)"
            failed=1
        elif [ ! -e "$next" ] && [ ! -e "$work/end.actual" ]; then
            echo "not ok $name: did not finish (exit status $status)"
            cat "$actual"
            failed=1
        elif [ "$has_result" = 1 ]; then
            sed 's/[[:space:]]*$//' "$expected" > "$expected.tidy"
            if cmp -s "$expected.tidy" "$actual"; then
                echo "ok $name"
            else
                echo "not ok $name: documented -, came +"
                diff -u "$expected.tidy" "$actual" | tail -n +3 | head -n 40
                failed=1
            fi
        elif grep -q -i -E '(^| )error:' "$actual"; then
            echo "not ok $name: an error that the text does not show"
            cat "$actual"
            failed=1
        else
            echo "ok $name"
        fi
    done < "$work/blocks"
done
exit $failed
