"""The Composer package, from a folder of zip files, without a network."""

import json
import zipfile

SETTINGS = {"COMPOSER_DISABLE_NETWORK": "1", "COMPOSER_ALLOW_SUPERUSER": "1"}


def test_composer_package_delivers_when_it_is_installed(package, elsewhere, delivers, version):
    zipped = package("esales-notify-php-*.zip")
    elsewhere.write("composer.json", json.dumps({
        "repositories": [{"type": "artifact", "url": str(zipped.parent)}, {"packagist.org": False}],
        "require": {"esales/notify": version},
    }))
    elsewhere.run("composer", "install", "--no-interaction", **SETTINGS)
    installed = elsewhere.folder / "vendor/esales/notify"
    assert (installed / "lib/libesales_notify.so").is_file()
    show = "require 'vendor/autoload.php'; echo Esales\\Notify\\Client::libraryVersion(), ' ', array_key_first(Esales\\Notify\\Internal\\Loader::candidates());"
    assert elsewhere.run("php", "-r", show).split() == [version, str(installed / "lib/libesales_notify.so")]
    delivers("php", elsewhere.copy("bindings/php/examples/add_to_cart.php"))
    # The header for ffi.preload, with the path of the library in the package.
    header = elsewhere.run("php", "vendor/bin/esales-notify-preload-header")
    assert f'#define FFI_LIB "{installed / "lib/libesales_notify.so"}"' in header


def test_composer_package_has_the_listed_files(package, root, version):
    with zipfile.ZipFile(package("esales-notify-php-*.zip")) as zipped:
        names = set(zipped.namelist())
        description = json.loads(zipped.read("composer.json"))
    ours = root / "bindings/php"
    for folder in ("src", "resources", "examples", "bin"):
        files = {str(path.relative_to(ours)) for path in (ours / folder).rglob("*") if path.is_file()}
        assert files and files <= names
    assert {"preload.php", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-LICENSES.txt"} <= names
    assert not [name for name in names if name.startswith("tests/")]
    assert description["version"] == version
