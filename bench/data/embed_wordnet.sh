#!/bin/sh
# Makes a virtual environment beside this script, then runs embed_wordnet.py
# in it. Without arguments the full set goes to bench/data/wordnet/.
# Any arguments are handed on as they are.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3}
venv="$here/.venv"

if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

if [ $# -eq 0 ]; then
    set -- --out "$here/wordnet"
fi
exec "$venv/bin/python" "$here/embed_wordnet.py" "$@"
