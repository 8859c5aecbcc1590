"""Flush and free return within their deadline, whatever the service or the disk does. The remaining events stay in
the queue and are counted."""

import collections
import contextlib
import socket
import subprocess

import pytest
from counting import Service
from spool_files import attempts, delete, locked, segments
from test_kill import kill
from waiting import wait_for

# Added to a deadline, because the machine may be busy.
GRACE_MS = 400
# The pause of a busy machine is never so long.
HANG_MS = 3000
# The deadline of each call: an option for enqueue, an argument of flush.
ENQUEUE_MS, FLUSH_MS, FREE_MS = 200, 300, 0

Shut = collections.namedtuple("Shut", "enqueue_ms flush_ms free_ms enqueued flushed")


@contextlib.contextmanager
def answering(status):
    with Service(status, {"Retry-After": "60"}) as service:
        yield {"base_url": service.base_url}


@contextlib.contextmanager
def unresponsive():
    with socket.create_server(("127.0.0.1", 0)) as hole:
        yield {"base_url": f"http://127.0.0.1:{hole.getsockname()[1]}"}


@contextlib.contextmanager
def refused():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield {"base_url": f"http://127.0.0.1:{bound.getsockname()[1]}"}


FAULTS = {"503": lambda: answering(503), "unresponsive server": unresponsive, "refused": refused}


@pytest.fixture(params=[False, True], ids=["", "with stats"])
def shut(request, spooler):
    """Enqueues one event, flushes and frees in a separate program. `meanwhile` is called while that program has the spool open
    with one notification in it."""

    def run(options, meanwhile=None):
        arguments = ["open"] * (meanwhile is not None) + ["stats"] * request.param
        process = spooler("shut", *arguments, options={"enqueue_timeout_ms": ENQUEUE_MS, **options})
        if meanwhile:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            meanwhile(process)
            process.stdin.write("\n")
            process.stdin.flush()
        printed = process.stdout.read().split()
        assert process.wait() == 0, process.stderr.read()
        kill(process)
        return Shut(*map(int, printed[:3]), *printed[3:])

    return run


@pytest.fixture
def in_time(tmp_path):
    """Calls `once(folder)` with a new folder, at most five times, until each call kept its deadline. All other assertions
    hold each time."""

    def repeat(once):
        seen = []
        while len(seen) < 5:
            folder = tmp_path / str(len(seen))
            folder.mkdir()
            took = once(folder)
            seen.append(took[:3])
            assert max(took[:3]) <= HANG_MS, f"ms of enqueue, flush and free, in each round: {seen}"
            if all(ms <= limit + GRACE_MS for ms, limit in zip(took, (ENQUEUE_MS, FLUSH_MS, FREE_MS))):
                return
        pytest.fail(f"ms of enqueue, flush and free, in each round: {seen}")

    return repeat


@pytest.fixture
def left(counters):
    """Asserts that this many notifications were accepted, and that all of them are pending."""

    def check(spool, accepted):
        report = counters(spool)
        assert (report["accepted"], report["pending"]) == (accepted, accepted), report

    return check


@contextlib.contextmanager
def mounted(folder, *options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "spool"])
@pytest.mark.parametrize("fault", FAULTS)
def test_shutdown_keeps_its_deadlines_when_the_service_fails(shut, in_time, left, fault, in_file):
    def once(folder):
        with FAULTS[fault]() as options:
            took = shut({**options, "spool": folder / "spool"} if in_file else options)
        assert took[3:] == ("ESALES_QUEUED", "ESALES_TIMEOUT")
        if in_file:
            left(folder / "spool", 1)
        return took

    in_time(once)


def test_shutdown_keeps_its_deadlines_when_another_process_locks_the_spool(shut, in_time, left):
    """An enqueue needs no lock."""
    def once(folder):
        spool = folder / "spool"
        with refused() as options:
            options["spool"] = spool
            shut(options)
            with locked(spool):
                took = shut(options)
        assert took[3:] == ("ESALES_QUEUED", "ESALES_TIMEOUT")
        left(spool, 2)
        return took

    in_time(once)


