"""Programs that a test runs in an interpreter of their own: ``programs.py NAME BASE_URL``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Callable, Dict, List

from esales_notify import Client, Visitor
from service import PATIENCE_S, Control

VISITOR = Visitor.anonymous("c", "s", "UK")


def wait_for_child(pid: int) -> int:
    """0, or how the child ended."""
    return os.waitpid(pid, 0)[1]


def fork_child(work: Callable[[], None]) -> int:
    """A child that does this work, and that the system ends if it hangs."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE_S)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def fork_while_threads_send(base_url: str) -> None:
    """Threads send all the time; children, forked meanwhile, use the same client and close it."""
    client = Client(base_url=base_url, timeout_ms=30000)
    stop = threading.Event()
    sending = threading.Barrier(5)
    failed: List[BaseException] = []

    def send_until_stopped(name: str) -> None:
        try:
            number = 0
            while not stop.is_set():
                client.notify_add_to_cart(VISITOR, "t", f"parent-{name}-{number}")
                if number == 0:
                    sending.wait(PATIENCE_S)
                number += 1
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=send_until_stopped, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    sending.wait(PATIENCE_S)

    def child(name: str) -> None:
        for number in range(3):
            client.notify_add_to_cart(VISITOR, "t", f"child-{name}-{number}")
        client.close()
        with Client(base_url=base_url) as own:
            own.notify_add_to_cart(VISITOR, "t", f"child-{name}-own")

    for name in range(10):
        ended = wait_for_child(fork_child(lambda: child(str(name))))
        assert ended == 0, f"child {name} ended with {ended}"
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert not failed, failed
    client.notify_add_to_cart(VISITOR, "t", "parent-last")
    client.close()


def fork_during_a_call(base_url: str) -> None:
    """A child is forked while another thread's call hangs; both send, close and end in the usual way.

    The parent ends with the call still hanging, in a daemon thread, on a client that is closed.
    """
    service = Control(base_url)
    client = Client(base_url=base_url, timeout_ms=300_000, max_attempts=1)
    service.script("hang")
    threading.Thread(target=client.notify_add_to_cart, args=(VISITOR, "t", "hanging"), daemon=True).start()
    service.wait_for(1)
    pid = os.fork()
    if pid == 0:
        # No os._exit: the interpreter's own end, with what the child inherited.
        signal.alarm(PATIENCE_S)
        client.notify_add_to_cart(VISITOR, "t", "child")
        client.close()
        sys.exit(0)
    ended = wait_for_child(pid)
    assert ended == 0, f"the child ended with {ended}"
    client.notify_add_to_cart(VISITOR, "t", "parent")
    client.close()


def end_without_closing(base_url: str) -> None:
    """The interpreter ends with a client in use by nobody, and never closed."""
    client = Client(base_url=base_url)
    client.notify_add_to_cart(VISITOR, "t")
    # A module's global: freed at the very end.
    globals()["unclosed"] = client


PROGRAMS: Dict[str, Callable[[str], None]] = {
    program.__name__: program for program in (fork_while_threads_send, fork_during_a_call, end_without_closing)
}

if __name__ == "__main__":
    # Whatever hangs, nothing stays behind.
    signal.alarm(2 * PATIENCE_S)
    PROGRAMS[sys.argv[1]](sys.argv[2])
