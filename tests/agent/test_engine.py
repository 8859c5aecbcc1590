"""The agent with a spool in an engine."""

import json
import subprocess

import pytest
from agent import cart
from environment import CLEAN, QUICK
from ports import free_port
from waiting import wait_for


@pytest.fixture
def engine(tmp_path):
    """Starts a Redis on loopback with an append-only file; returns its process and its address."""
    port = free_port()
    folder = tmp_path / "engine"
    folder.mkdir()
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes",
                                "--save", "", "--maxmemory-policy", "noeviction"], stdout=subprocess.DEVNULL)
    try:
        ask = ["redis-cli", "-p", str(port), "ping"]
        wait_for(lambda: subprocess.run(ask, capture_output=True, text=True).stdout == "PONG\n", "the engine does not start")
        yield process, f"redis://127.0.0.1:{port}/0?name=agent"
    finally:
        process.kill()
        process.wait()


def test_agent_accepts_into_an_engine_and_answers_503_when_the_engine_is_gone(start, engine, command, sandbox):
    process, spool = engine
    agent = start(*QUICK, "--enqueue-timeout-ms", "500", spool=spool)
    for n in range(10):
        assert agent.post(cart(f"e-{n}"), is_local=n % 2 == 0).status == 202
    wait_for(lambda: len(sandbox.received()) == 10, "not delivered")
    assert wait_for(lambda: (found := agent.get("/receipts/e-3")).status == 200 and found.json()["status"] == "ESALES_DELIVERED", "no receipt")
    assert agent.get("/readyz").status == 200
    assert f'esales_queue_accepted_total{{spool="{spool}"}} 10\n' in agent.get("/metrics").body.decode()
    shown = subprocess.run([command, "queue", "status", "--json"], env={**CLEAN, "ESALES_SPOOL": spool}, capture_output=True, text=True)
    assert json.loads(shown.stdout)["delivered"] == 10, shown
    process.kill()
    process.wait()
    refused = agent.post(cart("gone"))
    assert (refused.status, refused.json()["status"]) == (503, "ESALES_SPOOL_FAILED")
    assert agent.get("/readyz").status == 503
