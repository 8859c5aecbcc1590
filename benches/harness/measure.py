"""Runs several ways to do the same thing, in turn and in several rounds, and returns medians."""

import concurrent.futures
import contextlib
import dataclasses
import os
import statistics
import subprocess
import time


@dataclasses.dataclass(frozen=True)
class Effort:
    """The amount of measuring. Quick mode only shows that everything runs."""

    rounds: int
    share: float

    def count(self, usual):
        return max(20, int(usual * self.share))


# Time for several processes to start and warm up before they measure together, in nanoseconds.
START = 500_000_000

QUICK = Effort(rounds=1, share=0.01)
FULL = Effort(rounds=5, share=1)


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to do the thing: the command of a worker, which prints the duration of each call in nanoseconds."""

    name: str
    command: tuple
    count: int
    env: dict = dataclasses.field(default_factory=dict)
    # The CPU of the worker, which is also the server's. None: all CPUs.
    cpu: int = None
    processes: int = 1
    # Called before every run with the environment's dictionary, to which it may add.
    prepare: object = None
    # A context manager for a process that runs meanwhile; it gets the environment's dictionary.
    beside: object = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """Durations in nanoseconds, each the median over the rounds."""

    p50: float
    p99: float
    p999: float
    # Calls per second of all processes together.
    rate: float


def percentile(ascending, share):
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def pinned(cpu, *command):
    """The command, bound to this CPU."""
    return ("taskset", "-c", str(cpu), *map(str, command))


def environment(extra):
    """The environment without this machine's options, proxies and certificate authorities."""
    unwanted = ("esales_", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle",
                "ssl_cert_")
    kept = {name: value for name, value in os.environ.items() if not name.lower().startswith(unwanted)}
    return {**kept, **{name: str(value) for name, value in extra.items()}}


def run(command, env):
    """Runs a program, which must succeed, and returns its result."""
    done = subprocess.run([str(part) for part in command], env=environment(env), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def once(way):
    """Runs one way once."""
    env = {"BENCH_COUNT": way.count, "BENCH_WARMUP": max(10, way.count // 10), **way.env}
    if way.prepare:
        way.prepare(env)
    command = way.command if way.cpu is None else pinned(way.cpu, *way.command)
    beside = way.beside(env) if way.beside else contextlib.nullcontext()
    with beside, concurrent.futures.ThreadPoolExecutor(way.processes) as pool:
        # After the process that runs meanwhile has started.
        if way.processes > 1:
            env["BENCH_AT"] = time.monotonic_ns() + START
        done = list(pool.map(lambda _: run(command, env), range(way.processes)))
    samples = sorted(int(line) for one in done for line in one.stdout.split())
    return Timing(*(percentile(samples, share) for share in (0.5, 0.99, 0.999)), rate(way, samples, done))


def rate(way, samples, done):
    if way.processes == 1:
        return len(samples) / (sum(samples) / 1e9)
    # A worker in C prints when its samples began and ended.
    spans = [list(map(int, one.stderr.split())) for one in done]
    return len(samples) / ((max(end for _, end in spans) - min(begin for begin, _ in spans)) / 1e9)


def typical(timings):
    return Timing(*(statistics.median(values) for values in zip(*map(dataclasses.astuple, timings))))


def compare(ways, rounds, say):
    """Runs all ways in each round, so that other load on the machine affects all of them. Returns name -> Timing."""
    found = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            began = time.monotonic()
            found[way.name].append(once(way))
            say(f"round {number + 1} of {rounds}: {way.name} ({time.monotonic() - began:.1f} s)")
    return {name: typical(timings) for name, timings in found.items()}
