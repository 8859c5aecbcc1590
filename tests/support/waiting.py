"""Waiting for another process."""

import itertools
import time


def wait_for(condition, what, seconds=60):
    """Polls until the condition holds, and returns it: another process sends no event to wait for."""
    deadline = time.monotonic() + seconds
    # Often a process is started to see: a long wait is not to keep a processor busy.
    pauses = itertools.chain((0.01, 0.02, 0.03, 0.04), itertools.repeat(0.05))
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(next(pauses))
    return found
