"""The contents of the binaries: sbom.py KIND FOLDER writes the SBOM (CycloneDX 1.5) and the licences of
everything that is linked into the library or the command. The graph of the SBOM tells the two apart: most packages have
only the library inside."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid
from datetime import datetime, timezone

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def linked(package):
    """The crates that cargo links into a package, without those that only run in the compiler: (name, version)."""
    tree = output("cargo", "tree", "--locked", "-p", package, "-e", "normal,no-proc-macro", "--target", TARGET,
                  "--prefix", "none", "--format", "{p}")
    found = {tuple(line.split()[:2]) for line in tree.splitlines()}
    return {(name, version[1:]) for name, version in found}


def crates():
    """cargo's description of each crate of the lock file, and the edges between them."""
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET))
    by_id = {package["id"]: package for package in metadata["packages"]}
    key = {name: (package["name"], package["version"]) for name, package in by_id.items()}
    edges = {key[node["id"]]: {key[dependency["pkg"]] for dependency in node["deps"]
                              if any(kind["kind"] is None for kind in dependency["dep_kinds"])}
             for node in metadata["resolve"]["nodes"]}
    return {key[name]: package for name, package in by_id.items()}, edges


def checksums():
    lock = (ROOT / "Cargo.lock").read_text()
    pattern = r'name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "(.+)"'
    return {(name, version): checksum for name, version, checksum in re.findall(pattern, lock)}


def beside_crates(kind):
    """Linked parts of the library and the command that are not crates in the lock file: (name, version, licence,
    purl)."""
    rust = re.search(r"rustc (\S+)", output("rustc", "--version")).group(1)
    found = [("rust-std", rust, "MIT OR Apache-2.0", f"pkg:generic/rust-std@{rust}")]
    if kind == "portable":
        pinned = (ROOT / "packaging/requirements.txt").read_text()
        zig = re.search(r"^ziglang==(\S+)", pinned, re.M).group(1)
        # LLVM's unwinder, from zig's copy, in the command. The library uses the system's.
        found.append(("libunwind", zig, "Apache-2.0 WITH LLVM-exception", f"pkg:pypi/ziglang@{zig}"))
    return found


def sbom(kind, described, edges):
    ours = linked("esales-notify") | linked("esales-notify-cli")
    (library,) = [key for key in ours if key[0] == "esales-notify"]
    (command,) = [key for key in ours if key[0] == "esales-notify-cli"]
    sums = checksums()
    refs = {key: f"pkg:cargo/{key[0]}@{key[1]}" for key in ours}

    def component(key):
        package = described[key]
        made = {"type": "application" if key == command else "library", "bom-ref": refs[key], "name": key[0], "version": key[1],
                "scope": "required", "purl": refs[key], "licenses": [{"expression": package["license"].replace("/", " OR ")}]}
        if package["source"] is None:
            made["description"] = package["description"]
        if key in sums:
            made["hashes"] = [{"alg": "SHA-256", "content": sums[key]}]
        if package["repository"]:
            made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return made

    # The release, which contains the library and the command.
    release = f"esales-notify@{library[1]}"
    subject = {"type": "application", "bom-ref": release, "name": "esales-notify", "version": library[1],
               "licenses": [{"expression": described[library]["license"]}]}
    components = [component(key) for key in sorted(ours)]
    graph = {refs[key]: {refs[other] for other in edges[key] & ours} for key in ours}
    graph[release] = {refs[library], refs[command]}
    for name, version, licence, purl in beside_crates(kind):
        components.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "scope": "required",
                           "purl": purl, "licenses": [{"expression": licence}]})
        graph[purl] = set()
        for key in [library, command]:
            graph[refs[key]].add(purl)
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": subject}, "components": components,
        "dependencies": [{"ref": ref, "dependsOn": sorted(others)} for ref, others in sorted(graph.items())],
    }
    # The serial number and the time are made from the sources, so the same sources give the same file.
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    made["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}"
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    made["metadata"]["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return made


def licences(described):
    """Each text once, with its crates."""
    ours = {"esales-notify", "esales-notify-cli", "esales-notify-sandbox"}
    texts = {}
    without = []
    for key in sorted(linked("esales-notify") | linked("esales-notify-cli")):
        if key[0] in ours:
            continue
        package = described[key]
        folder = pathlib.Path(package["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir()
                       if path.is_file() and re.match(r"(?i)(licen[cs]e|copying|copyright|notice)", path.name))
        title = f"{key[0]} {key[1]} ({package['license']})"
        if not files:
            without.append(title)
        for path in files:
            text = "\n".join(line.rstrip() for line in path.read_text(errors="replace").strip().splitlines())
            texts.setdefault(text, []).append(title)
    parts = ["The binaries of esales-notify contain the following works, under the terms given with each.\n\n"
             "The standard library of Rust is under MIT or Apache-2.0.\n"
             "The packages for all of Linux also contain LLVM's libunwind, under Apache-2.0 with the LLVM exception.\n"]
    if without:
        parts.append("These carry no text of their own; their licence is one of those below:\n\n" + "\n".join(without) + "\n")
    parts += ["\n".join(titles) + "\n\n" + text + "\n" for text, titles in texts.items()]
    return ("\n" + "-" * 80 + "\n\n").join(parts)


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    described, edges = crates()
    (folder / "esales-notify.cdx.json").write_text(json.dumps(sbom(kind, described, edges), indent=1) + "\n")
    (folder / "THIRD-PARTY-LICENSES.txt").write_text(licences(described))


main()
