"""The queue: enqueue, flush, statistics, receipts, the delivery callback."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import pickle
import queue
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Type

import pytest

import esales_notify as e
from esales_notify import Client, Counts, Percentiles, Receipt, Visitor
from service import BUDGET_MS, LIMIT_S, Sandbox, occupy, run_program, until, watch_frees

START = Callable[..., Sandbox]
MAKE = Callable[..., Client]


@pytest.fixture
def service(start_sandbox: START) -> Sandbox:
    """A sandbox for one test, so that remaining notifications reach no other test."""
    return start_sandbox()


@pytest.fixture
def make(service: Sandbox) -> Iterator[MAKE]:
    """Makes clients of that sandbox. They retry soon, and have long limits for slow machines."""
    made: List[Client] = []

    def make(**options: Any) -> Client:
        usual = {"timeout_ms": BUDGET_MS, "enqueue_timeout_ms": BUDGET_MS, "gate_min_ms": 10, "gate_max_ms": 10}
        made.append(Client(**{"base_url": service.base_url, **usual, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def nowhere() -> str:
    """The address of a service that stays down."""
    return f"http://127.0.0.1:{occupy()}"


@pytest.fixture(params=["memory", "directory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Optional[Path]:
    """Options for a spool in memory and one on disk."""
    return tmp_path / "spool" if request.param == "directory" else None


def found(client: Client, id: str) -> Receipt:
    receipt = client.receipt(id)
    assert receipt is not None
    return receipt


def assert_counts(client: Client, **expected: int) -> None:
    """Expected counters, equal for the spool and this process, which alone uses the spool; counters not given are 0."""
    stats = client.stats()
    nothing = {field.name: 0 for field in dataclasses.fields(Counts)}
    assert stats.spool == stats.process == Counts(**{**nothing, **expected})
    assert stats.is_balanced
    assert stats.spool.is_balanced


def test_enqueued_notification_is_delivered(
    service: Sandbox, make: MAKE, visitor: Visitor, ticket: str, spool: Optional[Path]
) -> None:
    client = make(spool=spool)
    receipt = client.enqueue_add_to_cart(visitor, ticket)
    assert (receipt.status, receipt.name) == (e.ESALES_QUEUED, "ESALES_QUEUED")
    assert (receipt.http_status, receipt.attempts) == (None, 0)
    assert client.enqueue_add_to_cart(visitor, ticket, "one-id").id == "one-id"
    assert client.flush(LIMIT_S)
    assert sorted(service.ids()) == sorted([receipt.id, "one-id"])
    assert {one["notification"]["ticket"] for one in service.received()} == {ticket}
    for id in (receipt.id, "one-id"):
        delivered = found(client, id)
        assert (delivered.status, delivered.name) == (e.ESALES_DELIVERED, "ESALES_DELIVERED")
        assert (delivered.http_status, delivered.attempts, delivered.id) == (204, 1, id)
    assert_counts(client, accepted=2, delivered=2)


def test_try_enqueue_returns_the_receipt_when_it_is_accepted(
    service: Sandbox, make: MAKE, visitor: Visitor, ticket: str
) -> None:
    client = make()
    receipts = [
        client.try_enqueue(visitor, e.Notification.click(ticket, id="a")),
        client.try_enqueue_add_to_cart(visitor, ticket, "b"),
    ]
    assert client.flush(LIMIT_S)
    assert [(receipt.status, receipt.id) for receipt in receipts] == [(e.ESALES_QUEUED, "a"), (e.ESALES_QUEUED, "b")]
    assert sorted(service.ids()) == ["a", "b"]


def test_try_enqueue_returns_a_negative_status_when_it_is_not_accepted(
    make: MAKE, visitor: Visitor, ticket: str, nowhere: str
) -> None:
    client = make(base_url=nowhere, max_items=1, max_age_s=10)
    client.enqueue_add_to_cart(visitor, ticket)
    closed = make()
    closed.close()
    wrong: Any = None
    for status, name, detail, receipt in [
        (e.ESALES_QUEUE_FULL, "ESALES_QUEUE_FULL", "full", client.try_enqueue_add_to_cart(visitor, ticket)),
        (e.ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT", "ticket", client.try_enqueue_add_to_cart(visitor, "")),
        (e.ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT", "ticket", client.try_enqueue_add_to_cart(visitor, "\0")),
        (e.ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT", "ticket", client.try_enqueue_add_to_cart(visitor, wrong)),
        (e.ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT", "visitor", client.try_enqueue(wrong, e.Notification.end())),
        (e.ESALES_CLOSED, "ESALES_CLOSED", "closed", closed.try_enqueue(visitor, e.Notification.end())),
    ]:
        assert (receipt.status, receipt.name) == (status, name)
        assert detail in receipt.detail


def test_receipt_is_queued_while_the_notification_waits(
    service: Sandbox, make: MAKE, visitor: Visitor, ticket: str, spool: Optional[Path]
) -> None:
    service.script("503:retry-after=30")
    client = make(spool=spool)
    id = client.enqueue_add_to_cart(visitor, ticket).id
    until("the first attempt is recorded", lambda: found(client, id).attempts == 1)
    waiting = found(client, id)
    assert (waiting.status, waiting.name) == (e.ESALES_QUEUED, "ESALES_QUEUED")
    assert (waiting.http_status, waiting.id) == (503, id)
    until("the gate is recorded", lambda: client.stats().gate_failures == 1)
    stats = client.stats()
    assert 0 < stats.gate_closed_ms <= 30_000
    assert stats.pending_bytes > len(ticket)
    assert_counts(client, accepted=1, pending=1)


def test_receipt_counts_attempts_after_a_retry(service: Sandbox, make: MAKE, visitor: Visitor, ticket: str) -> None:
    service.script("503, 204")
    client = make()
    id = client.enqueue_add_to_cart(visitor, ticket).id
    assert client.flush(LIMIT_S)
    delivered = found(client, id)
    assert (delivered.status, delivered.http_status, delivered.attempts) == (e.ESALES_DELIVERED, 204, 2)
    assert service.ids() == [id, id]
    assert len({one["body"] for one in service.received()}) == 1


@pytest.mark.parametrize(("answer", "status"), [("400", e.ESALES_BAD_REQUEST), ("403", e.ESALES_FORBIDDEN)])
def test_receipt_of_a_dead_letter_has_the_final_status(
    service: Sandbox, make: MAKE, visitor: Visitor, ticket: str, answer: str, status: int
) -> None:
    service.script(answer)
    client = make()
    id = client.enqueue_add_to_cart(visitor, ticket).id
    assert client.flush(LIMIT_S)
    dead = found(client, id)
    assert (dead.status, dead.http_status, dead.attempts) == (status, int(answer), 1)
    assert dead.detail != ""
    assert_counts(client, accepted=1, dead=1)


def test_receipt_is_expired_after_max_age_s(make: MAKE, visitor: Visitor, ticket: str, nowhere: str) -> None:
    client = make(base_url=nowhere, max_age_s=1)
    settled: queue.Queue[Receipt] = queue.Queue()
    client.on_delivery(settled.put)
    id = client.enqueue_add_to_cart(visitor, ticket).id
    assert client.flush(LIMIT_S)
    expired = found(client, id)
    assert (expired.status, expired.name, expired.id) == (e.ESALES_EXPIRED, "ESALES_EXPIRED", id)
    assert settled.get(timeout=LIMIT_S) == expired
    assert_counts(client, accepted=1, expired=1)


def test_receipt_is_dropped_when_the_queue_overflows(make: MAKE, visitor: Visitor, ticket: str, nowhere: str) -> None:
    client = make(base_url=nowhere, max_items=1, overflow="drop_oldest")
    first, second = (client.enqueue_add_to_cart(visitor, ticket).id for _ in range(2))
    assert found(client, first).status == e.ESALES_DROPPED
    assert found(client, second).status == e.ESALES_QUEUED
    assert_counts(client, accepted=2, dropped=1, pending=1)


def test_receipt_raises_unknown_id_for_an_unknown_id(client: Client) -> None:
    for id in ("nobody's", "", "x" * 1000):
        assert client.receipt(id) is None
    with pytest.raises(e.InvalidArgumentError, match="id contains a NUL"):
        client.receipt("a\0b")


def test_flush_returns_at_its_timeout_and_keeps_the_queue(
    make: MAKE, visitor: Visitor, ticket: str, nowhere: str, spool: Optional[Path]
) -> None:
    client = make(base_url=nowhere, spool=spool)
    assert client.flush(0)
    ids = [client.enqueue_add_to_cart(visitor, ticket).id for _ in range(3)]
    for timeout in (0, 0.0004, 0.2):
        start = time.monotonic()
        assert client.flush(timeout) is False
        took = time.monotonic() - start
        # The timeout, and a margin for a busy machine.
        assert timeout <= took < timeout + 10
    assert_counts(client, accepted=3, pending=3)
    assert {found(client, id).status for id in ids} == {e.ESALES_QUEUED}


@pytest.mark.parametrize("forever", [float("inf"), 1e300, 2**32 / 1000, 10**30])
def test_flush_waits_until_everything_is_delivered(client: Client, forever: float) -> None:
    assert client.flush(forever)


@pytest.mark.parametrize("bad", [-1, -0.001, float("nan"), float("-inf")])
def test_flush_with_timeout_0_returns_at_once(client: Client, bad: float) -> None:
    with pytest.raises(e.InvalidArgumentError, match="timeout"):
        client.flush(bad)


def test_gil_is_released_during_a_flush(service: Sandbox, make: MAKE, visitor: Visitor, ticket: str) -> None:
    service.script("503:times=1000000")
    client = make()
    client.enqueue_add_to_cart(visitor, ticket)
    with ThreadPoolExecutor(1) as pool:
        flushed = pool.submit(client.flush, LIMIT_S)
        # Only this thread can repair the service. If it had to wait for the flush, the flush would end by its timeout.
        service.wait_for(3)
        service.script("")
        assert flushed.result(LIMIT_S)


def test_stats_count_every_outcome(service: Sandbox, make: MAKE, visitor: Visitor, ticket: str, spool: Optional[Path]) -> None:
    service.script("204:times=4, 400")
    client = make(spool=spool, concurrency=1)
    assert_counts(client)
    for _ in range(5):
        client.enqueue_add_to_cart(visitor, ticket)
        # The counters add up at every moment.
        assert client.stats().is_balanced
    assert client.flush(LIMIT_S)
    assert_counts(client, accepted=5, delivered=4, dead=1)
    stats = client.stats()
    assert (stats.process_refused, stats.pending_bytes, stats.oldest_age_ms) == (0, 0, 0)
    assert (stats.gate_failures, stats.gate_closed_ms) == (0, 0)
    assert 0 < stats.latency_us.p50 <= stats.latency_us.p95 <= stats.latency_us.p99 < LIMIT_S * 1_000_000
    assert 0 <= stats.age_ms.p50 <= stats.age_ms.p95 <= stats.age_ms.p99 < LIMIT_S * 1_000
    assert pickle.loads(pickle.dumps(stats)) == stats
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.spool = stats.process  # type: ignore[misc]


def test_stats_obey_the_counter_invariant() -> None:
    assert Counts(15, 5, 4, 3, 2, 1).is_balanced
    unbalanced = Counts(15, 5, 4, 3, 2, 0)
    assert not unbalanced.is_balanced
    balanced, none = Counts(0, 0, 0, 0, 0, 0), Percentiles(0, 0, 0)
    for spool, process, expected in (
        (balanced, balanced, True),
        (unbalanced, balanced, False),
        (balanced, unbalanced, False),
    ):
        assert e.Stats(spool, process, 0, 0, 0, 0, 0, none, none, 0).is_balanced == expected


def test_failed_notify_is_queued_when_on_failure_is_queue(
    service: Sandbox, make: MAKE, visitor: Visitor, ticket: str
) -> None:
    service.script("503, 204")
    client = make(on_failure="queue", max_attempts=1)
    receipt = client.notify_add_to_cart(visitor, ticket, "one-id")
    assert (receipt.status, receipt.name, receipt.id) == (e.ESALES_QUEUED, "ESALES_QUEUED", "one-id")
    assert (receipt.http_status, receipt.attempts) == (503, 1)
    assert client.flush(LIMIT_S)
    assert service.ids() == ["one-id", "one-id"]
    assert found(client, "one-id").attempts == 2
    # A final failure raises as without the option.
    service.script("400")
    with pytest.raises(e.BadRequestError):
        client.notify_add_to_cart(visitor, ticket)
    assert_counts(client, accepted=1, delivered=1)


def test_enqueue_raises_queue_full_when_the_queue_is_full(
    make: MAKE, visitor: Visitor, ticket: str, nowhere: str, spool: Optional[Path]
) -> None:
    client = make(base_url=nowhere, max_items=1, spool=spool)
    client.enqueue_add_to_cart(visitor, ticket)
    with pytest.raises(e.QueueFullError) as refused:
        client.enqueue_add_to_cart(visitor, ticket, "one-id")
    error = refused.value
    assert (error.status, error.name) == (e.ESALES_QUEUE_FULL, "ESALES_QUEUE_FULL")
    assert error.receipt is not None
    assert (error.receipt.status, error.receipt.id) == (e.ESALES_QUEUE_FULL, "one-id")
    assert "max_items" in error.detail
    assert client.receipt("one-id") is None
    assert client.stats().process_refused == 1
    assert_counts(client, accepted=1, pending=1)


def test_unusable_spool_raises_spool_failed(make: MAKE, visitor: Visitor, ticket: str, tmp_path: Path) -> None:
    letters = tmp_path / "letters"
    letters.mkdir()
    letter = letters / "letter.txt"
    letter.write_text("Dear customer, " * 100)
    client = make(spool=letters)
    calls: List[Callable[[], object]] = [
        lambda: client.enqueue_add_to_cart(visitor, ticket),
        lambda: client.flush(1),
        client.stats,
        lambda: client.receipt("one-id"),
    ]
    for call in calls:
        with pytest.raises(e.SpoolFailedError, match="letter.txt") as failed:
            call()
        assert (failed.value.status, failed.value.name) == (e.ESALES_SPOOL_FAILED, "ESALES_SPOOL_FAILED")
    assert letter.read_text() == "Dear customer, " * 100


def test_invalid_queue_option_is_refused(tmp_path: Path) -> None:
    refused: List[Dict[str, Any]] = [
        {"delivery": "none"},
        {"durability": "disk"},
        {"spool": "relative/spool"},
        {"on_failure": "maybe"},
    ]
    for options in refused:
        with pytest.raises(e.InvalidConfigError):
            Client(cluster_id="a", **options)
    # A failing disk is not a wrong option.
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear customer")
    for spool in (tmp_path / "no-such-folder" / "spool", letter):
        with pytest.raises(e.SpoolFailedError):
            Client(cluster_id="a", spool=spool)
    assert letter.read_text() == "Dear customer"


@pytest.mark.parametrize("ends", ["end_while_delivering", "end_by_stop_delivery"])
def test_interpreter_that_stops_its_delivery_sends_nothing_twice(
    service: Sandbox, make: MAKE, visitor: Visitor, ticket: str, environment: Dict[str, str], tmp_path: Path, ends: str
) -> None:
    spool = tmp_path / "spool"
    producer = make(spool=spool, delivery="none")
    ids = [producer.enqueue_add_to_cart(visitor, ticket).id for _ in range(1000)]
    environment.update(ESALES_SPOOL=str(spool), ESALES_CONCURRENCY="8")
    # Slow enough that a pause of a busy machine does not deliver all of them.
    service.script("normal:wait=20:times=forever")
    delivered = 0
    for _ in range(5):
        run_program(ends, service.base_url, environment)
        # The process delivered some of them, but not all.
        assert delivered < len(service.received()) < len(ids)
        delivered = len(service.received())
        # The sent notifications are recorded.
        assert producer.stats().spool.delivered == delivered
    assert make(spool=spool).flush(LIMIT_S)
    assert sorted(service.ids()) == sorted(ids)


def test_stopped_delivery_stays_stopped(
    service: Sandbox, make: MAKE, visitor: Visitor, ticket: str, tmp_path: Path
) -> None:
    client = make(spool=tmp_path / "spool")
    client.enqueue_add_to_cart(visitor, ticket)
    assert client.flush(LIMIT_S)
    assert client.stop_delivery(LIMIT_S)
    client.enqueue_add_to_cart(visitor, ticket)
    assert not client.flush(0.2)
    assert_counts(client, accepted=2, delivered=1, pending=1)
    assert len(service.received()) == 1


def test_stop_delivery_returns_at_its_timeout(service: Sandbox, make: MAKE, visitor: Visitor, ticket: str, tmp_path: Path) -> None:
    service.script("hang")
    client = make(spool=tmp_path / "spool")
    client.enqueue_add_to_cart(visitor, ticket)
    service.wait_for(1)
    assert client.stop_delivery(0.1) is False
    with pytest.raises(e.InvalidArgumentError, match="timeout"):
        client.stop_delivery(-1)
    client.close()
    with pytest.raises(e.ClosedError):
        client.stop_delivery(0)


def test_delivery_callback_gets_every_receipt(service: Sandbox, make: MAKE, visitor: Visitor, ticket: str) -> None:
    service.script("204, 400, 204")
    client = make(concurrency=1)
    settled: queue.Queue[Tuple[Receipt, int]] = queue.Queue()
    client.on_delivery(lambda receipt: settled.put((receipt, threading.get_ident())))
    ids = [client.enqueue_add_to_cart(visitor, ticket).id for _ in range(3)]
    came = [settled.get(timeout=LIMIT_S) for _ in range(3)]
    statuses = [e.ESALES_DELIVERED, e.ESALES_BAD_REQUEST, e.ESALES_DELIVERED]
    assert [(receipt.id, receipt.status) for receipt, _ in came] == list(zip(ids, statuses))
    dead = came[1][0]
    assert (dead.name, dead.http_status, dead.attempts) == ("ESALES_BAD_REQUEST", 400, 1)
    assert dead.elapsed_us >= 0
    # The receipt is already recorded, and equal.
    assert [found(client, id) for id in ids] == [receipt for receipt, _ in came]
    assert threading.get_ident() not in {thread for _, thread in came}


def test_delivery_callback_can_use_the_client(service: Sandbox, make: MAKE, visitor: Visitor, ticket: str) -> None:
    client = make()
    answers: queue.Queue[Tuple[Optional[Receipt], bool, str]] = queue.Queue()

    def follow_up(receipt: Receipt) -> None:
        if receipt.id == "first":
            follows = client.enqueue_add_to_cart(visitor, ticket, "second").name
            answers.put((client.receipt(receipt.id), client.stats().is_balanced, follows))

    client.on_delivery(follow_up)
    client.enqueue_add_to_cart(visitor, ticket, "first")
    receipt, is_balanced, follows = answers.get(timeout=LIMIT_S)
    assert receipt is not None
    assert (receipt.status, is_balanced, follows) == (e.ESALES_DELIVERED, True, "ESALES_QUEUED")
    assert client.flush(LIMIT_S)
    assert service.ids() == ["first", "second"]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_exception_of_a_delivery_callback_is_logged(
    make: MAKE, visitor: Visitor, ticket: str, caplog: pytest.LogCaptureFixture, kind: Type[BaseException]
) -> None:
    client = make()
    settled: queue.Queue[str] = queue.Queue()

    def fail(receipt: Receipt) -> None:
        settled.put(receipt.id)
        raise kind("the shop's own")

    client.on_delivery(fail)
    ids = [client.enqueue_add_to_cart(visitor, ticket).id for _ in range(2)]
    assert sorted(settled.get(timeout=LIMIT_S) for _ in ids) == sorted(ids)
    # Waits until the callback has returned.
    client.on_delivery(None)
    records = [record for record in caplog.records if record.name == "esales_notify"]
    assert [(record.levelno, record.exc_info and record.exc_info[0]) for record in records] == [(logging.ERROR, kind)] * 2
    # The delivery continues.
    assert client.flush(LIMIT_S)
    assert_counts(client, accepted=2, delivered=2)


def deliver(client: Client, visitor: Visitor, ticket: str) -> str:
    id = client.enqueue_add_to_cart(visitor, ticket).id
    assert client.flush(LIMIT_S)
    return id


def test_delivery_callback_can_be_replaced_and_unregistered(make: MAKE, visitor: Visitor, ticket: str) -> None:
    client = make()
    came: List[Tuple[str, str]] = []
    # The callback runs after the outcome is recorded, so a flush may return first. Setting a callback waits for its
    # end.
    client.on_delivery(None)
    client.on_delivery(lambda receipt: came.append(("first", receipt.id)))
    one = deliver(client, visitor, ticket)
    until("the first callback was called", lambda: len(came) == 1)
    client.on_delivery(lambda receipt: came.append(("second", receipt.id)))
    two = deliver(client, visitor, ticket)
    until("the second callback was called", lambda: len(came) == 2)
    client.on_delivery(None)
    client.on_delivery(None)
    three = deliver(client, visitor, ticket)
    witness = make()
    reported: queue.Queue[str] = queue.Queue()
    witness.on_delivery(lambda receipt: reported.put(receipt.id))
    four = deliver(client, visitor, ticket)
    # Both clients share a queue, and callbacks run in its order: the third has been called.
    while reported.get(timeout=LIMIT_S) != four:
        pass
    assert came == [("first", one), ("second", two)]
    assert found(client, three).status == e.ESALES_DELIVERED


def test_unregistering_a_delivery_callback_waits_until_it_has_ended(make: MAKE, visitor: Visitor, ticket: str) -> None:
    client = make()
    entered, may_leave = threading.Event(), threading.Event()
    has_ended: List[bool] = []

    def slow(receipt: Receipt) -> None:
        entered.set()
        assert may_leave.wait(LIMIT_S)
        has_ended.append(True)

    client.on_delivery(slow)
    client.enqueue_add_to_cart(visitor, ticket)
    assert entered.wait(LIMIT_S)

    def take_back() -> bool:
        client.on_delivery(None)
        return has_ended == [True]

    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(take_back)
        may_leave.set()
        assert taken.result(LIMIT_S)


def test_delivery_callback_can_unregister_itself_and_close_its_client(make: MAKE, visitor: Visitor, ticket: str) -> None:
    for end in (lambda client: client.on_delivery(None), lambda client: client.close()):
        client, witness = make(), make()
        came: List[str] = []
        reported: queue.Queue[str] = queue.Queue()

        def once(receipt: Receipt, client: Client = client, end: Callable[[Client], None] = end) -> None:
            came.append(receipt.id)
            end(client)

        client.on_delivery(once)
        witness.on_delivery(lambda receipt: reported.put(receipt.id))
        ids = []
        for _ in range(2):
            ids.append(witness.enqueue_add_to_cart(visitor, ticket).id)
            assert reported.get(timeout=LIMIT_S) == ids[-1]
        assert came == ids[:1]
        witness.on_delivery(None)


def test_close_lets_a_running_delivery_callback_finish(make: MAKE, visitor: Visitor, ticket: str) -> None:
    client = make()
    entered, may_leave = threading.Event(), threading.Event()
    ended: queue.Queue[str] = queue.Queue()

    def slow(receipt: Receipt) -> None:
        entered.set()
        assert may_leave.wait(LIMIT_S)
        ended.put(receipt.id)

    client.on_delivery(slow)
    freed = watch_frees(client)
    id = client.enqueue_add_to_cart(visitor, ticket).id
    assert entered.wait(LIMIT_S)
    client.close()
    assert (freed, ended.empty()) == ([], True)
    may_leave.set()
    assert ended.get(timeout=LIMIT_S) == id
    until("the client is freed", lambda: len(freed) == 1)


def test_closed_client_calls_no_delivery_callback(service: Sandbox, make: MAKE, visitor: Visitor, ticket: str) -> None:
    client, witness = make(), make()
    came: List[Receipt] = []
    reported: queue.Queue[str] = queue.Queue()
    client.on_delivery(came.append)
    freed = watch_frees(client)
    # Both clients share the queue, which delivers the notifications of a closed client.
    service.script("503:times=1000000")
    id = client.enqueue_add_to_cart(visitor, ticket).id
    client.close()
    assert len(freed) == 1
    witness.on_delivery(lambda receipt: reported.put(receipt.id))
    service.script("")
    assert reported.get(timeout=LIMIT_S) == id
    assert came == []


def test_client_is_collected_when_its_callback_refers_to_it(service: Sandbox) -> None:
    client = Client(base_url=service.base_url, timeout_ms=BUDGET_MS)
    client.on_delivery(lambda receipt: client.close())
    freed = watch_frees(client)
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
    assert len(freed) == 1


def test_spool_is_shared_with_another_process(
    service: Sandbox, make: MAKE, environment: Dict[str, str], tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    environment.update(ESALES_SPOOL=str(spool), ESALES_DELIVERY="none")
    run_program("enqueue_for_another", service.base_url, environment)
    assert service.received() == []
    client = make(spool=spool)
    stats = client.stats()
    assert (stats.spool.accepted, stats.process.accepted, stats.is_balanced) == (3, 0, True)
    # A client that enqueued nothing can flush too.
    assert client.flush(LIMIT_S)
    assert sorted(service.ids()) == ["other-0", "other-1", "other-2"]
    assert {found(client, id).status for id in service.ids()} == {e.ESALES_DELIVERED}
    stats = client.stats()
    assert stats.spool == Counts(accepted=3, delivered=3, dead=0, expired=0, dropped=0, pending=0)
    assert stats.process.accepted == 0
    assert stats.is_balanced


def test_interpreter_exits_cleanly_while_callbacks_run(start_sandbox: START, environment: Dict[str, str]) -> None:
    for _ in range(5):
        sandbox = start_sandbox()
        run_program("end_with_callbacks_at_work", sandbox.base_url, environment)
        # The parent delivered; otherwise the test has no meaning.
        assert sandbox.received() != []


def test_interpreter_exits_cleanly_while_callbacks_are_set(start_sandbox: START, environment: Dict[str, str]) -> None:
    run_program("end_while_callbacks_are_set", start_sandbox().base_url, environment)


@pytest.mark.parametrize("program", ["end_after_interrupts", "end_with_a_change_that_never_ends"])
def test_interpreter_exits_cleanly_when_a_signal_interrupts_a_call(
    sandbox: Sandbox, environment: Dict[str, str], program: str
) -> None:
    run_program(program, sandbox.base_url, environment)


def test_forked_child_uses_the_spool_of_its_parent(start_sandbox: START, environment: Dict[str, str]) -> None:
    sandbox = start_sandbox()
    run_program("fork_with_a_spool", sandbox.base_url, environment)
    assert sorted(sandbox.ids()) == ["child-0", "child-1", "parent-0", "parent-1"]


def test_forked_child_does_not_deliver_the_memory_queue_of_its_parent(
    start_sandbox: START, environment: Dict[str, str]
) -> None:
    sandbox = start_sandbox()
    run_program("fork_with_a_queue_in_memory", sandbox.base_url, environment)
    delivered = [one["notification"]["id"] for one in sandbox.received() if one["status"] == 204]
    assert sorted(delivered) == ["child", "parent"]


def test_enqueue_does_not_hold_the_event_loop_when_the_service_is_slow(make: MAKE, service: Sandbox, visitor: Visitor) -> None:
    service.script("204:wait=2000:times=4")
    client = make(concurrency=4)
    served: List[str] = []

    async def page(number: int) -> None:
        for _ in range(100):
            client.enqueue_add_to_cart(visitor, "ticket")
            await asyncio.sleep(0)
        served.append(f"page {number}")

    async def shop() -> bool:
        pages = [asyncio.create_task(page(number)) for number in range(10)]
        await asyncio.gather(*pages)
        # All pages are served before the first answer of the service.
        assert len(served) == 10 and client.stats().process.delivered == 0
        return await asyncio.get_running_loop().run_in_executor(None, client.flush, LIMIT_S)

    assert asyncio.run(shop())
    assert client.stats().process.delivered == 1000
