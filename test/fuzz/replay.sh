#!/bin/sh
# Runs one fuzz target over its stored corpus: sh test/fuzz/replay.sh build/test/fuzz/fuzz_NAME
set -u
program=$1
name=$(basename "$program")
corpus=test/fuzz/corpus/${name#fuzz_}

if [ -z "$(ls "$corpus" 2>/dev/null)" ]; then
    echo "not ok $name: no corpus in $corpus"
    exit 1
fi
if find "$corpus" -type f -print0 | sort -z | xargs -0 "$program"; then
    echo "ok $name"
else
    echo "not ok $name: crashed on the input named last"
    exit 1
fi
