"""Every system call on the spool's files fails once, three times, and until the fault is lifted: nothing is lost.

Each run is a process that enqueues and delivers with the faults of faults.c. Accepted events arrive once, the process
neither crashes nor hangs, and no file is set aside. A refused call has a message.
"""

import concurrent.futures
import errno
import itertools
import random
import subprocess

import pytest
from counting import Service
from environment import CLEAN, as_environment
from test_disk import produced
from test_kill import kill
from waiting import wait_for

# The system calls of the library, how they fail, and on which files ("": all files and the directory).
CALLS = {
    "open": (("EIO", "ESTALE", "ENOMEM"), ("", "segment-", "journal-", "lease", "receipts-")),
    "create": (("EIO", "ENOSPC", "EDQUOT", "ENOMEM"), ("", "segment-", "journal-", "lease", "receipts-", ".new-", "reserve")),
    "read": (("EIO", "ESTALE", "ENOMEM"), ("FORMAT",)),
    "pread": (("EIO", "ESTALE", "ENOMEM", "short"), ("", "segment-", "journal-", "lease")),
    "write": (("EIO", "ESTALE", "ENOSPC", "EDQUOT", "EFBIG", "ENOMEM", "short"),
              ("", "segment-", "segment-", "journal-", "journal-", "receipts-", ".new-")),
    "pwrite": (("EIO", "ENOSPC", "EDQUOT", "EFBIG", "short"), ("lease",)),
    "fsync": (("EIO", "ENOSPC", "EDQUOT"), ("",)),
    "fdatasync": (("EIO", "ENOSPC", "EDQUOT"), ("", "segment-")),
    "rename": (("EIO", "ENOSPC", "EDQUOT"), ("", "journal-", "FORMAT")),
    "unlink": (("EIO", "ESTALE"), ("",)),
    "mkdir": (("EIO", "ENOSPC", "EDQUOT"), ("",)),
    "stat": (("EIO", "ESTALE", "ENOMEM"), ("", "segment-", "journal-", "lease")),
    "flock": (("EIO", "ENOLCK", "ENOMEM"), ("",)),
    "lock": (("EIO", "ENOLCK", "ENOMEM"), ("lease",)),
    "statfs": (("EIO", "ENOMEM"), ("",)),
    "opendir": (("EIO", "ESTALE", "ENOMEM"), ("",)),
    "readdir": (("EIO", "ESTALE"), ("",)),
}
FREQUENT = ("open", "pread", "write", "stat", "opendir", "readdir")
EVENTS = 12
# A run that takes longer hangs.
HANG_S = 60


def cases(count):
    """This many combinations, the same in each session. The first ones contain every call and every error code."""
    dice = random.Random(4711)
    chosen = []
    for call, code in itertools.islice(itertools.cycle((call, code) for call in CALLS for code in CALLS[call][0]), count):
        begin = dice.choice((1, 1, 2, 3, 5, 8, 13, 25, 50) if call in FREQUENT else (1, 1, 2, 3))
        durability = "disk" if call in ("fsync", "fdatasync") else dice.choice(("process", "disk"))
        # A spool that holds events already; some calls are made only for a new one.
        is_used = call not in ("read", "mkdir", "rename", "fsync", "statfs") and dice.random() < 0.6
        chosen.append((call, code, dice.choice(CALLS[call][1]), begin, dice.choice((1, 3, -1)), durability, is_used))
    return chosen


class Run:
    """One process with one fault."""

    def __init__(self, spooler, service, shim, folder, number, case):
        self.spooler, self.service, self.folder, self.number = spooler, service, folder, number
        self.call, self.code, self.files, self.begin, self.count, self.durability, self.is_used = self.case = case
        self.folder.mkdir()
        self.spool = folder / "spool"
        self.hits = folder / "hits"
        self.lifted = folder / "lifted"
        self.options = {"base_url": service.base_url, "spool": self.spool, "durability": self.durability,
                        "gate_min_ms": 10, "gate_max_ms": 50, "enqueue_timeout_ms": 2000}
        self.env = {
            "LD_PRELOAD": str(shim), "FAULT_CALL": self.call, "FAULT_FILES": f"{self.spool}/{self.files}".rstrip("/"),
            "FAULT_ERRNO": "short" if self.code == "short" else str(getattr(errno, self.code)),
            "FAULT_FROM": str(self.begin), "FAULT_COUNT": str(self.count), "FAULT_LIFTED": str(self.lifted),
            "FAULT_HITS": str(self.hits),
        }

    def hit(self):
        return self.hits.stat().st_size if self.hits.exists() else 0

    def have_arrived(self, ids):
        return all(id in self.service.ids for id in ids)

    def arrived(self):
        return {id for id in list(self.service.ids) if id.startswith(f"c{self.number}-")}

    def __call__(self):
        """Returns the failure; None: there was none."""
        try:
            self.run()
        except AssertionError as e:
            log = self.folder / "log"
            return f"{self.case}: {str(e)[:600]}\n{log.read_text()[-1500:] if log.exists() else ''}"
        finally:
            self.lifted.touch()
        return None

    def run(self):
        ids = []
        if self.is_used:
            ids += produced(self.spooler, f"c{self.number}-used", 5, self.options)[0]
        with open(self.folder / "log", "w") as log:
            process = self.spooler("try", f"c{self.number}", EVENTS, options=self.options, env=self.env, stderr=log)
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                printed = pool.submit(self.lines, process)
                try:
                    accepted, is_alive = printed.result(HANG_S)
                except concurrent.futures.TimeoutError:
                    process.kill()
                    raise AssertionError("an enqueue hangs") from None
            ids += accepted
            if is_alive:
                # The worker makes a few iterations while the fault lasts.
                def is_over():
                    return self.hit() >= 20 or self.have_arrived(ids) or process.poll() is not None
                try:
                    wait_for(is_over, "", 1.5)
                except AssertionError:
                    pass
            self.lifted.touch()
            if not is_alive:
                # The client could not be made.
                assert process.wait(HANG_S) == 1, f"the host crashed: {process.returncode}"
                assert not accepted
            else:
                wait_for(lambda: self.have_arrived(ids) or process.poll() is not None,
                         "not delivered after the fault was lifted", HANG_S)
                wait_for(lambda: process.poll() is not None or self.is_done(), "not in the journal", HANG_S)
                process.stdin.close()
                code = process.wait(HANG_S)
                process.stdin = None
                assert code == 0, f"the host crashed: {code}"
        finally:
            kill(process)
        if self.spool.exists() and any(self.spool.iterdir()):
            # Another process delivers the rest, and the counters must add up.
            drainer = self.spooler("drain", options=self.options)
            try:
                wait_for(lambda: self.have_arrived(ids), f"lost: {set(ids) - self.arrived()}", HANG_S)
                wait_for(self.is_done, "not in the journal", HANG_S)
            finally:
                kill(drainer)
            report = self.report()
            assert report["accepted"] == report["delivered"] == len(self.arrived()), report
            assert not list(self.spool.glob("damaged-*")), "it was set aside"
        else:
            assert not ids
        again = {id: self.service.ids[id] for id in self.arrived() if len(self.service.ids[id]) > 1}
        assert not again, f"arrived twice: {again}"

    def lines(self, process):
        """The accepted ids, and whether the process has made all its calls."""
        accepted = []
        for line in process.stdout:
            if line == "done\n":
                return accepted, True
            accepted.append(line.strip())
        return accepted, False

    def report(self):
        return self.counters(self.spool)

    def is_done(self):
        return not self.spool.exists() or not any(self.spool.iterdir()) or self.report()["pending"] == 0


