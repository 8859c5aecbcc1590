"""The leader of a spool ends or hangs in every way: another process leads in time, and each event arrives once."""

import contextlib
import os
import signal
import time

import pytest
from counting import Service
from spool_files import leader, segments
from test_disk import produced
from test_kill import kill
from waiting import wait_for

# Added to the promised time, because the machine may be busy.
GRACE_S = 0.6
LEASE_S = 5
LONG_S = 120


@pytest.fixture
def service():
    with Service() as running:
        yield running


@pytest.fixture
def options(service, tmp_path):
    return {"base_url": service.base_url, "spool": tmp_path / "spool", "concurrency": 4}


@pytest.fixture
def started(spooler, options):
    """Starts a drainer of the spool and waits until it has polled the spool. It is killed after the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments, **more):
            process = spooler(*arguments, options=options, **more)
            stack.callback(kill, process)
            assert process.stdout.readline() == "ready\n"
            return process

        yield start


def child_of(process):
    """Makes `spooler child` fork a child; returns the child's process id."""
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    return int(line if line != "ready\n" else process.stdout.readline())


def delivers_within(seconds, spooler, service, options, prefix):
    """Whether an event that is enqueued now arrives within this many seconds."""
    began = time.monotonic()
    ids, messages, code = produced(spooler, prefix, 1, options)
    assert code == 0, messages
    wait_for(lambda: set(ids) <= set(service.ids), "no process leads", LONG_S)
    return service.ids[ids[0]][0] - began <= seconds


@pytest.mark.parametrize("how", ["fork", "clone"])
def test_standby_becomes_the_leader_within_a_second_when_a_child_outlives_the_killed_leader(
        spooler, started, service, options, counters, how):
    """The child keeps its inherited descriptors and never calls the library, whose fork handlers do not run after
    clone."""
    in_time = []
    while not any(in_time):
        assert len(in_time) < 4, "no takeover within a second in any round"
        leading = started("child", how)
        wait_for(lambda: leader(options["spool"]) == leading.pid, "it does not lead", LONG_S)
        child = child_of(leading)
        try:
            standby = started("drain")
            kill(leading)
            in_time.append(delivers_within(1 + GRACE_S, spooler, service, options, f"r{len(in_time)}"))
            os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)
        kill(standby)
    assert all(len(times) == 1 for times in service.ids.values())


