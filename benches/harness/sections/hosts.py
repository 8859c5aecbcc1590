"""Blocking sends from Python, PHP and Mono, compared with HTTP clients of those languages."""

import subprocess

from ..measure import Way, compare
from ..report import Found, plain, timings
from ..stage import ROOT, WORKERS
from .wire import KEEP_ALIVE


def python_environment(stage, scheme):
    return {**stage.variables(scheme), "PYTHONPATH": f"{ROOT}/bindings/python/src", "PYTHONDONTWRITEBYTECODE": 1}


def python(stage):
    tables, numbers = [], {}
    for scheme in ("http", "https"):
        env = python_environment(stage, scheme)
        found = compare([
            Way(name, (stage.python(), WORKERS / "send.py", name), stage.effort.count(usual), env, stage.cpu)
            for name, usual in (("pycurl", 3000), ("http.client", 2000), ("urllib3", 1000), ("httpx", 1000),
                                ("requests", 1000), ("ours", 3000))
        ], stage.effort.rounds, stage.say)
        tables.append(timings(f"Python, {scheme.upper()} keep-alive", found, note=KEEP_ALIVE))
        numbers[f"python/{scheme}"] = plain(found)
    http = numbers["python/http"]
    return Found(tables, {
        f"python/{peer}": http["ours"]["p50"] / http[peer]["p50"] for peer in ("pycurl", "requests")}, numbers)


def php(stage):
    tables, numbers = [], {}
    for scheme, usual in (("http", 3000), ("https", 1000)):
        env = stage.variables(scheme)
        found = compare([
            Way(name, ("php", "-d", "ffi.enable=1", WORKERS / "send.php", argument), stage.effort.count(count), env, stage.cpu)
            for name, argument, count in (("ext-curl, one handle", "reused", usual), ("ext-curl, new handle", "new", usual // 3),
                                          ("ours", "ours", usual))
        ], stage.effort.rounds, stage.say)
        tables.append(timings(f"PHP's command line, {scheme.upper()}", found, note="Within one long-running process."))
        numbers[f"php/{scheme}"] = plain(found)
    return Found(tables, {}, numbers)


def mono(stage):
    """HTTP only, because the TLS of Debian's Mono is too old for today's servers."""
    folder = stage.folder / "mono"
    folder.mkdir(exist_ok=True)
    compiler = ["mcs", "-langversion:7.2", "-warnaserror", "-optimize+"]
    sources = sorted(map(str, (ROOT / "bindings/csharp/src").glob("*.cs")))
    subprocess.run([*compiler, "-unsafe", "-target:library", f"-out:{folder}/Esales.Notify.dll", *sources], check=True)
    subprocess.run([*compiler, f"-r:{folder}/Esales.Notify.dll", "-r:System.Net.Http", f"-out:{folder}/Send.exe",
                    str(WORKERS / "Send.cs")], check=True)
    found = compare([
        Way(name, ("mono", folder / "Send.exe", name), stage.effort.count(3000), stage.variables("http"), stage.cpu)
        for name in ("HttpClient", "ours")
    ], stage.effort.rounds, stage.say)
    return Found([timings("Mono, HTTP keep-alive", found, note=KEEP_ALIVE)],
                 {"mono/httpclient": found["ours"].p50 / found["HttpClient"].p50}, {"mono/http": plain(found)})
