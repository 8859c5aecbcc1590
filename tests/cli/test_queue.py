"""`drain` and `queue`, as an operator and a service manager use them: real processes at one spool."""

import configparser
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import termios

import pytest
from sandbox import Sandbox
from spool_operator import CLEAN, QUICK, Operator, contents, damage, ids_of, numbered, samples_of, segments, wait_for

USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def operator(command, library, tmp_path):
    folder = tmp_path / "place"
    folder.mkdir(mode=0o700)
    return Operator(command, library, folder / "spool")


@pytest.fixture
def manager(tmp_path):
    """The socket of a service manager, and what arrives at it."""

    class Manager(socket.socket):
        def expect(self, line):
            """Reads until this line has come."""
            seen = []
            while line not in seen:
                seen += self.recv(4096).decode().splitlines()
            return seen

    with Manager(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        listening.env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        yield listening


# drain --once

def test_drain_once_delivers_everything_that_another_process_enqueued(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("a", 20))
    before = operator.status()
    assert (before["pending"], before["has_drainer"], before["leader"], before["pending_bytes"] > 0) == (20, False, None, True)
    summary = operator.empty(sandbox.base_url)
    assert (summary["is_empty"], summary["delivered"], summary["pending"]) == (True, 20, 0)
    assert sorted(ids_of(sandbox)) == sorted(numbered("a", 20))
    again = operator("drain", "--once", "--base-url", sandbox.base_url)
    assert again.returncode == 0 and "0 delivered" in again.stdout, again


def test_drain_once_waits_through_an_outage_unless_max_wait_s_ends_it(operator, sandbox):
    operator.fill(sandbox.base_url, ["late"])
    sandbox.script("503:times=4")
    assert operator.empty(sandbox.base_url)["delivered"] == 1
    operator.fill(sandbox.base_url, ["later"])
    sandbox.script("503:retry-after=600")
    # Long enough for a first attempt on a busy machine.
    left = operator.empty(sandbox.base_url, "--max-wait-s", "5", code=4)
    assert (left["is_empty"], left["pending"], left["delivered"]) == (False, 1, 0)
    origin, = operator.status()["origins"]
    assert origin["url"].startswith(sandbox.base_url)
    assert (origin["pending"], origin["gate_failures"]) == (1, 1) and 500_000 < origin["next_probe_ms"] <= 600_000
    assert "backing off after 1 failure, next try in 9 min" in operator("queue", "status").stdout


def test_drain_once_returns_what_is_left_when_a_signal_stops_it(operator, sandbox):
    operator.fill(sandbox.base_url, ["held"])
    sandbox.script("503:retry-after=600")
    with operator.drain("--once", "--json", "--base-url", sandbox.base_url, "--stop-timeout-s", "0") as draining:
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        draining.send_signal(signal.SIGINT)
        assert json.loads(draining.stdout.readline())["pending"] == 1
        assert draining.wait(timeout=30) == 4


def test_drain_once_shows_progress_only_on_a_terminal(operator, sandbox):
    operator.fill(sandbox.base_url, ["p"])
    sandbox.script("503:times=6")
    ours, theirs = os.openpty()
    # As wide as a terminal is.
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    arguments = [operator.command, "drain", "--once", "--base-url", sandbox.base_url, "--gate-min-ms", "400", "--gate-max-ms", "400"]
    with subprocess.Popen(arguments, env={**CLEAN, "TERM": "xterm", "ESALES_SPOOL": operator.spool}, stdout=subprocess.PIPE,
                          stderr=theirs) as draining:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while part := os.read(ours, 4096):
                shown += part
        assert draining.wait(timeout=60) == 0
    os.close(ours)
    assert b"0/1" in shown and b"1 pending" in shown, shown
    assert "0/1" not in operator("drain", "--once", "--base-url", sandbox.base_url).stderr


# drain as a service

def test_drain_delivers_until_sigterm_and_records_requests_in_flight(operator, sandbox, manager):
    with operator.drain("--base-url", sandbox.base_url, env=manager.env) as draining:
        assert any(line.startswith("STATUS=") for line in manager.expect("READY=1"))
        operator.fill(sandbox.base_url, numbered("b", 5))
        wait_for(lambda: len(ids_of(sandbox)) == 5, "not delivered")
        status = operator.status()
        assert status["has_drainer"] is True and str(draining.pid) in status["leader"]
        assert status["leader"] in operator("queue", "status").stdout
        # Each takes a while: the signal comes when some are in flight and some are not.
        sandbox.script("204:wait=300:times=50")
        operator.fill(sandbox.base_url, numbered("c", 50))
        wait_for(lambda: len(ids_of(sandbox)) > 5, "the second batch does not begin")
        draining.send_signal(signal.SIGTERM)
        manager.expect("STOPPING=1")
        assert draining.wait(timeout=30) == 0
    # Requests in flight were recorded, and no other was started.
    status = operator.status()
    assert (status["has_drainer"], status["leader"]) == (False, None)
    assert status["delivered"] == len(ids_of(sandbox)) < 55
    sandbox.script("")
    assert operator.empty(sandbox.base_url)["delivered"] == 55 - status["delivered"]
    assert sorted(ids_of(sandbox)) == sorted(numbered("b", 5) + numbered("c", 50))


def test_drain_stops_on_sigterm_during_an_outage(operator, sandbox, manager):
    operator.fill(sandbox.base_url, ["kept"])
    sandbox.script("503:retry-after=600")
    with operator.drain("--base-url", sandbox.base_url, "--stop-timeout-s", "60", env=manager.env) as draining:
        manager.expect("READY=1")
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        draining.send_signal(signal.SIGTERM)
        manager.expect("STOPPING=1")
        # The second signal ends the waiting.
        draining.send_signal(signal.SIGINT)
        assert draining.wait(timeout=30) == 0
    assert operator.status()["pending"] == 1


def test_drain_feeds_the_watchdog_when_systemd_asks_for_it(operator, sandbox, manager):
    env = {**manager.env, "WATCHDOG_USEC": "200000"}
    with operator.drain("--base-url", sandbox.base_url, env=env):
        manager.expect("READY=1")
        manager.expect("WATCHDOG=1")
        manager.expect("WATCHDOG=1")


def test_drain_writes_messages_up_to_the_log_level_with_priorities_under_systemd(operator, sandbox):
    def messages(*level, env=None):
        operator.fill(sandbox.base_url, ["m"])
        sandbox.script("400")
        return operator("drain", "--once", "--base-url", sandbox.base_url, *level, env=env).stderr

    assert messages("--log-level", "error") == ""
    warned = messages("--log-level", "warn")
    assert "warn: m is a dead letter: ESALES_TICKET_MISSING" in warned and "info:" not in warned
    assert "debug: m attempt 1" in messages("--log-level", "debug")
    prioritised = messages(env={"JOURNAL_STREAM": "8:1"})
    assert prioritised.startswith("<6>esales-notify: info: draining ") and "\n<4>esales-notify: warn: m is a dead" in prioritised


def test_drain_logs_its_spool_its_user_what_is_pending_and_what_is_left(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("n", 3))
    sandbox.script("204, 503:retry-after=600")
    with operator.drain("--base-url", sandbox.base_url, "--concurrency", "1") as draining:
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        draining.send_signal(signal.SIGTERM)
        assert draining.wait(timeout=30) == 0
        log = draining.log.read_text()
    start, leads, stop = (log.index(part) for part in (
        f"info: draining {operator.spool} as {USER}: 3 pending\n", "info: delivering the spool",
        f"info: stopped draining {operator.spool}: 2 pending\n"))
    assert start < leads < stop, log


def test_drain_logs_who_delivers_when_it_is_on_standby_and_that_it_leads_afterwards(operator, sandbox):
    with operator.drain("--base-url", sandbox.base_url) as first:
        wait_for(lambda: "delivering the spool" in first.log.read_text(), "the first does not lead")
        with operator.drain("--base-url", sandbox.base_url) as second:
            wait_for(lambda: "info: on standby: " in second.log.read_text(), "the second is not on standby")
            line, = (line for line in second.log.read_text().splitlines() if "on standby: " in line)
            assert str(first.pid) in line and "delivering the spool" not in second.log.read_text()
            first.send_signal(signal.SIGTERM)
            assert first.wait(timeout=30) == 0
            wait_for(lambda: "delivering the spool" in second.log.read_text(), "the second does not become the leader")
            assert str(second.pid) in operator.status()["leader"]


def test_drain_on_standby_becomes_the_leader_when_the_leader_is_killed(operator, sandbox):
    with operator.drain("--base-url", sandbox.base_url, *QUICK) as first:
        operator.fill(sandbox.base_url, ["first"])
        wait_for(lambda: ids_of(sandbox) == ["first"], "the first does not deliver")
        with operator.drain("--base-url", sandbox.base_url, *QUICK) as second:
            # A request of the first is in flight.
            sandbox.script("hang")
            operator.fill(sandbox.base_url, numbered("d", 30))
            wait_for(lambda: any(r["answer"] == "hang" for r in sandbox.received()), "nothing hangs")
            first.kill()
            first.wait()
            wait_for(lambda: str(second.pid) in (operator.status()["leader"] or ""), "no leader within a second", seconds=3)
            wait_for(lambda: set(numbered("d", 30)) <= set(ids_of(sandbox)), "the second does not deliver")
            wait_for(lambda: operator.status()["pending"] == 0, "not completed")
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=30) == 0
    assert operator.status()["delivered"] == 31