def test_standby_becomes_the_leader_and_the_stale_leader_records_nothing_when_the_leader_is_stopped(
        spooler, started, service, options, counters):
    """SIGSTOP with requests in flight; after SIGCONT it sends and records nothing more."""
    ids, _, _ = produced(spooler, "first", 3, options)
    leading = started("drain")
    wait_for(lambda: counters(options["spool"])["delivered"] == 3, "the first ones do not arrive", LONG_S)
    # Nothing is sent in this outage, so that the stopped leader has all these pending.
    service.tell(503)
    ids += produced(spooler, "pending", 20, options)[0]
    wait_for(lambda: len(service.times) > 3, "no attempt", LONG_S)
    standby = started("drain")
    os.kill(leading.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    service.tell(204)
    ids += produced(spooler, "later", 5, options)[0]
    wait_for(lambda: leader(options["spool"]) == standby.pid, "no process leads", LONG_S)
    assert time.monotonic() - stopped <= LEASE_S + 1 + GRACE_S
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    os.kill(leading.pid, signal.SIGCONT)
    more, _, _ = produced(spooler, "after", 5, options)
    wait_for(lambda: set(more) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    report = counters(options["spool"])
    assert report["accepted"] == report["delivered"] == len(ids) + len(more), report
    assert leader(options["spool"]) == standby.pid
    # Requests in flight when it was stopped may arrive twice: at most `concurrency`.
    assert sum(len(times) > 1 for times in service.ids.values()) <= 4


@pytest.mark.parametrize("at", [0.0, 0.01, 0.05, 0.2])
def test_settlements_of_a_leader_that_was_stopped_under_load_change_nothing(
        spooler, started, service, options, counters, at):
    leading = started("drain")
    wait_for(lambda: leader(options["spool"]) == leading.pid, "it does not lead", LONG_S)
    standby = started("drain")
    ids, _, _ = produced(spooler, "load", 2000, options)
    wait_for(lambda: len(service.ids) > 100 * (1 + at), "nothing is delivered", LONG_S)
    os.kill(leading.pid, signal.SIGSTOP)
    wait_for(lambda: leader(options["spool"]) == standby.pid, "no process leads", LONG_S)
    os.kill(leading.pid, signal.SIGCONT)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    report = counters(options["spool"])
    assert report["accepted"] == report["delivered"] == len(ids), report
    assert sum(len(times) > 1 for times in service.ids.values()) <= 4


def test_standby_becomes_the_leader_when_the_leader_in_another_pid_namespace_is_killed(spooler, started, service, options, counters):
    """Like two containers with one volume: the process ids of one have no meaning in the other."""
    leading = started("drain", wrapper=["unshare", "--pid", "--fork", "--kill-child"])
    wait_for(lambda: leader(options["spool"]) is not None, "it does not lead", LONG_S)
    ids, _, _ = produced(spooler, "before", 10, options)
    wait_for(lambda: counters(options["spool"])["delivered"] == 10, "it does not deliver", LONG_S)
    # Ids in the namespace begin at 1, which is another, live process here.
    assert leader(options["spool"]) < 10
    started("drain")
    kill(leading)
    assert delivers_within(1 + GRACE_S, spooler, service, options, "after")
    assert all(len(times) == 1 for times in service.ids.values())


def test_standby_in_another_pid_namespace_does_not_replace_a_live_leader(spooler, started, service, options, counters):
    leading = started("drain")
    wait_for(lambda: leader(options["spool"]) == leading.pid, "it does not lead", LONG_S)
    started("drain", wrapper=["unshare", "--pid", "--fork", "--kill-child"])
    ids, _, _ = produced(spooler, "x", 2000, options)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG_S)
    assert leader(options["spool"]) == leading.pid
    assert all(len(times) == 1 for times in service.ids.values())


@pytest.fixture
def locking(spooler, options, preloaded, tmp_path):
    """A process that hangs while it holds the lock of the directory, and makes children."""
    at_unlock = tmp_path / "at unlock"

    def start(how):
        process = spooler("child", how, options=options,
                          env={"LD_PRELOAD": str(preloaded("unlock.c")), "HANG_AT_UNLOCK": str(at_unlock)})
        wait_for(at_unlock.exists, "it takes no lock", LONG_S)
        return process

    return start


def assert_lock_is_free_within(seconds, spooler, service, options):
    """Near a limit, an enqueue takes the lock, like a drainer that becomes the leader."""
    began = time.monotonic()
    ids, messages, code = produced(spooler, "x", 1, {**options, "max_items": 3})
    assert code == 0 and time.monotonic() - began <= seconds, messages
    drainer = spooler("drain", options=options)
    wait_for(lambda: set(ids) <= set(service.ids), "no process leads", LONG_S)
    kill(drainer)


@pytest.mark.parametrize("how", ["fork", "clone"])
def test_directory_lock_is_free_when_a_child_outlives_the_killed_process_that_held_it(
        spooler, service, options, locking, how):
    process = locking(how)
    child = child_of(process)
    try:
        kill(process)
        assert_lock_is_free_within(1 + GRACE_S, spooler, service, options)
    finally:
        os.kill(child, signal.SIGKILL)


def test_directory_lock_is_free_after_the_lease_time_when_the_process_that_holds_it_is_stopped(
        spooler, service, options, locking):
    process = locking("fork")
    process.send_signal(signal.SIGSTOP)
    assert_lock_is_free_within(LEASE_S + 1 + GRACE_S, spooler, service, options)
    kill(process)


@pytest.mark.parametrize("how", ["fork", "clone"])
def test_children_forked_during_appends_do_not_block_other_processes(spooler, service, options, counters, how):
    """Also near a limit, where a producer takes a lock."""
    for max_items in (100_000, 8000):
        spool = options["spool"].with_name(f"spool-{max_items}")
        here = {**options, "spool": spool, "max_items": max_items, "max_bytes": 1 << 30}
        process = spooler("children", how, 4000, options={**here, "delivery": "none"})
        printed = process.stdout.read().split()
        messages = process.stderr.read()
        assert process.wait() == 0, messages
        kill(process)
        longest_ms, accepted = map(int, printed)
        assert longest_ms < 1500, f"an enqueue took {longest_ms} ms"
        assert counters(spool)["accepted"] == accepted == 4000
        ids, messages, code = produced(spooler, "after", 1, here)
        assert code == 0, messages
    assert segments(options["spool"].with_name("spool-8000"))
