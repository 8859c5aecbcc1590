"""kill -9 of producers and drainers. Every id whose enqueue returned arrives, with its bytes, and once unless a drainer was killed."""

import functools
import json
import pathlib
import random
import re
import socket
import threading
import time

import pytest
from counting import Service
from waiting import wait_for

CONCURRENCY = 4


class Accepted:
    """Reads the ids of a producer as they are printed; an incomplete line is ignored."""

    def __init__(self, process):
        self.ids = []
        self._process = process
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.ids.append(line.strip())

    def done(self):
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        return self.ids


def kill(process):
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()


@functools.cache
def sent():
    """The fields of the events of spooler.c, except the id."""
    source = pathlib.Path(__file__).with_name("spooler.c").read_text()
    visitor = dict(re.findall(r'visitor\.(\w+) = "(.*)";', source))
    return {"market": visitor["market"], "customerKey": visitor["customer_key"], "sessionKey": visitor["session_key"],
            "ticket": re.search(r'#define TICKET "(.*)"', source)[1]}


def repeated(service, kills, most):
    """The ids that arrived twice. Asserts that a drainer was killed in between, and that one kill repeats at most `most`."""
    counts = [0] * (len(kills) + 1)
    again = {identity: times for identity, times in service.ids.items() if len(times) > 1}
    for identity, times in again.items():
        for earlier, later in zip(times, times[1:]):
            between = [n for n, killed in enumerate(kills) if earlier < killed < later]
            assert between, f"{identity} arrived again, and nobody was killed: {times}"
            counts[between[0]] += 1
    assert max(counts) <= most, counts
    return again


@pytest.mark.parametrize("durability, rounds, soaked", [("process", 200, 2000), ("disk", 30, 300)], ids=["process", "disk"])
def test_accepted_event_is_delivered_when_producers_and_drainers_are_killed(spooler, counters, soak, tmp_path, durability, rounds, soaked):
    rounds = soaked if soak else rounds
    dice = random.Random(4711)
    with Service() as service:
        spool = tmp_path / "spool"
        options = {"base_url": service.base_url, "spool": spool, "durability": durability, "gate_min_ms": 10, "gate_max_ms": 50,
                   "concurrency": CONCURRENCY, "max_items": 10_000_000, "max_bytes": 1 << 36}
        accepted, kills = [], []

        def kill_drainer(drainer):
            kill(drainer)
            # Everything that the killed drainer sent has arrived by now; what the next one sends arrives later.
            service.rest()
            kills.append(time.monotonic())

        drainer = spooler("drain", options=options)
        assert drainer.stdout.readline() == "ready\n"
        for n in range(rounds):
            producer = spooler("produce", f"r{n}", 100000, options={**options, "delivery": "none"})
            reading = Accepted(producer)
            enough = dice.randrange(1, 40)
            wait_for(lambda: len(reading.ids) >= enough or producer.poll() is not None, f"round {n}: the producer is stuck", 120)
            assert producer.poll() is None, f"round {n}: {producer.stderr.read()}"
            if dice.random() < 0.5:
                kill_drainer(drainer)
                drainer = spooler("drain", options=options)
            producer.kill()
            accepted += reading.done()
            # A producer is faster than the service: the backlog stays bounded.
            wait_for(lambda: len(service.ids) >= len(accepted) - 20000, f"round {n}: nothing is delivered", 120)
        kill_drainer(drainer)
        last = spooler("drain", options=options)
        wait_for(lambda: all(id in service.ids for id in accepted),
                 f"lost: {[id for id in accepted if id not in service.ids][:10]}", 300)
        wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", 120)
        kill(last)
        assert len(set(accepted)) == len(accepted) > rounds
        for identity, body in service.bodies.items():
            assert json.loads(body) == {**sent(), "id": identity}, f"{identity} is corrupted: {body!r}"
        # A drainer has at most CONCURRENCY requests whose answers are not in the journal, and sends more only afterwards.
        again = repeated(service, kills, CONCURRENCY)
        # A producer may have been killed between its append and its line of output: at most one event for each
        # producer.
        assert len(set(service.ids) - set(accepted)) <= rounds
        numbers = counters(spool)
        assert numbers["accepted"] == numbers["delivered"] == len(service.ids), numbers
        print(f"{durability}: {len(accepted)} accepted in {rounds} rounds, {len(kills)} drainers killed, "
              f"{len(again)} arrived twice")


def test_kill_check_fails_when_an_event_arrives_twice_without_a_kill():
    with Service() as service:
        for kills, times in (([], [1, 2]), ([3], [1, 2]), ([2], [1, 3, 4])):
            service.ids = {"x": times}
            with pytest.raises(AssertionError, match="nobody was killed"):
                repeated(service, kills, 1)
        service.ids = {"x": [1, 3], "y": [1, 4], "z": [1]}
        assert set(repeated(service, [2], 2)) == {"x", "y"}
        with pytest.raises(AssertionError):
            repeated(service, [2], 1)


def post(service, body, most=None):
    """The status of the answer; None if the request ends early, after `most` bytes."""
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        whole = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        connection.sendall(whole[:most])
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))[9:12]


@pytest.mark.parametrize("wrong, expected", [
    (b'{"id": "x", "market": "UL"}', "x came with other bytes"),
    (b'{"id": "x', "JSONDecodeError"),
], ids=["another", "no JSON"])
def test_kill_check_fails_when_other_bytes_arrive(wrong, expected):
    right = b'{"id": "x", "market": "UK"}'
    with pytest.raises(AssertionError, match=expected), Service() as service:
        assert post(service, right) == post(service, right) == b"204"
        head = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 27\r\n\r\n"
        for most in range(len("POST / HTTP/1.1\r\n"), len(head) + len(right)):
            assert post(service, right, most) == b"", "cut off by a kill: it has not arrived"
        assert len(service.ids["x"]) == 2 and not service.defects
        post(service, wrong)
        service.rest()
