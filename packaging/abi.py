"""Compares the released ABI with the present one.

    abi.py record LIBRARY                  writes abi/MAJOR.MINOR: the header, the symbols, abidw's description
    abi.py check LIBRARY [HEADER [ABI]]    fails with the reason if a program compiled for a release would break;
                                           the releases are the folders of abi that share the library's SONAME

abi/README.md describes the checks.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "include/esales_notify.h"

def output(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def minor():
    return re.search(r'^version = "(\d+\.\d+)\.', (ROOT / "Cargo.toml").read_text(), re.M).group(1)


def releases(folder):
    """Releases with the SONAME of the present version, which is its major version: a program compiled for any of them loads the
    present library, and must continue to work."""
    return sorted(folder.glob(minor().split(".")[0] + ".*"), key=lambda path: [int(part) for part in path.name.split(".")])


def exported(library):
    return [line.split()[-1] for line in output("nm", "-D", "--defined-only", library).splitlines()]


def without_comments(header):
    return re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)


def numbers(header):
    return dict(re.findall(r"^#define (ESALES_\w+) (-?\d+)$", without_comments(header), re.M))


def members(header):
    """The members of each struct in order, as text."""
    structs = re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", without_comments(header), re.S)
    return {name: [" ".join(member.split()) for member in body.split(";") if member.strip()] for name, body in structs}


def growing(header):
    """The structs that may grow at the end, because they begin with struct_size."""
    return [name for name, body in members(header).items() if body[0] == "uint32_t struct_size"]


def shim(header, folder):
    """Builds a C library with exactly the functions of the header, for abidw."""
    functions = re.findall(r"^((?:int32_t|void|const char \*) ?esales_\w+\([^;]*\));", without_comments(header), re.M)
    body = {"i": "return 0;", "v": "", "c": 'return "";'}
    (folder / "esales_notify.h").write_bytes(header.read_bytes())
    lines = ['#include "esales_notify.h"'] + [f"{function} {{ {body[function[0]]} }}" for function in functions]
    source, library = folder / "shim.c", folder / "libesales_notify.so"
    source.write_text("\n".join(lines) + "\n")
    output("gcc", "-std=c99", "-g", "-O0", "-fPIC", "-shared", "-w", "-Wl,-soname,libesales_notify.so.0",
           f"-ffile-prefix-map={folder}=.", source, "-o", library)
    return library


def describe(header, target):
    with tempfile.TemporaryDirectory() as folder:
        library = shim(header, pathlib.Path(folder))
        output("abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-architecture",
               "--out-file", target, library)


def record(library):
    folder = ROOT / "abi" / minor()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "esales_notify.h").write_bytes(HEADER.read_bytes())
    (folder / "symbols.txt").write_text("\n".join(exported(library)) + "\n")
    describe(HEADER, folder / "esales_notify.abi")


def faults(library, header, old):
    """The changes that would break a program compiled for the release in the folder `old`."""
    found = []
    for gone in sorted(set((old / "symbols.txt").read_text().split()) - set(exported(library))):
        found.append(f"{gone} is not exported any more")

    present = numbers(header)
    for name, number in numbers(old / "esales_notify.h").items():
        if present.get(name) != number:
            found.append(f"{name} was {number} and is now {present.get(name, 'gone')}")

    now = members(header)
    grows = growing(old / "esales_notify.h")
    for name, before in members(old / "esales_notify.h").items():
        after = now.get(name, [])
        if after[:len(before)] != before:
            found.append(f"{name}: its members were {before} and are now {after}; it may only grow at its end")
        elif len(after) > len(before) and name not in grows:
            found.append(f"{name} has no struct_size, and grew")

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        describe(header, folder / "now.abi")
        for name in grows:
            sizes = [re.search(rf"<class-decl name='{name}' size-in-bits='(\d+)'", path.read_text())
                     for path in (old / "esales_notify.abi", folder / "now.abi")]
            before, after = (int(size.group(1)) if size else 0 for size in sizes)
            if len(now.get(name, [])) > len(members(old / "esales_notify.h")[name]) and after <= before:
                found.append(f"{name} has a new member in the padding at its end: older programs have garbage there")
        # Members at the end of these structs are checked above.
        rules = "".join(f"[suppress_type]\n  name = {name}\n  type_kind = struct\n  has_data_member_inserted_at = end\n"
                        for name in grows)
        (folder / "rules").write_text(rules)
        compared = subprocess.run(["abidiff", "--no-added-syms", "--suppressions", folder / "rules",
                                   old / "esales_notify.abi", folder / "now.abi"], capture_output=True, text=True)
        if compared.returncode != 0:
            found.append("abidiff:\n" + compared.stdout + compared.stderr)
    return found


def check(library, header=HEADER, folder=ROOT / "abi"):
    recorded = releases(pathlib.Path(folder))
    if not recorded:
        sys.exit(f"no release of the present SONAME is recorded in {folder}")
    words = []
    for old in recorded:
        found = faults(library, pathlib.Path(header).resolve(), old)
        if found:
            words.append("not compatible with " + old.name + ":\n" + "\n".join(found))
    if words:
        sys.exit("\n\n".join(words))


def main():
    match sys.argv[1:]:
        case ["record", library]:
            record(library)
        case ["check", library, *rest] if len(rest) <= 2:
            check(library, *rest)
        case _:
            sys.exit(__doc__)


main()
