#!/bin/sh
# Runs each fuzzer for FUZZ_SECONDS (30) from its stored corpus: sh test/fuzz/smoke.sh program...
# New inputs go to build/; a crash leaves its input in build/test/fuzz/crash-*, to be moved to
# test/fuzz/corpus/ with the repair.
set -u
seconds=${FUZZ_SECONDS:-30}
failed=0
for program in "$@"; do
    name=$(basename "$program")
    corpus=test/fuzz/corpus/${name#fuzz_}
    found=build/test/fuzz/found/$name
    mkdir -p "$found"
    echo "$name: $seconds s"
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix=build/test/fuzz/crash- "$found" "$corpus" > "$found.log" 2>&1; then
        echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") inputs"
    else
        echo "not ok $name: see $found.log"
        tail -n 30 "$found.log"
        failed=1
    fi
done
exit $failed
