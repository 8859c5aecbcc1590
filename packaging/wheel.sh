#!/bin/sh
# The wheel with the library inside, and the sdist, which has none.
. "$(dirname "$0")/common.sh"

python=$root/target/packaging-venv/bin/python
stage wheel
cp -R bindings/python/. "$stage/source"
find "$stage/source" -name __pycache__ -prune -exec rm -r {} +
page bindings/python/README.md "$stage/source/README.md"
cat >>"$stage/source/pyproject.toml" <<TOML

[project.urls]
Homepage = "$HOMEPAGE"
Repository = "$REPOSITORY"
Documentation = "$DOCUMENTATION"
TOML
cp LICENSE-MIT LICENSE-APACHE "$stage/source"
(cd "$stage/source" && "$python" -m hatchling build -t sdist -d "$stage")
cp "$portable/libesales_notify.so" "$stage/source/src/esales_notify"
# The build tool recognises a licence by its file name.
cp "$portable/THIRD-PARTY-LICENSES.txt" "$stage/source/LICENSE-THIRD-PARTY.txt"
(cd "$stage/source" && "$python" -m hatchling build -t wheel -d "$stage")
# The build tool sets the platform of this machine, but the library runs on every glibc from 2.17.
"$python" -m wheel tags --remove --platform-tag manylinux_2_17_x86_64 "$stage"/*.whl >/dev/null
rm -f "$packages"/*.whl "$packages"/esales_notify-*.tar.gz
mv "$stage"/*.whl "$stage"/*.tar.gz "$packages"
