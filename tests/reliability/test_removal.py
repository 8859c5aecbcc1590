"""A file of the spool is removed while the spool is in use: it is logged, nothing else is lost, and nothing is sent twice.

Such files are removed by tmpfiles, by people who do not know them, and by cleanup scripts.
"""

import contextlib
import os

import pytest
from counting import Service
from spool_files import attempts, delete, leader, segments
from test_disk import produced
from test_kill import Accepted, kill
from waiting import wait_for

LONG_S = 60
FILES = ("FORMAT", "lease", "lock", "journal-*", "segment-*", "receipts-*", "reserve", "dead-*")


@pytest.fixture
def service():
    with Service() as running:
        yield running


@pytest.fixture
def options(service, tmp_path):
    return {"base_url": service.base_url, "spool": tmp_path / "spool", "concurrency": 4, "gate_min_ms": 10, "gate_max_ms": 50}


def remove(spool, pattern):
    """The number of files."""
    found = sorted(spool.glob(pattern))
    for path in found:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    return len(found)


@pytest.fixture
def drainers(spooler, options, tmp_path):
    """A leader and a process on standby."""
    log = tmp_path / "log"
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(open(log, "w"))
        leading = spooler("drain", options=options, stderr=stream)
        stack.callback(kill, leading)
        assert leading.stdout.readline() == "ready\n"
        wait_for(lambda: leader(options["spool"]) == leading.pid, "it does not lead", LONG_S)
        standby = spooler("drain", options=options, stderr=stream)
        stack.callback(kill, standby)
        assert standby.stdout.readline() == "ready\n"
        yield log


def assert_each_arrives_once(service, counters, spool, ids):
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    twice = {id: times for id, times in service.ids.items() if len(times) > 1}
    assert not twice, twice


@pytest.mark.parametrize("pattern", FILES)
def test_each_event_arrives_once_when_a_file_is_removed_under_load(
        spooler, service, options, drainers, counters, pattern):
    """Removes files repeatedly, while two producers and a leader run. The leader keeps up with so many events, and so has each
    segment open; what is in a segment that no process has open counts as dropped."""
    spool = options["spool"]
    producing = {**options, "delivery": "none"}
    env = {"SPOOLER_PAUSE_US": "500"}
    producers = [Accepted(spooler("produce", f"p{n}", 2000, options=producing, env=env)) for n in range(2)]
    removed = 0
    while any(producer._process.poll() is None for producer in producers):
        before = len(service.ids)
        removed += remove(spool, pattern)
        wait_for(lambda: len(service.ids) > before + 200 or all(p._process.poll() is not None for p in producers),
                 "nothing is delivered", LONG_S)
    ids = [id for producer in producers for id in producer.done()]
    assert_each_arrives_once(service, counters, spool, ids)
    assert all(producer._process.returncode == 0 for producer in producers)
    if pattern in ("lease", "journal-*", "segment-*"):
        assert removed > 0 and "was removed" in drainers.read_text(), drainers.read_text()
    report = counters(spool)
    assert report["accepted"] == report["delivered"] == len(ids), report


@pytest.mark.parametrize("pattern", FILES)
def test_pending_events_arrive_once_when_a_file_is_removed_in_an_outage(
        spooler, service, options, drainers, counters, pattern):
    spool = options["spool"]
    service.tell(503)
    ids, _, _ = produced(spooler, "x", 100, options)
    wait_for(lambda: attempts(spool) > 3, "no attempt", LONG_S)
    remove(spool, pattern)
    ids += produced(spooler, "later", 20, options)[0]
    before = len(service.times)
    wait_for(lambda: len(service.times) > before + 2, "no probes", LONG_S)
    service.tell(204)
    assert_each_arrives_once(service, counters, spool, ids)
    report = counters(spool)
    assert report["accepted"] == report["delivered"] == 120, report


