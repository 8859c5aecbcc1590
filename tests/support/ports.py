"""A port for a server that takes no 0."""

import contextlib
import random
import socket


def free_port():
    """Below the range that the system gives ports from: nobody is given it between this look and the server's bind."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(10000, 32768)))
            return probe.getsockname()[1]
