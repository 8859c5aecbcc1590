"""Valgrind's DRD over a threaded program and the library as shipped: no access of the program's own conflicts with what
the library's threads do. See drd.supp for what it cannot see."""

import os
import subprocess

import pytest


@pytest.fixture(scope="module")
def watched(root, library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drd")

    def run(source, **environment):
        program = folder / source.removesuffix(".c")
        subprocess.run(["gcc", "-g", "-O1", "-Wall", "-Werror", "-pthread", f"-I{root}/include", root / "tests/sanitize" / source,
                        library, f"-Wl,-rpath,{library.parent}", "-o", program], check=True)
        done = subprocess.run(
            ["valgrind", "--tool=drd", "--error-exitcode=99", f"--suppressions={root}/tests/sanitize/drd.supp", program],
            env={**os.environ, **environment}, capture_output=True, text=True, errors="replace")
        assert "drd, a thread error detector" in done.stderr, done.stderr
        return done.returncode, done.stderr

    return run


def test_a_planted_conflict_is_found(watched):
    code, said = watched("late.c", ESALES_BASE_URL="http://127.0.0.1:9")
    assert code == 99 and "Conflicting load" in said and "main (late.c:" in said, said[-5000:]


def test_nothing_is_found(watched):
    code, said = watched("callers.c", ESALES_BASE_URL="http://127.0.0.1:9")
    assert code == 0 and "ERROR SUMMARY: 0 errors" in said, said[-20000:]
