#!/bin/sh
# Fuzzes what decodes compressed bytes, half a minute in all, under the sanitizers: a part of `make
# test`, while `make fuzz-smoke` runs all fuzzers.
set -eu
cd "$(dirname "$0")/../.."
programs="build/fuzz/test/fuzz/fuzz_frame build/fuzz/test/fuzz/fuzz_cold_block
build/fuzz/test/fuzz/fuzz_text"
# shellcheck disable=SC2086
make -s -j"$(getconf _NPROCESSORS_ONLN)" $programs > /dev/null
# shellcheck disable=SC2086
FUZZ_SECONDS=10 exec sh test/fuzz/smoke.sh $programs
