"""Real programs with one spool, with kills and shortages. `make test` uses small counts, `make soak` large ones."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from environment import CLEAN, as_environment  # noqa: E402


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether to use the large counts: `make soak` sets ESALES_NOTIFY_SOAK."""
    return os.environ.get("ESALES_NOTIFY_SOAK") == "1"


@pytest.fixture(scope="session")
def compiled(root, library_dir, tmp_path_factory):
    """Compiles a program of this folder, or a library to preload, once."""
    folder = tmp_path_factory.mktemp("compiled")

    def compile_once(source, *flags):
        name = pathlib.Path(source).stem
        built = folder / (f"{name}.so" if "-shared" in flags else name)
        if not built.exists():
            subprocess.run(
                ["gcc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread", f"-I{root}/include",
                 str(HERE / source), f"-L{library_dir}", *flags, "-o", str(built)],
                check=True,
            )
        return built

    return compile_once


@pytest.fixture(scope="session")
def preloaded(compiled):
    """A library to preload, compiled from a source file of this folder."""
    return lambda source: compiled(source, "-shared", "-fPIC", "-ldl")


@pytest.fixture(scope="session")
def spooler(compiled, library_dir):
    """Starts tests/reliability/spooler.c with options in its environment.

    By default its time-outs are long, because a slow machine is not a failure.
    """
    program = compiled("spooler.c", "-lesales_notify")

    def start(*arguments, options, wrapper=(), env=None, **popen):
        options = {"enqueue_timeout_ms": 60000, "timeout_ms": 60000, **options}
        env = {**CLEAN, **as_environment(options), "LD_LIBRARY_PATH": str(library_dir), **(env or {})}
        return subprocess.Popen(
            [*map(str, wrapper), str(program), *map(str, arguments)], env=env, text=True, stdin=subprocess.PIPE,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen},
        )

    return start


@pytest.fixture(scope="session")
def esales_notify(command):
    """Runs the command on a spool."""

    def run(*arguments, spool, code=0, **options):
        done = subprocess.run(
            [str(command), *map(str, arguments)], capture_output=True, text=True, timeout=120,
            env={**CLEAN, **as_environment({**options, "spool": spool})},
        )
        assert code is None or done.returncode == code, done
        return done

    return run


@pytest.fixture(scope="session")
def counters(esales_notify):
    """The counters of a spool, as the command reports them. They obey the counter invariant, and the files agree."""

    def status(spool):
        report = json.loads(esales_notify("queue", "status", "--json", spool=spool).stdout)
        assert report["is_balanced"] and report["faults"] == [], report
        parts = ("delivered", "dead", "expired", "dropped", "pending")
        assert report["accepted"] == sum(report[name] for name in parts), report
        return report

    return status
