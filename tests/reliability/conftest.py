"""Real programs at one spool, killed and starved; the modest counts of `make test`, or the large ones of `make soak`."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether the large counts are wanted: `make soak` sets ESALES_NOTIFY_SOAK."""
    return os.environ.get("ESALES_NOTIFY_SOAK") == "1"


@pytest.fixture(scope="session")
def spooler(root, library_dir, tmp_path_factory):
    """Starts tests/reliability/spooler.c with options in its environment.

    Unless they say otherwise it waits long, as a slow machine is no fault.
    """
    program = tmp_path_factory.mktemp("spooler") / "spooler"
    subprocess.run(
        ["gcc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread", f"-I{root}/include",
         str(root / "tests/reliability/spooler.c"), f"-L{library_dir}", "-lesales_notify", "-o", str(program)],
        check=True,
    )

    def start(*arguments, options, wrapper=(), **popen):
        env = {name: value for name, value in os.environ.items() if not name.startswith("ESALES_")}
        options = {"enqueue_timeout_ms": 60000, "timeout_ms": 60000, **options}
        env.update({f"ESALES_{name.upper()}": str(value) for name, value in options.items()})
        env["LD_LIBRARY_PATH"] = str(library_dir)
        return subprocess.Popen(
            [*wrapper, str(program), *map(str, arguments)], env=env, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=popen.pop("stderr", subprocess.PIPE), **popen,
        )

    return start


@pytest.fixture(scope="session")
def law(command):
    """The numbers of a spool, as the command tells them; they obey the law, and are what its rows say."""

    def status(spool):
        env = {name: value for name, value in os.environ.items() if not name.startswith("ESALES_")}
        done = subprocess.run([str(command), "queue", "status", "--json"], env={**env, "ESALES_SPOOL": str(spool)},
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done
        told = json.loads(done.stdout)
        assert told["is_balanced"], told
        assert told["accepted"] == sum(told[name] for name in ("delivered", "dead", "expired", "dropped", "pending")), told
        assert told["found"] == {"pending": told["pending"], "dead": told["dead"]}, told
        return told

    return status
