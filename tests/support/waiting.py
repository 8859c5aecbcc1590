"""Waiting for another process."""

import itertools
import time


def wait_for(condition, what, seconds=180):
    """Polls until the condition holds, and returns its value. Another process sends no event that could be awaited. On a
    machine that is busy with ten times its work, a web server may take more than a minute to start."""
    deadline = time.monotonic() + seconds
    # The condition often starts a process, so a long wait must not keep a processor busy.
    pauses = itertools.chain((0.01, 0.02, 0.03, 0.04), itertools.repeat(0.05))
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(next(pauses))
    return found
