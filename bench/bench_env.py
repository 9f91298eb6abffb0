"""The virtual environment of the benchmark scripts: bench/.venv, made on first use.

A script calls enter() before it imports anything that is not in the standard library. Each process
that this starts computes on one thread. Set PYTHON for another interpreter than /usr/bin/python3;
its sqlite3 module must be able to load extensions.

    python3 bench/bench_env.py      prints the paths of sqlite-vec's and sqlite-vector's libraries
"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
VENV = HERE / ".venv"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def enter():
    """Starts the script again inside the environment, unless it runs there already."""
    wanted = (HERE / "requirements.txt").read_text()
    installed = VENV / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        print("bench: making", VENV, file=sys.stderr)
        subprocess.run(
            [os.environ.get("PYTHON", "/usr/bin/python3"), "-m", "venv", VENV], check=True
        )
        (VENV / ".gitignore").write_text("*\n")
        subprocess.run(
            [
                VENV / "bin/pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                HERE / "requirements.txt",
            ],
            check=True,
        )
        installed.write_text(wanted)
    if pathlib.Path(sys.prefix) != VENV or any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update({name: "1" for name in THREADS})
        python = str(VENV / "bin/python")
        os.execv(python, [python, *sys.argv])


def libraries():
    """Paths of the peers' libraries, without suffix, as SQLite loads them."""
    import sqlite_vec
    import sqlite_vector

    vector = pathlib.Path(sqlite_vector.__file__).parent / "binaries" / "vector"
    return [sqlite_vec.loadable_path(), str(vector)]


if __name__ == "__main__":
    enter()
    print(*libraries(), sep="\n")
