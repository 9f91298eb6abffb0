#!/bin/sh
# Tests and measures the GPU module on the GPU of this machine: make gpu-check.
#
#   sh test/gpu/check.sh              everything, in less than 8 minutes
#   sh test/gpu/check.sh part NAME    one part, of those below, once everything is built
#
# Wants nvcc (CUDA 13), gcc, make, and the libraries of .ci/packages.sh, which it installs, or takes
# from build/gpu-kit (make gpu-kit, on another machine). compute-sanitizer comes with CUDA.
#
# Environment:
#   VECSHARD_GPU_CHECK_SKIP  parts to leave out: sanitizer shapes answers sql life budget bench
#   VECSHARD_GPU_CHECK_DRY   not empty: a rehearsal with the fake module in place of a GPU, with small
#                            sizes, on what is built already
#   RESULTS                  where the JSON lines of the measurements go: bench/results
#   BENCH_GPU                arguments for bench_gpu: rows=200000 indexed_rows=0 ...
#
# Logs are in build/gpu-check. The last line is "N passed, N failed", counted as test/run_one.sh says.
set -u
cd "$(dirname "$0")/../.." || exit 2
dry=${VECSHARD_GPU_CHECK_DRY:-}
# Parts are given what the parts before them made: the folder of the whole run.
out=${GPU_CHECK_OUT:-${VS_TEST_DIR:-$PWD/build}/gpu-check}
export GPU_CHECK_OUT="$out"
tab=$(printf '\t')
PATH=$PATH:/usr/local/cuda/bin
LC_ALL=C
export PATH LC_ALL

if [ -z "$dry" ]; then
    module=$PWD/vecshard_cuda.so
    results=${RESULTS:-$PWD/bench/results}
    shapes=200 share=1 sanitizer_share=6
    bench_arguments="copy=$out/copy_gpu ${BENCH_GPU:-}"
    if [ -d build/gpu-kit ]; then
        CPATH=$PWD/build/gpu-kit/include${CPATH:+:$CPATH}
        LIBRARY_PATH=$PWD/build/gpu-kit/lib${LIBRARY_PATH:+:$LIBRARY_PATH}
        LD_RUN_PATH=$PWD/build/gpu-kit/lib
        export CPATH LIBRARY_PATH LD_RUN_PATH
    fi
else
    module=$PWD/build/test/gpu/vecshard_cuda_fake.so
    results=$out
    shapes=12 share=60 sanitizer_share=60
    bench_arguments="rows=2000 indexed_rows=1500 dim=24 batch_max=64 small=1000 seconds=0.02"
    PATH=$PATH:$out/bin
fi
cores=$(getconf _NPROCESSORS_ONLN)
mkdir -p "$out" "$results"

# ---- parts: each prints "ok NAME" and "not ok NAME: why", or is a program of cmocka's --------------

part_packages() {
    [ -d build/gpu-kit ] || echo "Without a network: make gpu-kit elsewhere, and bring build/gpu-kit."
    if sh .ci/packages.sh gpu; then
        echo "ok packages_are_there"
    else
        echo "not ok packages_are_there: see above"
    fi
}

part_build() {
    if [ -n "$dry" ] && [ -e "$module" ] && [ -e build/test/gpu/check_shapes ]; then
        echo "ok built_before"
        return
    fi
    # Another compiler than ours may warn of more.
    make -j"$cores" WERROR= all gpu-programs || { echo "not ok programs_build: see above"; return; }
    echo "ok programs_build"
}

part_module() {
    make cuda || { echo "not ok make_cuda_builds_the_module: see above"; return; }
    echo "ok make_cuda_builds_the_module"
    for program in test/gpu/ballast bench/copy_gpu; do
        nvcc -O2 -arch=native -o "$out/$(basename $program)" $program.cu || echo "not ok $program: see above"
    done
}

part_tools() {
    gcc -std=c11 -O2 -I. -o "$out/load" test/gpu/load.c -ldl &&
        gcc -std=c11 -O3 -Wall -Wextra -o "$out/bench_gpu" bench/bench_gpu.c \
            bench/bench_support.c bench/bench_tables.c -lsqlite3 -lm -lpthread &&
        echo "ok tools_build"
}

# The card, and what the module says of it.
part_load() {
    "$out/load" "$module" > "$out/card" || { echo "not ok the_module_loads: see above"; return; }
    echo "ok the_module_loads"
    cat "$out/card"
    if [ "$(head -n 1 "$out/card" | cut -d ' ' -f 3)" = 0 ]; then
        echo "ok finds_a_device"
    else
        echo "not ok finds_a_device: $(head -n 1 "$out/card" | cut -d ' ' -f 4-)"
    fi
}

part_shapes() {
    VECSHARD_TEST_CUDA=$module VECSHARD_CHECK_SHARE=$share exec build/test/gpu/check_shapes
}

# The same with one of compute-sanitizer's tools looking on.
part_sanitizer() {
    command -v compute-sanitizer > /dev/null || {
        echo "not ok $1: there is no compute-sanitizer; VECSHARD_GPU_CHECK_SKIP=sanitizer leaves it out"
        return
    }
    VECSHARD_TEST_CUDA=$module VECSHARD_CHECK_SHARE=$sanitizer_share exec compute-sanitizer \
        --tool "$1" --error-exitcode 9 --print-limit 20 build/test/gpu/check_shapes
}

part_answers() {
    VECSHARD_TEST_CUDA=$module VECSHARD_CHECK_SHAPES=$shapes exec build/test/gpu/check_answers
}

part_sql() {
    VECSHARD_TEST_CUDA=$module exec "build/test/gpu/$1"
}

