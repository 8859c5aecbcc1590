"""Several named spools in one engine, each with its own drainer: the rate of one drainer, the rate of several, and
the order of a visitor's events. A visitor's session is always in the same spool, by a hash of its key."""

import collections
import math
import threading
import time
import zlib

import pytest
from agent import Agent, cart
from conftest import LONG_S, queued
from counting import Service
from environment import as_environment
from waiting import wait_for

#: The number of spools in the tests with several.
SEVERAL = 3
SESSIONS = [f"session-{n}" for n in range(12)]
EVENTS = 4
COUNT = len(SESSIONS) * EVENTS
#: The number of requests that the service accepts per second; it refuses the others.
RATE = 6
RETRY_AFTER_S = 1


def name_of(session, spools):
    """The spool of a session, as docs/fleet.md says: the same in every process and on every machine."""
    return f"shop-{zlib.crc32(session.encode()) % spools}"


class LimitedService(Service):
    """A service that holds its answers back until the test releases them, or accepts a limited number of requests per
    second."""

    def __init__(self, rate=None):
        self.rate = rate
        #: The number of requests that were accepted and refused, by second.
        self.taken, self.refused = collections.Counter(), collections.Counter()
        self.held = self.most_held = self._round = 0
        self._is_open, self._request = False, threading.local()
        super().__init__()
        self._released = threading.Condition(self._lock)

    def answer(self):
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        self._request.round = self._round
        second = int(time.monotonic())
        if self.rate and self.taken[second] >= self.rate:
            self.refused[second] += 1
            return 429, {"Retry-After": str(RETRY_AFTER_S)}
        self.taken[second] += 1
        return 204, {}

    def before_answer(self):
        with self._released:
            assert self._released.wait_for(lambda: self._is_open or self._round > self._request.round, LONG_S)

    def release(self):
        """Sends the answers that are held back."""
        with self._released:
            self.held, self._round = 0, self._round + 1
            self._released.notify_all()

    def open(self):
        """Stops holding answers back."""
        with self._released:
            self._is_open = True
            self._released.notify_all()


class Shop:
    """A shop with this many spools and a drainer for each, whose service is limited."""

    def __init__(self, engine, stack, command, folder, service, spools, concurrency):
        self.service, self.engine, self.calls, self.agents = service, engine, [], {}
        # A notification that was refused is tried before the others again: its own pause is over when Retry-After is. No
        # request times out while the service holds its answers back.
        env = as_environment({"concurrency": concurrency, "gate_min_ms": 10, "gate_max_ms": 10, "enqueue_timeout_ms": 30_000,
                              "timeout_ms": 300_000})
        for name in (f"shop-{n}" for n in range(spools)):
            place = folder / name
            place.mkdir(mode=0o700, parents=True)
            agent = Agent(command, place, service.base_url, spool=engine.url(name), env=env)
            self.agents[name] = stack.enter_context(agent)

    def enqueue(self, session, number, name=None):
        agent = self.agents[name or name_of(session, len(self.agents))]
        answer = agent.post(cart(f"{session}/{number}", sessionKey=session), is_local=True)
        self.calls.append({"id": f"{session}/{number}", "status": "ESALES_QUEUED" if answer.status == 202 else "refused"})

    def enqueue_all(self):
        """Enqueues the events of all sessions mixed, as from real visitors."""
        for number in range(EVENTS):
            for session in SESSIONS:
                self.enqueue(session, number)
        assert len(queued(self.calls)) == COUNT

    def parts(self):
        """The number of events in each spool."""
        parts = collections.Counter(name_of(session, len(self.agents)) for session in SESSIONS)
        return [parts[name] * EVENTS for name in self.agents]

    def rounds(self, concurrency):
        """Delivers all events in rounds, and returns the number of rounds. In each round the service waits until every
        drainer has as many requests in flight as its concurrency allows, and answers them."""
        left, rounds = self.parts(), 0
        while any(left):
            in_flight = [min(concurrency, part) for part in left]
            wait_for(lambda: self.service.held >= sum(in_flight), "not every drainer delivers", LONG_S)
            self.service.release()
            left = [part - sent for part, sent in zip(left, in_flight)]
            rounds += 1
        return rounds


