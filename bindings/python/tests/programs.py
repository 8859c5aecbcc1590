"""Programs that a test runs in a separate interpreter: ``programs.py NAME BASE_URL``."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from typing import Callable, Dict, List, Set

from esales_notify import Client, Receipt, Visitor, _callbacks, log_to
from service import BUDGET_MS, LIMIT_S, Control, until

VISITOR = Visitor.anonymous("c", "s", "UK")


def wait_for_child(pid: int) -> int:
    """The exit status of the child; 0: success."""
    return os.waitpid(pid, 0)[1]


def fork_child(work: Callable[[], None]) -> int:
    """Starts a child that does this work. An alarm ends it if it hangs."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(LIMIT_S)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def fork_while_threads_send(base_url: str) -> None:
    """Threads send continuously; children that are forked meanwhile use the same client and close it."""
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
                    sending.wait(LIMIT_S)
                number += 1
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=send_until_stopped, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    sending.wait(LIMIT_S)

    def child(name: str) -> None:
        for number in range(3):
            client.notify_add_to_cart(VISITOR, "t", f"child-{name}-{number}")
        client.close()
        with Client(base_url=base_url, timeout_ms=BUDGET_MS) as own:
            own.notify_add_to_cart(VISITOR, "t", f"child-{name}-own")

    for name in range(10):
        ended = wait_for_child(fork_child(lambda: child(str(name))))
        assert ended == 0, f"child {name} ended with {ended}"
    stop.set()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert not failed, failed
    client.notify_add_to_cart(VISITOR, "t", "parent-last")
    client.close()


def fork_during_a_call(base_url: str) -> None:
    """A child is forked while another thread's call hangs; both send, close and end normally.

    The parent ends with the call still hanging, in a daemon thread, on a client that is closed.
    """
    service = Control(base_url)
    client = Client(base_url=base_url, timeout_ms=300_000, max_attempts=1)
    service.script("hang")
    threading.Thread(target=client.notify_add_to_cart, args=(VISITOR, "t", "hanging"), daemon=True).start()
    service.wait_for(1)
    pid = os.fork()
    if pid == 0:
        # No os._exit: the interpreter ends normally, with the inherited state.
        signal.alarm(LIMIT_S)
        client.notify_add_to_cart(VISITOR, "t", "child")
        client.close()
        sys.exit(0)
    ended = wait_for_child(pid)
    assert ended == 0, f"the child ended with {ended}"
    client.notify_add_to_cart(VISITOR, "t", "parent")
    client.close()


def end_without_closing(base_url: str) -> None:
    """The interpreter ends with an idle client that was never closed."""
    client = Client(base_url=base_url, timeout_ms=BUDGET_MS)
    client.notify_add_to_cart(VISITOR, "t")
    # A global of a module, which is freed last.
    globals()["unclosed"] = client


def enqueue_for_another(base_url: str) -> None:
    """Leaves three notifications in the spool of the environment, for another process to deliver."""
    os.environ["ESALES_BASE_URL"] = base_url
    with Client() as client:
        for number in range(3):
            client.enqueue_add_to_cart(VISITOR, "t", f"other-{number}")
        assert not client.flush(0)
        assert client.stats().process.pending == 3


def deliver_some(base_url: str) -> Client:
    """A client that is delivering the spool of the environment."""
    os.environ["ESALES_BASE_URL"] = base_url
    service = Control(base_url)
    before = len(service.received())
    client = Client()
    client.stats()
    service.wait_for(before + 20)
    return client


def end_while_delivering(base_url: str) -> None:
    """The interpreter ends while requests are in flight; the client was closed, and its delivery continues."""
    deliver_some(base_url).close()


def end_by_stop_delivery(base_url: str) -> None:
    """Stops the delivery, and ends without the functions of ``atexit``."""
    client = deliver_some(base_url)
    assert client.stop_delivery(LIMIT_S)
    os._exit(0)


def log_to_nothing() -> None:
    """The library logs at the lowest level; the handler formats the messages and drops them."""
    logging.getLogger("esales_notify").addHandler(logging.StreamHandler(open(os.devnull, "w", encoding="utf-8")))
    logging.getLogger("esales_notify").propagate = False
    log_to(level=logging.DEBUG)


def end_with_callbacks_at_work(base_url: str) -> None:
    """The interpreter ends while the library delivers, calls callbacks and logs; nothing is closed or unregistered."""
    client = Client(base_url=base_url, timeout_ms=BUDGET_MS)
    has_begun = threading.Event()
    log_to_nothing()

    def busy(receipt: Receipt) -> None:
        has_begun.set()
        sum(range(10_000))

    client.on_delivery(busy)
    for _ in range(5000):
        client.enqueue_add_to_cart(VISITOR, "t")
    assert has_begun.wait(LIMIT_S)
    globals()["unclosed"] = client


def end_while_callbacks_are_set(base_url: str) -> None:
    """The interpreter ends while a daemon thread sets callbacks, and makes and drops clients."""
    has_begun = threading.Event()

    def forever() -> None:
        while True:
            client = Client(base_url=base_url, timeout_ms=BUDGET_MS)
            try:
                client.on_delivery(lambda receipt: None)
                log_to_nothing()
            except RuntimeError as error:
                assert "is ending" in str(error), error
            client.enqueue_add_to_cart(VISITOR, "t")
            has_begun.set()

    for _ in range(3):
        threading.Thread(target=forever, daemon=True).start()
    assert has_begun.wait(LIMIT_S)


