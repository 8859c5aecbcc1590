"""A port for a server that takes no 0."""

import contextlib
import os
import random
import socket

# Below the range that the system gives ports from. Each process of a parallel run of the tests has a part of its own.
FIRST, EACH, PARTS = 10_000, 2_000, 11


def free_port():
    """Nothing else takes the port between this check and the server's bind."""
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PARTS
    first = FIRST + part * EACH
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(first, first + EACH)))
            return probe.getsockname()[1]
