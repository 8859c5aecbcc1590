"""The library's messages in the logging module."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

import esales_notify as e
from esales_notify import Client, Receipt, Visitor, log_to
from esales_notify._callbacks import _here
from service import BUDGET_MS, LIMIT_S, Sandbox

START = Callable[..., Sandbox]


class RecordingHandler(logging.Handler):
    """Keeps the records; calls `then` for each."""

    def __init__(self, then: Optional[Callable[[logging.LogRecord], object]] = None) -> None:
        super().__init__()
        self.records: List[logging.LogRecord] = []
        self._came: queue.Queue[logging.LogRecord] = queue.Queue()
        self._then = then

    def emit(self, record: logging.LogRecord) -> None:
        # Messages about queues of earlier tests, whose service is gone.
        if "no connection to" in record.getMessage():
            return
        self.records.append(record)
        self._came.put(record)
        if self._then is not None:
            self._then(record)

    def next(self) -> logging.LogRecord:
        return self._came.get(timeout=LIMIT_S)

    def messages(self) -> List[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger for the library's messages, without propagation. The log is off afterwards."""
    logger = logging.getLogger("esales_notify")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield logger
    log_to(None)
    logger.propagate = True
    logger.setLevel(logging.NOTSET)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def record_logs(logger: logging.Logger, then: Optional[Callable[[logging.LogRecord], object]] = None) -> RecordingHandler:
    handler = RecordingHandler(then)
    logger.addHandler(handler)
    return handler


def test_log_messages_use_the_logger_of_the_package(
    logger: logging.Logger, start_sandbox: START, visitor: Visitor, ticket: str
) -> None:
    service = start_sandbox()
    service.script("400:body=100%s")
    handler = record_logs(logger)
    log_to(level=logging.WARNING)
    with Client(base_url=service.base_url, timeout_ms=BUDGET_MS) as client:
        id = client.enqueue_add_to_cart(visitor, ticket).id
        record = handler.next()
    assert (record.name, record.levelno, record.levelname) == ("esales_notify", logging.WARNING, "WARNING")
    # Percent signs in the service's text must not be formatted.
    assert id in record.getMessage()
    assert "ESALES_BAD_REQUEST" in record.getMessage()


def test_outage_is_logged_as_a_warning_and_its_end_as_info(
    logger: logging.Logger, start_sandbox: START, visitor: Visitor, ticket: str
) -> None:
    service = start_sandbox()
    service.script("503")
    handler = record_logs(logger)
    log_to("esales_notify", logging.INFO)
    with Client(base_url=service.base_url, timeout_ms=BUDGET_MS, gate_min_ms=10, gate_max_ms=10) as client:
        client.enqueue_add_to_cart(visitor, ticket)
        levels = [handler.next().levelno for _ in range(2)]
    assert levels == [logging.WARNING, logging.INFO]


def test_refused_notification_is_logged_as_an_error(
    logger: logging.Logger, client: Client, visitor: Visitor, ticket: str, sandbox: Sandbox
) -> None:
    handler = record_logs(logger)
    log_to(level=logging.ERROR)
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS, max_bytes=1024) as client:
        with pytest.raises(e.QueueFullError):
            client.enqueue_add_to_cart(visitor, "t" * 2000, "one-id")
    assert [(record.levelno, "one-id" in record.getMessage()) for record in handler.records] == [(logging.ERROR, True)]


@pytest.mark.parametrize(
    ("of_the_logger", "given", "hears"),
    [
        (logging.DEBUG, None, True),
        (logging.INFO, None, False),
        (logging.WARNING, None, False),
        (logging.DEBUG, logging.DEBUG, True),
        (logging.DEBUG, logging.NOTSET, True),
        (logging.DEBUG, 5, True),
        (logging.DEBUG, 15, False),
        (logging.DEBUG, logging.INFO, False),
        (logging.DEBUG, logging.CRITICAL, False),
        (logging.DEBUG, 10**30, False),
    ],
)
def test_log_level_limits_the_messages(
    logger: logging.Logger,
    client: Client,
    visitor: Visitor,
    ticket: str,
    of_the_logger: int,
    given: Optional[int],
    hears: bool,
) -> None:
    handler = record_logs(logger)
    logger.setLevel(of_the_logger)
    log_to(logger, given)
    # A blocking call logs at DEBUG, on its own thread.
    receipt = client.notify_add_to_cart(visitor, ticket)
    assert [record.levelno for record in handler.records] == ([logging.DEBUG] if hears else [])
    assert all(receipt.id in message for message in handler.messages())


def test_log_is_off_by_default_and_after_log_off(
    logger: logging.Logger, client: Client, visitor: Visitor, ticket: str
) -> None:
    handler = record_logs(logger)
    client.notify_add_to_cart(visitor, ticket)
    assert handler.records == []
    log_to()
    client.notify_add_to_cart(visitor, ticket)
    assert len(handler.records) == 1
    for _ in range(2):
        log_to(None)
        client.notify_add_to_cart(visitor, ticket)
    assert len(handler.records) == 1


