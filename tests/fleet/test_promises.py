"""The table of promises in docs/fleet.md, row by row, under load."""

import signal
import time

import pytest
from conftest import LONG_S, TAKEOVER_S, queued
from waiting import wait_for

COUNT = 300


def after(producer, count):
    """Waits until this many calls have returned."""
    wait_for(lambda: len(producer.calls) >= count, "the producer stands still", LONG_S)


def test_nothing_is_lost_when_the_producer_is_killed_and_its_ids_are_pushed_again(kind, start_engine, produce, drain, settle):
    spool = start_engine(server=kind).url()
    producer = produce("a", 0, 100000, spool=spool)
    other = produce("b", 0, COUNT, spool=spool)
    drain(spool=spool)
    after(producer, COUNT)
    producer.kill()
    # A retry by the host: another process pushes the same ids.
    again = produce("a", 0, len(producer.calls), spool=spool)
    assert len(queued(again.finish())) == len(producer.calls)
    other.finish()
    report, counters = settle(spool, producer, again, other)
    assert (report.lost, report.unexpected, report.duplicated) == ([], [], [])
    assert counters["accepted"] == counters["delivered"] == len(producer.calls) + COUNT


@pytest.mark.parametrize("fsync", ["everysec", "always"])
def test_nothing_is_lost_when_the_engine_is_killed_and_keeps_an_append_only_file(fsync, kind, start_engine, produce, drain,
                                                                                 settle):
    engine = start_engine("--appendfsync", fsync, server=kind)
    durability = {"always": "disk", "everysec": "process"}[fsync]
    producer = produce("a", 0, 600, 2, spool=engine.url(), durability=durability)
    drain(spool=engine.url())
    for times in range(1, 4):
        after(producer, times * 150)
        engine.kill()
        engine.start()
    producer.finish()
    report, _ = settle(engine.url(), producer)
    assert (report.lost, report.unexpected) == ([], []), report
    # Requests in flight when the engine was killed may be sent again, each time at most `concurrency` of them. With
    # `everysec`, an engine whose disk is busy writes up to two seconds late, and so forgets more results.
    if fsync == "always":
        assert len(report.duplicated) <= 3 * 8
    assert len(queued(producer.calls)) + len(report.recovered) <= 600


def test_disk_is_confirmed_by_waitaof_when_the_engine_has_it(start_engine, produce):
    engine = start_engine("--appendfsync", "everysec", server="valkey")
    producer = produce("a", 0, 3, spool=engine.url(), durability="disk")
    assert len(queued(producer.finish())) == 3
    assert "cmdstat_waitaof" in engine("INFO", "commandstats")


def test_engine_without_append_only_file_is_refused_and_loses_events_when_allow_volatile_is_set(start_engine, produce, status):
    engine = start_engine("--appendonly", "no")
    refused = produce("a", 0, 1, spool=engine.url()).finish()[0]
    assert refused["status"] == "ESALES_SPOOL_FAILED"
    assert "appendonly is no" in refused["detail"] and "allow_volatile" in refused["detail"]
    options = {"spool": engine.url(), "allow_volatile": "true"}
    producer = produce("b", 0, 1500, **options)
    producer.finish()
    assert len(queued(producer.calls)) == 1500
    engine.kill()
    engine.start()
    # The next call finds a new replication id and pushes the last notifications again: at most 1,000, from the last 10
    # s.
    assert producer.ask("push b-1500")["status"] == "ESALES_QUEUED"
    assert producer.ask("push b-1501")["status"] == "ESALES_QUEUED"
    counters = status(**options)
    assert 2 < counters["accepted"] <= 1001 and counters["is_balanced"]
    assert counters["accepted"] + counters["lost"] == 1502
    assert producer.ask("stats")["lost"] == counters["lost"]


def test_call_ends_at_its_time_limit_with_the_reason_when_the_engine_hangs(kind, start_engine, produce, drain, settle):
    engine = start_engine(server=kind)
    producer = produce("a", 0, 100, 10, spool=engine.url(), enqueue_timeout_ms=400)
    after(producer, 20)
    engine.hang()
    wait_for(lambda: any(call["status"] != "ESALES_QUEUED" for call in producer.calls), "no call fails", LONG_S)
    engine.wake()
    drain(spool=engine.url())
    failed = [call for call in producer.finish() if call["status"] != "ESALES_QUEUED"]
    assert failed[0]["status"] == "ESALES_SPOOL_FAILED"
    assert "did not answer in time: it may yet be accepted" in failed[0]["detail"]
    report, _ = settle(engine.url(), producer)
    assert (report.lost, report.unexpected, report.duplicated) == ([], [], [])
    # The engine had read this notification before it hung.
    assert set(report.recovered) <= {call["id"] for call in failed} and report.recovered


@pytest.mark.parametrize("end", ["killed", "hangs", "partitioned"])
def test_another_drainer_leads_within_the_lease_when_the_leader_is_lost(end, start_engine, start_proxy, produce, drain,
                                                                        settle, status):
    engine = start_engine()
    proxy = start_proxy(engine.port)
    spool = engine.url()
    seed = produce("seed", 0, 1, spool=spool)
    seed.finish()
    first = drain(spool=engine.url(port=proxy.port))
    wait_for(lambda: status(spool)["leader"], "no process leads", LONG_S)
    leader = status(spool)["leader"]
    producer = produce("a", 0, 800, 10, spool=spool)
    second = drain(spool=spool)
    after(producer, 100)
    lost = time.monotonic()
    if end == "killed":
        first.kill()
    elif end == "hangs":
        first.send_signal(signal.SIGSTOP)
    else:
        proxy.mode = "hole"
    wait_for(lambda: status(spool)["leader"] not in (None, leader), "no other process leads", LONG_S)
    assert time.monotonic() - lost < TAKEOVER_S
    if end == "hangs":
        # The old leader continues with answers to requests that it no longer owns. The fencing token makes the engine
        # refuse them.
        first.send_signal(signal.SIGCONT)
    proxy.mode = "pass"
    producer.finish()
    report, counters = settle(spool, producer, seed)
    assert (report.lost, report.unexpected) == ([], [])
    assert len(report.duplicated) <= 8
    assert counters["delivered"] == 801
    assert second.poll() is None
