"""A spool in a Redis, against what redis-benchmark gets out of the same server: where a producer, a drainer and the
engine run out."""

import contextlib
import json
import shutil
import statistics
import subprocess
import time

from ..measure import Way, environment, once, pinned, run
from ..report import Found, Table, figure, micro
from ..stage import free_port, listens, wait_for
from .drain import CONNECTIONS
from .queue import durable

PENDING = 1_000_000
PRODUCERS = 8
# What `queue status` is asked, so that one slow start of a process does not count.
ASKED = 5


@contextlib.contextmanager
def engine(stage):
    """The port of a Redis as docs/fleet.md wants it, on the common CPU."""
    folder, port = stage.folder / "engine", free_port()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = ("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--save", "")
    process = subprocess.Popen(pinned(stage.cpu, *command), env=environment({}), stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: process.poll() is None and listens(port), "the engine does not start")
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def empty(port):
    run(("redis-cli", "-p", port, "FLUSHALL"), {})


def xadd(stage, port, count):
    """(p50 in nanoseconds, calls a second) of a bare XADD with the body of a notification, on one connection."""
    empty(port)
    done = run(pinned(stage.cpu, "redis-benchmark", "-p", port, "-c", 1, "-n", count, "--csv", "XADD", "bench", "*", "body", stage.body), {})
    names, values = (line.replace('"', "").split(",") for line in done.stdout.splitlines())
    # From the end, because the first column is the command, whose commas and quotation marks are not escaped.
    found = dict(zip(reversed(names), reversed(values)))
    return float(found["p50_latency_ms"]) * 1e6, float(found["rps"])


def drained(stage, env, count):
    """Notifications a second that one drainer delivers; every one must have arrived, and be recorded so."""
    run(pinned(stage.cpu, stage.folder / "notify", "enqueue"), {**env, "BENCH_COUNT": count, "BENCH_WARMUP": 0})
    done = run(pinned(stage.cpu, stage.command, "drain", "--once", "--json", "--concurrency", CONNECTIONS, "--log-level", "error"),
               {name: env[name] for name in env if name != "ESALES_DELIVERY"})
    said = json.loads(done.stdout)
    if said["delivered"] != count or not said["is_empty"]:
        raise RuntimeError(done.stdout)
    return count / (max(said["elapsed_ms"], 1) / 1000)


def status(stage, env, least):
    """Seconds that `queue status` takes, its process's start and end among them."""
    took = []
    for _ in range(ASKED):
        began = time.monotonic()
        done = run(pinned(stage.cpu, stage.command, "queue", "status", "--json"), env)
        took.append(time.monotonic() - began)
    pending = json.loads(done.stdout)["pending"]
    if pending < least:
        raise RuntimeError(done.stdout)
    return statistics.median(took), pending


def fleet(stage):
    count, found = stage.effort.count(20_000), {}
    with engine(stage) as port:
        env = {**durable(stage), "ESALES_SPOOL": f"redis://127.0.0.1:{port}/0?name=bench"}
        one = Way("one producer", (stage.notify(), "enqueue"), count, env, stage.cpu)
        for number in range(stage.effort.rounds):
            found.setdefault("XADD", []).append(xadd(stage, port, count))
            empty(port)
            timing = once(one)
            found.setdefault("producer", []).append((timing.p50, timing.rate))
            empty(port)
            found.setdefault("drainer", []).append((0, drained(stage, env, count)))
            stage.say(f"round {number + 1} of {stage.effort.rounds}")
        empty(port)
        # On all CPUs: it is the engine that is to run out.
        pending = stage.effort.count(PENDING)
        filled = once(Way("eight producers", one.command, pending // PRODUCERS, env, processes=PRODUCERS))
        stage.say(f"{pending:,} are pending")
        seconds, pending = status(stage, env, pending)
    p50, rate = ({name: statistics.median(row[part] for row in rows) for name, rows in found.items()} for part in (0, 1))
    rows = [
        ["redis-benchmark, XADD", micro(p50["XADD"]), figure(rate["XADD"]), "1"],
        ["one producer", micro(p50["producer"]), figure(rate["producer"]), figure(rate["producer"] / rate["XADD"])],
        [f"{PRODUCERS} producers, all CPUs", micro(filled.p50), figure(filled.rate), figure(filled.rate / rate["XADD"])],
        [f"one drainer, {CONNECTIONS} requests at a time", "", figure(rate["drainer"]), figure(rate["drainer"] / rate["XADD"])],
    ]
    note = ("A Redis that keeps an append-only file. redis-benchmark adds the same body on one connection, which waits for each"
            " answer; its p50 is the upper end of a step of 8 µs."
            f" `queue status` took {seconds * 1000:.0f} ms with {pending:,} pending.")
    return Found([Table("A spool in a Redis", ("way", "p50 µs", "a second", "ratio"), rows, note)],
                 {"fleet/enqueue": p50["producer"] / p50["XADD"], "fleet/drain": rate["drainer"] / rate["XADD"], "fleet/status": seconds},
                 {"fleet": {"rates": rate, "XADD µs": p50["XADD"] / 1000, "enqueue µs": p50["producer"] / 1000,
                            "engine": filled.rate, "pending": pending}})
