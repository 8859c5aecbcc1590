"""The vectors that every language's suite reads."""

from __future__ import annotations

import copy
import re
from typing import Any, Dict, List

import pytest

from esales_notify import (
    ESALES_INVALID_ARGUMENT,
    Client,
    InvalidArgumentError,
    InvalidConfigError,
    Kind,
    Line,
    Notification,
    NotifyError,
    Visitor,
    customer_key,
    customer_token,
)
from service import BUDGET_MS, LIMIT_S, Sandbox, vectors

Row = Dict[str, Any]

NOTIFICATIONS = vectors("notifications.json")
IDENTITY = vectors("identity.json")
BAD_INPUT = vectors("bad_input.json")
#: The first row of each kind is its example.
EXAMPLES: Dict[str, Row] = {row["kind"]: row for row in reversed(NOTIFICATIONS)}
#: The arguments of notify_add_to_cart.
ADD_TO_CART = {"market", "customer_key", "session_key", "token", "ticket", "id"}
FIELDS = ["id", "ticket", "product_key", "variant_key", "lines", "private_key"]


def by_name(row: Row) -> str:
    return str(row["name"])


def value_of(value: Any) -> Any:
    if isinstance(value, dict) and "repeat" in value:
        return value["repeat"] * value["times"]
    if isinstance(value, dict):
        # Bytes that no str can hold: each invalid byte becomes a lone surrogate.
        return bytes.fromhex(value["hex"]).decode("utf-8", "surrogateescape")
    return value


def ways(row: Row) -> List[str]:
    """The methods that accept the row; all check their arguments in the same way."""
    found = ["notify", "enqueue"]
    if row["kind"] == "add_to_cart" and set(row.get("set", {})) <= ADD_TO_CART:
        found += ["notify_add_to_cart", "enqueue_add_to_cart"]
    return found


def visitor_of(row: Row) -> Visitor:
    if row["token"] is None:
        return Visitor.anonymous(row["customer_key"], row["session_key"], row["market"])
    return Visitor.signed_in(row["customer_key"], row["session_key"], row["token"], row["market"])


def line_of(row: Row) -> Line:
    return Line(
        product_key=row.get("product_key"),
        variant_key=row.get("variant_key"),
        quantity=row["quantity"],
        selling_price=row.get("selling_price"),  # type: ignore[arg-type]
        cost=row.get("cost"),
    )


def fields_of(row: Row) -> Row:
    fields = {name: row[name] for name in FIELDS if row.get(name) is not None}
    if "lines" in fields:
        fields["lines"] = tuple(line_of(line) for line in fields["lines"])
    return fields


@pytest.mark.parametrize(
    ("row", "way"),
    [(row, way) for row in NOTIFICATIONS for way in ways(row)],
    ids=lambda value: by_name(value) if isinstance(value, dict) else value,
)
def test_notification_bytes_equal_the_vector(row: Row, sandbox: Sandbox, client: Client, way: str) -> None:
    # Otherwise signed rows would get 403, because this sandbox has no private key.
    sandbox.script("204")
    if way.endswith("_add_to_cart"):
        receipt = getattr(client, way)(visitor_of(row), row["ticket"], row["id"])
    else:
        receipt = getattr(client, way)(visitor_of(row), getattr(Notification, row["kind"])(**fields_of(row)))
    assert client.flush(LIMIT_S)
    (received,) = sandbox.received()
    assert (received["path"], received["body"]) == (row["path"], row["body"])
    assert receipt.id == row["id"]


@pytest.mark.parametrize("row", IDENTITY["customer_keys"], ids=lambda row: str(row["customer_key"][:8]))
def test_customer_keys_equal_the_vectors(row: Row) -> None:
    assert customer_key(row["customer_id"]) == row["customer_key"]


@pytest.mark.parametrize("row", IDENTITY["tokens"], ids=lambda row: str(row["token"][:8]))
def test_customer_tokens_equal_the_vectors(row: Row) -> None:
    assert customer_token(row["private_key"], row["customer_key"]) == row["token"]


def changed(row: Row) -> Row:
    """The example of the row's kind, with the row's changes."""
    found = copy.deepcopy(EXAMPLES[row["kind"]])
    for name, value in row["set"].items():
        member = re.fullmatch(r"lines\[(\d+)\]\.(\w+)", name)
        if member is None:
            found[name] = value_of(value)
        else:
            found["lines"][int(member.group(1))][member.group(2)] = value_of(value)
    return found


def call_with_bad_input(row: Row, sandbox: Sandbox, way: str) -> None:
    call = row["call"]
    if call == "notify":
        given = changed(row)
        with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
            if way.endswith("_add_to_cart"):
                getattr(client, way)(visitor_of(given), given["ticket"], given["id"])
            else:
                notification = Notification(Kind[row["kind"].upper()], **fields_of(given))
                getattr(client, way)(visitor_of(given), notification)
    elif call == "config":
        # A valid address, so that only the option can be wrong.
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
    [(row, way) for row in BAD_INPUT for way in (ways(row) if row["call"] == "notify" else ["function"])],
    ids=lambda value: by_name(value) if isinstance(value, dict) else value,
)
def test_invalid_input_is_refused_with_the_message_of_the_vector(row: Row, sandbox: Sandbox, way: str) -> None:
    with pytest.raises((NotifyError, TypeError)) as refused:
        call_with_bad_input(row, sandbox, way)
    error = refused.value
    message = str(error)
    names = row["names"]
    if getattr(error, "receipt", None) is None:
        # A Line refuses wrong values before it has a place in the order.
        names = re.sub(r"^lines\[\d+\]\.", "", names)
    assert names in message or (row.get("option") and row["option"] in message), message
    if isinstance(error, NotifyError):
        assert error.status == row["status"]
        expected = InvalidArgumentError if row["status"] == ESALES_INVALID_ARGUMENT else InvalidConfigError
        assert type(error) is expected
        assert isinstance(error, ValueError)
    else:
        # Only values that are not strings.
        assert None in row["set"].values()
    assert sandbox.received() == []
