"""Valgrind's DRD over a threaded program and the library as shipped: no access of the program conflicts with an access
of the library's threads. drd.supp lists the limits."""

import os
import re
import subprocess

import pytest


@pytest.fixture(scope="module")
def watched(root, library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drd")

    def run(source, base_url, *flags):
        program = folder / source.removesuffix(".c")
        subprocess.run(["gcc", "-g", "-O1", "-Wall", "-Werror", "-pthread", f"-I{root}/include", root / "tests/sanitize" / source,
                        library, f"-Wl,-rpath,{library.parent}", "-o", program, *flags], check=True)
        done = subprocess.run(
            ["valgrind", "--tool=drd", "--error-exitcode=99", f"--suppressions={root}/tests/sanitize/drd.supp", program],
            env={**os.environ, "ESALES_BASE_URL": base_url, "ESALES_TIMEOUT_MS": "60000", "ESALES_ENQUEUE_TIMEOUT_MS": "60000"},
            capture_output=True, text=True, errors="replace")
        assert "drd, a thread error detector" in done.stderr, done.stderr
        return done.returncode, done.stderr

    return run


def test_drd_reports_a_planted_data_race(watched):
    code, said = watched("late.c", "http://127.0.0.1:9")
    assert code == 99 and "Conflicting load" in said and "main (late.c:" in said, said[-5000:]


def test_drd_reports_a_planted_data_race_of_callbacks(watched, sandbox):
    code, said = watched("callers.c", sandbox.base_url, "-DWITHOUT_LOCK")
    assert code == 99, said[-5000:]
    # DRD reports the later one of the two accesses.
    for sides in ("hear|delivered", "write_down"):
        assert re.search(rf"Conflicting .*\n.* at 0x\w+: (?:{sides}) \(callers\.c:", said), said[-20000:]


def test_drd_reports_nothing_in_the_c_programs(watched, sandbox):
    code, said = watched("callers.c", sandbox.base_url)
    assert code == 0 and "ERROR SUMMARY: 0 errors" in said, said[-20000:]
    # Four threads each enqueue 20 notifications and send one.
    assert sandbox.status()["received"] == 4 * 21
