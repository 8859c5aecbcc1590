"""The release tarball, its checksums, and the bill of materials."""

import hashlib
import json
import os
import re
import subprocess
import tarfile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sandbox import Sandbox


def test_a_program_and_the_command_run_out_of_it(package, elsewhere, delivers, version):
    elsewhere.run("tar", "-xzf", package("esales-notify-*-linux-x86_64.tar.gz"))
    folder = elsewhere.folder / f"esales-notify-{version}-linux-x86_64"
    source = elsewhere.copy("examples/c/add_to_cart.c")
    flags = elsewhere.run("pkg-config", "--cflags", "--libs", "esales_notify", PKG_CONFIG_PATH=str(folder / "lib/pkgconfig"))
    elsewhere.run("cc", source, "-o", "program", *flags.split())
    delivers("./program", LD_LIBRARY_PATH=str(folder / "lib"))
    with Sandbox(folder / "bin/esales-notify") as sandbox:
        words = elsewhere.run(folder / "bin/esales-notify", "send", "--market", "UK", "--ticket", "abc",
                              ESALES_BASE_URL=sandbox.base_url)
        assert "ESALES_DELIVERED" in words and len(sandbox.received()) == 1


def test_the_checksums_are_those_of_every_package(packages):
    lines = (packages / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    built = {path.name for path in packages.iterdir() if path.is_file()} - {"SHA256SUMS"}
    assert set(sums) == built and len(built) == 9
    for name, digest in sums.items():
        assert hashlib.sha256((packages / name).read_bytes()).hexdigest() == digest, name


def test_it_tells_nothing_of_who_packed_it_and_when(package, version):
    with tarfile.open(package("esales-notify-*-linux-x86_64.tar.gz")) as tar:
        entries = tar.getmembers()
    assert [entry.name for entry in entries] == sorted((entry.name for entry in entries), key=lambda name: name.split("/"))
    assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}
    assert len({entry.mtime for entry in entries}) == 1
    assert {entry.name.split("/")[0] for entry in entries} == {f"esales-notify-{version}-linux-x86_64"}


def test_packing_it_again_gives_the_same_bytes(package, root):
    file = package("esales-notify-*-linux-x86_64.tar.gz")
    before = file.read_bytes()
    with tarfile.open(file) as tar:
        moment = tar.next().mtime
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["sh", root / "packaging/tarball.sh"], check=True, env={**environment, "SOURCE_DATE_EPOCH": str(moment)})
    assert file.read_bytes() == before


def bill(package):
    return json.loads(package("*.cdx.json").read_text())


def test_the_bill_of_materials_is_valid(package):
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(package("*.cdx.json").read_text()) is None
    broken = bill(package)
    del broken["components"][0]["name"]
    assert validator.validate_str(json.dumps(broken)) is not None


def test_the_bill_names_what_is_linked_in(package, root):
    """What cargo says, and what is no crate."""
    tree = subprocess.run(["cargo", "tree", "--locked", "-p", "esales-notify", "-e", "normal,no-proc-macro", "--prefix", "none",
                           "--target", "x86_64-unknown-linux-gnu"], cwd=root, check=True, capture_output=True, text=True).stdout
    linked = {tuple(line.replace(" v", " ").split()[:2]) for line in tree.splitlines()} - {("esales-notify", "0.1.0")}
    named = {(entry["name"], entry["version"]) for entry in bill(package)["components"]}
    assert linked <= named
    assert {name for name, _ in named - linked} == {"sqlite", "rust-std", "libunwind"}
    assert not {"clap", "serde_derive", "cbindgen"} & {name for name, _ in named}
    for entry in bill(package)["components"]:
        assert entry["licenses"] and (entry["purl"].startswith("pkg:cargo/") == ("hashes" in entry))


def test_its_graph_reaches_every_component(package):
    made = bill(package)
    edges = {entry["ref"]: entry["dependsOn"] for entry in made["dependencies"]}
    reached, left = set(), [made["metadata"]["component"]["bom-ref"]]
    while left:
        ref = left.pop()
        if ref not in reached:
            reached.add(ref)
            left += edges[ref]
    assert reached == set(edges) == {entry["bom-ref"] for entry in made["components"]} | {made["metadata"]["component"]["bom-ref"]}


def test_the_sqlite_that_is_named_is_the_one_inside(package, portable):
    (named,) = [entry["version"] for entry in bill(package)["components"] if entry["name"] == "sqlite"]
    assert re.search(rb"\b" + re.escape(named.encode()) + rb"\b", (portable / "libesales_notify.so").read_bytes())
