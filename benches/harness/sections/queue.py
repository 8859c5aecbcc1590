"""Durable enqueues into a spool, compared with the cheapest durable operation: a write()."""

import contextlib
import dataclasses
import itertools
import shutil
import subprocess

from ..measure import Way, compare, environment
from ..report import Found, plain, timings
from ..stage import WORKERS
from .hosts import python_environment

FLOOR = "append by write()"
OURS = "ours, durability=process"
DRAINED = "ours, while one process drains"
_numbers = itertools.count()


def own_file(stage):
    """Gives every run a new path for the spool or for the file of the floor, and removes the paths of earlier runs."""
    folder = stage.folder / "spools"

    def prepare(env):
        folder.mkdir(exist_ok=True, mode=0o700)
        for old in folder.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        env["ESALES_SPOOL"] = env["BENCH_FILE"] = folder / f"spool-{next(_numbers)}"

    return prepare


def durable(stage):
    """Options without delivery and without limits, so that only the enqueue is measured."""
    return {**stage.variables("http"), "ESALES_DELIVERY": "none", "ESALES_MAX_ITEMS": 10_000_000,
            "ESALES_MAX_BYTES": 1 << 34}


def from_c(stage, count, **options):
    """The floor and the library, under the same conditions."""
    env = {**durable(stage), **options.pop("env", {})}
    options["prepare"] = own_file(stage)
    return [
        Way(FLOOR, (stage.peers(), "append"), count, env, **options),
        Way(OURS, (stage.notify(), "enqueue"), count, env, **options),
    ]


def one_process(stage):
    count = stage.effort.count(20_000)
    floor, ours = from_c(stage, count, cpu=stage.cpu)
    memory = {name: value for name, value in ours.env.items() if name != "ESALES_DELIVERY"}
    ways = [
        floor, ours,
        Way("ours, durability=disk", ours.command, stage.effort.count(1000), {**ours.env, "ESALES_DURABILITY": "disk"},
            stage.cpu, prepare=ours.prepare),
        Way("ours, in memory, delivered meanwhile", ours.command, count, memory, stage.cpu),
    ]
    found = compare(ways, stage.effort.rounds, stage.say)
    ours = found[OURS]
    return Found(
        [timings("Enqueue from C, one process", found,
                 note="No process delivers meanwhile, unless it says so; a new file for every round.")],
        {
            "enqueue/p50": ours.p50 / found[FLOOR].p50,
            "enqueue/p99": ours.p99 / found[FLOOR].p99,
            "enqueue/tail": ours.p999 / ours.p50,
        },
        {"enqueue": plain(found)},
    )


def from_python(stage):
    count = stage.effort.count(5000)
    env = {**python_environment(stage, "http"), **durable(stage)}
    found = compare([
        Way(name, (stage.python(), WORKERS / "enqueue.py", argument), count, env, stage.cpu, prepare=own_file(stage))
        for name, argument in (("segment track, in memory", "segment"), ("posthog capture, in memory", "posthog"),
                               ("sentry capture_event, in memory", "sentry"), (OURS, "ours"))
    ], stage.effort.rounds, stage.say)
    segment = found["segment track, in memory"]
    return Found([timings("Enqueue from Python", found, note="No process delivers meanwhile.")],
                 {"enqueue/segment": found[OURS].p50 / segment.p50}, {"enqueue/python": plain(found)})


def draining(stage):
    """A process that delivers the spool, on the CPUs of the producers."""

    @contextlib.contextmanager
    def drain(env):
        env = {name: value for name, value in env.items() if name.startswith("ESALES_") and name != "ESALES_DELIVERY"}
        command = [str(stage.command), "drain", "--log-level", "info"]
        process = subprocess.Popen(command, env=environment(env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            # Its first line of output shows that it has started.
            if not process.stderr.readline():
                raise RuntimeError(f"{command} ended with {process.wait()}")
            yield
        finally:
            process.terminate()
            process.communicate()

    return drain


def eight_processes(stage):
    """On all CPUs, because on one CPU the producers would hardly ever compete."""
    floor, ours = from_c(stage, stage.effort.count(1000), processes=8, env={"BENCH_RATE": 200})
    drained = dataclasses.replace(ours, name=DRAINED, beside=draining(stage))
    paced = compare([floor, ours, drained], stage.effort.rounds, stage.say)
    flat_out = compare(from_c(stage, stage.effort.count(5000), processes=8), stage.effort.rounds, stage.say)
    return Found(
        [
            timings("Enqueue from C, eight processes at 200 a second each", paced,
                    note="On all CPUs, not pinned. No process delivers meanwhile, unless it says so."),
            timings("Enqueue from C, eight processes flat out", flat_out, note="On all CPUs, not pinned.", with_rate=True),
        ],
        {
            "processes/drained-p99": paced[DRAINED].p99 / paced[FLOOR].p99,
            "processes/drained-p99.9": paced[DRAINED].p999 / paced[FLOOR].p999,
            "processes/paced-p99.9": paced[OURS].p999 / paced[FLOOR].p999,
            "processes/flat-p99.9": flat_out[OURS].p999 / flat_out[FLOOR].p999,
        },
        {"processes/paced": plain(paced), "processes/flat out": plain(flat_out)},
    )
