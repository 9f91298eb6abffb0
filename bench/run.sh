#!/bin/sh
# Measures everything and writes one JSON line per measurement: what `make bench` runs.
#
#     sh bench/run.sh                         into build/bench/results
#     RESULTS=bench/results sh bench/run.sh   into the recorded results, with RESULTS.md and plots
#     PARTS="pass norm" sh bench/run.sh       kernels, half, text, compress, strategies, peers, or
#                                             parts of bench_sqlite.c, bench_index.c, bench_store.c
#     PARTS=hot-768 BENCH_FRESH=1 ...         makes the indexed tables anew
#     BENCH_CLOCK=cpu sh bench/run.sh         the process's own time, on a machine that is not idle
#
# Wants vecshard.so to be built (make), some 16 GB of disk under build/bench for the tables that it
# makes once, and 8 GB of memory so that they stay in the system's cache. VECSHARD_SO names another
# build of the extension.
set -eu
cd "$(dirname -- "$0")/.."

CC=${CC:-cc}
index_all="hot-768 hot-128 hot-wordnet hot-mnist small index-threads nocache filter index-batch join tiers"
store_all="first insert commit size index-memory"
alone="kernels half pass norm batch threads load memory text compress strategies peers"
PARTS=${PARTS:-$alone $index_all $store_all}
RESULTS=${RESULTS:-build/bench/results}
VECSHARD_SO=${VECSHARD_SO:-$PWD/vecshard}
VECSHARD_COMMIT=${VECSHARD_COMMIT:-$(git rev-parse --short HEAD 2> /dev/null || true)}
export VECSHARD_SO VECSHARD_COMMIT

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes"
flags="-std=c11 -O3 $warnings -Werror"
shared="bench/bench_support.c bench/bench_tables.c"
kernels='kernels/*.c kernels/arm/*.c kernels/portable/*.c kernels/x86/*.c'
date=$(date -u +%Y-%m-%d)
mkdir -p build/bench "$RESULTS"

# wanted NAME: is it among the parts?
wanted() {
    case " $PARTS " in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
    esac
}

if wanted kernels; then
    # shellcheck disable=SC2086
    $CC $flags -ffp-contract=off -o build/bench/bench_kernels bench/bench_kernels.c $kernels -lm
    # What a scan lives on. Without arguments the program measures every kernel, for half an hour.
    for kernel in "operation=rank_dot type=float32" "operation=rank_l2sq type=float32" \
        "operation=dot type=int8"; do
        # shellcheck disable=SC2086
        build/bench/bench_kernels $kernel dim=768 where=ram
    done > "$RESULTS/$date-kernels.jsonl"
fi

if wanted half; then
    # shellcheck disable=SC2086
    $CC $flags -O2 -DVS_STATIC -ffp-contract=off -o build/bench/bench_half bench/bench_half.c \
        ext/half.c bench/bench_support.c $kernels -lsqlite3 -lm
    build/bench/bench_half > "$RESULTS/$date-half.jsonl"
fi

sqlite_parts=
for part in pass norm batch threads load memory; do
    if wanted $part; then
        sqlite_parts="$sqlite_parts $part"
    fi
done
if [ -n "$sqlite_parts" ]; then
    # shellcheck disable=SC2086
    $CC $flags -o build/bench/bench_sqlite bench/bench_sqlite.c $shared -lsqlite3 -lm -lpthread
    # shellcheck disable=SC2086
    build/bench/bench_sqlite build/bench $sqlite_parts > "$RESULTS/$date-sqlite.jsonl"
fi

# measure PROGRAM NAME...: a process and a file of lines for each part that is wanted. A part that
# bench_sqlite.c has too is called index-batch here, and batch by the program.
measure() {
    program=$1
    shift
    for part in "$@"; do
        if wanted "$part"; then
            short=${part#index-}
            lines=$RESULTS/$date-${program#bench_}-$short.jsonl
            "build/bench/$program" build/bench "$short" > "$lines"
        fi
    done
}

# any NAME...: is one of the parts wanted?
any() {
    for part in "$@"; do
        ! wanted "$part" || return 0
    done
    return 1
}

# shellcheck disable=SC2086
if any $index_all $store_all; then
    [ -z "${BENCH_FRESH:-}" ] || rm -f build/bench/index_*.db build/bench/peers_*_vecshard.db
    # The peers' libraries, from their Python packages.
    peers=$(python3 bench/bench_env.py)
    SQLITE_VEC_SO=${SQLITE_VEC_SO:-$(echo "$peers" | sed -n 1p)}
    SQLITE_VECTOR_SO=${SQLITE_VECTOR_SO:-$(echo "$peers" | sed -n 2p)}
    export SQLITE_VEC_SO SQLITE_VECTOR_SO
    $CC $flags -ffp-contract=off -o build/bench/bench_index bench/bench_index.c \
        bench/bench_vectors.c $shared $kernels -lsqlite3 -lm -lpthread
    $CC $flags -o build/bench/bench_store bench/bench_store.c bench/bench_vectors.c $shared \
        -lsqlite3 -lm -lpthread
    measure bench_index $index_all
    measure bench_store $store_all
fi

if wanted text; then
    # shellcheck disable=SC2086
    $CC $flags -o build/bench/bench_text bench/bench_text.c bench/bench_json.c $shared \
        -lsqlite3 -lm
    build/bench/bench_text build/bench > "$RESULTS/$date-text.jsonl"
fi

if wanted compress; then
    # shellcheck disable=SC2086
    $CC $flags -O2 -DVS_STATIC -ffp-contract=off -o build/bench/bench_compress \
        bench/bench_compress.c bench/bench_json.c bench/bench_vectors.c $shared ext/frame_*.c \
        ext/half.c ext/codec.c ext/crc32c.c ext/decimal.c ext/error.c $kernels \
        -lsqlite3 -lzstd -lm
    build/bench/bench_compress > "$RESULTS/$date-compress.jsonl"
fi

if wanted strategies; then
    # shellcheck disable=SC2086
    $CC $flags -o build/bench/bench_strategies bench/bench_strategies.c $shared -lsqlite3 -lm
    build/bench/bench_strategies build/bench > "$RESULTS/$date-strategies.jsonl"
fi

if wanted peers; then
    python3 bench/peers.py --results "$RESULTS"
fi

# A program that failed above ended this script, so what is reported was measured and right.
if wanted peers || [ "$RESULTS" = bench/results ]; then
    python3 bench/report.py "$RESULTS"
fi