def end_after_interrupts(base_url: str) -> None:
    """The interpreter ends after Ctrl-C interrupted the code that its end waits for, at each point."""

    def interrupt(*arguments: object) -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    class Interrupted(Set[object]):
        def add(self, element: object) -> None:
            super().add(element)
            interrupt()

    # The parent may have set the signal to be ignored, as a shell does for background programs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupts: List[object] = []
    sys.unraisablehook = lambda what: interrupts.append(what.exc_type)

    def is_interrupted(work: Callable[[], object]) -> None:
        try:
            work()
        except KeyboardInterrupt:
            interrupts.append(KeyboardInterrupt)

    client = Client(base_url=base_url, timeout_ms=BUDGET_MS)
    handle = client._handle
    assert handle is not None
    library = handle.library
    # Within C, and before it.
    library.esales_client_on_delivery, on_delivery = interrupt, library.esales_client_on_delivery
    is_interrupted(lambda: client.on_delivery(lambda receipt: None))
    library.esales_client_on_delivery = on_delivery
    library.esales_log_to, log = interrupt, library.esales_log_to
    is_interrupted(lambda: log_to(level=logging.DEBUG))
    library.esales_log_to = log
    changes, _callbacks._changes = _callbacks._changes, Interrupted()
    is_interrupted(lambda: client.on_delivery(None))
    changes |= _callbacks._changes
    _callbacks._changes = changes
    handle._free = interrupt
    del client, handle
    client = Client(base_url=base_url, timeout_ms=BUDGET_MS)
    handle = client._handle
    assert handle is not None
    handle._changes = Interrupted()
    left = handle._changes
    del client, handle
    assert not changes, changes
    assert not left, left
    assert interrupts == [KeyboardInterrupt] * 5, interrupts


def end_with_a_change_that_never_ends(base_url: str) -> None:
    """Raises between any two steps of Python, and leaves an entry that the interpreter's end waits for."""
    _callbacks._CHANGES_TIMEOUT_S = 0.1
    _callbacks._changes.add(object())


def fork_with_a_spool(base_url: str) -> None:
    """A child of multiprocessing enqueues into the spool that its parent used before, and gets its callback."""
    # The worker may still make a file in the spool while it is removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = Client(base_url=base_url, timeout_ms=BUDGET_MS, spool=os.path.join(folder, "spool"))
        of_parent: List[str] = []
        client.on_delivery(lambda receipt: of_parent.append(receipt.id))
        client.enqueue_add_to_cart(VISITOR, "t", "parent-0")
        assert client.flush(LIMIT_S)
        until("the parent was called back", lambda: of_parent == ["parent-0"])

        def child() -> None:
            signal.alarm(LIMIT_S)
            assert client.stats().spool.delivered == 1
            client.enqueue_add_to_cart(VISITOR, "t", "child-0")
            assert client.flush(LIMIT_S)
            # The child has no callback until it sets one.
            of_child: List[str] = []
            client.on_delivery(lambda receipt: of_child.append(receipt.id))
            client.enqueue_add_to_cart(VISITOR, "t", "child-1")
            assert client.flush(LIMIT_S)
            stats = client.stats()
            assert (stats.spool.delivered, stats.process.accepted, stats.is_balanced) == (3, 2, True), stats
            for id in ("parent-0", "child-0", "child-1"):
                receipt = client.receipt(id)
                assert receipt is not None and receipt.name == "ESALES_DELIVERED", receipt
            assert of_parent == ["parent-0"], of_parent
            # The process that delivered it, this one or its parent, gets the callback.
            assert set(of_child) <= {"child-1"}, of_child
            client.close()

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(2 * LIMIT_S)
        assert process.exitcode == 0, process.exitcode
        client.enqueue_add_to_cart(VISITOR, "t", "parent-1")
        assert client.flush(LIMIT_S)
        stats = client.stats()
        assert (stats.spool.delivered, stats.process.accepted, stats.is_balanced) == (4, 2, True), stats
        client.close()


def fork_with_a_queue_in_memory(base_url: str) -> None:
    """A child has a separate queue, and callbacks after it sets them; it ends normally."""
    service = Control(base_url)
    service.script("503:times=1000000")
    client = Client(base_url=base_url, timeout_ms=BUDGET_MS, gate_min_ms=10, gate_max_ms=10)
    of_parent: List[str] = []
    client.on_delivery(lambda receipt: of_parent.append(receipt.id))
    log_to_nothing()
    client.enqueue_add_to_cart(VISITOR, "t", "parent")
    service.wait_for(1)
    pid = os.fork()
    if pid == 0:
        # No os._exit: the interpreter's own end, with what the child inherited.
        signal.alarm(LIMIT_S)
        assert client.stats().spool.accepted == 0
        service.script("")
        of_child: List[str] = []
        client.on_delivery(lambda receipt: of_child.append(receipt.id))
        client.enqueue_add_to_cart(VISITOR, "t", "child")
        assert client.flush(LIMIT_S)
        until("the child was called back", lambda: of_child == ["child"])
        assert of_parent == [], of_parent
        sys.exit(0)
    ended = wait_for_child(pid)
    assert ended == 0, f"the child ended with {ended}"
    assert client.flush(LIMIT_S)
    until("the parent was called back", lambda: of_parent == ["parent"])
    client.close()


PROGRAMS: Dict[str, Callable[[str], None]] = {
    program.__name__: program
    for program in (
        fork_while_threads_send,
        fork_during_a_call,
        end_without_closing,
        enqueue_for_another,
        end_while_delivering,
        end_by_stop_delivery,
        end_with_callbacks_at_work,
        end_while_callbacks_are_set,
        end_after_interrupts,
        end_with_a_change_that_never_ends,
        fork_with_a_spool,
        fork_with_a_queue_in_memory,
    )
}

if __name__ == "__main__":
    # The alarm also ends processes that hang.
    signal.alarm(2 * LIMIT_S)
    PROGRAMS[sys.argv[1]](sys.argv[2])
