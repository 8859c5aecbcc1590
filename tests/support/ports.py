"""Finds a port for a server that does not accept port 0."""

import contextlib
import os
import random
import socket

# Ports below the system's range for automatic ports. Each process of a parallel test run has its own part.
FIRST, EACH, PARTS = 10_000, 2_000, 11


def free_port():
    """Returns a free port, which no other program takes before the server binds it."""
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PARTS
    first = FIRST + part * EACH
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(first, first + EACH)))
            return probe.getsockname()[1]