@pytest.fixture
def open_shop(stack, start_engine, command, tmp_path):
    def open_one(spools, concurrency, **limits):
        service = stack.enter_context(LimitedService(**limits))
        folder = tmp_path / f"{spools}-spools"
        # A test that fails before the service answers must not wait for it.
        stack.callback(service.open)
        return Shop(start_engine(), stack, command, folder, service, spools, concurrency)

    return open_one


def out_of_order(service):
    """The sessions whose events did not arrive in the order of their numbers."""
    arrived = collections.defaultdict(list)
    # The events in the order of their arrival.
    for name in service.ids:
        session, number = name.split("/")
        arrived[session].append(int(number))
    return [session for session, numbers in arrived.items() if numbers != sorted(numbers)]


def assert_each_arrived_once(shop, settle_in):
    for name in shop.agents:
        counters = settle_in(shop.engine.url(name))
        assert (counters["dead"], counters["expired"], counters["dropped"]) == (0, 0, 0)
    assert sorted(shop.service.ids) == sorted(queued(shop.calls))
    assert all(len(times) == 1 for times in shop.service.ids.values())


@pytest.fixture
def settle_in(status):
    def wait(spool):
        wait_for(lambda: status(spool)["pending"] == 0, "something stays pending", LONG_S)
        counters = status(spool)
        assert counters["is_balanced"] and counters["faults"] == [], counters
        return counters

    return wait


@pytest.mark.parametrize("concurrency", [1, 3])
def test_one_drainer_ends_at_its_concurrency_and_several_go_past_it(concurrency, open_shop, settle_in):
    rounds = {}
    for spools in (1, SEVERAL):
        shop = open_shop(spools, concurrency)
        shop.enqueue_all()
        rounds[spools] = shop.rounds(concurrency)
        assert_each_arrived_once(shop, settle_in)
        # Never more at a time, whatever the number of pending events.
        assert shop.service.most_held == spools * concurrency
        if concurrency == 1:
            assert out_of_order(shop.service) == []
    # With several spools, the largest one takes the longest.
    assert rounds[1] == math.ceil(COUNT / concurrency) and rounds[1] >= 2 * rounds[SEVERAL], rounds


@pytest.mark.parametrize("spools", [1, SEVERAL])
def test_drainers_end_at_the_rate_of_the_service_and_keep_the_order_of_each_session(spools, open_shop, settle_in):
    shop = open_shop(spools, 1, rate=RATE)
    shop.enqueue_all()
    shop.service.open()
    wait_for(lambda: len(shop.service.ids) == COUNT, "not all is delivered", LONG_S)
    assert_each_arrived_once(shop, settle_in)
    # One drainer already reaches the rate, and the service refuses further requests.
    assert max(shop.service.taken.values()) == RATE and sum(shop.service.refused.values()) > 0
    # The service does not get requests continuously, because each drainer waits for Retry-After.
    assert max(shop.service.refused.values()) <= spools, shop.service.refused
    assert out_of_order(shop.service) == []


def test_order_of_a_session_is_lost_when_its_events_are_in_several_spools(open_shop, settle_in):
    shop = open_shop(2, 1)
    shop.enqueue("other", 0, "shop-0")
    wait_for(lambda: "other/0" in shop.service.ids, "nothing is delivered", LONG_S)
    # The first event waits behind another one, and the second does not.
    shop.enqueue("visitor", 0, "shop-0")
    shop.enqueue("visitor", 1, "shop-1")
    wait_for(lambda: "visitor/1" in shop.service.ids, "nothing is delivered", LONG_S)
    assert "visitor/0" not in shop.service.ids
    shop.service.open()
    assert_each_arrived_once(shop, settle_in)
    assert out_of_order(shop.service) == ["visitor"]
