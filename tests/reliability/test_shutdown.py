"""Flush and close return within their deadline, whatever the service or the disk does; the rest stays and is counted."""

import contextlib
import socket
import sqlite3
import subprocess

import pytest
from counting import Service
from test_kill import kill

# On top of a deadline: a busy machine.
GRACE_MS = 400


@contextlib.contextmanager
def answering(status):
    with Service(status, {"Retry-After": "60"}) as service:
        yield {"base_url": service.base_url}


@contextlib.contextmanager
def black_hole():
    with socket.create_server(("127.0.0.1", 0)) as hole:
        yield {"base_url": f"http://127.0.0.1:{hole.getsockname()[1]}"}


@contextlib.contextmanager
def refused():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield {"base_url": f"http://127.0.0.1:{bound.getsockname()[1]}"}


FAULTS = {"503": lambda: answering(503), "black hole": black_hole, "refused": refused}


def shut(spooler, options):
    process = spooler("shut", options={"enqueue_timeout_ms": 200, **options})
    words = process.stdout.read()
    assert process.wait() == 0, process.stderr.read()
    kill(process)
    enqueue, flush, free, status = words.split()
    assert int(enqueue) <= 200 + GRACE_MS and int(flush) <= 300 + GRACE_MS and int(free) <= GRACE_MS, words
    return status


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "file"])
@pytest.mark.parametrize("fault", FAULTS)
def test_when_the_service_fails(spooler, tmp_path, fault, in_file):
    with FAULTS[fault]() as options:
        if in_file:
            options["spool"] = tmp_path / "spool"
        assert shut(spooler, options) == "ESALES_TIMEOUT"
    if in_file:
        with contextlib.closing(sqlite3.connect(tmp_path / "spool")) as database:
            assert database.execute("SELECT accepted, (SELECT count(*) FROM item) FROM now").fetchone() == (1, 1)


def test_when_another_program_keeps_the_spool_locked(spooler, tmp_path):
    with refused() as options:
        options["spool"] = tmp_path / "spool"
        shut(spooler, options)
        with contextlib.closing(sqlite3.connect(tmp_path / "spool")) as database:
            database.execute("BEGIN IMMEDIATE")
            shut(spooler, options)
            database.rollback()
            # What could not be accepted was refused, not lost: the first one alone is there.
            assert database.execute("SELECT accepted, (SELECT count(*) FROM item) FROM now").fetchone() == (1, 1)


def test_when_the_disk_is_full_or_read_only(spooler, tmp_path):
    with refused() as options:
        for name, mount_options in (("full", "size=16k"), ("read-only", "ro")):
            folder = tmp_path / name
            folder.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", mount_options, "tmpfs", str(folder)], check=True)
            try:
                assert shut(spooler, {**options, "spool": folder / "spool"}) == "ESALES_SPOOL_FAILED"
            finally:
                subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("damage", ["deleted", "damaged"])
def test_when_the_file_is_gone(spooler, tmp_path, damage):
    spool = tmp_path / "spool"
    with refused() as options:
        shut(spooler, {**options, "spool": spool})
        if damage == "deleted":
            spool.unlink()
        else:
            spool.write_bytes(b"garbage" * 1000)
        assert shut(spooler, {**options, "spool": spool}) == "ESALES_TIMEOUT"
