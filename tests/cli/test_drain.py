"""`drain`, as an operator and a service manager use it, with real processes on one spool."""

import configparser
import contextlib
import fcntl
import json
import os
import pwd
import signal
import socket
import struct
import subprocess
import termios

import pytest
from environment import CLEAN, QUICK
from spool_operator import ids_of, numbered
from waiting import wait_for

USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def manager(tmp_path):
    """The socket of a service manager, and its messages."""

    class Manager(socket.socket):
        def expect(self, line):
            """Reads until this line arrives."""
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
    # The width of a terminal.
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
        # Each answer takes some time, so that some requests are in flight and others are not when the signal arrives.
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
    assert "warn: m is a dead letter: ESALES_BAD_REQUEST" in warned and "info:" not in warned
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
            # A request of the first drainer is in flight.
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
    # The service gets more time to stop than it ever needs.
    assert int(service["TimeoutStopSec"]) > 5
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_systemd_accepts_the_unit(root, command, tmp_path):
    copy = tmp_path / "esales-notify-drain.service"
    # The command is not installed on this machine.
    copy.write_text(unit_of(root).read_text().replace("/usr/bin/esales-notify", str(command)))
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert done.returncode == 0 and copy.name not in done.stderr, done
    copy.write_text(copy.read_text() + "NoSuchKey=1\n")
    assert copy.name in subprocess.run(verify, capture_output=True, text=True).stderr
