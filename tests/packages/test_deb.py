"""The metadata and the contents of the Debian packages, unpacked into one folder. test_chroot.py installs them."""

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


def test_lintian_reports_nothing_for_the_debian_packages(elsewhere, package):
    """packaging/deb/*.lintian-overrides explains every override."""
    output = elsewhere.run("lintian", "--allow-root", "--fail-on", "error,warning", *(package(f"{name}_*.deb") for name in NAMES))
    assert not re.search(r"^[EW]: ", output, re.M), output


def test_debian_packages_declare_their_dependencies_on_each_other(elsewhere, package, version):
    library, headers, command = (package(f"{name}_*.deb") for name in NAMES)
    for file in (library, headers, command):
        assert field(elsewhere, file, "Version") == f"{version}-1"
        assert field(elsewhere, file, "Architecture") == "amd64"
    assert f"libesales-notify0 (= {version}-1)" in field(elsewhere, headers, "Depends")
    assert field(elsewhere, library, "Depends") == "libc6 (>= 2.17), libgcc-s1"
    assert field(elsewhere, command, "Depends") == "libc6 (>= 2.17)"


@pytest.fixture
def debian_source(elsewhere, package, version):
    """The environment that dpkg's tools need: the source package, and the unpacked library package with its control
    files."""
    elsewhere.run("dpkg-deb", "-R", package("libesales-notify0_*.deb"), "built")
    elsewhere.write("debian/control", "Source: shop\nMaintainer: Nobody <nobody@localhost>\n\nPackage: libesales-notify0\n"
                    "Architecture: amd64\nDescription: the library\n\nPackage: shop\nArchitecture: amd64\nDescription: a shop\n")
    return elsewhere.folder


def test_debian_symbols_file_lists_the_exported_symbols(elsewhere, debian_source, root, version):
    committed = root / "packaging/deb/libesales-notify0.symbols"
    # -c4 reports new symbols, removed symbols, and a library that is not listed.
    elsewhere.run("dpkg-gensymbols", "-plibesales-notify0", f"-v{version}", "-Pbuilt", f"-I{committed}", "-Onew", "-c4")
    lines = committed.read_text().splitlines()
    assert lines[0] == "libesales_notify.so.0 libesales-notify0 #MINVER#"
    entries = [re.fullmatch(r" (\w+)@Base (\d+\.\d+\.\d+)", line) for line in lines[1:]]
    assert [entry[1] for entry in entries] == (root / "tests/abi/symbols.txt").read_text().split()

    # A symbol of a release was added in that release or earlier, and none is newer than the present version.
    def number(output):
        return tuple(map(int, output.split(".")))
    came = {entry[1]: number(entry[2]) for entry in entries}
    assert max(came.values()) <= number(version)
    for release in (root / "abi").glob("0.*"):
        for name in (release / "symbols.txt").read_text().split():
            assert came[name][:2] <= number(release.name), name


def test_symbol_check_fails_when_a_symbol_is_not_listed(elsewhere, debian_source, root, version):
    committed = (root / "packaging/deb/libesales-notify0.symbols").read_text()
    elsewhere.write("less", committed.replace(" esales_version@Base 0.1.0\n", ""))
    output = elsewhere.run("dpkg-gensymbols", "-plibesales-notify0", f"-v{version}", "-Pbuilt", "-Iless", "-Onew", "-c4", code=2)
    assert "esales_version" in output


def test_program_that_links_depends_on_the_library_package(elsewhere, debian_source, root, package):
    """As dpkg-shlibdeps finds out when it packages a program."""
    elsewhere.run("dpkg-deb", "-x", package("libesales-notify-dev_*.deb"), "built")
    lib = "built/usr/lib/x86_64-linux-gnu"
    elsewhere.run("cc", "-Ibuilt/usr/include", elsewhere.copy("examples/c/add_to_cart.c"), f"-L{lib}", "-lesales_notify", "-o", "program")
    output = elsewhere.run("dpkg-shlibdeps", "-O", "-Sbuilt", f"-l{lib}", "-eprogram")
    assert re.search(r"^shlibs:Depends=.*\blibesales-notify0 \(>= 0\.1\.0\)", output, re.M), output
    # Without the symbols file, dpkg-shlibdeps uses the shlibs file.
    (debian_source / "built/DEBIAN/symbols").unlink()
    output = elsewhere.run("dpkg-shlibdeps", "-O", "-Sbuilt", f"-l{lib}", "-eprogram")
    assert re.search(r"^shlibs:Depends=.*\blibesales-notify0 \(>= 0\.1\.0\)", output, re.M), output
    assert "ldconfig" in (debian_source / "built/DEBIAN/triggers").read_text()


def test_every_debian_package_has_the_licences(unpacked):
    for name in NAMES:
        doc = unpacked / "usr/share/doc" / name
        assert "Apache-2.0" in (doc / "copyright").read_text()
        assert b"rustls" in gzip.decompress((doc / "THIRD-PARTY-LICENSES.txt.gz").read_bytes())


def test_systemd_unit_of_the_package_starts_its_command(unpacked):
    unit = (unpacked / "lib/systemd/system/esales-notify-drain.service").read_text()
    (started,) = re.findall(r"^ExecStart=(\S+)", unit, re.M)
    assert (unpacked / started.lstrip("/")).is_file()
