"""Where the library is searched, and the message if it is not found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Optional

import pytest

import esales_notify as e
from esales_notify import Client, LibraryNotFoundError
from service import FOLDER, LIBRARY_VARIABLE, library


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without the library, for tests that add files next to it."""
    copy = tmp_path / "site" / "esales_notify"
    shutil.copytree(FOLDER / "src" / "esales_notify", copy, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return copy


def where(package: Path, variable: Optional[str] = None, system: Optional[Path] = None, path: str = "None") -> str:
    """The library that another interpreter loads, or its error."""
    environment = {name: value for name, value in os.environ.items() if name != LIBRARY_VARIABLE}
    environment.update(PYTHONPATH=str(package.parent), PYTHONDONTWRITEBYTECODE="1")
    environment["LD_LIBRARY_PATH"] = str(system) if system else ""
    if variable is not None:
        environment[LIBRARY_VARIABLE] = variable
    program = (
        "import esales_notify\n"
        "from esales_notify._library import load\n"
        f"try: print('loaded', load({path}).path, esales_notify.new_key(library={path})[14])\n"
        "except esales_notify.LibraryNotFoundError as error: print('refused', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()


def put(directory: Path, name: str) -> Path:
    directory.mkdir(exist_ok=True)
    return Path(shutil.copy(library(), directory / name))


def altered(directory: Path, old: bytes, new: bytes) -> Path:
    """The library with one text replaced by another of the same length."""
    content = Path(library()).read_bytes()
    assert len(old) == len(new)
    assert old in content
    file = directory / "altered.so"
    file.write_bytes(content.replace(old, new))
    return file


def test_library_is_searched_in_the_documented_order(package: Path, tmp_path: Path) -> None:
    given, by_variable = put(tmp_path / "a", "given.so"), put(tmp_path / "b", "variable.so")
    beside, system = put(package, "libesales_notify.so"), put(tmp_path / "c", "libesales_notify.so.0")
    assert where(package, str(by_variable), system.parent, repr(str(given))) == f"loaded {given} 4"
    assert where(package, str(by_variable), system.parent) == f"loaded {by_variable} 4"
    # An empty variable counts as not set.
    assert where(package, "", system.parent) == f"loaded {beside} 4"
    beside.unlink()
    assert where(package, None, system.parent) == "loaded libesales_notify.so.0 4"
    system.unlink()
    output = where(package, None, system.parent)
    assert output.startswith("refused libesales_notify was not found. Tried:")
    for tried in ("the argument library", LIBRARY_VARIABLE, str(beside), "libesales_notify.so.0", "Install"):
        assert tried in output


def test_library_path_argument_is_the_only_path_tried(package: Path, tmp_path: Path) -> None:
    put(package, "libesales_notify.so")
    nowhere = str(tmp_path / "nowhere.so")
    output = where(package, None, None, repr(nowhere))
    assert output.startswith(f"refused the library {nowhere} (from the argument library) cannot be loaded")
    output = where(package, nowhere)
    assert output.startswith(f"refused the library {nowhere} (from {LIBRARY_VARIABLE}) cannot be loaded")


def test_broken_library_in_the_package_raises_an_error(package: Path, tmp_path: Path) -> None:
    (package / "libesales_notify.so").write_text("not a library")
    system = put(tmp_path / "c", "libesales_notify.so.0")
    output = where(package, None, system.parent)
    assert output.startswith(f"refused the library {package / 'libesales_notify.so'} (from next to the package)")


def test_import_does_not_load_the_library(package: Path) -> None:
    program = "import esales_notify; print(open('/proc/self/maps').read().count('libesales_notify'))"
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().strip() == "0"


def test_missing_library_raises_an_import_error_that_names_the_file(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.so"
    with pytest.raises(ImportError) as refused:
        Client(cluster_id="a", library=nowhere)
    assert isinstance(refused.value, LibraryNotFoundError)
    assert refused.value.path == str(nowhere)


def test_file_that_is_another_library_is_refused(tmp_path: Path) -> None:
    other = altered(tmp_path, b"esales_version\0", b"esales_verzion\0")
    with pytest.raises(LibraryNotFoundError, match="is not libesales_notify: it has no function esales_version"):
        e.new_key(library=other)


def test_library_of_another_minor_version_is_refused(tmp_path: Path) -> None:
    ours = e.version()
    assert ours.startswith("0.1.")
    theirs = "0.2." + ours[4:]
    other = altered(tmp_path, ours.encode() + b"\0", theirs.encode() + b"\0")
    with pytest.raises(LibraryNotFoundError, match=f"libesales_notify {theirs}, but this package is .* {e.__version__}"):
        e.new_key(library=other)


def test_library_of_another_patch_version_is_accepted(tmp_path: Path) -> None:
    other = altered(tmp_path, e.version().encode() + b"\0", b"0.1.9\0")
    assert e.version(library=other) == "0.1.9"
    assert len(e.new_key(library=other)) == 36


@pytest.mark.parametrize("bad", ["", "a\0b"])
def test_library_path_of_a_wrong_type_is_refused(bad: str) -> None:
    with pytest.raises(e.InvalidArgumentError, match="library"):
        e.new_key(library=bad)


def test_library_argument_applies_to_every_function(environment: Dict[str, str]) -> None:
    program = (
        "import sys, esales_notify as e\n"
        "path = sys.argv[1]\n"
        "e.Client(cluster_id='a', library=path).close()\n"
        "key = e.customer_key('abc', library=path)\n"
        "print(len(key), len(e.customer_token('k', key, library=path)), e.version(library=path))\n"
    )
    environment[LIBRARY_VARIABLE] = "/nonexistent/library.so"
    done = subprocess.run(
        [sys.executable, "-c", program, library()], env=environment, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout.decode().split() == ["64", "64", e.version()]
