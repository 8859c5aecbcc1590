"""Fixtures of the suites that drive the built library and command from outside: tests/c, abi, cli, net, docs."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from sandbox import Sandbox  # noqa: E402

# The folders whose tests take longest. A long test that began last would delay the end of the run.
LONGEST = ("reliability", "hosts", "inspector", "cli")


def pytest_collection_modifyitems(items):
    """Runs the folders with the longest tests first. `make test` runs several tests at a time. Tests of one
    `xdist_group` run one after another in one process."""
    folders = [ROOT / "tests" / name for name in LONGEST]
    items.sort(key=lambda item: next((n for n, folder in enumerate(folders) if folder in item.path.parents), len(folders)))


def required(variable: str) -> pathlib.Path:
    """A path that `make test` sets. Without it the suite fails instead of skipping tests."""
    path = pathlib.Path(os.environ.get(variable, ""))
    assert path.is_file(), f"{variable} must name the built file; `make test` sets it"
    return path


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def library() -> pathlib.Path:
    """The shared library, as shipped."""
    return required("ESALES_NOTIFY_LIBRARY")


@pytest.fixture(scope="session")
def command() -> pathlib.Path:
    """The `esales-notify` command."""
    return required("ESALES_NOTIFY_COMMAND")


@pytest.fixture(scope="session")
def library_dir(library, tmp_path_factory) -> pathlib.Path:
    """A folder like that of `make install`: the library under its SONAME, and under the name for -l."""
    folder = tmp_path_factory.mktemp("lib")
    for name in ("libesales_notify.so.0", "libesales_notify.so"):
        (folder / name).symlink_to(library)
    return folder


@pytest.fixture
def sandbox(command):
    with Sandbox(command) as running:
        yield running
