"""Each package is used like by a new user: in an empty folder, with an environment without variables of this
project."""

import os
import pathlib
import re
import subprocess
import tomllib

import pytest

SYSTEM = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture(scope="session")
def version(root):
    return tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"]


@pytest.fixture(scope="session")
def packages(root):
    """The output of `make packages`."""
    folder = root / "target/packages"
    assert (folder / "SHA256SUMS").is_file(), "`make packages` comes first"
    return folder


@pytest.fixture(scope="session")
def portable(packages):
    return packages / "portable"


@pytest.fixture(scope="session")
def package(packages):
    """The one package that a pattern finds."""
    def find(pattern):
        (found,) = packages.glob(pattern)
        return found
    return find


class Elsewhere:
    """An empty folder, and an environment with only PATH, HOME and the given variables."""

    def __init__(self, folder: pathlib.Path, root: pathlib.Path):
        self.folder = folder
        self._root = root

    def run(self, *command, code=0, **variables):
        # HOME too: no user's settings and caches.
        environment = {"PATH": SYSTEM, "HOME": str(self.folder), **variables}
        done = subprocess.run([str(part) for part in command], cwd=self.folder, env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == code, f"{command}:\n{done.stdout}"
        return done.stdout

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def copy(self, name):
        """Copies a file of the repository, as if the reader had typed it."""
        return self.write(pathlib.Path(name).name, (self._root / name).read_text())


@pytest.fixture
def elsewhere(tmp_path, root):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert root not in folder.parents
    return Elsewhere(folder, root)


@pytest.fixture
def delivers(sandbox, elsewhere):
    """Runs a program that must send the vendor's example to the sandbox and print the outcome."""
    def check(*command, **variables):
        before = len(sandbox.received())
        output = elsewhere.run(*command, ESALES_BASE_URL=sandbox.base_url, **variables)
        (sent,) = sandbox.received()[before:]
        assert output.split() == ["ESALES_DELIVERED", sent["notification"]["id"]], output
        assert sent["notification"]["customerKey"] == "d9528030-509c-4e0f-b585-7168f1e9feca"
    return check


@pytest.fixture(scope="session")
def quick_build():
    """The variables of a build for the tests of the installation. All other packages have the release profile."""
    return {"BUILD_PROFILE": "dev"}


@pytest.fixture(scope="session")
def without_make():
    """This process's environment without the variables that `make test` sets."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


@pytest.fixture(scope="session")
def make_install(root, portable, without_make):
    """`make install` and `make uninstall` of the output of `make portable`."""
    def run(target, **variables):
        subprocess.run(["make", "-s", "-C", root, target, f"FROM={portable}", *(f"{k}={v}" for k, v in variables.items())],
                       check=True, env=without_make)
    return run


@pytest.fixture(scope="session")
def readme_installs(root):
    """The commands of docs/install.md: first for all users, then for one user."""
    section = (root / "docs/install.md").read_text().split("\n## From the sources\n")[1]
    everybody, oneself = re.findall(r"```sh\n(.*?)```", section, re.S)
    return everybody, oneself


@pytest.fixture(scope="session")
def native(root, without_make, quick_build):
    """The output of `make native`, for this machine."""
    subprocess.run(["make", "-s", "-C", root, "native"], check=True, env={**without_make, **quick_build})
    return root / "target/packages/native"
