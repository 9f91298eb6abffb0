# Functions for the package checks; read by each of them.

# Each check calls make as a user would, not as a part of the make that runs the tests.
unset MAKEFLAGS MAKELEVEL MFLAGS
check_failed=0
work=${VS_TEST_DIR:-$PWD/build/test/single}/package
mkdir -p "$work"

# check NAME A OPERATOR B: one case, as `test A OPERATOR B`.
check() {
    if [ "$2" "$3" "$4" ]; then
        echo "ok $1"
    else
        echo "not ok $1: wanted $3 '$4', came '$2'"
        check_failed=1
    fi
}

# check_run NAME COMMAND...: one case, good when the command succeeds; its output is shown when not.
check_run() {
    check_name=$1
    shift
    if check_output=$("$@" 2>&1); then
        echo "ok $check_name"
    else
        echo "not ok $check_name: $*"
        echo "$check_output" | tail -n 40
        check_failed=1
    fi
}

check_done() {
    exit $check_failed
}

# copy_tree FOLDER: a copy of what a build needs, without anything built.
copy_tree() {
    rm -rf "$1"
    mkdir -p "$1"
    cp -R Makefile LICENSE vecshard.def vecshard.pc.in .ci ext kernels test "$1"
    [ ! -e README.md ] || cp README.md "$1"
    [ ! -d docs ] || cp -R docs "$1"
}
