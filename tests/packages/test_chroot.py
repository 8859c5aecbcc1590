"""Each package is installed like by a new user, in a Debian without any part of this project: no path to the sources,
no variables. The loopback network is this machine's, so the sandbox is outside. packaging/chroot.sh makes the
Debians."""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "docs"))

import markdown  # noqa: E402

# In one group with the other tests that build in the repository. Also, the Debians are then unpacked only once.
pytestmark = pytest.mark.xdist_group("repository")

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}
EMPTY = "/srv/elsewhere"


class Debian:
    """A Debian that is unpacked into a folder, with an empty folder for the tests."""

    def __init__(self, folder):
        self.folder = folder

    def entered(self, command, shown=None, **variables):
        """The command that runs another one in the empty folder of the Debian. The folder `shown` is mounted as
        /source."""
        inside = [*(f"{name}={value}" for name, value in {**ENVIRONMENT, **variables}.items()),
                  "sh", "-c", 'cd "$0" && exec "$@"', "/source" if shown else EMPTY, *map(str, command)]
        # The mounts end with the command, so an interrupted test leaves none.
        mounts = f'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"{f" && mount --bind {shlex.quote(str(shown))} $0/source" if shown else ""}'
        return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec chroot "$0" env -i "$@"', str(self.folder), *inside]

    def run(self, *command, code=0, **options):
        done = subprocess.run(self.entered(command, **options), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert done.returncode == code, f"{command}:\n{done.stdout}"
        return done.stdout

    def put(self, *files):
        for file in files:
            shutil.copy(file, self.folder / EMPTY.lstrip("/"))

    def empty(self):
        shutil.rmtree(self.folder / EMPTY.lstrip("/"), ignore_errors=True)
        (self.folder / EMPTY.lstrip("/")).mkdir()

    def ours(self):
        """The files of this project outside the empty folder."""
        words = self.run("find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/dev", "-o", "-path", "/root", "-o", "-path",
                         "/var/log", "-o", "-path", EMPTY, ")", "-prune", "-o", "-iname", "*esales*", "-print")
        return words.split()


def unpacked(root, folder, name):
    subprocess.run(["tar", "--numeric-owner", "-xf", root / "target/chroot" / name, "-C", folder], check=True)
    (folder / "source").mkdir()
    debian = Debian(folder)
    debian.empty()
    return debian


@pytest.fixture(scope="module")
def bases(root, tmp_path_factory):
    """The base system, and the system with the tools of the packages' users."""
    found = {name: unpacked(root, tmp_path_factory.mktemp(name), f"{name}.tar") for name in ("minimal", "tools")}
    yield found
    for debian in found.values():
        shutil.rmtree(debian.folder)


@pytest.fixture
def minimal(bases):
    bases["minimal"].empty()
    return bases["minimal"]


@pytest.fixture
def tools(bases):
    bases["tools"].empty()
    return bases["tools"]


@pytest.fixture
def delivers(sandbox):
    """Runs a program in the Debian that must send the vendor's example to the sandbox and print the outcome."""
    def check(debian, *command):
        before = len(sandbox.received())
        words = debian.run(*command, ESALES_BASE_URL=sandbox.base_url)
        (sent,) = sandbox.received()[before:]
        assert words.split() == ["ESALES_DELIVERED", sent["notification"]["id"]], words
    return check


def test_chroots_have_no_rust_and_nothing_installed(bases):
    for debian in bases.values():
        assert debian.ours() == []
        debian.run("sh", "-c", "command -v cargo || command -v rustc", code=127)
    bases["minimal"].run("sh", "-c", "command -v cc || command -v python3 || command -v php || command -v mono", code=127)


def test_command_runs_on_the_base_system(minimal, package, sandbox):
    """apt then removes all of it."""
    minimal.put(package("libesales-notify0_*.deb"), package("esales-notify_*.deb"))
    minimal.run("sh", "-c", "apt-get install -y -qq --no-install-recommends ./*.deb")
    words = minimal.run("esales-notify", "send", "add-to-cart", "--market", "UK", "--ticket", "abc", ESALES_BASE_URL=sandbox.base_url)
    assert "ESALES_DELIVERED" in words and len(sandbox.received()) == 1
    minimal.run("apt-get", "purge", "-y", "-qq", "esales-notify", "libesales-notify0")
    assert minimal.ours() == []


def test_command_of_the_tarball_runs_on_the_base_system(minimal, package, sandbox, version):
    minimal.put(package("esales-notify-*-linux-x86_64.tar.gz"))
    minimal.run("sh", "-c", "tar -xzf *.tar.gz")
    words = minimal.run(f"./esales-notify-{version}-linux-x86_64/bin/esales-notify", "send", "add-to-cart", "--market", "UK", "--ticket", "abc",
                        ESALES_BASE_URL=sandbox.base_url)
    assert "ESALES_DELIVERED" in words and len(sandbox.received()) == 1


# The files that a page wants in its folder.
PAGES = {
    "c": ["*.deb", "examples/c/add_to_cart.c"],
    "cpp": ["*.deb", "examples/cpp/add_to_cart.cpp"],
    "python": ["*.whl", "*-linux-x86_64.tar.gz", "bindings/python/examples/add_to_cart.py"],
    "php": ["*-php-*.zip", "*-linux-x86_64.tar.gz"],
    "csharp": ["*.nupkg", "*-linux-x86_64.tar.gz", "bindings/csharp/examples/AddToCart.cs"],
    "agent": ["*-linux-x86_64.tar.gz"],
}


def page_of(root, name):
    return root / "docs/agent.md" if name == "agent" else root / f"docs/getting-started/{name}.md"


def section_of(page):
    """The section "Install", with "Try it" if that follows."""
    (section,) = re.findall(r"^## Install\n(.*?)(?=^## (?!Try it))", page.read_text(), re.M | re.S)
    return section


@pytest.mark.parametrize("name", PAGES)
def test_install_commands_of_page_deliver(root, packages, tools, name, tmp_path):
    """Runs every command of "Install" in order, and compares the output with the page."""
    for pattern in PAGES[name]:
        tools.put(*(packages.glob(pattern) if "*" in pattern else [root / pattern]))
    blocks = markdown.blocks(markdown.elsewhere(section_of(page_of(root, name))))
    shell = [at for at, block in enumerate(blocks) if block.language == "sh"]
    # Composer needs no network for packages in the folder, and must be allowed to run as root.
    bash = tools.entered(["bash", "-c"], COMPOSER_DISABLE_NETWORK="1", COMPOSER_ALLOW_SUPERUSER="1")
    results = markdown.run([blocks[at].code for at in shell], tmp_path, bash)
    assert blocks[-1].language == "text" and "ESALES_DELIVERED" in blocks[-1].code
    for at, (status, output) in zip(shell, results):
        assert status == 0, output
        if blocks[at + 1].language == "text":
            assert markdown.comparable(output) == markdown.comparable(blocks[at + 1].code)
    if name in ("c", "cpp"):
        tools.run("apt-get", "purge", "-y", "-qq", "esales-notify", "libesales-notify-dev", "libesales-notify0")
    assert tools.ours() == []


def test_getting_started_page_begins_with_its_package(root):
    for page in (root / "docs/getting-started").glob("*.md"):
        headings = re.findall(r"^## (.*)$", page.read_text(), re.M)
        assert (headings[0] == "Install") == (page.stem in PAGES), page


CMAKE = """cmake_minimum_required(VERSION 3.13)
project(shop C)
find_package(esales_notify REQUIRED)
add_executable(program add_to_cart.c)
target_link_libraries(program PRIVATE esales_notify::esales_notify)
"""


def test_system_wide_installation_is_found_by_every_language(root, readme_installs, native, tools, delivers):
    """Uses the commands of docs/install.md. pkg-config, CMake and the loader find the library without variables."""
    lines = readme_installs[0].splitlines()
    # The Debian has no Rust, so the output of this target is copied into it, in `native`.
    assert lines.pop(0) == "make native"
    tools.run("sh", "-e", "-c", "\n".join(lines), shown=root)
    shutil.move(root / "target/add_to_cart", tools.folder / EMPTY.lstrip("/") / "program")
    assert "libesales_notify.so.0" in tools.run("readelf", "-d", "program")
    delivers(tools, "./program")

    tools.put(root / "examples/c/add_to_cart.c")
    (tools.folder / EMPTY.lstrip("/") / "CMakeLists.txt").write_text(CMAKE)
    tools.run("sh", "-e", "-c", "cmake -S . -B build && cmake --build build")
    delivers(tools, "build/program")
    tools.run("esales-notify", "--version")

    tools.run("sh", "-e", "-c", "make -s uninstall && ldconfig", shown=root)
    assert tools.ours() == []
    tools.run("./program", code=127)


def test_sdist_works_with_the_library_of_the_system(root, package, tools, delivers, tmp_path):
    """If no wheel fits, pip builds the sdist, which uses the library of the Debian package."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
                    "--no-build-isolation", "-w", tmp_path, package("esales_notify-*.tar.gz")], check=True)
    (made,) = tmp_path.glob("*.whl")
    assert made.name.endswith("-py3-none-any.whl")
    tools.put(made, package("libesales-notify0_*.deb"), root / "bindings/python/examples/add_to_cart.py")
    tools.run("sh", "-e", "-c", "python3 -m venv venv && venv/bin/pip install --no-index *.whl")
    tools.run("venv/bin/python", "add_to_cart.py", code=1)
    tools.run("sh", "-c", "apt-get install -y -qq ./*.deb")
    delivers(tools, "venv/bin/python", "add_to_cart.py")
    tools.run("apt-get", "purge", "-y", "-qq", "libesales-notify0")
    assert tools.ours() == []