part_life() {
    VECSHARD_TEST_CUDA=$module exec build/test/gpu/check_life
}

part_budget() {
    VECSHARD_TEST_CUDA=$module VECSHARD_BALLAST=$out/ballast exec build/test/gpu/check_budget
}

# Measures. Each bar is a case, but for those of a rehearsal.
part_bench() {
    card=$(head -n 1 "$out/card" | cut -d ' ' -f 4- | tr 'A-Z ' 'a-z-' | tr -c -d 'a-z0-9-')
    driver=$(sed -n 's/.*driver \([0-9]*\),.*/\1/p' "$out/card")
    lines=$results/$(date -u +%Y-%m-%d)-gpu-$card-driver-$driver.jsonl
    VECSHARD_COMMIT=${VECSHARD_COMMIT:-$(git rev-parse --short HEAD 2> /dev/null)}
    VECSHARD_SO=$PWD/vecshard.so VECSHARD_CUDA_LIB=$module
    export VECSHARD_SO VECSHARD_CUDA_LIB VECSHARD_COMMIT
    # shellcheck disable=SC2086  # a list of arguments
    "$out/bench_gpu" "$out" $bench_arguments > "$lines" 2> "$out/table"
    status=$?
    rm -f "$out/gpu.db"
    if [ $status -ne 0 ] && [ $status -ne 3 ]; then
        tail -n 5 "$out/table"
        echo "not ok bench_gpu: exit status $status"
        return
    fi
    echo "ok bench_gpu"
    echo "$lines" >> "$out/table"
    [ -n "$dry" ] || sed -n 's/.*"what":"\([^"]*\)","value":\([^,]*\),.*"bar":\([^,]*\),.*"met":"\([a-z]*\)".*/\4 \2 \3 \1/p' "$lines" |
        while read -r met value bar what; do
            case $met in
            no) echo "not ok $what: $value, the bar is $bar" ;;
            *) echo "ok $what: $value, bar $bar ($met)" ;;
            esac
        done
}

if [ "${1:-}" = part ]; then
    shift
    name=$1
    shift
    "part_$name" "$@"
    exit
fi

# ---- all of them ---------------------------------------------------------------------------------

began=$(date +%s)
: > "$out/counts"
: > "$out/jobs"
: > "$out/table"

# The stand-in for compute-sanitizer in a rehearsal: the options are those that it has.
if [ -n "$dry" ]; then
    mkdir -p "$out/bin"
    cat > "$out/bin/compute-sanitizer" <<'END'
#!/bin/sh
[ "$1 $3 $4 $5" = "--tool --error-exitcode 9 --print-limit" ] || exit 8
shift 6
exec "$@"
END
    chmod +x "$out/bin/compute-sanitizer"
fi

is_skipped() {
    case " ${VECSHARD_GPU_CHECK_SKIP:-} " in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
    esac
}

# add NAME SECONDS PART [ARGUMENT]: a job, in no order with its neighbours until run_jobs.
add() {
    if is_skipped "$3"; then
        echo "$1: left out"
    else
        printf '%s\t%s\t%s\t%s\n' gpu "$1" "$2" "sh test/gpu/check.sh part $3 ${4:-}" >> "$out/jobs"
    fi
}

# run_jobs N: runs those that wait, N at a time.
run_jobs() {
    tr '\n' '\0' < "$out/jobs" | xargs -0 -r -n 1 -P "$1" sh test/run_one.sh "$out"
    : > "$out/jobs"
}

finish() {
    echo
    cat "$out/table"
    awk -v seconds=$(($(date +%s) - began)) '{passed += $2; failed += $3}
        END {printf "\n%d s\n%d passed, %d failed\n", seconds, passed, failed
             exit failed > 0 || passed == 0}' "$out/counts"
    exit
}

# has_failed: did anything so far?
has_failed() {
    awk '{failed += $3} END {exit failed == 0}' "$out/counts"
}

# alone NAME SECONDS PART: one job by itself. What everything else rests on comes first.
alone() {
    add "$@"
    run_jobs 1
}

if [ -z "$dry" ]; then
    alone packages 90 packages
    ! has_failed || finish
fi
alone programs 240 build
alone tools 60 tools
[ -n "$dry" ] || alone module 240 module
! has_failed || finish
alone load 30 load
cat "$out/card"
! has_failed || finish

# Each has a context of its own, some hundred MiB, and its budget.
room=$(sed -n 's/.* \([0-9]*\) free$/\1/p' "$out/card")
together=$((${room:-0} / 4096 + 1))
[ $together -le $(((cores + 1) / 2)) ] || together=$(((cores + 1) / 2))

alone "awkward shapes" 90 shapes
add "random shapes" 120 answers
# Tests over the fake that use none of its switches, or say where, run over any module. Those that fail
# each allocation take too long.
for source in test/gpu/test_gpu_sql_*.c; do
    name=$(basename "$source" .c)
    if grep -q vs_fault_ "$source" || { ! grep -q sql_scenario_faked "$source" &&
        grep -v manager_check_books "$source" | grep -q -E 'fake->|[(, ]fake[,)]'; }; then
        continue
    fi
    # A rehearsal has seen enough with one.
    [ -z "$dry" ] || [ "$name" = test_gpu_sql_parts ] || continue
    add "$name" 90 sql "$name"
done
run_jobs $together
for tool in memcheck racecheck initcheck synccheck; do
    add "sanitizer $tool" 150 sanitizer $tool
done
run_jobs $together
alone "fork, lost context, threads" 60 life
alone "memory of others" 120 budget
left=$((470 - $(date +%s) + began))
[ $left -ge 150 ] || left=150
alone bench $left bench
finish