# queue status

def test_status_is_the_same_in_every_form_and_obeys_the_counter_invariant(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("e", 3))
    operator.empty(sandbox.base_url)
    operator.fill(sandbox.base_url, numbered("f", 3))
    sandbox.script("400, 403, 404")
    operator.empty(sandbox.base_url)
    operator.fill(sandbox.base_url, ["waiting"])
    operator.json("queue", "dead", "drop", next(row["id"] for row in operator.json("queue", "dead", "list")))
    status = operator.status()
    assert [status[name] for name in ("accepted", "delivered", "dead", "dropped", "pending")] == [7, 3, 2, 1, 1]
    assert sum(status["dead_by_status"].values()) == 2

    page = operator("queue", "status", "--prometheus")
    assert page.returncode == 0
    samples = samples_of(page.stdout)
    counted = lambda name: samples["esales_queue_" + name]  # noqa: E731
    dead = sum(value for name, value in samples.items() if name.startswith("esales_queue_dead_letters{status="))
    assert counted("accepted_total") == 7 == (
        counted("delivered_total") + dead + counted("expired_total") + counted("dropped_total") + counted("pending"))
    assert counted("balanced") == 1 and counted("pending_bytes") > 0 and counted("oldest_age_seconds") >= 0
    assert counted("drainer") == counted("set_aside_files") == 0
    quantiles = [counted(f'attempt_latency_seconds{{quantile="{q}"}}') for q in ("0.5", "0.95", "0.99")]
    assert 0 < quantiles[0] <= quantiles[1] <= quantiles[2] < 60
    ages = [counted(f'delivery_age_seconds{{quantile="{q}"}}') for q in ("0.5", "0.95", "0.99")]
    # Nothing was delivered since the status was asked for.
    assert [age * 1000 for age in ages] == pytest.approx([status["delivery_age_ms"][p] for p in ("p50", "p95", "p99")])
    assert 0 < ages[0] <= ages[1] <= ages[2] < 3600
    url = status["origins"][0]["url"]
    assert counted(f'destination_pending{{destination="{url}"}}') == 1
    assert counted(f'gate_closed{{destination="{url}"}}') == 0

    human = operator("queue", "status").stdout
    assert re.search(r"^accepted +7$", human, re.M) and f"{url}: 1 pending, deliveries go through" in human
    assert re.search(r"^delivered by +no process$", human, re.M)


