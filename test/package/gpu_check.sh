#!/bin/sh
# A rehearsal of make gpu-check: all its scripts and programs, with the fake module in place of a GPU.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh

VS_TEST_DIR=$work VECSHARD_GPU_CHECK_DRY=1 sh test/gpu/check.sh > "$work/gpu_check.log" 2>&1
status=$?
last=$(tail -n 1 "$work/gpu_check.log")
check gpu_check_runs_without_a_failure "$status ${last#* passed, }" = "0 0 failed"
[ "$status" -eq 0 ] || sed 's/^/    /' "$work/gpu_check.log"
check gpu_check_counts_its_parts "${last%% *}" -ge 60
check gpu_check_prints_its_table "$(grep -c '^ordinary 2000 x 24' "$work/gpu_check.log")" -ge 9

# What only nvcc can build.
if nvcc=$(command -v nvcc); then
    for program in test/gpu/ballast bench/copy_gpu; do
        check_run "$(basename $program)_builds" "$nvcc" -O2 -o "$work/$(basename $program)" $program.cu
    done
else
    echo "not run: the programs for nvcc, which is not in PATH"
fi

# Every part that the head of the script names can be left out.
skipped=$(VS_TEST_DIR=$work VECSHARD_GPU_CHECK_DRY=1 \
    VECSHARD_GPU_CHECK_SKIP="sanitizer shapes answers sql life budget bench" sh test/gpu/check.sh |
    grep -c ': left out$')
check gpu_check_leaves_out_what_it_is_told_to "$skipped" -ge 10
check_done
