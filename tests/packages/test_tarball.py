"""The release tarball, its checksums, and the SBOM."""

import hashlib
import json
import subprocess
import tarfile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sandbox import Sandbox

# One test builds the tarball again.
pytestmark = pytest.mark.xdist_group("repository")


def test_unpacked_tarball_runs_a_program_and_the_command(package, elsewhere, delivers, version):
    elsewhere.run("tar", "-xzf", package("esales-notify-*-linux-x86_64.tar.gz"))
    folder = elsewhere.folder / f"esales-notify-{version}-linux-x86_64"
    source = elsewhere.copy("examples/c/add_to_cart.c")
    flags = elsewhere.run("pkg-config", "--cflags", "--libs", folder / "lib/pkgconfig/esales_notify.pc")
    elsewhere.run("cc", source, "-o", "program", *flags.split(), f"-Wl,-rpath,{folder / 'lib'}")
    delivers("./program")
    with Sandbox(folder / "bin/esales-notify") as sandbox:
        output = elsewhere.run(folder / "bin/esales-notify", "send", "add-to-cart", "--market", "UK", "--ticket", "abc",
                              ESALES_BASE_URL=sandbox.base_url)
        assert "ESALES_DELIVERED" in output and len(sandbox.received()) == 1


def test_checksums_cover_every_package(packages):
    lines = (packages / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    built = {path.name for path in packages.iterdir() if path.is_file()} - {"SHA256SUMS"}
    assert set(sums) == built and len(built) == 9
    for name, digest in sums.items():
        assert hashlib.sha256((packages / name).read_bytes()).hexdigest() == digest, name


def test_tarball_has_no_user_names_and_no_times(package, version):
    with tarfile.open(package("esales-notify-*-linux-x86_64.tar.gz")) as tar:
        entries = tar.getmembers()
    assert [entry.name for entry in entries] == sorted((entry.name for entry in entries), key=lambda name: name.split("/"))
    assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}
    assert len({entry.mtime for entry in entries}) == 1
    assert {entry.name.split("/")[0] for entry in entries} == {f"esales-notify-{version}-linux-x86_64"}


def test_tarball_is_reproducible(package, root, without_make):
    file = package("esales-notify-*-linux-x86_64.tar.gz")
    before = file.read_bytes()
    # Files of an earlier version would count as parts of this one.
    older = file.with_name("esales-notify-0.0.9-linux-x86_64.tar.gz")
    older.write_text("")
    with tarfile.open(file) as tar:
        moment = tar.next().mtime
    subprocess.run(["sh", root / "packaging/tarball.sh"], check=True, env={**without_make, "SOURCE_DATE_EPOCH": str(moment)})
    assert file.read_bytes() == before
    assert not older.exists()


def sbom(package):
    return json.loads(package("*.cdx.json").read_text())


def test_sbom_is_valid(package):
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(package("*.cdx.json").read_text()) is None
    broken = sbom(package)
    del broken["components"][0]["name"]
    assert validator.validate_str(json.dumps(broken)) is not None


def reached(made, start):
    """A component of the SBOM and all components that it contains."""
    edges = {entry["ref"]: entry["dependsOn"] for entry in made["dependencies"]}
    found, left = set(), [start]
    while left:
        ref = left.pop()
        if ref not in found:
            found.add(ref)
            left += edges[ref]
    return found


@pytest.mark.parametrize("crate", ["esales-notify", "esales-notify-cli"])
def test_sbom_lists_components_of_the_library_and_of_the_command(package, root, crate):
    """The crates that cargo lists, and the parts that are not crates."""
    tree = subprocess.run(["cargo", "tree", "--locked", "-p", crate, "-e", "normal,no-proc-macro", "--prefix", "none",
                           "--target", "x86_64-unknown-linux-gnu"], cwd=root, check=True, capture_output=True, text=True).stdout
    linked = {tuple(line.replace(" v", " ").split()[:2]) for line in tree.splitlines()}
    made = sbom(package)
    components = {entry["bom-ref"]: entry for entry in made["components"]}
    (start,) = [entry["bom-ref"] for entry in made["components"] if entry["name"] == crate]
    named = {(components[ref]["name"], components[ref]["version"]) for ref in reached(made, start)}
    assert linked <= named
    assert {name for name, _ in named - linked} == {"rust-std", "libunwind"}
    # Components of the command only, and crates that only run in the compiler.
    assert ("clap" in {name for name, _ in named}) == (crate == "esales-notify-cli")
    assert not {"serde_derive", "cbindgen"} & {name for name, _ in named}


def test_sbom_has_the_source_of_every_component(package):
    for entry in sbom(package)["components"]:
        ours = entry["name"].startswith("esales-notify")
        assert entry["licenses"] and ("hashes" in entry) == (entry["purl"].startswith("pkg:cargo/") and not ours), entry


def test_sbom_dependency_graph_contains_every_component(package):
    made = sbom(package)
    release = made["metadata"]["component"]["bom-ref"]
    edges = {entry["ref"]: entry["dependsOn"] for entry in made["dependencies"]}
    assert sorted(ref.split("@")[0] for ref in edges[release]) == ["pkg:cargo/esales-notify", "pkg:cargo/esales-notify-cli"]
    assert reached(made, release) == set(edges) == {entry["bom-ref"] for entry in made["components"]} | {release}
