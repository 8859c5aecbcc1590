#!/bin/sh
# esales-notify-VERSION-linux-x86_64.tar.gz and its SBOM. The same source gives the same bytes.
. "$(dirname "$0")/common.sh"

name=esales-notify-$version-linux-x86_64
stage tarball
install_into "$stage/root" PREFIX=/usr/local
mv "$stage/root/usr/local" "$stage/$name"
page README.md "$stage/$name/README.md" CHANGELOG.md LICENSE-MIT LICENSE-APACHE
page CHANGELOG.md "$stage/$name/CHANGELOG.md"
cp LICENSE-MIT LICENSE-APACHE "$portable/THIRD-PARTY-LICENSES.txt" \
    "$portable/esales-notify.cdx.json" "$stage/$name"
rm -r "${stage:?}/$name/share/doc"
settle "$stage/$name"
rm -f "$packages"/esales-notify-*-linux-x86_64.tar.gz "$packages"/*.cdx.json
tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$name" |
    gzip -9n >"$packages/$name.tar.gz"
cp "$portable/esales-notify.cdx.json" "$packages/esales-notify-$version.cdx.json"
