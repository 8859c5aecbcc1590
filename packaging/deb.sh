#!/bin/sh
# Makes three Debian packages: the library, the development files, and the command.
. "$(dirname "$0")/common.sh"

revision=$version-1
triplet=x86_64-linux-gnu
libdir=usr/lib/$triplet
stage deb
install_into "$stage/all" PREFIX=/usr LIBDIR=/$libdir UNITDIR=/lib/systemd/system
maintainer="The esales-notify authors <esales-notify@localhost>"

take() { # PACKAGE PATH...
    package=$1
    shift
    for path in "$@"; do
        for found in "$stage/all/"$path; do
            mkdir -p "$stage/$package/$(dirname "${found#"$stage/all/"}")"
            mv "$found" "$stage/$package/${found#"$stage/all/"}"
        done
    done
}

take libesales-notify-dev $libdir/libesales_notify.so $libdir/libesales_notify.a $libdir/esales_notify $libdir/pkgconfig $libdir/cmake usr/include
take libesales-notify0 $libdir/libesales_notify.so.\*
rm -r "$stage/all/usr/share/doc"
find "$stage/all" -type d -empty -delete
mv "$stage/all" "$stage/esales-notify"
gzip -9n "$stage"/esales-notify/usr/share/man/man1/*.1

# The files that Debian's policy requires in each package.
for package in libesales-notify0 libesales-notify-dev esales-notify; do
    doc=$stage/$package/usr/share/doc/$package
    mkdir -p "$doc" "$stage/$package/DEBIAN"
    {
        cat packaging/deb/copyright
        echo "Comment:"
        echo " The full texts for everything that is linked in are in THIRD-PARTY-LICENSES.txt.gz beside this file."
    } >"$doc/copyright"
    gzip -9nc "$portable/THIRD-PARTY-LICENSES.txt" >"$doc/THIRD-PARTY-LICENSES.txt.gz"
    gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
    printf 'esales-notify (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' "$revision" "$maintainer" \
        "$(date -uR -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.Debian.gz"
    if [ -f "packaging/deb/$package.lintian-overrides" ]; then
        install -D -m 644 "packaging/deb/$package.lintian-overrides" "$stage/$package/usr/share/lintian/overrides/$package"
    fi
    sed -e "s/@REVISION@/$revision/g" -e "s/@MAINTAINER@/$maintainer/g" -e "s|@HOMEPAGE@|$HOMEPAGE|g" \
        -e "s/@SIZE@/$(du -k -s --apparent-size --exclude=DEBIAN "$stage/$package" | cut -f 1)/" \
        "packaging/deb/$package.control" >"$stage/$package/DEBIAN/control"
done

control=$stage/libesales-notify0/DEBIAN
echo "libesales_notify ${version%%.*} libesales-notify0 (>= $version)" >"$control/shlibs"
# Each function with the version in which it was added, so that a program depends on no newer library than it needs.
cp packaging/deb/libesales-notify0.symbols "$control/symbols"
echo "activate-noawait ldconfig" >"$control/triggers"

rm -f "$packages"/*.deb
for package in libesales-notify0 libesales-notify-dev esales-notify; do
    chmod -R u=rwX,go=rX "$stage/$package"
    (cd "$stage/$package" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
    settle "$stage/$package"
    dpkg-deb --root-owner-group -Zxz --build "$stage/$package" "$packages/${package}_${revision}_amd64.deb" >/dev/null
done
