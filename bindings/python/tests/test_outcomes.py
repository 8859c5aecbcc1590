"""Every outcome: its class, its code, its receipt."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Callable, Optional, Type

import pytest

import esales_notify as e
from esales_notify import Client, NotifyError, Visitor
from service import BUDGET_MS, Sandbox

START = Callable[..., Sandbox]


def failure(client: Client, visitor: Visitor, ticket: str) -> NotifyError:
    with pytest.raises(NotifyError) as failed:
        client.notify_add_to_cart(visitor, ticket, "one-id")
    return failed.value


def test_notify_returns_a_delivered_receipt(sandbox: Sandbox, client: Client, visitor: Visitor, ticket: str) -> None:
    receipt = client.notify_add_to_cart(visitor, ticket)
    assert (receipt.status, receipt.name) == (e.ESALES_DELIVERED, "ESALES_DELIVERED")
    assert (receipt.http_status, receipt.attempts) == (204, 1)
    assert sandbox.ids() == [receipt.id]
    assert receipt.elapsed_us > 0
    assert receipt.elapsed == timedelta(microseconds=receipt.elapsed_us)
    assert isinstance(receipt.detail, str)


@pytest.mark.parametrize(
    ("answer", "kind", "status", "http_status"),
    [
        ("400", e.BadRequestError, e.ESALES_BAD_REQUEST, 400),
        ("403", e.ForbiddenError, e.ESALES_FORBIDDEN, 403),
        ("404", e.RejectedError, e.ESALES_REJECTED, 404),
        ("302:location=/elsewhere", e.RejectedError, e.ESALES_REJECTED, 302),
        ("500", e.ServerError, e.ESALES_SERVER_ERROR, 500),
        ("503", e.ServerError, e.ESALES_SERVER_ERROR, 503),
        ("429", e.ThrottledError, e.ESALES_THROTTLED, 429),
        ("close", e.ConnectionLostError, e.ESALES_CONNECTION_LOST, None),
        ("garbage", e.BadResponseError, e.ESALES_BAD_RESPONSE, None),
    ],
)
def test_answer_raises_the_matching_error(
    sandbox: Sandbox,
    visitor: Visitor,
    ticket: str,
    answer: str,
    kind: Type[NotifyError],
    status: int,
    http_status: Optional[int],
) -> None:
    sandbox.script(answer)
    # Each call uses a new connection: a broken pooled connection is replaced, and the second request would use the next
    # scripted answer.
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS, max_attempts=1, keep_alive_s=0) as client:
        error = failure(client, visitor, ticket)
    assert type(error) is kind
    assert error.status == status
    assert getattr(e, error.name) == status
    assert error.receipt is not None
    assert (error.receipt.status, error.receipt.name) == (error.status, error.name)
    assert (error.receipt.http_status, error.receipt.attempts) == (http_status, 1)
    assert error.receipt.id == "one-id"
    assert error.detail == error.receipt.detail != ""
    assert str(error) == f"{error.name}: {error.detail}"
    assert isinstance(error, e.FinalError) == (-19 <= status <= -10)
    assert isinstance(error, e.RetryableError) == (-29 <= status <= -20)
    assert sandbox.ids() == ["one-id"]


def test_notify_raises_a_timeout_error_when_the_service_hangs(sandbox: Sandbox, visitor: Visitor, ticket: str) -> None:
    sandbox.script("hang")
    with Client(base_url=sandbox.base_url, timeout_ms=300) as client:
        error = failure(client, visitor, ticket)
    assert type(error) is e.NotifyTimeoutError
    assert isinstance(error, TimeoutError)
    assert isinstance(error, e.RetryableError)
    assert error.status == e.ESALES_TIMEOUT
    assert error.receipt is not None
    assert error.receipt.http_status is None
    # The call's budget, and a margin for a busy machine.
    assert error.receipt.elapsed < timedelta(seconds=10)


def test_notify_raises_connect_failed_when_the_connection_is_refused(visitor: Visitor, ticket: str) -> None:
    with socket.socket() as bound:
        # Bound, so that no other process gets the port, but not listening.
        bound.bind(("127.0.0.1", 0))
        with Client(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", max_attempts=1) as client:
            error = failure(client, visitor, ticket)
    assert type(error) is e.ConnectFailedError
    assert isinstance(error, ConnectionError)
    assert isinstance(error, e.RetryableError)
    assert error.status == e.ESALES_CONNECT_FAILED
    assert error.receipt is not None
    assert error.receipt.http_status is None


@pytest.mark.parametrize("certificate", ["self-signed", "unknown-ca", "expired", "wrong-host"])
def test_notify_raises_tls_failed_when_the_certificate_is_not_trusted(
    start_sandbox: START, tmp_path: Path, visitor: Visitor, ticket: str, certificate: str
) -> None:
    authority = tmp_path / "ca.pem"
    sandbox = start_sandbox("--tls", certificate, "--ca-file", str(authority))
    # With the right authority, so that only the other property is wrong.
    trusted = None if certificate in ("self-signed", "unknown-ca") else authority
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS, max_attempts=1, ca_file=trusted) as client:
        error = failure(client, visitor, ticket)
    assert type(error) is e.TlsFailedError
    assert error.status == e.ESALES_TLS_FAILED
    assert isinstance(error, e.RetryableError)
    assert sandbox.received() == []


def test_private_authority_is_trusted_with_ca_file(
    start_sandbox: START, tmp_path: Path, visitor: Visitor, ticket: str
) -> None:
    authority = tmp_path / "ca.pem"
    sandbox = start_sandbox("--tls", "valid", "--ca-file", str(authority))
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS, ca_file=authority) as client:
        receipt = client.notify_add_to_cart(visitor, ticket)
    assert sandbox.ids() == [receipt.id]


def test_retries_send_the_same_bytes(sandbox: Sandbox, visitor: Visitor, ticket: str) -> None:
    sandbox.script("503, 503, 204")
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS, backoff_ms=0, max_attempts=3) as client:
        receipt = client.notify_add_to_cart(visitor, ticket)
    assert (receipt.status, receipt.attempts, receipt.http_status) == (e.ESALES_DELIVERED, 3, 204)
    received = sandbox.received()
    assert [one["status"] for one in received] == [503, 503, 204]
    assert {one["notification"]["id"] for one in received} == {receipt.id}
    assert len({one["body"] for one in received}) == 1


def test_service_checks_the_token(start_sandbox: START, visitor: Visitor, ticket: str) -> None:
    sandbox = start_sandbox("--private-key", "the shop's key")
    key = e.customer_key("customer-4711")
    right = Visitor.signed_in(key, visitor.session_key, e.customer_token("the shop's key", key), "UK")
    wrong = Visitor.signed_in(key, visitor.session_key, e.customer_token("an old key", key), "UK")
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
        assert client.notify_add_to_cart(right, ticket).http_status == 204
        error = failure(client, wrong, ticket)
    assert type(error) is e.ForbiddenError
    assert error.receipt is not None
    assert (error.receipt.http_status, error.receipt.attempts) == (403, 1)
    assert [one["token_valid"] for one in sandbox.received()] == [True, False]