def test_accepted_events_arrive_once_when_any_system_call_on_the_spool_fails(
        spooler, counters, preloaded, soak, tmp_path, capsys):
    shim = preloaded("faults.c")
    Run.counters = staticmethod(counters)
    with Service() as service:
        runs = [Run(spooler, service, shim, tmp_path / str(n), n, case) for n, case in enumerate(cases(600 if soak else 57))]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            failures = [failure for failure in pool.map(lambda run: run(), runs) if failure]
        reached = sum(run.hit() > 0 for run in runs)
        with capsys.disabled():
            print(f"\n  {len(runs)} faults, {reached} of them reached")
        assert not failures, f"{len(failures)} of {len(runs)}:\n" + "\n".join(failures)
        assert reached > len(runs) / 2


@pytest.mark.parametrize("code, message", [
    ("ENOSPC", "the disk is full"),
    ("EDQUOT", "the disk quota is used up"),
    ("EFBIG", "the limit on the size of files (ulimit -f) is reached"),
    ("EIO", "Input/output error"),
])
def test_enqueue_is_refused_with_the_reason_when_a_segment_cannot_be_written(
        spooler, counters, preloaded, tmp_path, code, message):
    spool = tmp_path / "spool"
    options = {"base_url": "http://127.0.0.1:9", "spool": spool}
    env = {"LD_PRELOAD": str(preloaded("faults.c")), "FAULT_CALL": "write", "FAULT_FILES": str(spool / "segment-"),
           "FAULT_ERRNO": str(getattr(errno, code)), "FAULT_FROM": "4", "FAULT_COUNT": "-1",
           "FAULT_HITS": str(tmp_path / "hits")}
    ids, messages, exit_code = produced(spooler, "x", 10, options, env=env)
    assert (len(ids), exit_code) == (3, 1) and message in messages and str(spool) in messages, messages
    assert counters(spool)["pending"] == 3


@pytest.mark.parametrize("body", ["no JSON at all", '{"customerKey": 5}', "[]", "{}"])
def test_purge_erases_a_person_when_other_bodies_are_damaged(spooler, esales_notify, counters, tmp_path, body):
    """The other bodies come from another version, or from damage that a checksum does not see."""
    from spool_files import encoded, segments

    spool = tmp_path / "spool"
    options = {"base_url": "http://127.0.0.1:9", "spool": spool}
    ids, _, _ = produced(spooler, "x", 3, options)
    (segment,) = segments(spool)
    columns = segment.read_bytes().split(b"\n")[1].split(b" ", 2)[2].decode().split("\t")
    columns[0], columns[7], columns[10] = f"N{len(body)}", "strange", body
    with open(segment, "ab") as file:
        file.write(encoded("\t".join(columns)))
    assert counters(spool)["pending"] == 4
    customer = "d9528030-509c-4e0f-b585-7168f1e9feca"
    assert customer.encode() in segment.read_bytes()
    esales_notify("queue", "purge", "--customer-key", customer, spool=spool)
    assert counters(spool)["pending"] == 1
    assert not any(customer.encode() in path.read_bytes() for path in spool.iterdir())


def test_preloaded_fault_library_makes_system_calls_fail(preloaded, tmp_path):
    env = {**CLEAN, **as_environment({}), "LD_PRELOAD": str(preloaded("faults.c")), "FAULT_CALL": "mkdir",
           "FAULT_FILES": str(tmp_path), "FAULT_ERRNO": str(errno.ENOLCK), "FAULT_FROM": "1", "FAULT_COUNT": "1",
           "FAULT_HITS": str(tmp_path / "hits")}
    done = subprocess.run(["mkdir", str(tmp_path / "new")], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "No locks available" in done.stderr
