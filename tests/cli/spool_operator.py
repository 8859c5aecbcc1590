"""An operator of a spool: runs the command, and a shop that enqueues, as separate processes."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys

from environment import CLEAN, QUICK


def numbered(prefix, n):
    return [f"{prefix}-{i}" for i in range(n)]


def ids_of(sandbox):
    """The ids that the service accepted, with repetitions."""
    return [r["notification"]["id"] for r in sandbox.received() if r["status"] == 204]


def segments(spool):
    return sorted(pathlib.Path(spool).glob("segment-*.log"))


def contents(directory):
    """Every file below a directory, with its contents and owner."""
    files = sorted(path for path in pathlib.Path(directory).rglob("*") if path.is_file())
    return {path.name: (path.read_bytes(), path.stat().st_uid, path.stat().st_mode) for path in files}


def damage(spool, text):
    """Flips a bit in the one record of the spool's segments that contains this text."""
    found = [(path, path.read_bytes()) for path in segments(spool)]
    path, content = next((path, content) for path, content in found if text.encode() in content)
    at = content.index(text.encode()) + len(text) // 2
    path.write_bytes(content[:at] + bytes([content[at] ^ 0x08]) + content[at + 1:])


class Operator:
    """Runs the command on one spool, and keeps its output."""

    def __init__(self, command, library, spool):
        self.command, self.library, self.spool, self.printed = str(command), str(library), str(spool), []

    def at(self, spool):
        """The operator of another spool."""
        return Operator(self.command, self.library, spool)

    def __call__(self, *arguments, env=None, **more):
        done = subprocess.run([self.command, *map(str, arguments)], env={**CLEAN, "ESALES_SPOOL": self.spool, **(env or {})},
                              capture_output=True, text=True, timeout=60, **more)
        self.printed += [done.stdout, done.stderr]
        return done

    def json(self, *arguments, code=0, env=None):
        done = self(*arguments, "--json", env=env)
        assert done.returncode == code, done
        return json.loads(done.stdout)

    def fill(self, base_url, ids, customer_key="a-visitor", token=None):
        """A shop enqueues these, without delivering."""
        events = [{"id": identity, "customer_key": customer_key, "token": token} for identity in ids]
        filler = [sys.executable, str(pathlib.Path(__file__).with_name("fill.py")), self.library, self.spool, base_url]
        subprocess.run(filler, input=json.dumps(events), text=True, check=True, env=CLEAN)

    def empty(self, base_url, *more, code=0, env=None):
        return self.json("drain", "--once", "--base-url", base_url, *QUICK, *more, code=code, env=env)

    @contextlib.contextmanager
    def drain(self, *arguments, env=None):
        """The service, which ends with the test."""
        log = pathlib.Path(self.spool).parent / f"log-{len(self.printed)}"
        with log.open("w") as stderr:
            process = subprocess.Popen([self.command, "drain", *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True,
                                       env={**CLEAN, "ESALES_SPOOL": self.spool, **(env or {})})
        process.log = log
        try:
            yield process
        finally:
            process.kill()
            self.printed += [process.communicate()[0], log.read_text()]

    def status(self):
        """The counters; asserts the counter invariant."""
        status = self.json("queue", "status")
        assert status["accepted"] == sum(status[name] for name in ("delivered", "dead", "expired", "dropped", "pending"))
        assert status["is_balanced"] and status["faults"] == []
        return status

    def listed(self):
        """The ids of everything that is pending, in order."""
        return [row["id"] for row in self.json("queue", "list", "--limit", "100000")["pending"]]


def samples_of(page):
    """The samples of an OpenMetrics page of one spool, checked line by line; without the label `spool`, which all have."""
    *lines, end = page.splitlines()
    assert end == "# EOF"
    types, samples, spools = {}, {}, set()
    for line in lines:
        if line.startswith("# HELP "):
            assert re.fullmatch(r"# HELP [a-z_]+ .+", line), line
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            found = re.fullmatch(r'([a-z_]+)\{spool="([^"]*)"((?:,[a-z]+="[^"]*")?)\} (\S+)', line)
            assert found, line
            family = re.sub(r"_(total|bucket|sum|count)$", "", found[1]) if found[1] not in types else found[1]
            assert (types[family] == "counter") == found[1].endswith("_total"), line
            spools.add(found[2])
            label = found[3].lstrip(",")
            samples[found[1] + (f"{{{label}}}" if label else "")] = float(found[4])
    assert len(spools) == 1
    return samples
