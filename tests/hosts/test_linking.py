"""The ways to link the library that the page on C and C++ shows, each run against the sandbox."""

import os
import re
import shutil
import subprocess

import pytest

from environment import CLEAN
from shop import DEPLOYMENT


@pytest.fixture(scope="module")
def archive(library):
    return library.with_suffix(".a")


@pytest.fixture
def tree(root, library, archive, tmp_path):
    """A folder as on the page: include, lib, bin and the source of a shop."""
    folder = tmp_path / "shop"
    shutil.copytree(root / "include", folder / "include")
    for name in ("lib", "bin"):
        (folder / name).mkdir()
    shutil.copy(library, folder / "lib/libesales_notify.so.0")
    (folder / "lib/libesales_notify.so").symlink_to("libesales_notify.so.0")
    (folder / "lib/libesales_notify.a").symlink_to(archive)
    shutil.copy(root / "examples/c/add_to_cart.c", folder / "shop.c")
    shutil.copy(root / "examples/cpp/add_to_cart.cpp", folder / "shop.cpp")
    shutil.copy(DEPLOYMENT / "c-cpp/plugin.c", folder)
    return folder


@pytest.fixture
def run(sandbox):
    def run_program(*command, cwd=None, works=True):
        env = {**CLEAN, "ESALES_BASE_URL": sandbox.base_url, "ESALES_MARKET": "UK"}
        env.pop("LD_LIBRARY_PATH", None)
        done = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True)
        assert (done.returncode == 0) == works, done.stdout + done.stderr
        return done.stdout if works else done.stderr

    return run_program


def needed(program):
    lines = subprocess.run(["readelf", "-d", str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split("[")[1].rstrip("]") for line in lines if "NEEDED" in line}


def test_shared_library_is_found_beside_the_program(tree, run):
    run("sh", "-e", DEPLOYMENT / "c-cpp/shared.sh", cwd=tree)
    # Unpacked in another folder, without variables.
    moved = tree.rename(tree.parent / "elsewhere")
    assert run(moved / "bin/shop", cwd="/").startswith("ESALES_DELIVERED ")
    assert "libesales_notify.so.0" in needed(moved / "bin/shop")


def test_static_program_needs_only_libraries_of_the_system(tree, run, sandbox):
    run("sh", "-e", DEPLOYMENT / "c-cpp/static.sh", cwd=tree)
    shutil.rmtree(tree / "lib")
    assert run(tree / "bin/shop").startswith("ESALES_DELIVERED ")
    assert run(tree / "bin/shop-cpp").startswith("ESALES_DELIVERED ")
    assert sandbox.status()["received"] == 2
    assert needed(tree / "bin/shop") <= {"libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2"}
    assert needed(tree / "bin/shop-cpp") <= needed(tree / "bin/shop") | {"libstdc++.so.6", "libm.so.6"}


def symbols(archive, *flags):
    """The names of its functions, each with its letter in the output of nm."""
    out = subprocess.run(["nm", "--defined-only", *flags, str(archive)], check=True, capture_output=True, text=True).stdout
    return {(letter, name) for letter, name in re.findall(r"^\S+ (\S) (\S+)$", out, re.M)}


def test_archive_defines_only_functions_of_the_c_api_for_others(archive, root):
    expected = (root / "tests/abi/symbols.txt").read_text().split()
    assert symbols(archive, "--extern-only") == {("T", name) for name in expected}


@pytest.mark.parametrize("how", ["static.sh", "shared.sh"])
def test_program_links_when_it_has_functions_with_the_librarys_names(tree, archive, run, how):
    """For example another copy of ring or of Rust's standard library. A call of them would end the program."""
    inside = sorted(name for letter, name in symbols(archive) if letter == "t" and re.fullmatch(r"(ring|sqlite3|rust|__rust)_\w+", name))
    assert any(name.startswith("ring_core_") for name in inside), inside
    theirs = "".join(f"void {name}(void) {{ abort(); }}\n" for name in inside)
    (tree / "shop.c").write_text((tree / "shop.c").read_text() + "\n#include <stdlib.h>\n" + theirs)
    run("sed", "-i", "/c++/d", shutil.copy(DEPLOYMENT / "c-cpp" / how, tree))
    run("sh", "-e", how, cwd=tree)
    assert run(tree / "bin/shop").startswith("ESALES_DELIVERED ")


def test_library_delivers_when_it_is_loaded_by_dlopen(tree, run, sandbox):
    id = run("sh", "-e", DEPLOYMENT / "c-cpp/plugin.sh", cwd=tree).strip()
    assert [r["notification"]["id"] for r in sandbox.received()] == [id]
    assert not {name for name in needed(tree / "bin/plugin") if "esales" in name}
    os.remove(tree / "lib/libesales_notify.so.0")
    assert "libesales_notify.so.0" in run("sh", "-e", DEPLOYMENT / "c-cpp/plugin.sh", cwd=tree, works=False)
