"""The library in real hosts, with the small counts of `make test` or the large ones of `make soak`."""

import os
import pwd
import subprocess

import pytest

from shop import Shop


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether to use the large counts: `make soak` sets ESALES_NOTIFY_SOAK."""
    return os.environ.get("ESALES_NOTIFY_SOAK") == "1"


@pytest.fixture
def python_shop(library, command):
    """A shop of the current user, because other users may not be able to read Python."""
    shop = Shop(library, command, pwd.getpwuid(os.geteuid()).pw_name)
    yield shop
    shop.remove()


@pytest.fixture(scope="session")
def compiled(root, tmp_path_factory):
    """Compiles a program of this folder. It loads the library itself, or is linked with it if the flags have its
    path. `target` is the name of the program, if it is compiled in several ways."""
    out = tmp_path_factory.mktemp("hosts")

    def compile_host(name, *flags, target=None):
        compiler = ["g++", "-std=c++17"] if name.endswith(".cpp") else ["gcc", "-std=gnu99"]
        program = out / (target or name.rsplit(".", 1)[0])
        if not program.exists():
            subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread", f"-I{root}/include",
                            str(root / "tests/hosts" / name), "-o", str(program), *map(str, flags)], check=True)
        return program

    return compile_host