def test_status_changes_nothing_in_the_spool(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("s", 3))
    before = contents(operator.spool)
    for arguments in (["status"], ["list"], ["show", "s-1"], ["dead", "list"]):
        assert operator("queue", *arguments).returncode == 0
    assert contents(operator.spool) == before


# Damage

def test_damaged_record_costs_no_other_notification_and_is_reported(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("damage", 9))
    damage(operator.spool, "damage-4")
    assert operator("queue", "list").returncode in (0, 6)
    summary = operator("drain", "--once", "--base-url", sandbox.base_url, *QUICK)
    assert summary.returncode == 0 and "damaged" in summary.stderr, summary
    others = [identity for identity in numbered("damage", 9) if identity != "damage-4"]
    assert sorted(ids_of(sandbox)) == others
    status = json.loads(operator("queue", "status", "--json").stdout)
    assert status["delivered"] == 8 and status["pending"] == 0
    aside = [pathlib.Path(path) for path in status["set_aside"]]
    assert aside and all(path.parent == pathlib.Path(operator.spool) and path.name.startswith("damaged-") for path in aside)
    assert str(aside[0]) in operator("queue", "status").stdout
    page = samples_of(operator("queue", "status", "--prometheus").stdout)
    assert page["esales_queue_set_aside_files"] == len(aside)
    # What can be read of it was delivered.
    for path in aside:
        assert operator.json("queue", "salvage", path)["enqueued"] == 0
    operator.empty(sandbox.base_url)
    assert sorted(ids_of(sandbox)) == others


