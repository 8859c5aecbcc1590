"""A producer that is stopped in the middle of an enqueue, while its segment is superseded, delivered and deleted."""

import contextlib
import os
import random
import signal
import time

import pytest
from counting import Service
from spool_files import segments
from test_disk import produced
from test_kill import Accepted, kill
from waiting import wait_for

# From src/spool/log: the time for which a superseded segment is still read.
GRACE_S = 2
LONG_S = 120
# A segment has about 500 events with this ticket.
LARGE = {"SPOOLER_TICKET": "8000"}


@pytest.fixture
def service():
    with Service() as running:
        yield running


@pytest.fixture
def options(service, tmp_path):
    return {"base_url": service.base_url, "spool": tmp_path / "spool", "max_bytes": 1 << 30, "concurrency": 4}


@pytest.fixture
def drainer(spooler, options):
    process = spooler("drain", options=options)
    assert process.stdout.readline() == "ready\n"
    yield process
    kill(process)


def numbers(spool):
    return [int(path.stem.removeprefix("segment-")) for path in segments(spool)]


def assert_each_arrives_once(service, counters, spool, ids):
    wait_for(lambda: set(ids) <= set(service.ids), f"lost: {sorted(set(ids) - set(service.ids))[:5]}", LONG_S)
    wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    assert all(len(times) == 1 for times in service.ids.values())
    report = counters(spool)
    assert report["accepted"] == report["delivered"] == len(service.ids), report


@pytest.mark.parametrize("point", ["enter", "exit"])
def test_event_arrives_once_when_its_segment_is_deleted_around_the_write(
        spooler, service, options, drainer, counters, tmp_path, point):
    """The producer hangs right before or after its fifth write, for longer than the segment lives."""
    spool = options["spool"]
    ids, _, _ = produced(spooler, "first", 1, options)
    (segment,) = segments(spool)
    wrapper = ["strace", "-f", "-o", "/dev/null", "-P", segment, "-e", "trace=write", "-e",
               f"inject=write:delay_{point}=9000000:when=5"]
    slow = spooler("produce", "slow", 10, options={**options, "delivery": "none"}, wrapper=wrapper)
    reading = Accepted(slow)
    wait_for(lambda: len(reading.ids) == 4, "the producer does not begin", LONG_S)
    ids += produced(spooler, "fast", 1100, options, env=LARGE)[0]
    wait_for(lambda: not segment.exists(), "the segment is not deleted", LONG_S)
    assert len(reading.ids) == 4, "this machine is too slow for the test"
    ids += reading.done()
    assert len(ids) == 1 + 10 + 1100
    assert_each_arrives_once(service, counters, spool, ids)


def test_events_arrive_once_when_producers_are_stopped_at_random_while_segments_are_deleted(
        spooler, service, options, drainer, counters, soak):
    dice = random.Random(4711)
    spool = options["spool"]
    ids = []
    for n in range(20 if soak else 2):
        ids += produced(spooler, f"r{n}-before", 10, options)[0]
        last = max(numbers(spool))
        with contextlib.ExitStack() as stack:
            stopped = []
            for k in range(8):
                producer = spooler("produce", f"r{n}-{k}", 300, options={**options, "delivery": "none"})
                stack.callback(producer.kill)
                reading = Accepted(producer)
                wait_for(lambda: reading.ids or producer.poll() is not None, "the producer does not begin", LONG_S)
                time.sleep(dice.random() / 500)
                with contextlib.suppress(ProcessLookupError):
                    producer.send_signal(signal.SIGSTOP)
                stopped.append((producer, reading))
            ids += produced(spooler, f"r{n}-fast", 1100, options, env=LARGE)[0]
            wait_for(lambda: min(numbers(spool)) > last, "the segments are not deleted", LONG_S)
            for producer, reading in stopped:
                producer.send_signal(signal.SIGCONT)
                ids += reading.done()
                assert producer.returncode == 0
    assert_each_arrives_once(service, counters, spool, ids)


def test_segment_of_a_stopped_producer_is_kept_for_the_grace_period(spooler, service, options, drainer, counters):
    spool = options["spool"]
    produced(spooler, "first", 1, options)
    began = time.monotonic()
    (segment,) = segments(spool)
    produced(spooler, "fast", 600, options, env=LARGE)
    superseded = time.monotonic()
    wait_for(lambda: not segment.exists(), "the segment is not deleted", LONG_S)
    assert time.monotonic() - began > GRACE_S and superseded > began
    wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    assert os.listdir(spool)
