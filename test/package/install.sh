#!/bin/sh
# install puts every file where vecshard.pc says; uninstall leaves nothing.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/package/lib/check.sh
stage=$work/stage
rm -rf "$stage"
mkdir -p "$stage"
check_run installs make -s install DESTDIR="$stage" PREFIX=/opt/vec
version=$(sed -n 's/^.define VS_VERSION "\(.*\)"/\1/p' ext/vs_base.h)

export PKG_CONFIG_PATH="$stage/opt/vec/lib/pkgconfig"
check pkg_config_knows_the_version "$(pkg-config --modversion vecshard)" = "$version"
extension=$(pkg-config --variable=extension vecshard)
check pkg_config_knows_where_the_extension_is "$extension" = /opt/vec/lib/vecshard
check installed_extension_loads \
    "$(sqlite3 -init /dev/null :memory: ".load $stage$extension" "SELECT vec_version();")" = "v$version"
check installs_header_and_documents \
    "$(cd "$stage/opt/vec" && ls include/vecshard.h share/doc/vecshard/LICENSE 2>&1 | wc -l)" = 2
check_run uninstalls make -s uninstall DESTDIR="$stage" PREFIX=/opt/vec
check uninstall_leaves_no_file "$(find "$stage" ! -type d)" = ""
check_done
