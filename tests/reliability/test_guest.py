"""The library in a difficult host: it handles the spool's files itself, and its threads hang."""

import os
import signal
import subprocess
import sys

import pytest
from counting import Service
from environment import CLEAN, as_environment
from test_kill import kill
from waiting import wait_for


@pytest.mark.parametrize("how", ["read", "copy", "tar", "sqlite", "lock"])
def test_each_event_arrives_once_when_the_host_handles_the_spool_files_itself(
        root, library, spooler, counters, tmp_path, soak, how):
    """Another process is on standby, and would become the leader if a lock were lost."""
    spool = tmp_path / "spool"
    with Service() as service:
        options = {"base_url": service.base_url, "spool": spool, "market": "UK", "concurrency": 2}
        env = {**CLEAN, **as_environment(options), "ESALES_NOTIFY_LIBRARY": str(library)}
        process = subprocess.Popen(
            [sys.executable, str(root / "tests/reliability/guest.py"), str(root / "bindings/python/src"),
             "20000" if soak else "1000", how], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        standby = spooler("drain", options=options)
        ids = []
        for line in process.stdout:
            if line == "done\n":
                break
            ids.append(line.strip())
        wait_for(lambda: set(ids) <= set(service.ids), "lost")
        wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal")
        process.stdin.close()
        assert process.wait(60) == 0, "the host was harmed"
        process.stdin = None
        kill(process)
        kill(standby)
        assert len(ids) >= 1000 and set(service.ids) == set(ids)
        assert all(len(times) == 1 for times in service.ids.values())
        assert not list(spool.glob("damaged-*"))


def test_client_is_made_and_enqueues_while_another_thread_hangs_in_fflush(spooler, counters, tmp_path):
    """fflush(NULL) holds a lock of the C library for as long as a pipe is full."""
    spool = tmp_path / "spool"
    process = spooler("flush", 10, options={"base_url": "http://127.0.0.1:9", "spool": spool})
    try:
        wait_for(lambda: process.poll() is not None, "it hangs")
        milliseconds = int(process.stdout.read())
        assert process.returncode == 0 and milliseconds < 2000
    finally:
        kill(process)
    assert counters(spool)["accepted"] == 10


def test_signal_handler_that_ends_the_host_in_the_middle_of_an_append_loses_nothing(spooler, counters, tmp_path):
    """SIGTERM without a handler, as a supervisor sends it."""
    spool = tmp_path / "spool"
    with Service() as service:
        options = {"base_url": service.base_url, "spool": spool}
        ids = set()
        for n in range(5):
            process = spooler("produce", f"r{n}", 100_000, options=options)
            for _ in range(100):
                ids.add(process.stdout.readline().strip())
            os.kill(process.pid, signal.SIGTERM)
            ids.update(line.strip() for line in process.stdout if line.endswith("\n"))
            kill(process)
        drainer = spooler("drain", options=options)
        wait_for(lambda: ids <= set(service.ids), "lost")
        kill(drainer)
