"""What the library weighs: on disk, to load, in memory, in instructions."""

import json
import re
import statistics
import subprocess

from ..measure import Way, compare, pinned, run
from ..report import Found, Table, figure, plain, timings
from ..stage import ROOT
from .queue import durable, own_file

# How far instructions may differ from what is committed, in percent: other processors take other paths.
TOLERANCE = 5
INSTRUCTIONS = ROOT / "benches/instructions.json"


def load(stage):
    stripped = stage.folder / "stripped.so"
    subprocess.run(["strip", "-o", str(stripped), str(stage.library)], check=True)
    size = stripped.stat().st_size / 2**20
    program = stage.compiled("load", "-ldl")
    found = compare([
        Way(name, (program, argument, stripped), stage.effort.count(200), cpu=stage.cpu)
        for name, argument in (("dlopen", "open"), ("dlclose and dlopen again", "again"))
    ], stage.effort.rounds, stage.say)
    sizes = Table("Size", ("", "MiB"), [["libesales_notify.so, stripped", figure(size)]])
    note = "In a fresh process each time. The library stays loaded (`-z nodelete`), so the second time costs little."
    return Found([sizes, timings("Loading", found, note=note)], {"load/size": size}, {"load": plain(found), "size": size})


def growth(stage, what, env, count, warmup):
    """(resident bytes, heap bytes) that each of `count` left, the median over the rounds."""
    command = pinned(stage.cpu, stage.folder / "notify", "memory", what)
    grown = []
    for _ in range(stage.effort.rounds):
        done = run(command, {**env, "BENCH_COUNT": count, "BENCH_WARMUP": warmup})
        _, before, after = ([int(word) * 1024 / count for word in line.split()] for line in done.stdout.splitlines())
        grown.append([b - a for a, b in zip(before, after)])
    return [statistics.median(values) for values in zip(*grown)]


def memory(stage):
    stage.notify()
    http = stage.variables("http")
    spool = {**durable(stage)}
    own_file(stage)(spool)
    # Nobody listens there: it stays in the queue.
    queued = {**http, "ESALES_BASE_URL": "http://127.0.0.1:9", "ESALES_MAX_ITEMS": 1_000_000, "ESALES_MAX_BYTES": 1 << 30}
    count = stage.effort.count(10_000)
    cases = (
        ("a send, after the first 1,000", "sends", growth(stage, "send", http, count, min(count, 1000))),
        ("a client of equal options", "clients", growth(stage, "clients", http, count, 100)),
        ("a notification in the queue in memory", "queued", growth(stage, "enqueue", queued, count * 5, count)),
        ("a notification in the spool: of the process", "spooled", growth(stage, "enqueue", spool, count, count)),
    )
    rows = [[words, *(f"{value:,.1f}" for value in grown)] for words, _, grown in cases]
    numbers = {name: {"resident": grown[0], "heap": grown[1]} for _, name, grown in cases}
    note = f"Bytes that each of {count:,} leaves behind in the process. A notification's JSON has {len(stage.body)} bytes."
    return Found([Table("Memory", ("", "resident bytes", "heap bytes"), rows, note)],
                 {"memory/sends": max(0, numbers["sends"]["resident"])}, {"memory": numbers})


def counted(stage, function, way, env):
    """Instructions of one call of an exported function, user mode, from callgrind: the last 100 of 200."""
    counts = []
    # Under callgrind the first call of a busy machine may not get through in the usual three seconds.
    patient = {"ESALES_TIMEOUT_MS": 60_000, "ESALES_ENQUEUE_TIMEOUT_MS": 60_000}
    # What was freed is given again as it is. Else it depends on the heap, and so on the environment's size, how much malloc
    # has to do: a twentieth of it all.
    patient["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=60000:glibc.malloc.tcache_max=65536"
    for calls in (100, 200):
        out = stage.folder / "callgrind.out"
        done = run(("valgrind", "--tool=callgrind", f"--toggle-collect={function}", f"--callgrind-out-file={out}",
                    stage.folder / "notify", way), {**env(), **patient, "BENCH_COUNT": calls, "BENCH_WARMUP": 0})
        counts.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)))
    return (counts[1] - counts[0]) / 100


def instructions(stage):
    """Compared with what is committed: the run fails if they crept up. `--baseline` renews it."""
    stage.notify()

    def spool():
        env = durable(stage)
        own_file(stage)(env)
        return env

    found = {
        "blocking send, HTTP keep-alive": counted(stage, "esales_notify_add_to_cart", "send", lambda: stage.variables("http")),
        # A producer looks every 50 ms which segment is the present one, so a busy machine adds looks.
        "enqueue, durability=process": statistics.median(
            counted(stage, "esales_enqueue_add_to_cart", "enqueue", spool) for _ in range(3)),
    }
    if stage.is_baseline:
        INSTRUCTIONS.write_text(json.dumps(
            {"tolerance_percent": TOLERANCE, "instructions": {name: round(count) for name, count in found.items()}}, indent=4) + "\n")
    committed = json.loads(INSTRUCTIONS.read_text())
    bound = 1 + committed["tolerance_percent"] / 100
    rows, failures = [], []
    for name, count in found.items():
        before = committed["instructions"][name]
        rows.append([name, figure(count), figure(before), figure(count / before)])
        if count > before * bound:
            failures.append(f"instructions of {name}: {count:,.0f}, committed are {before:,}")
    note = f"In user mode, by callgrind. More than {committed['tolerance_percent']} % over what is committed fails the run."
    return Found([Table("Instructions", ("one call", "now", "committed", "ratio"), rows, note)], {},
                 {"instructions": found}, failures)
