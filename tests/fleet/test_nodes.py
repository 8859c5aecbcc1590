"""Three nodes, each with its own network: an engine, and two agents that deliver its spool. A fourth node has the
service."""

import contextlib
import http.client
import re
import threading
import time
import types

import pytest
from agent import Agent, cart
from conftest import LONG_S, TAKEOVER_S
from counting import Service
from environment import as_environment
from network import Network
from waiting import wait_for

CONCURRENCY = 8
RETRY_AFTER_S = 1


class HoldingService(Service):
    """Holds its answers back on request."""

    def __init__(self, **options):
        self.may_answer = threading.Event()
        self.may_answer.set()
        super().__init__(**options)

    def before_answer(self):
        assert self.may_answer.wait(LONG_S)


class Shop:
    """Enqueues through an agent from a separate thread. `calls` has the result of each call, in the form of
    tests/fleet/accounting.py."""

    def __init__(self, agent, prefix, count=100_000):
        self.agent, self.calls, self._stops = agent, [], threading.Event()
        self._thread = threading.Thread(target=self._run, args=(prefix, count), daemon=True)
        self._thread.start()

    def _run(self, prefix, count):
        for n in range(count):
            if self._stops.is_set():
                break
            status = "unknown"
            with contextlib.suppress(OSError, http.client.HTTPException):
                status = "ESALES_QUEUED" if self.agent.post(cart(f"{prefix}-{n}"), is_local=True).status == 202 else "refused"
            self.calls.append({"id": f"{prefix}-{n}", "status": status})
            # A small load that does not occupy the whole machine.
            self._stops.wait(0.005)

    def finish(self):
        self._thread.join(LONG_S)
        assert not self._thread.is_alive()

    def stop(self):
        self._stops.set()
        self.finish()


class Fleet:
    """The agents, and the leader."""

    def __init__(self, agents, spool, ask):
        self.agents, self.spool, self._ask = agents, spool, ask

    def status(self):
        return self._ask(self.spool)

    def leader(self):
        """The agent that leads; `None`: there is none."""
        leader = self.status()["leader"]
        pid = leader and int(re.search(r"process (\d+)", leader)[1])
        return next((agent for agent in self.agents if agent.process.pid == pid), None)

    def other(self, agent):
        return next(other for other in self.agents if other is not agent)

    def wait_until_leader(self, agent, what):
        wait_for(lambda: self.leader() is agent, what, LONG_S)


@pytest.fixture
def network(stack):
    return stack.enter_context(Network())


@pytest.fixture
def store(network, start_engine):
    """The engine, in its node."""
    # Its protected mode would refuse other machines, because it has no password.
    return start_engine("--protected-mode", "no", node=network.add())


@pytest.fixture
def service(network, stack):
    node = network.add()
    with node.inside():
        return stack.enter_context(HoldingService(host=node.address))


@pytest.fixture
def fleet(network, store, service, command, status, stack, tmp_path):
    """Starts the agents one after the other, so that the first one leads."""
    # The service's Retry-After is longer than the gate's own pauses.
    env = as_environment({"concurrency": CONCURRENCY, "allow_http": "true", "enqueue_timeout_ms": 5000, "timeout_ms": 300_000,
                          "gate_min_ms": 200, "gate_max_ms": 200})
    fleet = Fleet([], store.url(), lambda spool: status(spool, within=store.node.within))
    for name in ("one", "two"):
        node, folder = network.add(), tmp_path / name
        folder.mkdir(mode=0o700)
        agent = stack.enter_context(Agent(command, folder, service.base_url, spool=fleet.spool, within=node.within, env=env))
        agent.node = node
        fleet.agents.append(agent)
        if name == "one":
            # The spool begins with the first event.
            assert agent.post(cart("first"), is_local=True).status == 202
            fleet.wait_until_leader(agent, "the first agent does not lead")
    return fleet


#: The event of the fixture `fleet`.
FIRST = types.SimpleNamespace(calls=[{"id": "first", "status": "ESALES_QUEUED"}])


@pytest.fixture
def judged(settle, store, fleet):
    """Waits until nothing is pending, and returns the report of all calls and the counters."""

    def wait(*shops):
        return settle(fleet.spool, FIRST, *shops, within=store.node.within)

    return wait