def test_second_logger_replaces_the_first(logger: logging.Logger, client: Client, visitor: Visitor, ticket: str) -> None:
    handler = record_logs(logger)
    other = logging.getLogger("shop.carts")
    other.propagate = False
    theirs = record_logs(other)
    log_to(level=logging.DEBUG)
    log_to(logging.LoggerAdapter(other, {}), logging.DEBUG)
    other.setLevel(logging.DEBUG)
    client.notify_add_to_cart(visitor, ticket)
    assert (handler.records, [record.name for record in theirs.records]) == ([], ["shop.carts"])


def test_log_messages_have_no_visitor_data(logger: logging.Logger, start_sandbox: START) -> None:
    service = start_sandbox()
    who = Visitor.signed_in("the-customer-key", "the-session-key", "the-secret-token", "UK")
    ticket = "the-opaque-ticket"
    # The service repeats the request in its answer.
    says = "the-customer-key the-session-key the-secret-token the-opaque-ticket"
    service.script(f'503:body="{says}", 400:body="{says}":times=2')
    handler = record_logs(logger)
    log_to(level=logging.DEBUG)
    settled: queue.Queue[Receipt] = queue.Queue()
    soon: Dict[str, Any] = {"gate_min_ms": 10, "gate_max_ms": 10}
    with Client(base_url=service.base_url, timeout_ms=BUDGET_MS, max_attempts=1, **soon) as client:
        client.on_delivery(settled.put)
        client.enqueue_add_to_cart(who, ticket)
        settled.get(timeout=LIMIT_S)
        with pytest.raises(e.BadRequestError):
            client.notify_add_to_cart(who, ticket)
    text = "\n".join(handler.messages())
    assert text.count("ESALES_BAD_REQUEST") >= 2
    assert "ESALES_SERVER_ERROR" in text
    for secret in (who.token, who.customer_key, who.session_key, ticket):
        assert secret is not None and secret not in text


def test_log_handler_can_use_the_library(
    logger: logging.Logger, client: Client, visitor: Visitor, ticket: str, sandbox: Sandbox
) -> None:
    def tell(record: logging.LogRecord) -> None:
        client.notify_add_to_cart(visitor, ticket, "by the handler")
        assert client.stats().is_balanced

    handler = record_logs(logger, tell)
    log_to(level=logging.DEBUG)
    for _ in range(2):
        client.notify_add_to_cart(visitor, ticket, "by the shop")
    assert sandbox.ids() == ["by the shop", "by the handler"] * 2
    # Messages that the handler caused are not logged, because that would never end.
    assert ["by the shop" in message for message in handler.messages()] == [True, True]


def test_log_handler_can_switch_the_log_off(logger: logging.Logger, start_sandbox: START, visitor: Visitor, ticket: str) -> None:
    with Client(base_url=start_sandbox().base_url, timeout_ms=BUDGET_MS) as client:
        for call in (client.notify_add_to_cart, client.enqueue_add_to_cart):
            handler = record_logs(logger, lambda record: log_to(None))
            log_to(level=logging.DEBUG)
            call(visitor, ticket)
            handler.next()
            logger.removeHandler(handler)
            call(visitor, ticket)
            assert client.flush(LIMIT_S)
            assert len(handler.records) == 1


def test_exception_of_a_log_handler_does_not_reach_the_caller(
    logger: logging.Logger, client: Client, visitor: Visitor, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored: List[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: ignored.append(what.exc_type))

    def fail(record: logging.LogRecord) -> bool:
        raise KeyError("the shop's own")

    logger.addFilter(fail)
    try:
        log_to(level=logging.DEBUG)
        receipts = [client.notify_add_to_cart(visitor, ticket) for _ in range(2)]
    finally:
        logger.removeFilter(fail)
    assert {receipt.name for receipt in receipts} == {"ESALES_DELIVERED"}
    assert ignored == [KeyError, KeyError]
    assert not _here.is_logging


def test_log_messages_come_on_the_thread_that_logs(
    logger: logging.Logger, start_sandbox: START, visitor: Visitor, ticket: str
) -> None:
    threads: queue.Queue[Tuple[str, int]] = queue.Queue()
    record_logs(logger, lambda record: threads.put((record.getMessage(), threading.get_ident())))
    log_to(level=logging.DEBUG)
    with Client(base_url=start_sandbox().base_url, timeout_ms=BUDGET_MS) as client:
        client.notify_add_to_cart(visitor, ticket)
        assert threads.get(timeout=LIMIT_S)[1] == threading.get_ident()
        client.enqueue_add_to_cart(visitor, ticket)
        assert threads.get(timeout=LIMIT_S)[1] != threading.get_ident()
        assert client.flush(LIMIT_S)
