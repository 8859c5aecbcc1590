"""Runs the ways to do one thing in turn, several rounds, and says what was typical."""

import concurrent.futures
import contextlib
import dataclasses
import os
import statistics
import subprocess
import time


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is measured: in quick mode just enough to see that everything runs."""

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
    """One way to do the thing: a worker's command, which prints how long each call took, in nanoseconds."""

    name: str
    command: tuple
    count: int
    env: dict = dataclasses.field(default_factory=dict)
    # One CPU for the worker, the one of the server; None: all that there are.
    cpu: int = None
    processes: int = 1
    # Made new for every run: it gets the environment's dictionary and may add to it.
    prepare: object = None
    # What runs meanwhile: a context manager, made with the environment's dictionary.
    beside: object = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """Nanoseconds, each the median over the rounds."""

    p50: float
    p99: float
    p999: float
    # Calls a second, of all processes together.
    rate: float


def percentile(ascending, share):
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def pinned(cpu, *command):
    """The command on this CPU alone."""
    return ("taskset", "-c", str(cpu), *map(str, command))


def environment(extra):
    """The machine's own options, proxies and authorities stay out."""
    unwanted = ("esales_", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle",
                "ssl_cert_")
    kept = {name: value for name, value in os.environ.items() if not name.lower().startswith(unwanted)}
    return {**kept, **{name: str(value) for name, value in extra.items()}}


def run(command, env):
    """The end of a program that must succeed."""
    done = subprocess.run([str(part) for part in command], env=environment(env), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def once(way):
    """One round of one way."""
    env = {"BENCH_COUNT": way.count, "BENCH_WARMUP": max(10, way.count // 10), **way.env}
    if way.prepare:
        way.prepare(env)
    command = way.command if way.cpu is None else pinned(way.cpu, *way.command)
    beside = way.beside(env) if way.beside else contextlib.nullcontext()
    with beside, concurrent.futures.ThreadPoolExecutor(way.processes) as pool:
        # Not before what runs meanwhile has started.
        if way.processes > 1:
            env["BENCH_AT"] = time.monotonic_ns() + START
        done = list(pool.map(lambda _: run(command, env), range(way.processes)))
    samples = sorted(int(line) for one in done for line in one.stdout.split())
    return Timing(*(percentile(samples, share) for share in (0.5, 0.99, 0.999)), rate(way, samples, done))


def rate(way, samples, done):
    if way.processes == 1:
        return len(samples) / (sum(samples) / 1e9)
    # A worker in C says when its samples began and ended.
    spans = [list(map(int, one.stderr.split())) for one in done]
    return len(samples) / ((max(end for _, end in spans) - min(begin for begin, _ in spans)) / 1e9)


def typical(timings):
    return Timing(*(statistics.median(values) for values in zip(*map(dataclasses.astuple, timings))))


def compare(ways, rounds, say):
    """Way by way, round by round, so that what else the machine does meets all of them. name -> Timing."""
    found = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            began = time.monotonic()
            found[way.name].append(once(way))
            say(f"round {number + 1} of {rounds}: {way.name} ({time.monotonic() - began:.1f} s)")
    return {name: typical(timings) for name, timings in found.items()}