def test_segment_of_garbage_is_set_aside_by_the_drainer_and_by_no_other_command(operator, sandbox):
    operator.fill(sandbox.base_url, ["lost"])
    segment, = segments(operator.spool)
    garbage = b"damage" * 1000
    segment.write_bytes(garbage)
    operator("queue", "status")
    assert segment.read_bytes() == garbage
    operator.fill(sandbox.base_url, ["next"])
    drained = operator("drain", "--once", "--base-url", sandbox.base_url, *QUICK)
    assert drained.returncode == 0 and "damaged" in drained.stderr, drained
    assert ids_of(sandbox) == ["next"]
    aside = json.loads(operator("queue", "status", "--json").stdout)["set_aside"]
    assert any(b"damage" * 100 in pathlib.Path(path).read_bytes() for path in aside)


def test_spool_of_another_version_is_left_alone(operator, sandbox):
    operator.fill(sandbox.base_url, ["v"])
    version = pathlib.Path(operator.spool) / "FORMAT"
    version.write_text(re.sub(r"\d+", "99", version.read_text()))
    before = contents(operator.spool)
    for arguments in (["queue", "status"], ["drain", "--base-url", sandbox.base_url]):
        refused = operator(*arguments)
        assert refused.returncode == 6 and "version" in refused.stderr, refused
    assert contents(operator.spool) == before


# queue list

