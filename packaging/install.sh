#!/bin/sh
# install.sh install | uninstall, called by the Makefile, which sets the folders. DESTDIR is put before each of them
# and appears in no file.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
soname=libesales_notify.so.${version%%.*}
pages=$DESTDIR$MANDIR/man1
config=$LIBDIR/cmake/esales_notify
. "$root/packaging/project"

put() { # MODE SOURCE TARGET
    mkdir -p "$DESTDIR$(dirname "$3")"
    install -m "$1" "$2" "$DESTDIR$3"
}

# Paths in the files for pkg-config and CMake are relative if possible, so that the installation can be moved.
from_to() { # FOLDER FOLDER
    realpath -m -s --relative-to="$1" "$2"
}

fill() { # TEMPLATE TARGET
    mkdir -p "$DESTDIR$(dirname "$2")"
    sed -e "s|@VERSION@|$version|g" -e "s|@SONAME@|$soname|g" -e "s|@BINDIR@|$BINDIR|g" \
        -e "s|@PC_PREFIX@|$(from_to "$LIBDIR/pkgconfig" "$PREFIX")|g" \
        -e "s|@PC_LIBDIR@|$(from_to "$PREFIX" "$LIBDIR")|g" \
        -e "s|@PC_INCLUDEDIR@|$(from_to "$PREFIX" "$INCLUDEDIR")|g" \
        -e "s|@CMAKE_LIBDIR@|$(from_to "$config" "$LIBDIR")|g" \
        -e "s|@CMAKE_INCLUDEDIR@|$(from_to "$config" "$INCLUDEDIR")|g" \
        -e "s|/usr/bin/esales-notify|$BINDIR/esales-notify|g" "$1" >"$DESTDIR$2"
    chmod 644 "$DESTDIR$2"
}

# Installs a page of the repository's root. Its links become web addresses, because their targets are not installed.
# (packaging/links.py does this for pages of other folders; here sed is enough.)
page() { # SOURCE TARGET
    mkdir -p "$DESTDIR$(dirname "$2")"
    sed -E -e "s~\]\(([A-Za-z.][^():#]*\.png)\)~](${REPOSITORY}/raw/v$version/\1)~g" \
        -e "s~\]\(([A-Za-z.][^():]*)\)~](${REPOSITORY}/blob/v$version/\1)~g" "$1" >"$DESTDIR$2"
    chmod 644 "$DESTDIR$2"
}

case $1 in
    install)
        # ldconfig would choose another version with the same SONAME if its number is higher, so it is removed.
        rm -f "$DESTDIR$LIBDIR/$soname".*
        put 644 "$FROM/libesales_notify.so" "$LIBDIR/libesales_notify.so.$version"
        ln -sf "libesales_notify.so.$version" "$DESTDIR$LIBDIR/$soname"
        ln -sf "$soname" "$DESTDIR$LIBDIR/libesales_notify.so"
        put 644 "$FROM/libesales_notify.a" "$LIBDIR/libesales_notify.a"
        # A link to the archive in a folder without the shared library: see esales_notify.pc.in.
        mkdir -p "$DESTDIR$LIBDIR/esales_notify"
        ln -sf ../libesales_notify.a "$DESTDIR$LIBDIR/esales_notify/libesales_notify.a"
        put 644 include/esales_notify.h "$INCLUDEDIR/esales_notify.h"
        put 644 include/esales_notify.hpp "$INCLUDEDIR/esales_notify.hpp"
        fill packaging/esales_notify.pc.in "$LIBDIR/pkgconfig/esales_notify.pc"
        fill packaging/esales_notify-libdir.pc.in "$LIBDIR/pkgconfig/esales_notify-libdir.pc"
        fill packaging/cmake/config.cmake.in "$config/esales_notify-config.cmake"
        fill packaging/cmake/version.cmake.in "$config/esales_notify-config-version.cmake"
        put 755 "$FROM/esales-notify" "$BINDIR/esales-notify"
        for page in "$FROM"/man/*.1; do
            put 644 "$page" "$MANDIR/man1/$(basename "$page")"
        done
        put 644 "$FROM/completions/bash" "$DATADIR/bash-completion/completions/esales-notify"
        put 644 "$FROM/completions/zsh" "$DATADIR/zsh/site-functions/_esales-notify"
        put 644 "$FROM/completions/fish" "$DATADIR/fish/vendor_completions.d/esales-notify.fish"
        fill packaging/systemd/esales-notify-drain.service "$UNITDIR/esales-notify-drain.service"
        page README.md "$DOCDIR/README.md"
        page CHANGELOG.md "$DOCDIR/CHANGELOG.md"
        for file in LICENSE-MIT LICENSE-APACHE "$FROM/THIRD-PARTY-LICENSES.txt"; do
            put 644 "$file" "$DOCDIR/$(basename "$file")"
        done
        ;;
    uninstall)
        # Files of any version are removed, because the sources may be newer than the installation.
        rm -f "$DESTDIR$LIBDIR/$soname".*
        for file in "$LIBDIR/$soname" "$LIBDIR/libesales_notify.so" \
            "$LIBDIR/libesales_notify.a" "$INCLUDEDIR/esales_notify.h" "$INCLUDEDIR/esales_notify.hpp" \
            "$LIBDIR/esales_notify/libesales_notify.a" "$LIBDIR/pkgconfig/esales_notify.pc" \
            "$LIBDIR/pkgconfig/esales_notify-libdir.pc" "$config/esales_notify-config.cmake" \
            "$config/esales_notify-config-version.cmake" "$BINDIR/esales-notify" \
            "$DATADIR/bash-completion/completions/esales-notify" "$DATADIR/zsh/site-functions/_esales-notify" \
            "$DATADIR/fish/vendor_completions.d/esales-notify.fish" "$UNITDIR/esales-notify-drain.service" \
            "$DOCDIR/README.md" "$DOCDIR/CHANGELOG.md" "$DOCDIR/LICENSE-MIT" "$DOCDIR/LICENSE-APACHE" \
            "$DOCDIR/THIRD-PARTY-LICENSES.txt"; do
            rm -f "$DESTDIR$file"
        done
        rm -f "$pages"/esales-notify.1 "$pages"/esales-notify-*.1
        # Only these folders belong to this package alone.
        for folder in "$config" "$DOCDIR" "$LIBDIR/esales_notify"; do
            [ ! -d "$DESTDIR$folder" ] || rmdir --ignore-fail-on-non-empty "$DESTDIR$folder"
        done
        ;;
    *) echo "usage: install.sh install | uninstall" >&2; exit 2 ;;
esac
