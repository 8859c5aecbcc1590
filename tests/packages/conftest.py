"""Each package is used as a stranger would: in an empty folder, with an environment that names nothing of ours."""

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
    """What `make packages` built."""
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
    """An empty folder, with an environment of nothing but PATH, HOME and what is given."""

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
        """A file of the repository, as one that the reader has typed in."""
        return self.write(pathlib.Path(name).name, (self._root / name).read_text())


@pytest.fixture
def elsewhere(tmp_path, root):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert root not in folder.parents
    return Elsewhere(folder, root)


@pytest.fixture
def delivers(sandbox, elsewhere):
    """Runs a program that must send the vendor's example to the sandbox and say so."""
    def check(*command, **variables):
        before = len(sandbox.received())
        output = elsewhere.run(*command, ESALES_BASE_URL=sandbox.base_url, **variables)
        (sent,) = sandbox.received()[before:]
        assert output.split() == ["ESALES_DELIVERED", sent["notification"]["id"]], output
        assert sent["notification"]["customerKey"] == "d9528030-509c-4e0f-b585-7168f1e9feca"
    return check


@pytest.fixture(scope="session")
def without_make():
    """This process's environment without what `make test` told its own children."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


@pytest.fixture(scope="session")
def make_install(root, portable, without_make):
    """`make install` and `make uninstall` of what `make portable` built."""
    def run(target, **variables):
        subprocess.run(["make", "-s", "-C", root, target, f"FROM={portable}", *(f"{k}={v}" for k, v in variables.items())],
                       check=True, env=without_make)
    return run


@pytest.fixture(scope="session")
def readme_installs(root):
    """The commands of docs/install.md, of which the first are for everybody and the others for oneself."""
    section = (root / "docs/install.md").read_text().split("\n## From the sources\n")[1]
    everybody, oneself = re.findall(r"```sh\n(.*?)```", section, re.S)
    return everybody, oneself


@pytest.fixture(scope="session")
def native(root, without_make):
    """What `make native` builds, for this machine."""
    subprocess.run(["make", "-s", "-C", root, "native"], check=True, env=without_make)
    return root / "target/packages/native"
