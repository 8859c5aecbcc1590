"""An outage: the gate's law for the whole spool, not for each process; afterwards everything arrives."""

import socket

from counting import Service, wait_for
from test_kill import Accepted, kill


def test_an_outage_of_every_kind(spooler, soak, tmp_path):
    with Service(503, {"Retry-After": "1"}) as service:
        options = {"base_url": service.base_url, "spool": tmp_path / "spool", "gate_min_ms": 100, "gate_max_ms": 400,
                   "enqueue_timeout_ms": 60000,
                   "timeout_ms": 500}
        drainers = [spooler("drain", options=options) for _ in range(3)]
        workers = [spooler("produce", f"p{n}", 50, options={**options, "delivery": "none"}) for n in range(4)]
        accepted = [id for worker in workers for id in Accepted(worker).done()]
        assert len(accepted) == 200

        # 503 with Retry-After: one probe a second. What was under way when the gate closed comes on top once.
        wait_for(lambda: len(service.times) >= 8, "no probes", 30)
        probes = service.times[4:]
        gaps = [later - earlier for earlier, later in zip(probes, probes[1:])]
        assert all(gap >= 0.99 for gap in gaps), gaps

        # A black hole: it takes the connection and says nothing. Its backlog is the count of who tried.
        service.stop()
        seen = len(service.times)
        with socket.socket() as hole:
            hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            hole.bind(("127.0.0.1", service.port))
            hole.listen(64)
            hole.settimeout(20)
            tried = [hole.accept()[0] for _ in range(3)]
            # One at a time: the next comes only after the one before timed out.
            hole.setblocking(False)
            for connection in tried:
                connection.close()
        assert len(service.times) == seen

        # Refused connections in between; then it is back on the same port.
        with Service(port=service.port) as back:
            wait_for(lambda: len(back.ids) == len(accepted), "not all arrived after the outage", 60)
            assert set(back.ids) == set(accepted)
            assert all(len(times) == 1 for times in back.ids.values())
        for drainer in drainers:
            kill(drainer)
