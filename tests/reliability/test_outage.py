"""An outage: one gate for the whole spool, not one for each process; afterwards every event arrives once."""

import socket
import time

import pytest
from counting import Service
from spool_files import attempts
from test_kill import Accepted, kill
from waiting import wait_for

CONCURRENCY = 4
TIMEOUT_S = 2
RETRY_AFTER_S = 1
# Without a Retry-After the gate draws its pause from 0 to this long.
PAUSE_S = 0.2


class Hole:
    """An unresponsive server: it accepts connections and answers nothing. `gaps` are the seconds between connections."""

    def __init__(self, port):
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self._listener.settimeout(120)
        self._connections = []
        self._times = []

    def accept(self):
        connection = self._listener.accept()[0]
        self._times.append(time.monotonic())
        for earlier in self._connections:
            assert is_closed(earlier), "a second attempt before the first one ended"
        self._connections.append(connection)

    @property
    def gaps(self):
        return [later - earlier for earlier, later in zip(self._times, self._times[1:])]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for opened in (self._listener, *self._connections):
            opened.close()


def is_closed(connection):
    """Whether the other side has closed the connection. Data before the end is discarded."""
    try:
        while connection.recv(65536, socket.MSG_DONTWAIT):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("drainers", [1, 3])
def test_spool_sends_one_probe_at_a_time_in_an_outage_and_delivers_all_events_after_it(spooler, counters, tmp_path, drainers):
    """503 with Retry-After, then refused connections, then an unresponsive server; then the service is back."""
    with Service(503, {"Retry-After": str(RETRY_AFTER_S)}) as service:
        spool = tmp_path / "spool"
        options = {"base_url": service.base_url, "spool": spool, "concurrency": CONCURRENCY, "gate_min_ms": int(PAUSE_S * 1000),
                   "gate_max_ms": int(PAUSE_S * 1000), "timeout_ms": TIMEOUT_S * 1000}
        running = [spooler("drain", options=options) for _ in range(drainers)]
        workers = [spooler("produce", f"p{n}", 50, options={**options, "delivery": "none"}) for n in range(4)]
        accepted = [id for worker in workers for id in Accepted(worker).done()]
        assert len(accepted) == 200

        # One probe for each Retry-After, after the requests that were in flight when the gate closed.
        wait_for(lambda: len(service.times) >= CONCURRENCY + 4, "no probes", 120)
        probes = service.times[CONCURRENCY:]
        gaps = [later - earlier for earlier, later in zip(probes, probes[1:])]
        assert len(gaps) >= 3 and all(gap >= RETRY_AFTER_S - 0.01 for gap in gaps), gaps
        port = service.port
        service.stop()

    # Refused. The mean pause is half of PAUSE_S. That 60 pauses add up to half of the expected sum happens once in
    # 10^11 runs; if each of three drainers had its own gate, they would add up to a third.
    def tried(more_than, count):
        wait_for(lambda: attempts(spool) >= more_than + count, "no probes", 120)
        return attempts(spool), time.monotonic()

    # The last Retry-After is over with the first that is refused.
    before, started = tried(attempts(spool), 1)
    after, ended = tried(before, 60)
    # The first pause may have begun before.
    pauses = after - before - 1
    assert ended - started >= pauses * PAUSE_S / 2 / 2, f"{pauses} pauses in {ended - started:.1f} s"

    # An unresponsive server: each attempt lasts until its time-out.
    with Hole(port) as hole:
        for _ in range(4):
            hole.accept()
        assert all(gap >= TIMEOUT_S - 0.5 for gap in hole.gaps), hole.gaps

    numbers = counters(spool)
    assert (numbers["accepted"], numbers["pending"]) == (len(accepted), len(accepted)), numbers
    with Service(port=port) as back:
        wait_for(lambda: len(back.ids) == len(accepted), "not all arrived after the outage", 120)
        assert set(back.ids) == set(accepted)
        wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal", 120)
        assert all(len(times) == 1 for times in back.ids.values())
    for drainer in running:
        kill(drainer)
    numbers = counters(spool)
    assert numbers["accepted"] == numbers["delivered"] == len(accepted), numbers


def test_outage_check_fails_when_two_attempts_overlap():
    with Hole(0) as hole:
        address = hole._listener.getsockname()
        with socket.create_connection(address) as first:
            first.sendall(b"POST")
            hole.accept()
        with socket.create_connection(address):
            hole.accept()
            with socket.create_connection(address), pytest.raises(AssertionError, match="before the first one ended"):
                hole.accept()
