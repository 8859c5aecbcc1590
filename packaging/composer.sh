#!/bin/sh
# esales-notify-php-VERSION.zip: the Composer package with the library inside, for an artifact repository.
. "$(dirname "$0")/common.sh"

stage composer
cp -R bindings/php/bin bindings/php/examples bindings/php/preload.php bindings/php/resources \
    bindings/php/src LICENSE-MIT LICENSE-APACHE "$portable/THIRD-PARTY-LICENSES.txt" "$stage"
page bindings/php/README.md "$stage/README.md"
install -D -m 755 "$portable/libesales_notify.so" "$stage/lib/libesales_notify.so"
python3 - bindings/php/composer.json "$version" "$HOMEPAGE" "$REPOSITORY" "$DOCUMENTATION" >"$stage/composer.json" <<'PYTHON'
import json, sys
package = json.load(open(sys.argv[1]))
# Composer takes the version from a tag, but an archive has none, so the version is written into composer.json.
package["version"] = sys.argv[2]
package["homepage"] = sys.argv[3]
package["support"] = {"source": sys.argv[4], "docs": sys.argv[5]}
for key in ("require-dev", "autoload-dev"):
    del package[key]
print(json.dumps(package, indent=4, ensure_ascii=False))
PYTHON
settle "$stage"
rm -f "$packages"/esales-notify-php-*.zip
python3 packaging/zip.py "$stage" "$packages/esales-notify-php-$version.zip"
