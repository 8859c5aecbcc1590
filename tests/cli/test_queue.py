"""`drain` and `queue`, as an operator and a service manager use them: real processes at one spool."""

import configparser
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import termios
import time

import pytest
from sandbox import Sandbox

CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith("ESALES_") and name not in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID")}
# A gate that opens again within a test.
QUICK = ["--gate-min-ms", "10", "--gate-max-ms", "50"]


def wait_for(condition, what, seconds=30):
    """Polls: there is no event to wait for in another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Operator:
    """Runs the command, and keeps everything that it ever said."""

    def __init__(self, command, library, spool):
        self.command, self.library, self.spool, self.said = str(command), str(library), str(spool), []

    def __call__(self, *arguments, env=None, **more):
        done = subprocess.run([self.command, *arguments], env={**CLEAN, "ESALES_SPOOL": self.spool, **(env or {})},
                              capture_output=True, text=True, timeout=60, **more)
        self.said += [done.stdout, done.stderr]
        return done

    def json(self, *arguments, code=0, env=None):
        done = self(*arguments, "--json", env=env)
        assert done.returncode == code, done
        return json.loads(done.stdout)

    def fill(self, base_url, ids, customer_key="somebody", token=None):
        events = [{"id": identity, "customer_key": customer_key, "token": token} for identity in ids]
        filler = [sys.executable, str(pathlib.Path(__file__).with_name("fill.py")), self.library, self.spool, base_url]
        subprocess.run(filler, input=json.dumps(events), text=True, check=True, env=CLEAN)

    def empty(self, base_url, *more, code=0, env=None):
        return self.json("drain", "--once", "--base-url", base_url, *QUICK, *more, code=code, env=env)

    @contextlib.contextmanager
    def drain(self, *arguments, env=None):
        """The service; whatever happens, it does not outlive the test."""
        log = pathlib.Path(self.spool).parent / f"log-{len(self.said)}"
        with log.open("w") as stderr:
            process = subprocess.Popen([self.command, "drain", *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True,
                                       env={**CLEAN, "ESALES_SPOOL": self.spool, **(env or {})})
        process.log = log
        try:
            yield process
        finally:
            process.kill()
            self.said += [process.communicate()[0], log.read_text()]

    def status(self):
        status = self.json("queue", "status")
        assert status["accepted"] == sum(status[name] for name in ("delivered", "dead", "expired", "dropped", "pending"))
        assert status["is_balanced"] and status["found"] == {"pending": status["pending"], "dead": status["dead"]}
        return status


@pytest.fixture
def operator(command, library, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    return Operator(command, library, folder / "spool.db")


@pytest.fixture
def manager(tmp_path):
    """The socket of a service manager, and what arrives at it."""

    class Manager(socket.socket):
        def expect(self, line):
            """Reads on until this line has come."""
            seen = []
            while line not in seen:
                seen += self.recv(4096).decode().splitlines()
            return seen

    with Manager(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        listening.env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        yield listening


def ids_of(sandbox):
    return [r["notification"]["id"] for r in sandbox.received() if r["status"] == 204]


def numbered(prefix, n):
    return [f"{prefix}-{i}" for i in range(n)]


# drain

def test_once_empties_what_another_process_put_in(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("a", 20))
    before = operator.status()
    assert (before["pending"], before["has_drainer"], before["pending_bytes"] > 0) == (20, False, True)
    summary = operator.empty(sandbox.base_url)
    assert (summary["is_empty"], summary["delivered"], summary["pending"]) == (True, 20, 0)
    assert sorted(ids_of(sandbox)) == sorted(numbered("a", 20))
    again = operator("drain", "--once", "--base-url", sandbox.base_url)
    assert again.returncode == 0 and "0 delivered" in again.stdout and again.stderr == "", again


def test_once_waits_through_a_closed_gate_or_as_long_as_it_is_told(operator, sandbox):
    operator.fill(sandbox.base_url, ["late"])
    sandbox.script("503:times=4")
    assert operator.empty(sandbox.base_url)["delivered"] == 1
    operator.fill(sandbox.base_url, ["later"])
    sandbox.script("503:retry-after=600")
    # Long enough for a first attempt on a busy machine.
    left = operator.empty(sandbox.base_url, "--max-wait-s", "5", code=4)
    assert (left["is_empty"], left["pending"], left["delivered"]) == (False, 1, 0)
    destination, = operator.status()["destinations"]
    assert destination["gate_failures"] == 1 and 500_000 < destination["gate_closed_ms"] <= 600_000
    assert "next try in 9 min" in operator("queue", "status").stdout


def test_once_is_stopped_by_a_signal_and_says_what_is_left(operator, sandbox):
    operator.fill(sandbox.base_url, ["held"])
    sandbox.script("503:retry-after=600")
    with operator.drain("--once", "--json", "--base-url", sandbox.base_url, "--stop-timeout-s", "0") as draining:
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        draining.send_signal(signal.SIGINT)
        assert json.loads(draining.stdout.readline())["pending"] == 1
        assert draining.wait(timeout=30) == 4


def test_the_service_delivers_and_stops_on_sigterm(operator, sandbox, manager):
    with operator.drain("--base-url", sandbox.base_url, env=manager.env) as draining:
        assert any(line.startswith("STATUS=") for line in manager.expect("READY=1"))
        operator.fill(sandbox.base_url, numbered("b", 5))
        wait_for(lambda: len(ids_of(sandbox)) == 5, "not delivered")
        assert operator.status()["has_drainer"] is True
        assert "some process" in operator("queue", "status").stdout
        # Each takes a while: the signal comes when some are being sent and some are not.
        sandbox.script("204:wait=300:times=50")
        operator.fill(sandbox.base_url, numbered("c", 50))
        wait_for(lambda: len(ids_of(sandbox)) > 5, "the second batch does not begin")
        draining.send_signal(signal.SIGTERM)
        manager.expect("STOPPING=1")
        assert draining.wait(timeout=30) == 0
    # What was being sent has been recorded, and nothing more was begun.
    status = operator.status()
    assert status["has_drainer"] is False
    assert status["delivered"] == len(ids_of(sandbox)) < 55
    sandbox.script("")
    assert operator.empty(sandbox.base_url)["delivered"] == 55 - status["delivered"]
    assert sorted(ids_of(sandbox)) == sorted(numbered("b", 5) + numbered("c", 50))


def test_the_service_stops_in_an_outage_too(operator, sandbox, manager):
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


def test_the_watchdog_is_fed_when_it_asks(operator, sandbox, manager):
    env = {**manager.env, "WATCHDOG_USEC": "200000"}
    with operator.drain("--base-url", sandbox.base_url, env=env):
        manager.expect("READY=1")
        manager.expect("WATCHDOG=1")
        manager.expect("WATCHDOG=1")


def test_messages_go_to_stderr_as_verbosely_as_told(operator, sandbox):
    def words(*level, env=None):
        operator.fill(sandbox.base_url, ["m"])
        sandbox.script("400")
        return operator("drain", "--once", "--base-url", sandbox.base_url, *level, env=env).stderr

    assert words("--log-level", "error") == ""
    assert "warn: m is a dead letter: ESALES_TICKET_MISSING" in words()
    assert "debug: m attempt 1" in words("--log-level", "debug")
    assert words(env={"JOURNAL_STREAM": "8:1"}).startswith("<4>esales-notify: ")


def test_another_drain_takes_over_when_one_is_killed(operator, sandbox):
    with operator.drain("--base-url", sandbox.base_url, *QUICK) as first:
        operator.fill(sandbox.base_url, ["first"])
        wait_for(lambda: ids_of(sandbox) == ["first"], "the first does not deliver")
        with operator.drain("--base-url", sandbox.base_url, *QUICK) as second:
            # The first is in the middle of something.
            sandbox.script("hang")
            operator.fill(sandbox.base_url, numbered("d", 30))
            wait_for(lambda: any(r["answer"] == "hang" for r in sandbox.received()), "nothing hangs")
            first.kill()
            first.wait()
            wait_for(lambda: set(numbered("d", 30)) <= set(ids_of(sandbox)), "the second does not take over")
            wait_for(lambda: operator.status()["pending"] == 0, "not settled")
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=30) == 0
    assert operator.status()["delivered"] == 31


def test_progress_is_shown_on_a_terminal_only(operator, sandbox):
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


# queue status

def sample_of(page):
    """The samples of a Prometheus text page, checked line by line."""
    types, samples = {}, {}
    for line in page.splitlines():
        if line.startswith("# HELP "):
            assert re.fullmatch(r"# HELP [a-z_]+ .+", line), line
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types and kind in ("counter", "gauge", "summary"), line
            types[name] = kind
        else:
            found = re.fullmatch(r'([a-z_]+)((?:\{[a-z]+="[^"]*"\})?) (\S+)', line)
            assert found and found[1] in types, line
            assert (types[found[1]] == "counter") == found[1].endswith("_total"), line
            samples[found[1] + found[2]] = float(found[3])
    return samples


def test_the_state_obeys_the_law_in_every_form(operator, sandbox):
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
    samples = sample_of(page.stdout)
    counted = lambda name: samples["esales_queue_" + name]  # noqa: E731
    dead = sum(value for name, value in samples.items() if name.startswith("esales_queue_dead_letters{status="))
    assert counted("accepted_total") == 7 == (
        counted("delivered_total") + dead + counted("expired_total") + counted("dropped_total") + counted("pending"))
    assert counted("balanced") == 1 and counted("pending_bytes") > 0 and counted("oldest_age_seconds") >= 0
    quantiles = [counted(f'attempt_latency_seconds{{quantile="{q}"}}') for q in ("0.5", "0.95", "0.99")]
    assert 0 < quantiles[0] <= quantiles[1] <= quantiles[2] < 60
    ages = [counted(f'delivery_age_seconds{{quantile="{q}"}}') for q in ("0.5", "0.95", "0.99")]
    # Nothing was delivered since the status was asked for.
    assert [age * 1000 for age in ages] == pytest.approx([status["delivery_age_ms"][p] for p in ("p50", "p95", "p99")])
    assert 0 < ages[0] <= ages[1] <= ages[2] < 3600
    url = status["destinations"][0]["url"]
    assert counted(f'destination_pending{{destination="{url}"}}') == 1
    assert counted(f'gate_closed{{destination="{url}"}}') == 0

    human = operator("queue", "status").stdout
    assert re.search(r"^accepted +7$", human, re.M) and url in human and "nobody is delivering" in human


def test_a_broken_law_is_an_exit_code(operator, sandbox):
    operator.fill(sandbox.base_url, ["g"])
    with contextlib.closing(sqlite3.connect(operator.spool)) as spool, spool:
        spool.execute("UPDATE total SET delivered = delivered + 1")
    for form in ([], ["--json"], ["--prometheus"]):
        told = operator("queue", "status", *form)
        assert told.returncode == 5 and "counters are wrong" in told.stderr and told.stdout, told
    assert sample_of(told.stdout)["esales_queue_balanced"] == 0


def test_spools_that_were_set_aside_are_listed(operator, sandbox):
    operator.fill(sandbox.base_url, ["h"])
    # Closed to others as a spool is, and no database any more; its log would repair it.
    for companion in ("-wal", "-shm"):
        pathlib.Path(operator.spool + companion).unlink(missing_ok=True)
    pathlib.Path(operator.spool + "-wal").touch(0o600)
    pathlib.Path(operator.spool).write_bytes(b"damage" * 1000)
    # Whoever looks changes nothing; the next who puts in begins a new one.
    assert operator("queue", "status").returncode != 0
    assert pathlib.Path(operator.spool).read_bytes() == b"damage" * 1000
    operator.fill(sandbox.base_url, ["i"])
    aside, = json.loads(operator("queue", "status", "--json").stdout)["set_aside"]
    assert aside.startswith(operator.spool + ".damaged-")
    assert aside in operator("queue", "status").stdout
    assert sample_of(operator("queue", "status", "--prometheus").stdout)["esales_queue_set_aside_spools"] == 1


# queue show, dead, purge

def keys(operator, private_key, customer_id):
    """Customer key and token, as the shop makes them."""
    library, key, token = ctypes.CDLL(operator.library), ctypes.create_string_buffer(65), ctypes.create_string_buffer(65)
    assert library.esales_customer_key(customer_id.encode(), key) == 0
    assert library.esales_customer_token(private_key.encode(), key.value, token) == 0
    return key.value.decode(), token.value.decode()


def test_dead_letters_are_replayed_with_new_tokens_after_a_rotation(operator, command):
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
        assert shown["accepted_at_ms"] <= shown["died_at_ms"]
        assert operator.json("queue", "show", "i-1")["body"]["token"] == "..."
        for arguments in (["dead", "list"], ["dead", "show", "i-2"], ["show", "i-2"]):
            human = operator("queue", *arguments)
            assert human.returncode == 0 and "ESALES_FORBIDDEN" in human.stdout and "i-2" in human.stdout

        # Without the key they die again, with it they arrive.
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
        assert not any(secret in words for words in operator.said), "a secret was printed"


def test_dead_letters_are_dropped(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("j", 3))
    sandbox.script("400:times=3")
    operator.empty(sandbox.base_url)
    assert operator.json("queue", "dead", "drop", "j-0") == {"dropped": 1}
    assert "2 dropped" in operator("queue", "dead", "drop", "--all").stdout
    status = operator.status()
    assert (status["dead"], status["dropped"]) == (0, 3)


def test_a_visitor_is_erased(operator, sandbox):
    key, token = keys(operator, "any", "4711")
    operator.fill(sandbox.base_url, ["k-1"], customer_key=key, token=token)
    operator.fill(sandbox.base_url, ["k-2", "k-3"], customer_key="anonymous-visitor")
    operator.fill(sandbox.base_url, ["k-4"], customer_key="stays")
    assert operator.json("queue", "purge", "--customer-id", "4711") == {"purged": 1}
    assert "2 erased" in operator("queue", "purge", "--customer-key", "anonymous-visitor").stdout
    assert operator.json("queue", "purge", "--customer-key", "anonymous-visitor") == {"purged": 0}
    assert operator("queue", "show", "k-1").returncode == 3
    status = operator.status()
    assert (status["pending"], status["dropped"]) == (1, 3)
    for file in pathlib.Path(operator.spool).parent.iterdir():
        assert key.encode() not in file.read_bytes() and b"anonymous-visitor" not in file.read_bytes(), file
    operator.empty(sandbox.base_url)
    assert ids_of(sandbox) == ["k-4"]


# Wrong usage

@pytest.mark.parametrize("arguments", [["show", "nobody"], ["dead", "show", "nobody"], ["dead", "retry", "dead", "nobody"],
                                       ["dead", "drop", "dead", "nobody"]])
def test_an_unknown_id_changes_nothing_and_exits_3(operator, sandbox, arguments):
    operator.fill(sandbox.base_url, ["dead"])
    sandbox.script("400")
    operator.empty(sandbox.base_url)
    for form in ([], ["--json"]):
        told = operator("queue", *arguments, *form)
        assert told.returncode == 3 and told.stdout == "" and "id" in told.stderr, told
    assert operator.status()["dead"] == 1


@pytest.mark.parametrize(
    "arguments, words",
    [(["queue", "dead", "retry"], "--all"), (["queue", "dead", "drop"], "--all"),
     (["queue", "dead", "drop", "x", "--all"], "--all"), (["queue", "purge"], "--customer-key"),
     (["queue", "purge", "--customer-key", "k", "--customer-id", "i"], "cannot be used with"),
     (["queue", "status", "--json", "--prometheus"], "--prometheus"), (["queue"], "Usage"), (["queue", "show"], "<ID>"),
     (["queue", "status"], "no such file"), (["queue", "status", "--spool", ""], "spool"),
     (["drain", "--once", "--base-url", "http://127.0.0.1:9"], "no such file"), (["drain"], "cluster_id"),
     (["drain", "--max-wait-s", "5", "--base-url", "http://127.0.0.1:9"], "--once"),
     (["drain", "--log-level", "loud"], "loud"), (["drain", "--once", "--max-wait-s", "soon"], "soon")],
)
def test_wrong_usage_exits_2_and_says_why(operator, arguments, words):
    told = operator(*arguments)
    assert told.returncode == 2 and words in told.stdout + told.stderr, told
    assert not pathlib.Path(operator.spool).exists()


def test_no_spool_is_wrong_usage(operator):
    for arguments in (["queue", "status"], ["queue", "dead", "list"], ["drain", "--base-url", "http://127.0.0.1:9"]):
        told = operator(*arguments, env={"ESALES_SPOOL": ""})
        assert told.returncode == 2 and "spool is missing" in told.stderr, told


def test_a_file_that_is_no_spool_is_left_alone(operator):
    foreign = pathlib.Path(operator.spool)
    foreign.write_text("somebody's letter\n" * 100)
    foreign.chmod(0o644)
    for arguments in (["queue", "status"], ["drain", "--base-url", "http://127.0.0.1:9"]):
        told = operator(*arguments)
        assert told.returncode == 6 and "spool" in told.stderr, told
    assert foreign.read_text().startswith("somebody's letter")
    assert stat.S_IMODE(foreign.stat().st_mode) == 0o644


# Packaging

def unit_of(root):
    return root / "packaging" / "systemd" / "esales-notify-drain.service"


def test_the_unit_says_what_a_service_needs(root):
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


def test_systemd_takes_the_unit(root, command, tmp_path):
    copy = tmp_path / "esales-notify-drain.service"
    # The program is not installed here.
    copy.write_text(unit_of(root).read_text().replace("/usr/bin/esales-notify", str(command)))
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert done.returncode == 0 and copy.name not in done.stderr, done
    copy.write_text(copy.read_text() + "NoSuchKey=1\n")
    assert copy.name in subprocess.run(verify, capture_output=True, text=True).stderr
