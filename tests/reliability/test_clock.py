"""The wall clock is set while events wait: they are delivered within gate_max_ms, and do not expire."""

import json
import os
import subprocess
import sys
import time
import uuid

import pytest
from counting import Service
from environment import CLEAN, as_environment
from spool_files import attempts
from test_disk import produced
from test_kill import kill
from waiting import wait_for

MONTH = 30 * 86_400
YEARS = 6 * 365 * 86_400
GATE_MAX_MS = 1000
GRACE_S = 1.5
LONG_S = 120


@pytest.fixture
def service():
    with Service(503) as running:
        yield running


@pytest.fixture
def options(service, tmp_path):
    return {"base_url": service.base_url, "spool": tmp_path / "spool", "gate_min_ms": 500, "gate_max_ms": GATE_MAX_MS,
            "max_age_s": 86_400}


class Clock:
    """The clock of the processes that are started with `env`."""

    def __init__(self, path, library):
        self._path = path
        self.env = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(path)}
        self.set(0)

    def set(self, offset):
        # Replaces the file atomically, because a process could otherwise read an empty file.
        new = self._path.with_suffix(".new")
        new.write_text(str(offset))
        os.rename(new, self._path)


@pytest.fixture
def clock(preloaded, tmp_path):
    return Clock(tmp_path / "offset", preloaded("clock.c"))


def delivered_in_time(service, ids, since):
    wait_for(lambda: set(ids) <= set(service.ids), "not delivered", LONG_S)
    last = max(service.ids[id][0] for id in ids)
    assert last - since <= GATE_MAX_MS / 1000 + GRACE_S, last - since


def test_preloaded_clock_shows_the_wrong_time(clock):
    clock.set(MONTH)
    said = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], env={**os.environ, **clock.env},
                          check=True, capture_output=True, text=True).stdout
    assert abs(float(said) - time.time() - MONTH) < 60


@pytest.mark.parametrize("before, after", [(MONTH, 0), (0, MONTH), (-YEARS, 0), (0, -YEARS)],
                         ids=["month back", "month forward", "years forward", "years back"])
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_pending_events_are_delivered_within_gate_max_ms_when_the_clock_is_set_in_an_outage(
        spooler, counters, service, options, clock, before, after, restarts):
    clock.set(before)
    drainer = spooler("drain", options=options, env=clock.env)
    ids, messages, code = produced(spooler, "x", 10, options, env=clock.env)
    assert code == 0, messages
    # Waits until the pauses have reached their maximum.
    wait_for(lambda: len(service.times) >= 6, "no probes", LONG_S)
    clock.set(after)
    if restarts:
        kill(drainer)
        drainer = spooler("drain", options=options, env=clock.env)
        assert drainer.stdout.readline() == "ready\n"
    service.tell(204)
    set_at = time.monotonic()
    delivered_in_time(service, ids, set_at)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    kill(drainer)
    report = counters(options["spool"])
    assert report["delivered"] == 10, report


@pytest.mark.parametrize("enqueued, delivered", [(-YEARS, 0), (0, MONTH), (MONTH, 0)],
                         ids=["no battery", "month forward", "month back"])
def test_seconds_old_event_is_delivered_when_the_clock_is_set_between_enqueue_and_delivery(
        spooler, counters, service, options, clock, enqueued, delivered):
    clock.set(enqueued)
    service.tell(204)
    ids, messages, code = produced(spooler, "x", 10, options, env=clock.env)
    assert code == 0, messages
    clock.set(delivered)
    drainer = spooler("drain", options=options, env=clock.env)
    wait_for(lambda: set(ids) <= set(service.ids), "not delivered", LONG_S)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    kill(drainer)
    report = counters(options["spool"])
    assert (report["delivered"], report["expired"]) == (10, 0), report


def test_event_of_an_earlier_boot_gets_an_attempt_before_it_expires_when_the_clock_was_wrong(
        spooler, counters, service, options, clock, tmp_path):
    """Accepted "six years ago" before the machine restarted: its age is not certain."""
    boots = [tmp_path / f"boot-{n}" for n in range(2)]
    for boot in boots:
        boot.write_text(f"{uuid.uuid4()}\n")

    def booted(boot):
        # Another boot id, in a separate mount namespace.
        return ["unshare", "--mount", "sh", "-c", f'mount --bind {boot} /proc/sys/kernel/random/boot_id && exec "$@"', "-"]

    clock.set(-YEARS)
    service.tell(204)
    ids, messages, code = produced(spooler, "x", 5, options, env=clock.env, wrapper=booted(boots[0]))
    assert code == 0, messages
    clock.set(0)
    drainer = spooler("drain", options=options, env=clock.env, wrapper=booted(boots[1]))
    wait_for(lambda: set(ids) <= set(service.ids), "expired without an attempt", LONG_S)
    kill(drainer)


@pytest.mark.parametrize("before, after", [(MONTH, 0), (0, -YEARS)], ids=["month back", "years back"])
def test_blocking_call_tries_again_when_the_clock_was_set_back_in_an_outage(
        command, spooler, service, options, clock, before, after):
    """With on_failure=queue a call does not try while deliveries are backing off; not for a month."""
    clock.set(before)
    drainer = spooler("drain", options=options, env=clock.env)
    produced(spooler, "x", 1, options, env=clock.env)
    wait_for(lambda: attempts(options["spool"]) >= 2, "no attempt", LONG_S)
    kill(drainer)
    clock.set(after)
    service.tell(204)
    env = {**CLEAN, **as_environment({**options, "on_failure": "queue", "market": "UK"}), **clock.env}
    deadline = time.monotonic() + GATE_MAX_MS / 1000 + GRACE_S
    while "blocking" not in service.ids:
        done = subprocess.run([str(command), "send", "add-to-cart", "--json", "--ticket", "t", "--id", "blocking"], env=env,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and json.loads(done.stdout)["status_name"] in ("ESALES_DELIVERED", "ESALES_QUEUED"), done
        assert time.monotonic() < deadline, "it does not try"


def test_retry_after_keeps_its_duration_when_the_clock_is_set_back(spooler, service, options, clock):
    """Retry-After: 2, and the clock goes back by a month meanwhile."""
    clock.set(MONTH)
    service.tell(503, Retry_After="2")
    drainer = spooler("drain", options=options, env=clock.env)
    ids, _, _ = produced(spooler, "x", 1, options, env=clock.env)
    wait_for(lambda: service.times, "no attempt", LONG_S)
    clock.set(0)
    service.tell(204)
    wait_for(lambda: set(ids) <= set(service.ids), "not delivered", LONG_S)
    assert service.ids[ids[0]][0] - service.times[0] <= 2 + GATE_MAX_MS / 1000 + GRACE_S
    kill(drainer)
