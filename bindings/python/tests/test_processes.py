"""Threads, fork, and the end of the interpreter."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, List

import pytest

import esales_notify as e
from esales_notify import Client, Visitor
from service import BUDGET_MS, LIMIT_S, Sandbox, run_program, watch_frees

START = Callable[..., Sandbox]


class HangingCall:
    """A call in a separate thread, which the service does not answer."""

    def __init__(self, sandbox: Sandbox, client: Client, visitor: Visitor) -> None:
        self.name = ""
        sandbox.script("hang")

        def call() -> None:
            try:
                self.name = client.notify_add_to_cart(visitor, "t").name
            except e.NotifyError as error:
                self.name = error.name

        self._thread = threading.Thread(target=call)
        self._thread.start()
        sandbox.wait_for(1)

    def name_of_its_end(self) -> str:
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()
        return self.name


def test_gil_is_released_during_a_call(start_sandbox: START, visitor: Visitor) -> None:
    sandbox = start_sandbox()
    with Client(base_url=sandbox.base_url, max_attempts=1, timeout_ms=BUDGET_MS) as client:
        # Waits until the sandbox has the request, so this thread ran during the other thread's call.
        call = HangingCall(sandbox, client, visitor)
        # Only this thread can break the connection. If it had to wait for the call, the call would end by its budget.
        sandbox.stop()
        assert call.name_of_its_end() == "ESALES_CONNECTION_LOST"


def test_close_lets_calls_in_flight_finish(start_sandbox: START, visitor: Visitor) -> None:
    sandbox = start_sandbox()
    client = Client(base_url=sandbox.base_url, max_attempts=1, timeout_ms=BUDGET_MS)
    freed = watch_frees(client)
    call = HangingCall(sandbox, client, visitor)
    client.close()
    with pytest.raises(e.ClosedError):
        client.notify_add_to_cart(visitor, "t")
    assert freed == []
    sandbox.stop()
    assert call.name_of_its_end() == "ESALES_CONNECTION_LOST"
    assert len(freed) == 1


def test_client_is_freed_once(sandbox: Sandbox, visitor: Visitor) -> None:
    client = Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS, max_attempts=1)
    freed = watch_frees(client)
    client.notify_add_to_cart(visitor, "t")
    sandbox.script("503")
    with pytest.raises(e.ServerError) as kept:
        client.notify_add_to_cart(visitor, "t")
    assert freed == []
    client.close()
    # Also while an exception is kept, which keeps the frames of the call.
    assert kept.value.status == e.ESALES_SERVER_ERROR
    assert len(freed) == 1
    client.close()
    del client
    assert len(freed) == 1


def test_many_threads_can_share_a_client(sandbox: Sandbox, client: Client, visitor: Visitor) -> None:
    def send(number: int) -> str:
        return client.notify_add_to_cart(visitor, "t", f"id-{number}").id

    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(send, range(400)))
    assert ids == [f"id-{number}" for number in range(400)]
    assert sorted(sandbox.ids()) == sorted(ids)


def test_threads_get_receipts_or_closed_errors_while_another_closes_the_client(sandbox: Sandbox, visitor: Visitor) -> None:
    for _ in range(20):
        client = Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS)
        together = threading.Barrier(9)

        def send(client: Client = client, together: threading.Barrier = together) -> int:
            together.wait(LIMIT_S)
            sent = 0
            try:
                while True:
                    client.notify_add_to_cart(visitor, "t")
                    sent += 1
            except e.ClosedError:
                return sent

        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(send) for _ in range(8)]
            together.wait(LIMIT_S)
            client.close()
            sent = sum(one.result(LIMIT_S) for one in running)
        assert len(sandbox.received()) == sent
        sandbox.clear()


def test_forked_children_send_while_threads_of_the_parent_send(start_sandbox: START, environment: Dict[str, str]) -> None:
    sandbox = start_sandbox()
    run_program("fork_while_threads_send", sandbox.base_url, environment)
    ids = sandbox.ids()
    assert len(set(ids)) == len(ids), "something arrived twice"
    expected = {f"child-{name}-{what}" for name in range(10) for what in (0, 1, 2, "own")}
    assert expected <= set(ids)
    # Parent and child did not write to each other's connections.
    who = [(one["connection"], one["notification"]["id"].rsplit("-", 1)[0]) for one in sandbox.received()]
    of_children = {connection for connection, name in who if name.startswith("child")}
    of_the_parent = {connection for connection, name in who if name.startswith("parent")}
    assert not of_children & of_the_parent
    assert "parent-last" in ids


def test_child_forked_during_a_call_sends(start_sandbox: START, environment: Dict[str, str]) -> None:
    sandbox = start_sandbox()
    run_program("fork_during_a_call", sandbox.base_url, environment)
    assert sandbox.ids() == ["hanging", "child", "parent"]


def test_interpreter_exits_cleanly_with_an_open_client(start_sandbox: START, environment: Dict[str, str]) -> None:
    sandbox = start_sandbox()
    run_program("end_without_closing", sandbox.base_url, environment)
    assert len(sandbox.received()) == 1
