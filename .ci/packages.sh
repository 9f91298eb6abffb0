#!/bin/sh
# Installs what is missing to build and run: sh .ci/packages.sh demo|test|gpu
#
# Looks for the programs, headers and libraries themselves, so it also accepts those that did not
# come from a Debian package, and calls apt-get only when something is missing. Without root it
# prints the one line to run.
set -eu
missing=

# want PACKAGE command NAME | header NAME | file PATH
want() {
    case $2 in
    command) command -v "$3" > /dev/null 2>&1 && return ;;
    header) # after those that cmocka.h wants before it
        printf '#include <%s>\n' stdarg.h stddef.h stdint.h setjmp.h "$3" | cc -E - > /dev/null 2>&1 && return ;;
    file) [ -e "$3" ] && return ;;
    esac
    case " $missing " in
    *" $1 "*) ;;
    *) missing="$missing $1" ;;
    esac
}

set_name=${1:-}
case $set_name in
demo | test | gpu) ;;
*)
    echo "usage: sh .ci/packages.sh demo|test|gpu" >&2
    exit 2
    ;;
esac

want gcc command cc
want libc6-dev header stdio.h
want make command make
want libsqlite3-dev header sqlite3ext.h
[ "$set_name" = gpu ] || want sqlite3 command sqlite3
# The static library, not only the header, is what the extension takes.
want libzstd-dev file "$(cc -print-file-name=libzstd.a 2> /dev/null || echo libzstd.a)"

if [ "$set_name" != demo ]; then
    want gcc command gcc
    want libcmocka-dev header cmocka.h
fi
if [ "$set_name" = test ]; then
    want clang command clang
    want libclang-rt-14-dev file "$(clang -print-resource-dir 2> /dev/null)/lib/linux/libclang_rt.fuzzer-x86_64.a"
    want valgrind command valgrind
    want pkg-config command pkg-config
    want python3 command python3
    want g++ command g++
    want python3-venv file "$(/usr/bin/python3 -c 'import ensurepip; print(ensurepip.__file__)' 2> /dev/null || echo ensurepip)"
    want binutils command readelf
    want qemu-user command qemu-aarch64
    want gcc-aarch64-linux-gnu command aarch64-linux-gnu-gcc
    want libc6-dev-arm64-cross file /usr/aarch64-linux-gnu/include/stdio.h
    command -v npm > /dev/null 2>&1 || want ca-certificates file /etc/ssl/certs/ca-certificates.crt
    want npm command npm
fi

[ -n "$missing" ] || exit 0

if ! command -v apt-get > /dev/null 2>&1; then
    echo "Missing here, by their Debian names:$missing. Please install them, then run this again." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Some packages are missing. Please run this line, then the command again:" >&2
    echo "    sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -qq -y --no-install-recommends $missing > /dev/null
