"""Enqueues through an agent, from a PHP without FFI, against blocking sends with ext-curl."""

import contextlib
import shutil
import subprocess

from ..measure import Way, compare, environment, pinned
from ..report import Found, plain, timings
from ..stage import WORKERS, wait_for

# Far above the number of enqueued notifications, because nothing is delivered meanwhile.
ROOM = ("--max-items", "10000000", "--max-bytes", "10000000000")


@contextlib.contextmanager
def running(stage):
    """The address of an agent whose service is down, so that only the enqueue is measured."""
    folder = stage.folder / "agent"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    socket = folder / "socket"
    command = (stage.command, "drain", "--listen", f"unix:{socket}", "--spool", folder / "spool", "--base-url", "http://127.0.0.1:9",
               "--gate-min-ms", "60000", "--log-level", "error", *ROOM)
    agent = subprocess.Popen(pinned(stage.cpu, *command), env=environment({}), stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: agent.poll() is not None or socket.exists(), "the agent does not start")
        yield f"unix:{socket}"
    finally:
        agent.kill()
        agent.wait()
        shutil.rmtree(folder)


def agent(stage):
    with running(stage) as address:
        ways = [Way("agent, Unix socket", ("php", "-d", "ffi.enable=0", WORKERS / "enqueue.php"), stage.effort.count(3000),
                    {**stage.variables("http"), "BENCH_AGENT": address}, stage.cpu)]
        ways += [Way(f"ext-curl, new handle, {scheme.upper()}", ("php", WORKERS / "send.php", "new"), stage.effort.count(usual),
                     stage.variables(scheme), stage.cpu) for scheme, usual in (("http", 1000), ("https", 300))]
        found = compare(ways, stage.effort.rounds, stage.say)
    ours, http, https = (found[way.name].p50 for way in ways)
    table = timings("PHP without FFI: an enqueue through the agent", found,
                    note="ext-curl sends to nginx and waits for its answer, with a new handle each time.")
    return Found([table], {"agent/http": ours / http, "agent/https": ours / https}, {"agent": plain(found)})
