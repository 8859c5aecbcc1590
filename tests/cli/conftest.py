"""`esales-notify doctor` and the operator of a spool, as the tests run them."""

import json
import pathlib
import subprocess

import pytest
from environment import CLEAN
from spool_operator import Operator


class Diagnosis:
    """The result of one run."""

    def __init__(self, done):
        self.code, self.text, self.stderr = done.returncode, done.stdout, done.stderr
        self.report = json.loads(done.stdout)
        self.checks = {check["check"]: check for check in self.report["checks"]}

    def __getitem__(self, name):
        return self.checks[name]

    def states(self, group):
        """The states of a group's checks, in order."""
        return [check["state"] for check in self.report["checks"] if check["check"].startswith(group + ".")]

    def expect(self, name, state, found="", advice=""):
        """Asserts the state of this check and parts of its message; returns its facts."""
        check = self.checks[name]
        assert check["state"] == state and found in check["found"], check
        assert advice in (check["advice"] or ""), check
        return check["facts"]


class Doctor:
    def __init__(self, command, path):
        self.command, self.path = str(command), str(path)

    def raw(self, *arguments, env=None, **more):
        return subprocess.run([self.command, "doctor", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env={**CLEAN, "PATH": self.path, **(env or {})}, **more)

    def __call__(self, *arguments, env=None, **more):
        done = self.raw("--json", *arguments, env=env, **more)
        assert done.stdout, done
        return Diagnosis(done)


@pytest.fixture
def doctor(command, tmp_path):
    """Runs doctor with an empty folder as PATH, so that it finds no PHP."""
    nothing = tmp_path / "no-programs"
    nothing.mkdir()
    return Doctor(pathlib.Path(command), nothing)


@pytest.fixture
def folder(tmp_path):
    """A folder of mode 0700 for a spool."""
    folder = tmp_path / "place"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def operator(command, library, folder):
    return Operator(command, library, folder / "spool")
