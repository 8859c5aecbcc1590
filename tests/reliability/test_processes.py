"""Many processes at one spool: all of it arrives, one drains at a time, nobody sees an error."""

from counting import Service, wait_for
from test_kill import Accepted, kill


def test_sixteen_producers_and_two_drainers(spooler, soak, tmp_path, capsys):
    each = 1000
    with Service() as service:
        options = {"base_url": service.base_url, "spool": tmp_path / "spool", "enqueue_timeout_ms": 60000}
        drainers = [spooler("drain", options=options) for _ in range(2)]
        producers = [spooler("produce", f"p{n}", each, options={**options, "delivery": "none"}) for n in range(16)]
        readers = [Accepted(producer) for producer in producers]
        tails = []
        for producer in producers:
            words = producer.stderr.read()
            assert producer.wait() == 0, words
            tails.append([int(number) for number in words.split()])
        accepted = [id for reader in readers for id in reader.done()]
        assert len(accepted) == 16 * each
        wait_for(lambda: len(service.ids) == len(accepted), "not all arrived", 120)
        for drainer in drainers:
            drainer.stdin.close()
            assert drainer.wait(30) == 0, drainer.stderr.read()
            drainer.stdin = None
            kill(drainer)
        # Two drainers at a time would send some of it twice.
        assert all(len(times) == 1 for times in service.ids.values())
        with capsys.disabled():
            print(f"\n  16 processes, enqueue µs: p50 {sorted(t[2] for t in tails)[8]}, p99 {max(t[3] for t in tails)}, "
                  f"longest {max(t[4] for t in tails)}")


def test_a_standby_takes_over_when_the_drainer_is_killed(spooler, tmp_path):
    with Service() as service:
        options = {"base_url": service.base_url, "spool": tmp_path / "spool", "enqueue_timeout_ms": 60000}
        first = spooler("drain", options=options)
        assert first.stdout.readline() == "ready\n"
        second = spooler("drain", options=options)
        assert second.stdout.readline() == "ready\n"
        for n in range(2):
            producer = spooler("produce", f"p{n}", 50, options={**options, "delivery": "none"})
            assert len(Accepted(producer).done()) == 50
            wait_for(lambda: len(service.ids) == 50 * (n + 1), "nobody took over", 10)
            kill(first)
        kill(second)