def test_list_pages_through_everything_pending_in_order(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("l", 25), token="s3cret-token")
    seen, after = [], []
    while True:
        page = operator.json("queue", "list", "--limit", "10", *after)
        seen += [row["id"] for row in page["pending"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert seen == numbered("l", 25)
    row = page["pending"][0]
    assert (row["status_name"], row["attempts"], row["http_status"]) == ("ESALES_QUEUED", 0, None)
    assert row["origin"].startswith(sandbox.base_url) and 0 <= row["age_ms"] < 600_000
    assert (row["body"]["customerKey"], row["body"]["token"]) == ("a-visitor", "...")
    assert not any("s3cret" in text for text in operator.printed)


def test_list_says_how_to_continue_and_shows_the_last_failure(operator, sandbox):
    assert operator("queue", "list").returncode == 6
    operator.fill(sandbox.base_url, numbered("l", 3))
    sandbox.script("503:retry-after=600")
    operator.empty(sandbox.base_url, "--concurrency", "1", "--max-wait-s", "5", code=4)
    listed = operator("queue", "list", "--limit", "2")
    first, second = listed.stdout.splitlines()
    assert re.match(r"l-0 +.*1 attempt .*ESALES_SERVER_ERROR.*503", first), first
    assert re.match(r"l-1 +.*0 attempts", second), second
    cursor = re.search(r"there are more: continue with --after (\S+)", listed.stderr)[1]
    rest = operator("queue", "list", "--after", cursor)
    assert re.match(r"l-2 ", rest.stdout) and rest.stderr == ""
    sandbox.script("")
    operator.json("queue", "retry", "--now")
    operator.empty(sandbox.base_url)
    assert operator("queue", "list").stdout == "no pending notifications\n"
    assert operator.json("queue", "list") == {"pending": [], "next": None}


# queue retry --now

def test_retry_now_ends_the_pause_of_a_drain_at_work(operator, sandbox):
    operator.fill(sandbox.base_url, ["r"])
    sandbox.script("503:retry-after=600")
    with operator.drain("--base-url", sandbox.base_url) as draining:
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        assert operator.json("queue", "retry", "--now") == {"probes": 1}
        wait_for(lambda: ids_of(sandbox) == ["r"], "not tried at once")
        wait_for(lambda: operator.status()["origins"][0]["gate_failures"] == 0, "still backing off")
    assert operator("queue", "retry", "--now").stdout == "deliveries are not backing off\n"
    assert operator.json("queue", "retry", "--now") == {"probes": 0}


def test_retry_now_without_a_drainer_counts_for_the_next_one(operator, sandbox):
    operator.fill(sandbox.base_url, ["r"])
    sandbox.script("503:retry-after=600")
    operator.empty(sandbox.base_url, "--max-wait-s", "5", code=4)
    assert operator("queue", "retry", "--now").stdout == "one delivery is tried at once for 1 origin\n"
    assert operator.status()["origins"][0]["next_probe_ms"] == 0
    assert operator.empty(sandbox.base_url, "--max-wait-s", "30")["delivered"] == 1


# queue backup

def test_backup_holds_everything_accepted_when_no_process_delivers(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("b", 50))
    copy = tmp_path / "copy"
    assert operator.json("queue", "backup", copy) == {"pending": 50}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in copy.iterdir())
    assert operator.at(copy).listed() == operator.listed() == numbered("b", 50)
    # The copy is a spool itself.
    assert operator.at(copy).empty(sandbox.base_url)["delivered"] == 50
    assert operator.status()["pending"] == 50


def test_backup_is_consistent_while_a_drain_delivers(operator, sandbox, tmp_path):
    with operator.drain("--base-url", sandbox.base_url):
        for round_ in range(5):
            ids = numbered(f"b{round_}", 40)
            operator.fill(sandbox.base_url, ids)
            copy = operator.at(tmp_path / f"copy-{round_}")
            operator.json("queue", "backup", copy.spool)
            status = copy.status()
            assert status["accepted"] == 40 * (round_ + 1) and status["leader"] is None
            # Whatever is not pending in the copy had been delivered.
            assert set(ids) <= set(copy.listed()) | set(ids_of(sandbox))
        wait_for(lambda: operator.status()["pending"] == 0, "not delivered")
    assert sorted(ids_of(sandbox)) == sorted(i for round_ in range(5) for i in numbered(f"b{round_}", 40))


def test_backup_refuses_what_exists_and_what_is_inside_the_spool(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, ["x"])
    (tmp_path / "there").mkdir()
    before = contents(operator.spool)
    for place, message in ((tmp_path / "there", "exists already"), (pathlib.Path(operator.spool) / "copy", "inside the spool"),
                           (tmp_path / "no" / "such", "No such file")):
        refused = operator("queue", "backup", place)
        assert refused.returncode == 2 and message in refused.stderr, refused
    assert contents(operator.spool) == before and list((tmp_path / "there").iterdir()) == []


# queue salvage

def test_salvage_enqueues_what_the_spool_does_not_know_and_nothing_twice(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("s", 6))
    operator.json("queue", "backup", tmp_path / "copy")
    # s-0 is a dead letter by now, s-1 to s-5 are delivered, and new ones are pending.
    sandbox.script("404")
    operator.empty(sandbox.base_url, "--concurrency", "1")
    operator.fill(sandbox.base_url, ["new"])
    known = {"enqueued": 0, "already_there": 6, "dead_letters_left": 0, "unreadable": []}
    assert operator.json("queue", "salvage", tmp_path / "copy") == known
    assert operator.listed() == ["new"]

    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine", "s-2"])
    before = contents(tmp_path / "copy")
    assert other.json("queue", "salvage", tmp_path / "copy") == {**known, "enqueued": 5, "already_there": 1}
    assert other.json("queue", "salvage", tmp_path / "copy") == known
    assert other.listed() == ["mine", "s-2", "s-0", "s-1", "s-3", "s-4", "s-5"]
    assert contents(tmp_path / "copy") == before, "salvage changed what it read"
    sandbox.clear()
    sandbox.script("")
    assert other.empty(sandbox.base_url)["delivered"] == 7
    assert other.json("queue", "salvage", tmp_path / "copy") == known
    assert other.status()["pending"] == 0 and len(ids_of(sandbox)) == 7


def test_salvage_reads_around_the_damage_of_a_copied_spool(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("copied", 9))
    shutil.copytree(operator.spool, tmp_path / "copy")
    damage(tmp_path / "copy", "copied-4")
    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine"])
    done = other.json("queue", "salvage", tmp_path / "copy")
    assert (done["enqueued"], len(done["unreadable"]) > 0) == (8, True)
    told = other("queue", "salvage", tmp_path / "copy").stdout
    assert "8 notifications left out" in told and "not readable: " in told
    other.empty(sandbox.base_url)
    assert sorted(ids_of(sandbox)) == sorted(["mine"] + [i for i in numbered("copied", 9) if i != "copied-4"])


def test_salvage_takes_dead_letters_only_with_the_flag(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, ["d-1", "d-2"])
    sandbox.script("404:times=2")
    operator.empty(sandbox.base_url)
    operator.json("queue", "backup", tmp_path / "copy")
    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine"])
    assert "2 dead letters left there: --dead" in other("queue", "salvage", tmp_path / "copy").stdout
    assert other.json("queue", "salvage", tmp_path / "copy", "--dead")["enqueued"] == 2
    assert other.listed() == ["mine", "d-1", "d-2"]


def test_salvage_stops_at_a_full_queue_and_a_second_run_continues(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("f", 5))
    operator.json("queue", "backup", tmp_path / "copy")
    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine"])
    full = other("queue", "salvage", tmp_path / "copy", "--max-items", "3")
    assert full.returncode == 4 and "ESALES_QUEUE_FULL" in full.stderr and "enqueued before that: 2" in full.stderr, full
    assert other.json("queue", "salvage", tmp_path / "copy")["enqueued"] == 3


def test_salvage_refuses_the_spool_itself_and_what_is_no_spool(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, ["x"])
    itself = operator("queue", "salvage", operator.spool)
    assert itself.returncode == 2 and "is the spool itself" in itself.stderr, itself
    for nothing in (tmp_path / "nothing", tmp_path):
        refused = operator("queue", "salvage", nothing)
        assert refused.returncode in (2, 6) and str(nothing) in refused.stderr, refused
    assert operator.listed() == ["x"]


# queue show, dead, purge

def keys(operator, private_key, customer_id):
    """Customer key and token, as the shop makes them."""
    library, key, token = ctypes.CDLL(operator.library), ctypes.create_string_buffer(65), ctypes.create_string_buffer(65)
    assert library.esales_customer_key(customer_id.encode(), key) == 0
    assert library.esales_customer_token(private_key.encode(), key.value, token) == 0
    return key.value.decode(), token.value.decode()


def test_dead_retry_signs_anew_with_the_new_key_after_a_rotation(operator, command):
    key, old_token = keys(operator, "old-private-key", "4711")
    _, new_token = keys(operator, "new-private-key", "4711")
    with Sandbox(command, "--private-key", "new-private-key") as sandbox:
        operator.fill(sandbox.base_url, ["i-1", "i-2"], customer_key=key, token=old_token)
        assert operator.empty(sandbox.base_url)["dead"] == 2

        listed = operator.json("queue", "dead", "list")
        assert [(row["id"], row["status_name"], row["http_status"]) for row in listed] == [
            ("i-1", "ESALES_FORBIDDEN", 403), ("i-2", "ESALES_FORBIDDEN", 403)]
        shown = operator.json("queue", "dead", "show", "i-1")
        assert (shown["body"]["customerKey"], shown["body"]["token"]) == (key, "...")
        assert shown["accepted_at_ms"] <= shown["died_at_ms"] and shown["origin"].startswith(sandbox.base_url)
        assert operator.json("queue", "show", "i-1")["body"]["token"] == "..."
        for arguments in (["dead", "list"], ["dead", "show", "i-2"], ["show", "i-2"]):
            human = operator("queue", *arguments)
            assert human.returncode == 0 and "ESALES_FORBIDDEN" in human.stdout and "i-2" in human.stdout

        # Without the key they die again, with the key they arrive.
        assert operator.json("queue", "dead", "retry", "i-1") == {"retried": 1}
        assert operator.empty(sandbox.base_url)["dead"] == 1
        env = {"ESALES_PRIVATE_KEY": "new-private-key"}
        assert operator.json("queue", "dead", "retry", "i-1", env=env) == {"retried": 1}
        assert "1 put back" in operator("queue", "dead", "retry", "--all", "--private-key", "new-private-key").stdout
        assert operator.json("queue", "show", "i-2")["status_name"] == "ESALES_QUEUED"
        assert operator.empty(sandbox.base_url, "--log-level", "debug")["delivered"] == 2
        assert [r["token_valid"] for r in sandbox.received()][-2:] == [True, True]
    assert operator.json("queue", "show", "i-1")["status_name"] == "ESALES_DELIVERED"
    assert operator.json("queue", "dead", "list") == []
    assert "no dead letters" in operator("queue", "dead", "list").stdout
    assert operator.status()["delivered"] == 2
    for secret in (old_token, new_token, "new-private-key", "old-private-key"):
        assert not any(secret in text for text in operator.printed), "a secret was printed"


def test_dead_retry_warns_that_old_tokens_go_out_again_without_the_private_key(operator, sandbox):
    key, token = keys(operator, "any", "4711")
    operator.fill(sandbox.base_url, ["w-1", "w-2"], customer_key=key, token=token)
    operator.fill(sandbox.base_url, ["w-3"])
    sandbox.script("403:times=3")
    operator.empty(sandbox.base_url)
    warned = operator("queue", "dead", "retry", "--all")
    assert warned.returncode == 0 and "3 put back" in warned.stdout
    assert "2 of them died with ESALES_FORBIDDEN and go out again with the old token" in warned.stderr
    assert "ESALES_PRIVATE_KEY" in warned.stderr
    sandbox.script("403:times=3")
    operator.empty(sandbox.base_url)
    silent = operator("queue", "dead", "retry", "--all", env={"ESALES_PRIVATE_KEY": "any"})
    assert "3 put back" in silent.stdout and silent.stderr == "", silent


def test_dead_drop_counts_the_letters_as_dropped(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("j", 3))
    sandbox.script("400:times=3")
    operator.empty(sandbox.base_url)
    assert operator.json("queue", "dead", "drop", "j-0") == {"dropped": 1}
    assert "2 dropped" in operator("queue", "dead", "drop", "--all").stdout
    status = operator.status()
    assert (status["dead"], status["dropped"]) == (0, 3)


def test_dead_letters_can_be_retried_and_dropped_while_a_drain_is_at_work(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("w", 4))
    sandbox.script("404:times=4")
    with operator.drain("--base-url", sandbox.base_url):
        wait_for(lambda: operator.status()["dead"] == 4, "they do not die")
        assert operator.json("queue", "dead", "drop", "w-0") == {"dropped": 1}
        assert operator.json("queue", "dead", "retry", "--all") == {"retried": 3}
        wait_for(lambda: operator.status()["delivered"] == 3, "not delivered")
    status = operator.status()
    assert (status["dead"], status["dropped"]) == (0, 1)
    assert sorted(ids_of(sandbox)) == ["w-1", "w-2", "w-3"]


def test_purge_leaves_nothing_of_the_visitor_on_the_disk(operator, sandbox):
    key, token = keys(operator, "any", "4711")
    operator.fill(sandbox.base_url, ["k-0", "k-5"], customer_key="anonymous-visitor")
    sandbox.script("404, 204")
    operator.empty(sandbox.base_url, "--concurrency", "1")
    operator.fill(sandbox.base_url, ["k-1"], customer_key=key, token=token)
    operator.fill(sandbox.base_url, ["k-2", "k-3"], customer_key="anonymous-visitor")
    operator.fill(sandbox.base_url, ["k-4"], customer_key="stays")
    assert operator.json("queue", "purge", "--customer-id", "4711") == {"purged": 1}
    # k-0 is a dead letter, and k-5 was delivered.
    assert "3 erased" in operator("queue", "purge", "--customer-key", "anonymous-visitor").stdout
    assert operator.json("queue", "purge", "--customer-key", "anonymous-visitor") == {"purged": 0}
    status = operator.status()
    assert (status["pending"], status["dropped"], status["delivered"], status["dead"]) == (1, 4, 1, 0)
    for name, (content, _, _) in contents(operator.spool).items():
        for trace in (key, token, "anonymous-visitor"):
            assert trace.encode() not in content, (name, trace)
    assert operator.listed() == ["k-4"]
    operator.empty(sandbox.base_url)
    assert ids_of(sandbox) == ["k-5", "k-4"]


def test_purge_works_while_a_drain_is_at_work_and_after_damage(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("other", 3), customer_key="someone-else")
    operator.fill(sandbox.base_url, ["k-1", "k-2"], customer_key="the-visitor")
    damage(operator.spool, "other-1")
    sandbox.script("503:retry-after=600")
    with operator.drain("--base-url", sandbox.base_url) as draining:
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        assert operator.json("queue", "purge", "--customer-key", "the-visitor") == {"purged": 2}
        for name, (content, _, _) in contents(operator.spool).items():
            assert b"the-visitor" not in content, name
        sandbox.script("")
        operator.json("queue", "retry", "--now")
        wait_for(lambda: json.loads(operator("queue", "status", "--json").stdout)["pending"] == 0, "not delivered")
    assert sorted(ids_of(sandbox)) == ["other-0", "other-2"]


# Wrong usage

@pytest.mark.parametrize("arguments", [["show", "nobody"], ["dead", "show", "nobody"], ["dead", "retry", "dead", "nobody"],
                                       ["dead", "drop", "dead", "nobody"]])
def test_unknown_id_changes_nothing_and_exits_3(operator, sandbox, arguments):
    operator.fill(sandbox.base_url, ["dead"])
    sandbox.script("400")
    operator.empty(sandbox.base_url)
    for form in ([], ["--json"]):
        told = operator("queue", *arguments, *form)
        assert told.returncode == 3 and told.stdout == "" and "the id nobody" in told.stderr, told
    assert operator.status()["dead"] == 1


@pytest.mark.parametrize(
    "arguments, message",
    [(["queue", "dead", "retry"], "--all"), (["queue", "dead", "drop"], "--all"),
     (["queue", "dead", "drop", "x", "--all"], "--all"), (["queue", "purge"], "--customer-key"),
     (["queue", "purge", "--customer-key", "k", "--customer-id", "i"], "cannot be used with"),
     (["queue", "status", "--json", "--prometheus"], "--prometheus"), (["queue"], "Usage"), (["queue", "show"], "<ID>"),
     (["queue", "list", "--limit", "0"], "--limit"), (["queue", "retry"], "--now"), (["queue", "backup"], "<DIR>"),
     (["queue", "salvage"], "<DIR>"), (["queue", "status", "--spool", ""], "spool"), (["drain"], "cluster_id"),
     (["drain", "--max-wait-s", "5", "--base-url", "http://127.0.0.1:9"], "--once"),
     (["drain", "--log-level", "loud"], "loud"), (["drain", "--once", "--max-wait-s", "soon"], "soon")],
)
def test_wrong_usage_exits_2_and_names_the_argument(operator, arguments, message):
    told = operator(*arguments)
    assert told.returncode == 2 and message in told.stdout + told.stderr, told
    assert not pathlib.Path(operator.spool).exists()


def test_list_refuses_a_cursor_that_it_did_not_print(operator, sandbox):
    operator.fill(sandbox.base_url, ["x"])
    refused = operator("queue", "list", "--after", "../x")
    assert refused.returncode == 2 and "after is not a cursor" in refused.stderr, refused


def test_missing_option_spool_exits_2(operator):
    for arguments in (["queue", "status"], ["queue", "dead", "list"], ["drain", "--base-url", "http://127.0.0.1:9"]):
        told = operator(*arguments, env={"ESALES_SPOOL": ""})
        assert told.returncode == 2 and "spool is missing" in told.stderr, told


LOOKERS = (["queue", "status"], ["queue", "list"], ["queue", "salvage", "/tmp"],
           ["drain", "--once", "--base-url", "http://127.0.0.1:9"])
ALL = (*LOOKERS, ["drain", "--base-url", "http://127.0.0.1:9"])


def test_missing_spool_exits_6_and_none_is_made(operator):
    for arguments in LOOKERS:
        told = operator(*arguments)
        assert told.returncode == 6 and operator.spool in told.stderr, told
    assert not pathlib.Path(operator.spool).exists()


def test_missing_folder_of_the_spool_exits_6(operator):
    pathlib.Path(operator.spool).parent.rmdir()
    for arguments in ALL:
        told = operator(*arguments)
        assert told.returncode == 6 and "No such file or directory" in told.stderr, told


def test_relative_path_exits_2_and_makes_nothing(operator, tmp_path):
    for arguments in ALL:
        told = operator(*arguments, env={"ESALES_SPOOL": "place/spool"}, cwd=tmp_path)
        assert told.returncode == 2 and "relative path" in told.stderr, told
    assert list((tmp_path / "place").iterdir()) == []


def test_file_in_the_spools_place_exits_2_and_is_left_alone(operator):
    foreign = pathlib.Path(operator.spool)
    foreign.write_text("a letter\n" * 100)
    foreign.chmod(0o644)
    for arguments in ALL:
        told = operator(*arguments)
        assert told.returncode == 2 and "is not a directory" in told.stderr, told
    assert foreign.read_text().startswith("a letter") and stat.S_IMODE(foreign.stat().st_mode) == 0o644


def test_directory_of_other_files_exits_6_and_is_left_alone(operator):
    foreign = pathlib.Path(operator.spool)
    foreign.mkdir(mode=0o755)
    (foreign / "letter.txt").write_text("a letter\n")
    before = contents(foreign)
    for arguments in ALL:
        told = operator(*arguments)
        assert told.returncode == 6 and operator.spool in told.stderr, told
    assert contents(foreign) == before and stat.S_IMODE(foreign.stat().st_mode) == 0o755


# Packaging

def unit_of(root):
    return root / "packaging" / "systemd" / "esales-notify-drain.service"


def test_systemd_unit_has_what_a_service_needs(root):
    unit = configparser.ConfigParser(strict=True, interpolation=None, comment_prefixes=("#",), delimiters=("=",))
    unit.optionxform = str
    unit.read_string(unit_of(root).read_text())
    service = unit["Service"]
    expected = {"Type": "notify", "Restart": "on-failure", "EnvironmentFile": "/etc/esales-notify.env",
                "RestartPreventExitStatus": "2", "NoNewPrivileges": "true", "ProtectSystem": "strict"}
    assert {name: service[name] for name in expected} == expected
    assert service["ExecStart"].endswith("/esales-notify drain") and service["User"] and int(service["WatchdogSec"]) >= 10
    # The service gets more time to stop than it takes at most.
    assert int(service["TimeoutStopSec"]) > 5
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_systemd_accepts_the_unit(root, command, tmp_path):
    copy = tmp_path / "esales-notify-drain.service"
    # The program is not installed here.
    copy.write_text(unit_of(root).read_text().replace("/usr/bin/esales-notify", str(command)))
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert done.returncode == 0 and copy.name not in done.stderr, done
    copy.write_text(copy.read_text() + "NoSuchKey=1\n")
    assert copy.name in subprocess.run(verify, capture_output=True, text=True).stderr