def test_enqueue_keeps_its_deadline_when_a_limit_is_near_and_another_process_locks_the_spool(shut, in_time, left):
    def once(folder):
        spool = folder / "spool"
        with refused() as options:
            options.update(spool=spool, max_items=3)
            shut(options)
            with locked(spool):
                took = shut(options)
        assert took[3:] == ("ESALES_SPOOL_FAILED", "ESALES_TIMEOUT")
        left(spool, 1)
        return took

    in_time(once)


@pytest.mark.parametrize("mount_options", [["size=4k"], ["ro"]], ids=["full", "read-only"])
def test_shutdown_keeps_its_deadlines_when_the_disk_is_full_or_read_only(shut, in_time, mount_options):
    def once(folder):
        with refused() as options, mounted(folder, *mount_options):
            took = shut({**options, "spool": folder / "spool"})
        assert took.enqueued == "ESALES_SPOOL_FAILED"
        return took

    in_time(once)


def test_shutdown_keeps_its_deadlines_when_the_disk_became_read_only(shut, in_time, left):
    def once(folder):
        with refused() as options, mounted(folder, "size=8m"):
            options["spool"] = folder / "spool"
            shut(options)
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            took = shut(options)
            subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
            left(folder / "spool", 1)
        assert took.enqueued == "ESALES_SPOOL_FAILED"
        return took

    in_time(once)


def test_shutdown_keeps_its_deadlines_when_the_spool_has_a_newer_format(shut, in_time, left):
    def once(folder):
        spool = folder / "spool"
        with refused() as options:
            options["spool"] = spool
            shut(options)
            ours = (spool / "FORMAT").read_text()
            (spool / "FORMAT").write_text("esales-notify spool, format 2\n")
            took = shut(options)
        assert took[3:] == ("ESALES_SPOOL_FAILED", "ESALES_SPOOL_FAILED")
        (spool / "FORMAT").write_text(ours)
        left(spool, 1)
        return took

    in_time(once)


def damage(spool):
    for path in segments(spool):
        with open(path, "r+b") as file:
            file.write(b"garbage" * 1000)


@pytest.mark.parametrize("harm", [delete, damage], ids=["deleted", "damaged"])
def test_enqueue_succeeds_when_the_spool_was_deleted_or_damaged(shut, in_time, counters, harm):
    def once(folder):
        spool = folder / "spool"
        with refused() as options:
            options["spool"] = spool
            shut(options)
            harm(spool)
            took = shut(options)
        assert took[3:] == ("ESALES_QUEUED", "ESALES_TIMEOUT")
        # A damaged event counts as pending until a drainer fails to read it.
        report = counters(spool)
        assert report["pending"] in ((1,) if harm is delete else (1, 2)), report
        return took

    in_time(once)


def test_enqueue_succeeds_when_the_spool_is_deleted_while_it_is_open(shut, in_time, counters):
    def once(folder):
        spool = folder / "spool"

        def meanwhile(_):
            # By now the worker has the spool open too.
            wait_for(lambda: attempts(spool), "no attempt")
            delete(spool)

        with refused() as options:
            options["spool"] = spool
            took = shut(options, meanwhile)
        assert took[3:] == ("ESALES_QUEUED", "ESALES_TIMEOUT")
        # The first event was lost with the directory, and counts as dropped if the leader noticed it. If it was
        # accepted just before, it was enqueued again.
        report = counters(spool)
        assert report["pending"] in (1, 2) and report["accepted"] - report["dropped"] == report["pending"], report
        return took

    in_time(once)


def test_enqueue_succeeds_when_a_segment_is_damaged_while_it_is_open(shut, in_time, counters):
    def once(folder):
        spool = folder / "spool"

        def meanwhile(_):
            wait_for(lambda: attempts(spool), "no attempt")
            damage(spool)

        with refused() as options:
            options["spool"] = spool
            took = shut(options, meanwhile)
        assert took[3:] == ("ESALES_QUEUED", "ESALES_TIMEOUT")
        report = counters(spool)
        assert report["accepted"] == 2 and report["pending"] >= 1, report
        return took

    in_time(once)