def test_other_node_delivers_within_the_lease_and_nothing_is_lost_when_the_leading_agent_is_killed(fleet, service, judged):
    one, two = fleet.agents
    shops = [Shop(one, "one"), Shop(two, "two")]
    wait_for(lambda: all(len(shop.calls) >= 100 for shop in shops) and len(service.ids) >= 100, "nothing is delivered", LONG_S)
    killed = time.monotonic()
    one.kill()
    fleet.wait_until_leader(two, "the other agent does not lead")
    assert time.monotonic() - killed < TAKEOVER_S
    shops[0].stop()
    delivered = len(service.ids)
    wait_for(lambda: len(service.ids) >= delivered + 100, "the other agent does not deliver", LONG_S)
    shops[1].stop()
    report, counters = judged(*shops)
    assert (report.lost, report.unexpected) == ([], []), report
    # Requests in flight are sent twice.
    assert len(report.duplicated) <= CONCURRENCY
    assert all(len(service.ids[name]) == 2 for name in report.duplicated)
    assert counters["delivered"] == counters["accepted"] == len(service.ids)
    assert all(call["status"] == "ESALES_QUEUED" for call in shops[1].calls)


def test_nodes_send_one_probe_at_a_time_when_the_service_is_out(fleet, service, judged):
    one, two = fleet.agents
    wait_for(lambda: "first" in service.ids, "nothing is delivered", LONG_S)
    service.times.clear()
    service.tell(503, Retry_After=str(RETRY_AFTER_S))
    shops = [Shop(one, "one", 50), Shop(two, "two", 50)]
    for shop in shops:
        shop.finish()

    def gaps():
        # After the requests that were in flight when the deliveries began to back off.
        probes = service.times[CONCURRENCY:]
        return [later - earlier for earlier, later in zip(probes, probes[1:])]

    wait_for(lambda: len(gaps()) >= 4, "no probes", LONG_S)
    one.kill()
    fleet.wait_until_leader(two, "the other agent does not lead")
    before = len(gaps())
    wait_for(lambda: len(gaps()) >= before + 4, "no probes of the other agent", LONG_S)
    # One probe for each Retry-After, from both agents together. An agent with a separate schedule would send one in
    # between.
    assert all(gap >= RETRY_AFTER_S - 0.01 for gap in gaps()), gaps()
    service.tell(204)
    report, counters = judged(*shops)
    assert report == ([], [], [], []), report
    assert counters["delivered"] == counters["accepted"] == 101


def test_answers_of_a_node_that_was_cut_off_for_longer_than_the_lease_are_refused_and_nothing_is_lost(network, fleet, service,
                                                                                                      judged):
    one, two = fleet.agents
    wait_for(lambda: fleet.status()["delivered"] == 1, "nothing is delivered", LONG_S)
    service.may_answer.clear()
    shops = [Shop(two, "held", 20)]
    shops[0].finish()
    wait_for(lambda: len(service.ids) == 1 + CONCURRENCY, "nothing is in flight", LONG_S)
    held = sorted(set(service.ids) - {"first"})
    network.unplug(one.node)
    cut = time.monotonic()
    # These answers do not arrive before the node is back.
    service.may_answer.set()
    fleet.wait_until_leader(two, "the other agent does not lead")
    assert time.monotonic() - cut < TAKEOVER_S
    wait_for(lambda: fleet.status()["pending"] == 0, "the other agent does not deliver", LONG_S)
    assert one.post(cart("refused"), is_local=True).status == 503
    shops.append(Shop(two, "meanwhile", 20))
    shops[1].finish()
    network.plug_in(one.node)
    wait_for(lambda: "on standby" in one.log.read_text(), "the first agent does not find out that another one leads", LONG_S)
    assert fleet.leader() is two
    # The agent works again, first for a shop, and then as the leader.
    shops.append(Shop(one, "back", 20))
    shops[2].finish()
    report, counters = judged(*shops)
    assert report == ([], [], held, []), report
    assert counters["delivered"] == counters["accepted"] == 61
    two.kill()
    fleet.wait_until_leader(one, "the first agent does not lead again")
    shops.append(Shop(one, "last", 20))
    shops[3].finish()
    report, counters = judged(*shops)
    assert report == ([], [], held, []), report
    assert counters["delivered"] == counters["accepted"] == 81
