"""The agent answers 202 if the notification is in the spool, and 503 if it is not."""

import http.client
import os
import signal
import subprocess
import threading
import time

from agent import ADD_TO_CART, JSON, Agent, cart
from environment import CLEAN, QUICK
from waiting import wait_for


def ids_of(sandbox):
    return [row["notification"]["id"] for row in sandbox.received() if row["status"] == 204]


def test_kill_9_after_202_loses_nothing(start, command, sandbox, folder):
    accepted = []
    sandbox.script("204:wait=20:times=forever")
    agent = start(*QUICK)

    def shop(name):
        with agent.connection(is_local=name % 2 == 0) as connection:
            for n in range(100_000):
                identity = f"{name}-{n}"
                try:
                    connection.request("POST", ADD_TO_CART, cart(identity), JSON)
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException):
                    return
                if answer.status == 202:
                    accepted.append(identity)

    shops = [threading.Thread(target=shop, args=(name,)) for name in range(4)]
    for one in shops:
        one.start()
    wait_for(lambda: len(accepted) > 400, "nothing is accepted")
    agent.kill()
    for one in shops:
        one.join()
    sandbox.script("")
    done = subprocess.run([command, "drain", "--once", "--base-url", sandbox.base_url, "--spool", agent.spool, *QUICK],
                          env=CLEAN, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done
    assert set(accepted) - set(ids_of(sandbox)) == set() and len(accepted) > 400


def test_answer_is_503_when_the_queue_is_full_and_202_when_it_has_room_again(start, sandbox):
    sandbox.script("503:times=forever")
    agent = start("--max-items", "2", *QUICK)
    assert [agent.post(cart(f"f-{n}")).status for n in range(3)] == [202, 202, 503]
    full = agent.post(cart("f-4"))
    assert full.json()["status"] == "ESALES_QUEUE_FULL" and full.headers["Retry-After"] == "1"
    assert agent.get("/readyz").status == 503 and "full" in agent.get("/readyz").json()["message"]
    wait_for(lambda: agent.get("/healthz").status == 200, "a delivery that fails is not one that hangs")
    sandbox.script("")
    wait_for(lambda: agent.get("/readyz").status == 200, "not ready again")
    assert agent.post(cart("f-5")).status == 202
    wait_for(lambda: set(ids_of(sandbox)) == {"f-0", "f-1", "f-5"}, "not delivered")


# A separate file system: the mount is only in the agent's namespace.
OWN = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size="$0",mode=0700 none "$1" && shift && exec "$@"']


def own_disk(size, folder):
    return [*OWN, size, str(folder)]


def test_answer_is_503_when_the_disk_is_full(start, folder, sandbox):
    sandbox.script("503:times=forever")
    disk = folder / "disk"
    disk.mkdir(mode=0o700)
    agent = start("--gate-min-ms", "60000", spool=disk / "spool", within=own_disk("1m", disk))
    answers = [agent.post(cart(f"d-{n}", ticket="t" * 8000)).status for n in range(200)]
    accepted = answers.count(202)
    assert 50 < accepted < 200 and set(answers) == {202, 503}
    refused = agent.post(cart("d", ticket="t" * 8000))
    assert refused.status == 503 and refused.json()["status"] == "ESALES_SPOOL_FAILED"
    wait_for(lambda: agent.get("/healthz").status == 200, "a delivery that fails is not one that hangs")


def test_answer_is_503_when_the_spool_is_read_only(command, folder, sandbox):
    place = folder / "place"
    place.mkdir(mode=0o700)
    with Agent(command, folder, sandbox.base_url, spool=place / "spool") as agent:
        assert agent.post(cart("kept")).status == 202
        wait_for(lambda: ids_of(sandbox) == ["kept"], "not delivered")
        assert agent.stop() == 0
    within = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', str(place)]
    with Agent(command, folder, sandbox.base_url, spool=place / "spool", within=within) as agent:
        refused = agent.post(cart("refused"))
        assert (refused.status, refused.json()["status"]) == (503, "ESALES_SPOOL_FAILED") and refused.headers["Retry-After"]
        assert agent.get("/readyz").status == 503 and "ead-only" in agent.get("/readyz").json()["message"]
    assert ids_of(sandbox) == ["kept"]


# Shutdown, and the requests of a service manager

def test_sigterm_finishes_requests_in_flight(agent, sandbox):
    body = cart("in-flight").encode()
    with agent.raw() as client, agent.raw() as idle:
        idle.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        client.sendall(f"POST {ADD_TO_CART} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        # It has read the head, and waits for the body.
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body[:10])
        agent.process.send_signal(signal.SIGTERM)
        assert idle.recv(4096) == b""
        client.sendall(body[10:])
        answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 202 ") and b"connection: close" in answer.lower(), answer
    assert agent.process.wait(timeout=60) == 0
    assert ids_of(sandbox) == ["in-flight"] or b"in-flight" in b"".join(
        path.read_bytes() for path in agent.folder.glob("spool/segment-*"))


def test_healthz_fails_when_the_delivery_hangs(command, folder, sandbox):
    """The delivery thread hangs, because it writes its log into a pipe that is never read."""
    agent = Agent(command, folder, sandbox.base_url, "--log-level", "debug")
    read, write = os.pipe()
    with open(write, "wb", buffering=0) as log:
        agent.process = subprocess.Popen(agent._command, env=agent._env, stdout=subprocess.DEVNULL, stderr=log)
    try:
        with open(read, "rb", buffering=0) as log:
            seen = b""
            while b"listening on unix:" not in seen:
                part = log.read(4096)
                assert part, seen
                seen += part
            wait_for(lambda: agent.get("/healthz", is_local=True).status == 200, "never healthy")
            deadline = time.monotonic() + 60
            n = 0
            with agent.connection(is_local=True) as connection:
                while True:
                    connection.request("POST", ADD_TO_CART, cart(f"{n}-{'x' * 100}"), JSON)
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 202 and time.monotonic() < deadline, "healthy for ever"
                    n += 1
                    if n % 50 == 0 and agent.get("/healthz", is_local=True).status == 503:
                        break
    finally:
        agent.kill()


def test_metrics_count_what_was_delivered_and_answered(agent, sandbox):
    for n in range(3):
        agent.post(cart(f"m-{n}"))
    agent.post("{}")
    wait_for(lambda: len(ids_of(sandbox)) == 3, "not delivered")
    samples = [sample % agent.spool + "\n" for sample in (
        'esales_queue_accepted_total{spool="%s"} 3', 'esales_queue_delivered_total{spool="%s"} 3',
        'esales_agent_answers_total{spool="%s",code="202"} 3', 'esales_agent_answers_total{spool="%s",code="400"} 1',
        'esales_drain_delivery_age_seconds_count{spool="%s"} 3', 'esales_drain_attempt_seconds_bucket{spool="%s",le="+Inf"} 3',
        'esales_queue_drainer{spool="%s"} 1.0')]
    # The spool's counters and the counters of this process do not change at the same moment.
    page = wait_for(lambda: (found := agent.get("/metrics")) and all(sample in found.body.decode() for sample in samples)
                    and found, "not counted")
    assert page.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")


def test_health_command_exits_by_the_state_of_the_agent(agent, command, sandbox):
    def health(*arguments, **env):
        return subprocess.run([command, "health", *arguments], env={**CLEAN, **env}, capture_output=True, text=True, timeout=60)

    # The agent is not healthy until the delivery has begun.
    wait_for(lambda: health("--agent", f"unix:{agent.socket}").returncode == 0, "never well")
    assert health("--agent", f"127.0.0.1:{agent.port}", "--ready").returncode == 0
    assert health("--ready", ESALES_NOTIFY_LISTEN=f"unix:{agent.socket},127.0.0.1:{agent.port}").returncode == 0
    assert health().returncode == 2
    agent.kill()
    gone = health("--agent", f"unix:{agent.socket}")
    assert gone.returncode == 1 and agent.socket in gone.stderr
    assert gone.stdout == ""
