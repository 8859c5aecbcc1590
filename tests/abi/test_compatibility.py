"""Programs compiled for the release continue to work: the recorded ABI, the previous header, smaller structs."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(root, library, *header_and_abi):
    return subprocess.run([sys.executable, root / "packaging/abi.py", "check", library, *header_and_abi], capture_output=True, text=True)


def test_abi_is_compatible_with_the_release(root, library):
    done = check(root, library)
    assert done.returncode == 0, done.stderr


# Each change is planted into the header; the text is from the failure of make abi-check.
BREAKING = {
    "a wider parameter": ("uint32_t timeout_ms,", "uint64_t timeout_ms,", "abidiff"),
    "another parameter": ("const char *ticket,", "const char *ticket, int32_t more,", "abidiff"),
    "another result of a callback": ("void (*esales_delivery_callback)", "int (*esales_delivery_callback)", "abidiff"),
    "another number": ("#define ESALES_TIMEOUT -22", "#define ESALES_TIMEOUT -27", "ESALES_TIMEOUT was -22 and is now -27"),
    "a number gone": ("#define ESALES_QUEUE_FULL -30", "", "ESALES_QUEUE_FULL was -30 and is now gone"),
    "a member in the middle": ("  int32_t http_status;", "  uint32_t more;\n  int32_t http_status;", "may only grow at its end"),
    "a longer member": ("char detail[256];", "char detail[512];", "may only grow at its end"),
    "a member in the padding": ("char detail[256];", "char detail[256];\n  uint32_t more;", "padding"),
    "a line that is longer in the middle": ("  const char *selling_price;", "  const char *more;\n  const char *selling_price;",
                                            "esales_line: its members were"),
    "another kind's number": ("#define ESALES_CLICK 2", "#define ESALES_CLICK 8", "ESALES_CLICK was 2 and is now 8"),
    "a function gone": ("int32_t esales_new_key(", "int32_t esales_newer_key(", "abidiff"),
}
COMPATIBLE = {
    "a member at the end of a line": ("  const char *cost;", "  const char *cost;\n  const char *more;"),
    "a member at the end of a notification": ("  const char *private_key;", "  const char *private_key;\n  const char *more;"),
    "a member at the end": ("char detail[256];", "char detail[256];\n  uint64_t more;"),
    "a function more": ("const char *esales_version(void);", "const char *esales_version(void);\nint32_t esales_more(void);"),
    "a number more": ("#define ESALES_TIMEOUT -22", "#define ESALES_TIMEOUT -22\n#define ESALES_MORE -27"),
}


def planted(root, folder, old, new):
    text = (root / "include/esales_notify.h").read_text()
    assert old in text
    header = folder / "esales_notify.h"
    header.write_text(text.replace(old, new))
    return header


@pytest.mark.parametrize("change", BREAKING)
def test_abi_check_fails_on_a_breaking_change(root, library, tmp_path, change):
    old, new, expected = BREAKING[change]
    done = check(root, library, planted(root, tmp_path, old, new))
    assert done.returncode == 1 and expected in done.stderr, done.stderr


@pytest.mark.parametrize("change", COMPATIBLE)
def test_abi_check_passes_when_a_struct_grows(root, library, tmp_path, change):
    done = check(root, library, planted(root, tmp_path, *COMPATIBLE[change]))
    assert done.returncode == 0, done.stderr


def test_abi_check_fails_when_a_symbol_is_removed(root, tmp_path):
    (tmp_path / "empty.c").write_text("int32_t esales_version(void) { return 0; }\n".replace("int32_t", "int"))
    subprocess.run(["gcc", "-shared", "-o", tmp_path / "lib.so", tmp_path / "empty.c"], check=True)
    done = check(root, tmp_path / "lib.so")
    assert done.returncode == 1 and "esales_new_key is not exported any more" in done.stderr


def run(*command, **environment):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def releases():
    """Releases whose programs load the present library, because they share its SONAME."""
    major = re.search(r'^version = "(\d+)\.', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
    return sorted((ROOT / "abi").glob(f"{major}.*"))


def test_abi_of_the_present_minor_version_is_recorded():
    assert re.search(r'^version = "(\d+\.\d+)\.', (ROOT / "Cargo.toml").read_text(), re.M).group(1) in [path.name for path in releases()]


@pytest.mark.parametrize("release", releases(), ids=lambda path: path.name)
def test_program_compiled_with_an_older_header_runs(release, library_dir, sandbox, tmp_path):
    program = tmp_path / "program"
    run("cc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", f"-I{release}", release / "program.c", f"-L{library_dir}", "-lesales_notify",
        "-o", program)
    called = {line.split()[-1].split("@")[0] for line in run("nm", "-u", program).splitlines()}
    assert {name for name in called if name.startswith("esales_")} == set((release / "symbols.txt").read_text().split())
    sandbox.script("204:times=4")
    output = run(program, LD_LIBRARY_PATH=str(library_dir), ESALES_BASE_URL=sandbox.base_url)
    assert output == f"a program of {release.name} goes on\n"
    bodies = [json.loads(sent["body"]) for sent in sandbox.received()]
    assert [body.get("id") for body in bodies] == ["1", "2", "3", None]
    assert [line["sellingPrice"] for line in bodies[3]["lines"]] == [199.50, 199.50]


def test_abi_check_covers_every_release_of_the_soname(root, library, tmp_path):
    """The releases with the SONAME of the present version; programs of other releases load another file."""
    (recorded,) = (root / "abi").glob("0.1")
    for name in ("0.1", "0.0", "0.10", "1.0"):
        shutil.copytree(recorded, tmp_path / name)
    for name in ("0.0", "0.10", "1.0"):
        symbols = tmp_path / name / "symbols.txt"
        symbols.write_text(f"esales_of_{name}\n" + symbols.read_text())
    done = check(root, library, root / "include/esales_notify.h", tmp_path)
    assert done.returncode == 1
    assert re.findall(r"not compatible with (\S+):", done.stderr) == ["0.0", "0.10"], done.stderr
    assert re.findall(r"esales_of_(\S+) is", done.stderr) == ["0.0", "0.10"]

    (tmp_path / "none").mkdir()
    done = check(root, library, root / "include/esales_notify.h", tmp_path / "none")
    assert done.returncode == 1 and "no release of the present SONAME is recorded" in done.stderr


def test_program_with_older_and_smaller_structs_runs(root, sandbox, tmp_path):
    grown = os.environ.get("ESALES_NOTIFY_TEST_PANIC_LIBRARY", "")
    assert os.path.isfile(grown), "ESALES_NOTIFY_TEST_PANIC_LIBRARY must name the library; `make test` sets it"
    for name in ("libesales_notify.so", "libesales_notify.so.0"):
        (tmp_path / name).symlink_to(grown)
    run("gcc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", f"-I{root}/include", root / "tests/abi/older.c", f"-L{tmp_path}",
        "-lesales_notify", "-o", tmp_path / "older")
    output = run(tmp_path / "older", LD_LIBRARY_PATH=str(tmp_path), ESALES_BASE_URL=sandbox.base_url)
    assert output == "older programs go on\n"
    _, _, payment, click = [json.loads(sent["body"]) for sent in sandbox.received()]
    assert [line["quantity"] for line in payment["lines"]] == [1, 2]
    assert click["ticket"] == "a ticket"
