"""Microbenchmarks of inner functions, with divan: benches/inner."""

import re
import subprocess

from ..measure import pinned, run
from ..report import Found, Table
from ..stage import ROOT

BENCH = ("cargo", "bench", "--quiet", "--locked", "--manifest-path", ROOT / "Cargo.toml", "-p", "esales-notify-inner-bench")


def inner(stage):
    subprocess.run([*map(str, BENCH), "--no-run"], check=True)
    done = run(pinned(stage.cpu, *BENCH), {})
    # ├─ json    156.2 ns      │ 207.5 ns      │ 170.3 ns      │ ...: the fastest, the slowest, the median.
    rows = [list(found) for found in re.findall(r"^[├╰]─ (\w+) +(\S+ \ws) +│ (\S+ \ws) +│ (\S+ \ws)", done.stdout, re.M)]
    if not rows:
        raise RuntimeError(done.stdout)
    return Found([Table("Inner pieces", ("one call", "fastest", "slowest", "median"), rows)], {},
                 {"inner": {name: median for name, _, _, median in rows}})
