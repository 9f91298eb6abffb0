#!/bin/sh
# The same bits on every CPU: runs cross_digest on this machine, on emulated x86 without AVX and
# with AVX2, and on emulated arm64, and compares the digests of all levels. Also runs the kernel
# tests themselves on emulated arm64, and a build for 32-bit x86.
#
#   sh test/kernels/cross.sh
#
# Prints lines "ok NAME", "not ok NAME: why" and "skipped NAME: why"; exit status 1 when one is
# not ok. Takes two to three minutes, most of them compiling.
# Wants: qemu-user, an arm64 cross compiler (CC_ARM64), gcc-multilib. What is missing is skipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
cc=${CC:-cc}
cc_arm64=${CC_ARM64:-aarch64-linux-gnu-gcc}
flags='-O2 -std=c11 -ffp-contract=off'
contract='-O2 -std=gnu11 -ffp-contract=fast' # as a user of the amalgamation may build
kernels='kernels/*.c kernels/arm/*.c kernels/portable/*.c kernels/x86/*.c'
digest_sources="test/kernels/cross_digest.c $kernels"
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
status=0
expected=

have() {
    command -v "$1" > /dev/null 2>&1
}

# digest NAME LEVELS COMMAND...: runs COMMAND, which must print at least these levels, all with the
# digest that was seen first.
digest() {
    name=$1 levels=$2
    shift 2
    if ! "$@" > "$out/digests" 2> "$out/errors"; then
        echo "not ok $name: $(tail -n 1 "$out/errors")"
        status=1
        return
    fi
    [ -n "$expected" ] || expected=$(awk 'NR == 1 {print $2}' "$out/digests")
    for level in $levels; do
        grep -q "^$level " "$out/digests" || {
            echo "not ok $name: level $level did not run"
            status=1
            return
        }
    done
    found=$(awk '{print $1}' "$out/digests" | tr '\n' ' ')
    if awk -v expected="$expected" '$2 != expected {bad = 1} END {exit bad}' "$out/digests"; then
        echo "ok $name: $found$expected"
    else
        echo "not ok $name: expected $expected everywhere, found $(tr '\n' ' ' < "$out/digests")"
        status=1
    fi
}

if [ "$(uname -m)" = x86_64 ]; then
    $cc $flags -static $digest_sources -o "$out/x86_64" -lm || exit 1
    digest native 'scalar sse2' "$out/x86_64"
    for feature in avx2 avx512f; do
        grep -qw "$feature" /proc/cpuinfo || echo "skipped native_${feature%f}: this CPU lacks it"
    done
    if have qemu-x86_64; then
        for cpu in qemu64 Westmere; do
            digest "emulated_$cpu" 'scalar sse2' qemu-x86_64 -cpu "$cpu" "$out/x86_64"
            if grep -q avx "$out/digests"; then
                echo "not ok emulated_$cpu: AVX was chosen on a CPU without it"
                status=1
            fi
        done
        digest emulated_Haswell 'scalar sse2 avx2' qemu-x86_64 -cpu Haswell "$out/x86_64"
        echo "skipped emulated_avx512: qemu has none"
    else
        echo "skipped emulated_x86: no qemu-x86_64"
    fi
    if $cc $flags -m32 -msse2 -mfpmath=sse -static $digest_sources \
        -o "$out/i386" -lm 2> "$out/errors"; then
        digest native_32_bit 'scalar sse2' "$out/i386"
    else
        echo "skipped native_32_bit: $cc cannot build for it"
    fi
    if have clang; then
        clang $flags $digest_sources -o "$out/clang" -lm || exit 1
        digest native_clang 'scalar sse2' "$out/clang"
    else
        echo "skipped native_clang: no clang"
    fi
    $cc $contract $digest_sources -o "$out/contract" -lm || exit 1
    digest native_contraction_allowed 'scalar sse2' "$out/contract"
else
    echo "skipped x86: this machine is $(uname -m)"
fi

if ! have "$cc_arm64"; then
    echo "skipped arm64: no $cc_arm64"
elif ! have qemu-aarch64; then
    echo "skipped arm64: no qemu-aarch64"
else
    $cc_arm64 $flags -static $digest_sources -o "$out/arm64" -lm || exit 1
    digest emulated_arm64 'scalar neon' qemu-aarch64 "$out/arm64"
    digest emulated_arm64_without_dotprod 'scalar neon' qemu-aarch64 -cpu cortex-a57 "$out/arm64"
    $cc_arm64 $contract -static $digest_sources -o "$out/contract" -lm || exit 1
    digest emulated_arm64_contraction_allowed 'scalar neon' qemu-aarch64 "$out/contract"
    for test in canonical rank convert topk code encode front; do
        $cc_arm64 $flags -Itest/kernels/cross -static "test/kernels/test_$test.c" test/oracle.c \
            $kernels -o "$out/test" -lm || exit 1
        if qemu-aarch64 "$out/test" > "$out/errors" 2>&1; then
            echo "ok arm64_test_$test"
        else
            echo "not ok arm64_test_$test: $(tail -n 1 "$out/errors")"
            status=1
        fi
    done
fi
exit $status
