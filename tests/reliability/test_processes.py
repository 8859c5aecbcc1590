"""Many processes with one spool: every event arrives once, one process drains at a time, no call fails."""

import time

from counting import Service
from test_kill import Accepted, kill
from waiting import wait_for


def test_sixteen_producers_and_two_drainers_deliver_each_event_once(spooler, counters, tmp_path, capsys):
    each = 1000
    with Service() as service:
        spool = tmp_path / "spool"
        options = {"base_url": service.base_url, "spool": spool}
        drainers = [spooler("drain", options=options) for _ in range(2)]
        producers = [spooler("produce", f"p{n}", each, options={**options, "delivery": "none"}) for n in range(16)]
        readers = [Accepted(producer) for producer in producers]
        tails = []
        for producer in producers:
            output = producer.stderr.read()
            assert producer.wait() == 0, output
            assert "log:" not in output, output
            tails.append([int(number) for number in output.split()])
        accepted = [id for reader in readers for id in reader.done()]
        assert len(accepted) == 16 * each
        wait_for(lambda: len(service.ids) == len(accepted), "not all arrived", 300)
        wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", 120)
        for drainer in drainers:
            drainer.stdin.close()
            assert drainer.wait(120) == 0, drainer.stderr.read()
            drainer.stdin = None
            kill(drainer)
        assert set(service.ids) == set(accepted)
        # Two drainers at a time would send some events twice.
        assert all(len(times) == 1 for times in service.ids.values())
        numbers = counters(spool)
        assert numbers["accepted"] == numbers["delivered"] == len(accepted), numbers
        with capsys.disabled():
            print(f"\n  16 processes, enqueue µs: p50 {sorted(t[2] for t in tails)[8]}, p99 {max(t[3] for t in tails)}, "
                  f"longest {max(t[4] for t in tails)}")


def test_process_that_finds_a_spool_just_begun_by_another_logs_nothing(spooler, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    (spool / ".new-1-FORMAT").touch()
    producer = spooler("produce", "p", 1, options={"base_url": "http://127.0.0.1:9", "spool": spool, "delivery": "none"})
    assert "log:" not in producer.stderr.read()
    assert producer.wait() == 0


def test_standby_drainer_becomes_the_leader_within_a_second_when_the_leader_is_killed(spooler, counters, tmp_path, capsys):
    """Measured from the kill to the delivery of an event that is enqueued afterwards."""
    grace = 0.4
    took = []
    with Service() as service:
        spool = tmp_path / "spool"
        options = {"base_url": service.base_url, "spool": spool}

        def standby():
            drainer = spooler("drain", options=options)
            assert drainer.stdout.readline() == "ready\n"
            return drainer

        def arrives(identity):
            """The time of arrival. Every drainer was ready before."""
            assert Accepted(spooler("produce", identity, 1, options={**options, "delivery": "none"})).done() == [f"{identity}-0"]
            wait_for(lambda: f"{identity}-0" in service.ids, "no drainer became the leader", 120)
            return service.ids[f"{identity}-0"][0]

        leading = standby()
        arrives("first")
        while not took or min(took) >= 1 + grace:
            assert len(took) < 5, f"slower than it should be in each round: {took}"
            other = standby()
            # The deliveries are in the journal, so no event arrives twice.
            wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", 120)
            killed = time.monotonic()
            kill(leading)
            took.append(arrives(f"p{len(took)}") - killed)
            leading = other
        wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", 120)
        kill(leading)
        assert counters(spool)["delivered"] == len(service.ids) == len(took) + 1
        assert all(len(times) == 1 for times in service.ids.values())
        with capsys.disabled():
            print(f"\n  a standby drainer leads after {min(took) * 1000:.0f} ms")
