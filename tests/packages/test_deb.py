"""The Debian packages, unpacked side by side into a folder of their own. `make test-packages-chroot` installs them."""

import gzip
import re

import pytest

NAMES = ["libesales-notify0", "libesales-notify-dev", "esales-notify"]


@pytest.fixture
def unpacked(elsewhere, package):
    for name in NAMES:
        elsewhere.run("dpkg-deb", "-x", package(f"{name}_*.deb"), "root")
    return elsewhere.folder / "root"


def field(elsewhere, file, name):
    return elsewhere.run("dpkg-deb", "-f", file, name).strip()


def test_lintian_has_nothing_to_say(elsewhere, package):
    """What is overridden is explained in packaging/deb/*.lintian-overrides."""
    words = elsewhere.run("lintian", "--allow-root", "--fail-on", "error,warning", *(package(f"{name}_*.deb") for name in NAMES))
    assert not re.search(r"^[EW]: ", words, re.M), words


def test_what_the_packages_say_of_each_other(elsewhere, package, version):
    library, headers, command = (package(f"{name}_*.deb") for name in NAMES)
    for file in (library, headers, command):
        assert field(elsewhere, file, "Version") == f"{version}-1"
        assert field(elsewhere, file, "Architecture") == "amd64"
    assert f"libesales-notify0 (= {version}-1)" in field(elsewhere, headers, "Depends")
    assert field(elsewhere, library, "Depends") == field(elsewhere, command, "Depends") == "libc6 (>= 2.17)"


def test_what_links_with_it_will_depend_on_it(elsewhere, package, root):
    """dpkg-shlibdeps reads these."""
    library = package("libesales-notify0_*.deb")
    shlibs = elsewhere.run("dpkg-deb", "-I", library, "shlibs")
    assert shlibs.startswith("libesales_notify 0 libesales-notify0 (>= 0.1")
    symbols = elsewhere.run("dpkg-deb", "-I", library, "symbols").splitlines()
    assert symbols[0] == "libesales_notify.so.0 libesales-notify0 #MINVER#"
    named = [line.split("@")[0].strip() for line in symbols[1:]]
    assert named == (root / "tests/abi/symbols.txt").read_text().split()
    assert "ldconfig" in elsewhere.run("dpkg-deb", "-I", library, "triggers")


def test_the_licences_are_in_each(unpacked):
    for name in NAMES:
        doc = unpacked / "usr/share/doc" / name
        assert "Apache-2.0" in (doc / "copyright").read_text()
        assert b"rustls" in gzip.decompress((doc / "THIRD-PARTY-LICENSES.txt.gz").read_bytes())


def test_a_program_compiled_with_them_delivers(elsewhere, unpacked, delivers):
    libraries = unpacked / "usr/lib/x86_64-linux-gnu"
    source = elsewhere.copy("examples/c/add_to_cart.c")
    flags = elsewhere.run("pkg-config", "--cflags", "--libs", "esales_notify", PKG_CONFIG_PATH=str(libraries / "pkgconfig"))
    elsewhere.run("cc", source, "-o", "program", *flags.split())
    delivers("./program", LD_LIBRARY_PATH=str(libraries))


def test_the_command_sends(elsewhere, unpacked, sandbox):
    words = elsewhere.run(unpacked / "usr/bin/esales-notify", "send", "--market", "UK", "--ticket", "abc",
                          ESALES_BASE_URL=sandbox.base_url)
    assert "ESALES_DELIVERED" in words
    assert len(sandbox.received()) == 1


def test_the_unit_starts_the_command_of_the_package(unpacked):
    unit = (unpacked / "lib/systemd/system/esales-notify-drain.service").read_text()
    (started,) = re.findall(r"^ExecStart=(\S+)", unit, re.M)
    assert (unpacked / started.lstrip("/")).is_file()
