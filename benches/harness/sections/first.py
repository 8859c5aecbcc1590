"""The cost of a new process: the time of its first send, and its memory."""

import statistics

from ..measure import Way, compare, pinned, run
from ..report import Found, Table, figure, plain, timings

ONE, BUNDLE, SYSTEM = "one CA", "the distribution's bundle as ca_file", "the distribution's bundle"


def trusting(stage, authorities):
    """The environment of a worker that trusts these authorities. A variable names another bundle than the system's, which
    lacks the server's authority."""
    env = stage.variables("https")
    if authorities != ONE:
        env.update(BENCH_CA=stage.bundle, ESALES_CA_FILE=stage.bundle)
    if authorities == SYSTEM:
        env["SSL_CERT_FILE"] = env.pop("ESALES_CA_FILE")
    return env


def first(stage):
    """A worker that forks for each call: the program and its libraries are linked, but none of their code has run."""
    programs = {"libcurl": stage.peers(), "ours": stage.notify()}
    kinds = [(program, authorities) for authorities in (ONE, SYSTEM, BUNDLE) for program in programs
             if (program, authorities) != ("libcurl", BUNDLE)]  # libcurl has one way to be given a bundle
    found = compare([
        Way(f"{name}, {authorities}", (programs[name], "first"), stage.effort.count(200 if authorities == ONE else 60),
            trusting(stage, authorities), stage.cpu)
        for name, authorities in kinds
    ], stage.effort.rounds, stage.say)
    private = {
        (name, authorities): statistics.median(
            int(run(pinned(stage.cpu, program, "private"), trusting(stage, authorities)).stdout) for _ in range(stage.effort.rounds))
        for authorities in (ONE, SYSTEM) for name, program in programs.items()
    }
    rows = [[authorities, *(f"{private[name, authorities]:,}" for name in programs),
             figure(private["ours", authorities] / private["libcurl", authorities])] for authorities in (ONE, SYSTEM)]
    return Found(
        [timings("First send of a process, HTTPS", found, note="With the making of the client or the handle."),
         Table("Private memory after two sends, HTTPS", ("", "libcurl, KiB", "ours, KiB", "ratio"), rows,
               "Of a process that does nothing else.")],
        {"first/bundle": found[f"ours, {SYSTEM}"].p50 / found[f"libcurl, {SYSTEM}"].p50,
         "memory/private": private["ours", SYSTEM] / private["libcurl", SYSTEM]},
        {"first": plain(found), "private": {f"{name}, {authorities}": kib for (name, authorities), kib in private.items()}},
    )
