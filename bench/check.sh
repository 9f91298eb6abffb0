#!/bin/sh
# Compares the instructions that each kernel needs with the stored ones, so that a slower kernel is
# noticed on any machine, however busy. Valgrind knows scalar, SSE2 and AVX2; it has no AVX-512, so
# those kernels are not counted, only timed, by bench_kernels.
#
#   sh bench/check.sh             fails, naming the kernel, when one needs over 3 % more than stored
#   sh bench/check.sh --update    stores what is needed now
#   sh bench/check.sh --prove     runs one kernel twice per call and expects this check to fail
#
# The counts belong to one compiler: with another one, or without valgrind, the check is skipped.
set -eu
cd "$(dirname "$0")/.."
cc=${CC:-cc}
kernels='kernels/*.c kernels/arm/*.c kernels/portable/*.c kernels/x86/*.c'
baseline=bench/results/kernel_instructions.txt
slowed=avx2.rank_dot.float32
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

skip() {
    echo "bench-check: skipped: $1"
    exit 0
}

# instructions [KERNEL]: prints "KERNEL COUNT" for each; KERNEL runs twice.
instructions() {
    rm -f "$out"/counts.*
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out/counts" "$out/check_kernels" "$@"
    awk '/^desc: Trigger: Client Request: / {name = $5}
         /^(totals|summary): / {if (name != "") print name, $2; name = ""}' "$out"/counts.* | sort
}

# compare FOUND: one sentence per kernel that is slower, missing or new.
compare() {
    grep -v '^#' "$baseline" | awk '
        NR == FNR {
            found[$1] = $2
            next
        }
        {
            known[$1] = 1
            if (!($1 in found)) {
                print "bench-check: " $1 ": expected " $2 " instructions, but it did not run"
                bad = 1
            } else if (found[$1] > $2 * 1.03) {
                printf "bench-check: %s: expected %d instructions, found %d (%+.1f %%)\n", $1, $2,
                    found[$1], 100 * (found[$1] / $2 - 1)
                bad = 1
            }
        }
        END {
            for (name in found) {
                if (!(name in known)) {
                    print "bench-check: " name ": not stored yet; run bench/check.sh --update"
                    bad = 1
                }
            }
            exit bad
        }' "$1" -
}

command -v valgrind > /dev/null || skip "no valgrind"
[ "$(uname -m)" = x86_64 ] || skip "the stored counts are for x86_64"
grep -qw avx2 /proc/cpuinfo || skip "this CPU has no AVX2"
compiler=$($cc --version | head -n 1)
if [ "${1-}" != --update ]; then
    stored=$(sed -n 's/^# compiler: //p' "$baseline")
    [ "$stored" = "$compiler" ] || skip "counts are stored for '$stored', this is '$compiler'"
fi
echo '#include <valgrind/callgrind.h>' | $cc -E - > /dev/null 2>&1 || skip "no valgrind/callgrind.h"

# shellcheck disable=SC2086  # a list of files
$cc -O2 -std=c11 -ffp-contract=off -fPIC bench/check_kernels.c $kernels \
    -o "$out/check_kernels" -lm
case ${1-} in
--update)
    instructions > "$out/found"
    {
        echo "# Instructions per kernel on the input of check_kernels.c; see check.sh --update."
        echo "# compiler: $compiler"
        cat "$out/found"
    } > "$baseline"
    echo "bench-check: stored $(wc -l < "$out/found") kernels in $baseline"
    ;;
--prove)
    instructions "$slowed" > "$out/found"
    if compare "$out/found" > "$out/sentences"; then
        echo "bench-check: $slowed ran twice and was not noticed"
        exit 1
    fi
    if [ "$(wc -l < "$out/sentences")" -ne 1 ] ||
        ! grep -q "^bench-check: $slowed: " "$out/sentences"; then
        echo "bench-check: expected a sentence about $slowed alone, found:"
        cat "$out/sentences"
        exit 1
    fi
    echo "bench-check: proved: $(cat "$out/sentences")"
    ;;
*)
    instructions > "$out/found"
    compare "$out/found"
    echo "bench-check: $(wc -l < "$out/found") kernels need no more instructions than stored;" \
        "valgrind has no AVX-512"
    ;;
esac
