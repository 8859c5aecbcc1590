"""The vectors that every language's suite reads."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from esales_notify import (
    ESALES_INVALID_ARGUMENT,
    Client,
    InvalidArgumentError,
    InvalidConfigError,
    NotifyError,
    Visitor,
    customer_key,
    customer_token,
)
from service import BUDGET_MS, PATIENCE_S, Sandbox, vectors

Row = Dict[str, Any]

#: What ``notify_add_to_cart`` takes. Once the binding has ``notify``, every row is read.
READABLE = {"market", "customer_key", "session_key", "token", "ticket", "id"}


def readable(row: Row) -> bool:
    if hasattr(Client, "notify") or "kind" not in row:
        return True
    return row["kind"] == "add_to_cart" and set(row.get("set", {})) <= READABLE


NOTIFICATIONS = [row for row in vectors("notifications.json") if readable(row)]
IDENTITY = vectors("identity.json")
BAD_INPUT = [row for row in vectors("bad_input.json") if readable(row)]


def by_name(row: Row) -> str:
    return str(row["name"])


def value_of(value: Any) -> Any:
    if isinstance(value, dict) and "repeat" in value:
        return value["repeat"] * value["times"]
    if isinstance(value, dict):
        # Bytes that no str can hold: each that is wrong becomes a lone surrogate.
        return bytes.fromhex(value["hex"]).decode("utf-8", "surrogateescape")
    return value


#: Both take the same arguments, and check them alike.
WAYS = ["notify_add_to_cart", "enqueue_add_to_cart"]


def send(client: Client, row: Row, way: str) -> None:
    if row["token"] is None:
        visitor = Visitor.anonymous(row["customer_key"], row["session_key"], row["market"])
    else:
        visitor = Visitor.signed_in(row["customer_key"], row["session_key"], row["token"], row["market"])
    getattr(client, way)(visitor, row["ticket"], row["id"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", NOTIFICATIONS, ids=by_name)
def test_a_notification_arrives_byte_for_byte(row: Row, sandbox: Sandbox, client: Client, way: str) -> None:
    # Signed-in rows would otherwise meet 403: this sandbox knows no private key.
    sandbox.script("204")
    send(client, row, way)
    assert client.flush(PATIENCE_S)
    (received,) = sandbox.received()
    assert received["body"] == row["body"]


@pytest.mark.parametrize("row", IDENTITY["customer_keys"], ids=lambda row: str(row["customer_key"][:8]))
def test_customer_keys(row: Row) -> None:
    assert customer_key(row["customer_id"]) == row["customer_key"]


@pytest.mark.parametrize("row", IDENTITY["tokens"], ids=lambda row: str(row["token"][:8]))
def test_customer_tokens(row: Row) -> None:
    assert customer_token(row["private_key"], row["customer_key"]) == row["token"]


def call_with_bad_input(row: Row, sandbox: Sandbox, way: str) -> None:
    call = row["call"]
    if call == "notify":
        changed = {**NOTIFICATIONS[0], **{name: value_of(value) for name, value in row["set"].items()}}
        with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
            send(client, changed, way)
    elif call == "config":
        # An address that is good, so that only the option can be what is wrong.
        options = {"base_url": sandbox.base_url, row["option"]: value_of(row["value"])}
        Client(**options)
    elif call == "client":
        Client(**row["options"])
    elif call == "customer_key":
        customer_key(value_of(row["set"]["customer_id"]))
    else:
        assert call == "customer_token", f"a kind of row that this suite does not know: {call}"
        arguments = {name: value_of(value) for name, value in row["set"].items()}
        customer_token(arguments["private_key"], arguments["customer_key"])


@pytest.mark.parametrize(
    ("row", "way"),
    [(row, way) for row in BAD_INPUT for way in (WAYS if row["call"] == "notify" else WAYS[:1])],
    ids=lambda value: by_name(value) if isinstance(value, dict) else value,
)
def test_bad_input_is_refused_and_nothing_is_sent(row: Row, sandbox: Sandbox, way: str) -> None:
    with pytest.raises((NotifyError, TypeError)) as refused:
        call_with_bad_input(row, sandbox, way)
    error = refused.value
    words = str(error)
    assert row["names"] in words or (row.get("option") and row["option"] in words), words
    if isinstance(error, NotifyError):
        assert error.status == row["status"]
        expected = InvalidArgumentError if row["status"] == ESALES_INVALID_ARGUMENT else InvalidConfigError
        assert type(error) is expected
        assert isinstance(error, ValueError)
    else:
        # Only what is no string at all.
        assert None in row["set"].values()
    assert sandbox.received() == []
