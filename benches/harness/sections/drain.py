"""The rate of deliveries from a spool, compared with a program that only sends requests to the same server."""

import dataclasses
import json
import re
import statistics

from ..measure import compare, pinned, run
from ..report import Found, Table, figure, plain, timings
from ..stage import WORKERS
from .queue import OURS, durable, from_c, own_file

CONNECTIONS = 8


def wrk(stage, scheme, seconds):
    done = run(pinned(stage.cpu, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s", "-s", WORKERS / "post.lua",
                      stage.variables(scheme)["BENCH_URL"]), {"BENCH_BODY": stage.body})
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))


def drained(stage, scheme, count):
    """Fills a spool and delivers it. Every notification must arrive and be recorded as delivered."""
    env = {**durable(stage), **stage.variables(scheme), "BENCH_COUNT": count}
    own_file(stage)(env)
    run(pinned(stage.cpu, stage.folder / "notify", "enqueue"), env)
    done = run(pinned(stage.cpu, stage.command, "drain", "--once", "--json", "--concurrency", CONNECTIONS,
                      "--log-level", "error"), {name: env[name] for name in env if name != "ESALES_DELIVERY"})
    said = json.loads(done.stdout)
    if said["delivered"] != count or not said["is_empty"]:
        raise RuntimeError(done.stdout)
    return count / (max(said["elapsed_ms"], 1) / 1000)


def drain(stage):
    stage.notify()
    found, count, seconds = {}, stage.effort.count(30_000), 1 if stage.effort.rounds == 1 else 3
    for number in range(stage.effort.rounds):
        for scheme in ("http", "https"):
            found.setdefault((scheme, "wrk"), []).append(wrk(stage, scheme, seconds))
            found.setdefault((scheme, "drain"), []).append(drained(stage, scheme, count))
        stage.say(f"round {number + 1} of {stage.effort.rounds}")
    typical = {key: statistics.median(rates) for key, rates in found.items()}
    rows = [
        [scheme.upper(), figure(typical[scheme, "wrk"]), figure(typical[scheme, "drain"]),
         figure(typical[scheme, "drain"] / typical[scheme, "wrk"])] for scheme in ("http", "https")
    ]
    note = (f"Requests a second over {CONNECTIONS} connections. `esales-notify drain --once` reads {count:,} notifications from a"
            " spool, sends each, and records each outcome in it. Server and client on one CPU.")
    return Found([Table("Drain", ("", "wrk", "drain", "ratio"), rows, note)],
                 {"drain/wrk": typical["http", "drain"] / typical["http", "wrk"]},
                 {"drain": {f"{scheme} {who}": rate for (scheme, who), rate in typical.items()}})


def backlog(stage):
    """The effect of a long outage: an enqueue with a million pending notifications, and their delivery."""
    waiting, few = stage.effort.count(1_000_000), stage.effort.count(30_000)
    floor, empty = from_c(stage, stage.effort.count(20_000), cpu=stage.cpu)

    def fill(env):
        empty.prepare(env)
        run(pinned(stage.cpu, stage.folder / "notify", "enqueue"), {**env, "BENCH_COUNT": waiting, "BENCH_WARMUP": 0})

    behind = f"ours, behind {waiting:,}"
    found = compare([floor, empty, dataclasses.replace(empty, name=behind, prepare=fill)], stage.effort.rounds, stage.say)
    rates = {count: drained(stage, "http", count) for count in (few, waiting)}
    rows = [[f"{count:,}", figure(rate), figure(rate / rates[few])] for count, rate in rates.items()]
    return Found(
        [timings("Enqueue from C with a backlog", found, note="No process delivers meanwhile."),
         Table("Drain of a backlog", ("notifications", "a second", "ratio"), rows, "HTTP, 8 connections. Server and client on one CPU.")],
        {"backlog/enqueue": found[behind].p50 / found[OURS].p50, "backlog/drain": rates[waiting] / rates[few]},
        {"backlog/enqueue": plain(found), "backlog/drain": {str(count): rate for count, rate in rates.items()}})
