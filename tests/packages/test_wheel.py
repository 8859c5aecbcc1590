"""The wheel and the sdist for Python."""

import sys
import tarfile
import zipfile

import pytest


@pytest.fixture
def python(elsewhere):
    elsewhere.run(sys.executable, "-m", "venv", "venv")
    return elsewhere.folder / "venv/bin/python"


def pip_install(elsewhere, python, file):
    elsewhere.run(python, "-m", "pip", "install", "--no-index", "--disable-pip-version-check", file)


def test_wheel_name_has_the_platform(package, version):
    assert package("*.whl").name == f"esales_notify-{version}-py3-none-manylinux_2_17_x86_64.whl"


def test_auditwheel_accepts_the_wheel(package, elsewhere):
    output = " ".join(elsewhere.run(sys.executable, "-m", "auditwheel", "show", package("*.whl")).split())
    assert 'is consistent with the following platform tag: "manylinux_2_17_x86_64"' in output


def test_wheel_has_the_listed_files(package):
    with zipfile.ZipFile(package("*.whl")) as wheel:
        names = wheel.namelist()
        (tags,) = [name for name in names if name.endswith(".dist-info/WHEEL")]
        assert "Root-Is-Purelib: false" in wheel.read(tags).decode()
    assert {"esales_notify/libesales_notify.so", "esales_notify/py.typed"} <= set(names)
    licences = {name.rsplit("/", 1)[1] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE-MIT", "LICENSE-APACHE", "LICENSE-THIRD-PARTY.txt"}


def test_wheel_delivers_when_it_is_installed_by_pip(package, elsewhere, python, delivers):
    pip_install(elsewhere, python, package("*.whl"))
    found = elsewhere.run(python, "-c", "import esales_notify._library as l; print(l.load().path)").strip()
    assert found.startswith(str(elsewhere.folder / "venv"))
    delivers(python, elsewhere.copy("bindings/python/examples/add_to_cart.py"))


def test_sdist_has_the_source_and_no_library(package, version, root):
    with tarfile.open(package("esales_notify-*.tar.gz")) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE-MIT", "LICENSE-APACHE"} <= names
    ours = {str(path.relative_to(root / "bindings/python")) for path in (root / "bindings/python/src").rglob("*.py")}
    assert ours and ours <= names
    assert not [name for name in names if name.endswith(".so")]
    assert "The sdist does not contain the library" in " ".join((root / "bindings/python/README.md").read_text().split())


def test_sdist_error_gives_advice_when_there_is_no_library(package, elsewhere, python):
    """The code of the sdist, as pip installs it if no wheel fits."""
    with tarfile.open(package("esales_notify-*.tar.gz")) as sdist:
        sdist.extractall(elsewhere.folder, filter="data")
    (source,) = elsewhere.folder.glob("esales_notify-*/src")
    output = elsewhere.run(python, "-c", "import esales_notify; esales_notify.new_key()", code=1, PYTHONPATH=str(source))
    assert "Install libesales_notify, or set ESALES_NOTIFY_LIBRARY" in output
