#!/bin/sh
# The GPU module as it is built and shipped, on a machine that needs no GPU: what the compiler made of
# its kernels, what the library needs and shows, and what it says where there is no driver.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
if ! nvcc=$(sh .ci/nvcc.sh 2> "$work/nvcc.log"); then
    cat "$work/nvcc.log"
    echo "not run: build, registers, instructions, size, symbols, answer without a driver, two builds"
    check an_nvcc_is_there_to_build_the_gpu_module_with no = yes
    check_done
fi

folder=$work/cuda
copy_tree "$folder"
check_run make_cuda_builds_the_module make -s -C "$folder" cuda NVCC="$nvcc"
library=$folder/vecshard_cuda.so
[ -e "$library" ] || check_done

# Machine code: all kernels for all targets, nothing in local memory, registers for the blocks that
# are to fit.
awk -f test/package/lib/ptxas.awk "$folder/build/cuda/report.txt" > "$work/kernels"
targets=$(awk '{print $2}' "$work/kernels" | sort -n | uniq | tr '\n' ' ')
check has_code_for_all_targets "$targets" = "75 80 86 89 90 100 120 "
check has_all_kernels_for_each_target "$(grep -c -v '^broken ' "$work/kernels")" = $((15 * 7))
check no_kernel_spills_registers "$(awk '$4 > 0' "$work/kernels")" = ""
check no_kernel_has_a_stack "$(awk '$5 > 0' "$work/kernels")" = ""
over=$(awk '$1 ~ /^scan_.*_[12]$/ {most = 80} $1 ~ /^scan_.*_[48]$/ {most = 128}
    $1 ~ /^matrix/ {most = $2 < 80 ? 160 : 128} $1 ~ /^finish/ {most = 96}
    $1 ~ /^select/ {most = 64} $1 ~ /^convert/ {most = 48} $1 == "broken" {most = 16}
    $3 > most' "$work/kernels")
check registers_are_below_their_ceilings "$over" = ""

# The instructions that speed rests on.
for arch in 75 80; do
    check_run "compiles_to_ptx_for_$arch" "$nvcc" -std=c++17 -O3 -I. -diag-suppress 177 -ptx \
        -arch=compute_$arch -o "$work/$arch.ptx" kernels/cuda/device.cu
done
check multiplies_on_tensor_cores "$(grep -c 'mma\.sync\.aligned\.m16n8k16.*f32\.f16\.f16\.f32' "$work/80.ptx")" -gt 0
check multiplies_on_older_tensor_cores "$(grep -c 'mma\.sync' "$work/75.ptx")" -gt 0
check loads_16_bytes_at_once "$(grep -c -E 'ld\.global\.(cs\.)?v4\.(u32|b32)' "$work/80.ptx")" -gt 0
check copies_16_bytes_asynchronously "$(grep -c 'cp\.async\.cg\.shared\.global.* 16;' "$work/80.ptx")" -gt 0
check uses_no_local_memory "$(grep -c '\.local ' "$work/80.ptx")" = 0

# The library.
check is_smaller_than_2_mb "$(stat -c %s "$library")" -lt 2000000
exported=$(nm -D --defined-only "$library" | awk '{print $NF}')
check exports_exactly_its_entry_point "$exported" = vecshard_cuda_v1
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -v -e '^lib\(c\|m\|dl\|rt\|pthread\)\.so\.' -e '^ld-linux')
check needs_only_the_c_library "$needed" = ""
newest=$(nm -D --undefined-only "$library" | sed -n 's/.*@GLIBC_//p' | sort -V | tail -n 1)
check needs_no_glibc_above_2_34 "$(printf '%s\n2.34\n' "$newest" | sort -V | tail -n 1)" = 2.34
flags=$(readelf -d "$library" | grep -E 'FLAGS')
check is_bound_at_load "$(echo "$flags" | grep -c -w -E "FLAGS_1.*NOW")" = 1
check is_never_unloaded "$(echo "$flags" | grep -c -w NODELETE)" = 1
check has_no_executable_stack "$(readelf -lW "$library" | grep GNU_STACK | grep -c E)" = 0
check holds_no_path_of_the_build "$(strings -a "$library" | grep -c -F -e "$PWD" -e tmpxft)" = 0

# Without a driver; where there is one, make gpu-check asks it.
check_run a_program_that_opens_it_builds gcc -std=c11 -Wall -Wextra -Werror -O2 -I. -o "$work/load" test/gpu/load.c -ldl
if [ -e /dev/nvidiactl ]; then
    echo "not run: the answer without a driver: this machine has one"
else
    said=$("$work/load" "$library")
    check speaks_the_abi_of_its_header "$(echo "$said" | cut -d ' ' -f 2)" = \
        "$(sed -n 's/^#define VSG_ABI \([0-9]*\).*/\1/p' kernels/cuda/vsg.h)"
    check says_that_there_is_no_driver "$(echo "$said" | cut -d ' ' -f 3-)" = "2 no driver"
    check says_so_within_10_ms "$(echo "$said" | cut -d ' ' -f 1)" -lt 10000
fi

# Two builds in two folders, for one target.
first=$work/cuda-one
second=$work/a/folder/for/cuda
for copy in "$first" "$second"; do
    mkdir -p "$(dirname "$copy")"
    copy_tree "$copy"
    check_run "builds_in_$(basename "$copy")" make -s -C "$copy" cuda cuda_archs=90 NVCC="$nvcc"
done
check two_builds_have_the_same_bytes "$(sha256sum < "$first/vecshard_cuda.so")" = "$(sha256sum < "$second/vecshard_cuda.so")"
check_done
