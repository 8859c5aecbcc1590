"""The binaries of the packages run on every Linux for x86-64 with glibc 2.17 or later."""

import re
import subprocess

import pytest


def output(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


# The newest versions of symbols that may be needed. That of libgcc_s is of GCC 4.8, as in manylinux2014.
NEWEST = {"GLIBC": (2, 17), "GCC": (4, 8)}
GLIBC = {"libc.so.6", "libpthread.so.0", "libdl.so.2", "libm.so.6", "librt.so.1", "ld-linux-x86-64.so.2"}


@pytest.mark.parametrize("name, libraries", [("libesales_notify.so", {"GLIBC", "GCC"}), ("esales-notify", {"GLIBC"})])
def test_portable_library_needs_no_symbol_newer_than_glibc_2_17(portable, name, libraries):
    found = re.findall(r"\b([A-Z]+)_(\d[\d.]*)", output("objdump", "-T", portable / name))
    assert {library for library, _ in found} == libraries
    for library, version in found:
        assert tuple(map(int, version.split("."))) <= NEWEST[library]


@pytest.mark.parametrize("name, more", [("libesales_notify.so", {"libgcc_s.so.1"}), ("esales-notify", set())])
def test_portable_library_needs_only_glibc_and_libgcc_s(portable, name, more):
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", portable / name)))
    assert needed <= GLIBC | more
    assert not re.search("RPATH|RUNPATH", output("readelf", "-d", portable / name))


def test_portable_library_is_linked_as_the_regular_build(portable, root):
    dynamic = output("readelf", "-d", portable / "libesales_notify.so")
    assert "soname: [libesales_notify.so.0]" in dynamic
    assert re.search(r"Flags:.*NODELETE", dynamic)
    exported = [line.split()[-1] for line in output("nm", "-D", "--defined-only", portable / "libesales_notify.so").splitlines()]
    assert exported == (root / "tests/abi/symbols.txt").read_text().split()


def test_portable_library_is_stripped(portable):
    for name in ("libesales_notify.so", "esales-notify"):
        sections = output("readelf", "-SW", portable / name)
        assert ".text" in sections and ".symtab" not in sections and ".debug" not in sections


def test_portable_library_has_no_paths_of_the_build_machine(portable, root):
    for name in ("libesales_notify.so", "libesales_notify.a", "esales-notify"):
        assert str(root).encode() not in (portable / name).read_bytes(), name
