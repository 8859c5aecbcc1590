"""A large backlog: disk space is freed, memory stays bounded, and calls stay fast."""

import json
import statistics
import subprocess
import time

import pytest
from spool_files import size_on_disk
from test_disk import produced
from test_kill import kill
from waiting import wait_for

LONG_S = 900


def resident_bytes(process):
    with open(f"/proc/{process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


@pytest.fixture
def sink(compiled):
    """Starts sink.c; returns the process and its address."""
    running = []

    def start():
        process = subprocess.Popen([str(compiled("sink.c"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process, f"http://127.0.0.1:{int(process.stdout.readline())}"

    yield start
    for process in running:
        kill(process)


def seconds(run, times=5):
    """The median of several runs."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        run()
        took.append(time.monotonic() - began)
    return statistics.median(took)


def test_backlog_is_delivered_in_bounded_memory_and_its_disk_space_is_freed(
        spooler, esales_notify, counters, sink, soak, tmp_path, capsys):
    count = 1_000_000 if soak else 60_000
    service, base_url = sink()
    spool = tmp_path / "spool"
    options = {"base_url": base_url, "spool": spool, "max_items": 2 * count, "max_bytes": 1 << 36, "concurrency": 8}

    # How long enqueues take, in microseconds, in an empty spool and behind the backlog.
    def median_us(prefix, number):
        ids, messages, code = produced(spooler, prefix, number, options)
        assert code == 0 and len(ids) == number, messages
        return int(messages.split()[2])

    empty_us = median_us("e", 1000)
    median_us("f", count - 2000)
    behind_us = median_us("g", 1000)
    backlog_bytes = size_on_disk(spool)

    def status():
        report = json.loads(esales_notify("queue", "status", "--json", spool=spool).stdout)
        assert report["pending"] == count, report

    status_s = seconds(status)
    idle = spooler("drain", options={**options, "spool": tmp_path / "another"})
    assert idle.stdout.readline() == "ready\n"
    drainer = spooler("drain", options=options)
    assert drainer.stdout.readline() == "ready\n"
    most = 0
    while counters(spool)["pending"]:
        most = max(most, resident_bytes(drainer))
        assert drainer.poll() is None
    growth = max(most, resident_bytes(drainer)) - resident_bytes(idle)
    wait_for(lambda: size_on_disk(spool) < 10 << 20, f"{size_on_disk(spool)} bytes stay on the disk", 60)
    service.stdin.close()
    requests = int(service.stdout.read())
    service.stdin = None
    kill(drainer)
    kill(idle)
    report = counters(spool)
    assert report["accepted"] == report["delivered"] == requests == count, report
    with capsys.disabled():
        print(f"\n  backlog of {count}: {backlog_bytes >> 20} MiB; the drainer grew by {growth >> 10} KiB; status took "
              f"{status_s * 1000:.0f} ms; an enqueue {empty_us} µs, then {behind_us} µs")
    assert growth < 64 << 20
    # `make soak` has the command as it ships; that of `make test` is built without optimisation.
    assert status_s < (0.2 if soak else 2)
    assert behind_us <= 3 * empty_us + 20
