"""The cost of the library: size on disk, time to load, memory, instructions."""

import json
import re
import statistics
import subprocess

from ..measure import Way, compare, pinned, run
from ..report import Found, Table, figure, plain, timings
from ..stage import ROOT
from .queue import durable, own_file

# How far instructions may differ from the committed numbers, in percent, because other processors run other code paths.
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
    """Returns (resident bytes, heap bytes) per call after `count` calls, the median over the rounds."""
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
    # No server listens there, so the notification stays in the queue.
    queued = {**http, "ESALES_BASE_URL": "http://127.0.0.1:9", "ESALES_MAX_ITEMS": 1_000_000, "ESALES_MAX_BYTES": 1 << 30}
    count = stage.effort.count(10_000)
    cases = (
        ("a send, after the first 1,000", "sends", growth(stage, "send", http, count, min(count, 1000))),
        ("a client of equal options", "clients", growth(stage, "clients", http, count, 100)),
        ("a notification in the queue in memory", "queued", growth(stage, "enqueue", queued, count * 5, count)),
        ("a notification in the spool: of the process", "spooled", growth(stage, "enqueue", spool, count, count)),
    )
    rows = [[name, *(f"{value:,.1f}" for value in grown)] for name, _, grown in cases]
    numbers = {name: {"resident": grown[0], "heap": grown[1]} for _, name, grown in cases}
    note = f"Bytes that each of {count:,} leaves behind in the process. A notification's JSON has {len(stage.body)} bytes."
    return Found([Table("Memory", ("", "resident bytes", "heap bytes"), rows, note)],
                 {"memory/sends": max(0, numbers["sends"]["resident"])}, {"memory": numbers})


def counted(stage, function, way, env):
    """Instructions per call of an exported function in user mode, from callgrind: the mean of the last 100 of 200
    calls."""
    counts = []
    # Under callgrind, the first call on a busy machine may take longer than the usual three seconds.
    patient = {"ESALES_TIMEOUT_MS": 60_000, "ESALES_ENQUEUE_TIMEOUT_MS": 60_000}
    # Freed blocks are reused unchanged. Otherwise the work of malloc, a twentieth of the total, would depend on the
    # heap and so on the size of the environment.
    patient["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=60000:glibc.malloc.tcache_max=65536"
    for calls in (100, 200):
        out = stage.folder / "callgrind.out"
        done = run(("valgrind", "--tool=callgrind", f"--toggle-collect={function}", f"--callgrind-out-file={out}",
                    stage.folder / "notify", way), {**env(), **patient, "BENCH_COUNT": calls, "BENCH_WARMUP": 0})
        counts.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)))
    return (counts[1] - counts[0]) / 100


def instructions(stage):
    """Compares with the committed numbers. The run fails if they have grown; `--baseline` updates them."""
    stage.notify()

    def spool():
        env = durable(stage)
        own_file(stage)(env)
        return env

    found = {
        "blocking send, HTTP keep-alive": counted(stage, "esales_notify_add_to_cart", "send", lambda: stage.variables("http")),
        # A producer checks the current segment every 50 ms, so a slow run has more checks.
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
