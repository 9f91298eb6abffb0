#!/bin/sh
# Wording: no notes to self, nothing that belongs to one machine.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh

# Prints the lines of the project's own text files that hold a pattern; this file holds them all.
find_words() {
    find Makefile README.md LICENSE vecshard.def vecshard.pc.in .ci docs ext kernels sql test bench \
        \( -name .venv -o -name corpus -o -path test/data -o -path bench/data/wordnet \) -prune -o \
        -type f ! -path test/package/words.sh \
        -exec grep -I -n -E "$1" /dev/null {} + 2> /dev/null | head -n 20
}
check has_no_unfinished_notes "$(find_words '\b(TODO|FIXME|XXX|HACK|WIP)\b')" = ""
check has_no_merge_marks "$(find_words '^(<<<<<<<|>>>>>>>) ')" = ""
check has_no_paths_of_one_machine "$(find_words '(/home/|/root/|/work/|/Users/)[a-z]')" = ""
check has_no_trailing_blanks "$(find ext kernels sql -name '*.[chs]*' -exec grep -n -E '[[:blank:]]+$' /dev/null {} + | head -n 20)" = ""
check has_no_tabs_in_c "$(find ext kernels test bench -path '*/.venv' -prune -o -name '*.[ch]' -exec grep -n "$(printf '\t')" /dev/null {} + | head -n 20)" = ""
check_done