@pytest.mark.parametrize("pattern", ("lease", "lock", "journal-*", "FORMAT", "receipts-*", "reserve"))
def test_pending_events_arrive_when_a_file_is_removed_while_no_process_delivers(
        spooler, service, options, counters, pattern):
    spool = options["spool"]
    ids, _, _ = produced(spooler, "before", 50, options)
    drainer = spooler("drain", options=options)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    kill(drainer)
    more, _, _ = produced(spooler, "after", 50, options)
    remove(spool, pattern)
    drainer = spooler("drain", options=options)
    wait_for(lambda: set(more) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    kill(drainer)
    # The journal is rebuilt from the receipts.
    assert all(len(times) == 1 for times in service.ids.values())


@pytest.mark.parametrize("how", ["removed", "emptied", "damaged"])
@pytest.mark.parametrize("several", [False, True], ids=["one origin", "two origins"])
def test_counted_events_are_dropped_when_their_segment_is_lost_while_no_process_delivers(
        spooler, service, options, counters, tmp_path, how, several):
    """The journal counts them as pending, and no process has the file open. What is enqueued afterwards is not put where the
    leader has read already."""
    spool = options["spool"]
    service.tell(503)
    drainer = spooler("drain", options=options)
    ids, _, _ = produced(spooler, "lost", 20, options)
    if several:
        ids += produced(spooler, "elsewhere", 30, {**options, "base_url": "http://127.0.0.1:9"})[0]
    wait_for(lambda: counters(spool)["pending"] == len(ids) and attempts(spool) > 1, "they are not counted", LONG_S)
    kill(drainer)
    # What it sent last is answered before the service recovers.
    service.rest()
    (segment,) = segments(spool)
    left = 0
    if how == "removed":
        segment.unlink()
    elif how == "emptied":
        os.truncate(segment, 0)
    else:
        # In the middle of a line. The first line is empty.
        left = 3
        os.truncate(segment, sum(len(line) for line in segment.read_bytes().splitlines(True)[:left + 1]) + 20)
    service.tell(204)
    log = tmp_path / "log"
    with open(log, "w") as stream:
        drainer = spooler("drain", options=options, stderr=stream)
    later, _, _ = produced(spooler, "later", 5, options)
    wait_for(lambda: set(later) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(spool)["pending"] == 0, "lost events are pending", LONG_S)
    kill(drainer)
    report = counters(spool)
    assert report["dropped"] == len(ids) - left and report["delivered"] == left + len(later), report
    assert set(service.ids) == {*ids[:left], *later} and all(len(times) == 1 for times in service.ids.values())
    assert "notifications are lost" in log.read_text(), log.read_text()


def looping(spooler, options, tmp_path):
    """A process that enqueues 3,000 events, and a function that returns the ids that it has enqueued."""
    # A file has each id as soon as it is accepted; a reader of a pipe would lag behind.
    printed = tmp_path / "ids"
    with open(printed, "w") as stream:
        producer = spooler("produce", "x", 3000, options={**options, "delivery": "none"}, env={"SPOOLER_PAUSE_US": "500"},
                           stdout=stream)
    return producer, lambda: printed.read_text().split()


def assert_later_ones_arrive(producer, accepted, service, counters, spool):
    """Everything arrives that the process enqueues from now on. Returns all ids, and how many there are now."""
    before = len(accepted())
    assert producer.wait(LONG_S) == 0
    kill(producer)
    ids = accepted()
    assert len(ids) == 3000 > before
    wait_for(lambda: set(ids[before:]) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    return ids, before


@pytest.mark.parametrize("left", [0, 1000])
def test_producer_in_a_loop_loses_nothing_after_its_segment_was_cut(
        spooler, service, options, drainers, counters, tmp_path, left):
    """The producer notices it within 50 ms, and enqueues the events of that time again, in the next segment."""
    spool = options["spool"]
    producer, accepted = looping(spooler, options, tmp_path)
    # The events of 50 ms, with which the segment grows after the cut, are fewer than those that the leader has counted.
    wait_for(lambda: len(service.ids) > 500, "nothing is delivered", LONG_S)
    (segment,) = segments(spool)
    os.truncate(segment, left)
    assert_later_ones_arrive(producer, accepted, service, counters, spool)
    assert segments(spool)[-1] != segment
    assert all(len(times) == 1 for times in service.ids.values())


def test_dead_letters_count_as_dropped_when_their_file_is_removed(spooler, service, options, drainers, counters):
    spool = options["spool"]
    service.tell(400)
    produced(spooler, "x", 5, options)
    wait_for(lambda: counters(spool)["dead"] == 5, "no dead letters", LONG_S)
    service.tell(204)
    assert remove(spool, "dead-*") == 1
    wait_for(lambda: counters(spool)["dropped"] == 5, "it does not count", LONG_S)
    ids, _, _ = produced(spooler, "y", 5, options)
    assert_each_arrives_once(service, counters, spool, ids)
    assert "dead letters" in drainers.read_text()


@pytest.mark.parametrize("how", ["deleted", "renamed", "replaced by an empty one"])
def test_new_spool_begins_when_the_directory_is_deleted_in_use(
        spooler, service, options, drainers, counters, tmp_path, how):
    """An operator deletes the directory: pending events are lost and count as dropped, later events arrive."""
    spool = options["spool"]
    service.tell(503)
    produced(spooler, "before", 20, options)
    wait_for(lambda: attempts(spool) > 1, "no attempt", LONG_S)
    if how == "deleted":
        delete(spool)
    else:
        os.rename(spool, tmp_path / "aside")
    if how == "replaced by an empty one":
        spool.mkdir(mode=0o700)
    service.tell(204)
    ids = produced(spooler, "after", 20, options)[0]
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    wait_for(lambda: "was deleted or moved while it was in use" in drainers.read_text(), "it was not logged", LONG_S)
    assert all(len(times) == 1 for times in service.ids.values())
    assert counters(spool)["delivered"] >= 20


def test_producer_in_a_loop_loses_nothing_after_the_directory_was_deleted(
        spooler, service, options, drainers, counters, tmp_path):
    """The producer notices the deletion within 50 ms, and enqueues the events of that time again. They may arrive
    twice, because their receipts are gone."""
    spool = options["spool"]
    producer, accepted = looping(spooler, options, tmp_path)
    wait_for(lambda: len(accepted()) > 300, "nothing is enqueued", LONG_S)
    delete(spool)
    ids, deleted = assert_later_ones_arrive(producer, accepted, service, counters, spool)
    twice = [n for n, id in enumerate(ids) if len(service.ids.get(id, [])) > 1]
    assert len(twice) <= 200 and all(abs(n - deleted) <= 400 for n in twice), (deleted, twice)
