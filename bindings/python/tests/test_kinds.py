"""Notifications and lines as Python values, prices, and a payment that may have arrived. test_vectors has the bytes."""

from __future__ import annotations

import copy
import dataclasses
import decimal
import gc
import json
import locale
import pickle
import subprocess
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

import esales_notify as e
from esales_notify import Client, Kind, Line, Notification, Visitor
from service import BUDGET_MS, LIMIT_S, Sandbox

START = Callable[..., Sandbox]

LINE = Line(product_key="P1", variant_key="V1", quantity=2, selling_price="199.50")
COST_LINE = Line(variant_key="V1", quantity=1, selling_price="10", cost="7.005")

WAYS = ["notify", "enqueue"]


def line(price: Any, **more: Any) -> Line:
    return Line(product_key="P", quantity=1, selling_price=price, **more)


@pytest.fixture
def service(start_sandbox: START) -> Sandbox:
    """A sandbox for one test, so that remaining notifications reach no other test."""
    return start_sandbox()


@pytest.fixture
def send(service: Sandbox, visitor: Visitor) -> Iterator[Callable[[Notification], Dict[str, Any]]]:
    """Sends a notification and returns what the service received."""
    with Client(base_url=service.base_url, timeout_ms=BUDGET_MS) as client:

        def send(notification: Notification) -> Dict[str, Any]:
            client.notify(visitor, notification)
            return service.received()[-1]

        yield send


def test_private_key_signs_the_bytes_that_are_sent(start_sandbox: START, visitor: Visitor) -> None:
    sandbox = start_sandbox("--private-key", "a private key")
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
        client.notify(visitor, Notification.secure_payment([COST_LINE], "a private key"))
        with pytest.raises(e.ForbiddenError):
            client.notify(visitor, Notification.secure_payment([COST_LINE], "another private key"))
    assert [one["status"] for one in sandbox.received()] == [204, 403]


def test_id_is_a_new_uuid_when_none_is_given(send: Callable[[Notification], Dict[str, Any]]) -> None:
    ids = {send(Notification.click("t"))["notification"]["id"] for _ in range(2)}
    assert [len(id) for id in ids] == [36, 36]


class Boxes(IntEnum):
    TWO = 2


@pytest.mark.parametrize(
    ("price", "sent"),
    [
        ("199.50", "199.50"),
        ("0.10", "0.10"),
        ("0", "0"),
        (199, "199"),
        (Boxes.TWO, "2"),
        (Decimal("199.50"), "199.50"),
        (Decimal("199.500"), "199.500"),
        (Decimal("1E+2"), "100"),
        (Decimal("0E-7"), "0.0000000"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("0E+3"), "0"),
        (Decimal("12345678901234567890123456789.01"), "12345678901234567890123456789.01"),
    ],
)
def test_price_is_sent_with_every_digit(
    send: Callable[[Notification], Dict[str, Any]], price: Any, sent: str
) -> None:
    # Fewer digits than the prices have: formatting must not round.
    with decimal.localcontext(decimal.Context(prec=2, capitals=0)):
        order = [line(price)]
    assert order[0].selling_price == sent
    assert f'"sellingPrice":{sent}}}' in send(Notification.payment(order))["body"]


def test_prices_are_sent_with_a_point_when_the_locale_has_a_comma(
    send: Callable[[Notification], Dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")], check=True)
    before = locale.setlocale(locale.LC_ALL)
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
    try:
        assert f"{Decimal('1234.5'):n}" == "1.234,5"
        body = send(Notification.payment([line(Decimal("1234.5")), line("1234.5"), line(1234)]))["body"]
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert body.count('"sellingPrice":1234.5}') == 2
    assert body.count('"sellingPrice":1234}') == 1


@pytest.mark.parametrize("name", ["selling_price", "cost"])
@pytest.mark.parametrize("price", [0.1, 199.0, float("nan")])
def test_float_is_refused_with_the_reason(name: str, price: float) -> None:
    prices: Dict[str, Any] = {"selling_price": "1", name: price}
    with pytest.raises(TypeError, match=rf"^{name} must be .* not float: .* binary .* exactly; pass '199.50'"):
        Line(product_key="P", quantity=1, **prices)


@pytest.mark.parametrize("name", ["selling_price", "cost"])
@pytest.mark.parametrize("price", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_decimal_that_is_not_finite_is_refused_by_name(name: str, price: Decimal) -> None:
    prices: Dict[str, Any] = {"selling_price": "1", name: price}
    with pytest.raises(e.InvalidArgumentError, match=f"{name} is {price}; it must be a finite number") as refused:
        Line(product_key="P", quantity=1, **prices)
    assert refused.value.status == e.ESALES_INVALID_ARGUMENT


@pytest.mark.parametrize(
    "price",
    [Decimal("1E+999999"), Decimal("1E-999999"), Decimal("1e1001"), 10**5000, -(10**400)],
    ids=["large", "small", "above the bound", "int", "negative int"],
)
def test_number_with_too_many_digits_is_refused_by_name(price: Any) -> None:
    with pytest.raises(e.InvalidArgumentError, match="selling_price has too many digits"):
        line(price)


@pytest.mark.parametrize("price", [-1, 10**32, Decimal("-0.01"), Decimal("-0"), Decimal("1E+32"), Decimal("1E-31")])
def test_number_that_is_not_a_price_is_refused(
    sandbox: Sandbox, client: Client, visitor: Visitor, price: Any
) -> None:
    for prices in ({"selling_price": price}, {"selling_price": "2", "cost": price}):
        order = [line("1"), Line(product_key="P", quantity=1, **prices)]
        for way in WAYS:
            with pytest.raises(e.InvalidArgumentError, match=rf"lines\[1\]\.{list(prices)[-1]} "):
                getattr(client, way)(visitor, Notification.secure_payment(order, "k"))
    assert sandbox.received() == []


# mypy refuses each of them too: it reports an unnecessary ignore.
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("selling_price", lambda: Line(product_key="P", quantity=1, selling_price=None)),  # type: ignore[arg-type]
        ("selling_price", lambda: Line(product_key="P", quantity=1, selling_price=b"1")),  # type: ignore[arg-type]
        ("selling_price", lambda: Line(product_key="P", quantity=1, selling_price=Fraction(1))),  # type: ignore[arg-type]
        ("selling_price", lambda: Line(product_key="P", quantity=1, selling_price=True)),
        ("cost", lambda: Line(product_key="P", quantity=1, selling_price="1", cost=False)),
        ("quantity", lambda: Line(product_key="P", quantity=True, selling_price="1")),
        ("quantity", lambda: Line(product_key="P", quantity=1.0, selling_price="1")),  # type: ignore[arg-type]
        ("quantity", lambda: Line(product_key="P", quantity="1", selling_price="1")),  # type: ignore[arg-type]
        ("quantity", lambda: Line(product_key="P", quantity=None, selling_price="1")),  # type: ignore[arg-type]
        ("product_key", lambda: Line(product_key=7, quantity=1, selling_price="1")),  # type: ignore[arg-type]
        ("variant_key", lambda: Line(variant_key=b"V", quantity=1, selling_price="1")),  # type: ignore[arg-type]
        ("ticket", lambda: Notification.add_to_cart(None)),  # type: ignore[arg-type]
        ("ticket", lambda: Notification.click(None)),  # type: ignore[arg-type]
        ("ticket", lambda: Notification.click(b"t")),  # type: ignore[arg-type]
        ("id", lambda: Notification.click("t", id=7)),  # type: ignore[arg-type]
        ("id", lambda: Notification.end(id=b"i")),  # type: ignore[arg-type]
        ("product_key", lambda: Notification.non_esales_click(4711)),  # type: ignore[arg-type]
        ("variant_key", lambda: Notification.non_esales_add_to_cart("P", 7)),  # type: ignore[arg-type]
        ("lines", lambda: Notification.payment(None)),  # type: ignore[arg-type]
        ("lines", lambda: Notification.payment(LINE)),  # type: ignore[arg-type]
        ("lines", lambda: Notification.payment("")),  # type: ignore[arg-type]
        ("lines", lambda: Notification(Kind.PAYMENT, lines=7)),  # type: ignore[arg-type]
        (r"lines\[1\]", lambda: Notification.payment([LINE, {"product_key": "P"}])),  # type: ignore[list-item]
        ("private_key", lambda: Notification.secure_payment([LINE], None)),  # type: ignore[arg-type]
        ("private_key", lambda: Notification(Kind.SECURE_PAYMENT, private_key=b"k")),  # type: ignore[arg-type]
        ("kind", lambda: Notification("click")),  # type: ignore[arg-type]
        ("kind", lambda: Notification(2)),  # type: ignore[arg-type]
    ],
)
def test_value_of_a_wrong_type_is_refused_by_name(name: str, call: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be "):
        call()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", [None, "click", 2, Notification])
def test_argument_that_is_not_a_notification_is_refused(
    client: Client, sandbox: Sandbox, visitor: Visitor, way: str, wrong: Any
) -> None:
    with pytest.raises(TypeError, match="^notification must be a Notification, not "):
        getattr(client, way)(visitor, wrong)
    with pytest.raises(TypeError, match="^visitor must be a Visitor, not "):
        getattr(client, way)(wrong, Notification.end())
    assert sandbox.received() == []


def with_text(name: str, text: str) -> Notification:
    lines: Dict[str, Any] = {"product_key": "P", "quantity": 1, "selling_price": "2"}
    made: Dict[str, Callable[[], Notification]] = {
        "id": lambda: Notification.end(id=text),
        "ticket": lambda: Notification.click(text),
        "product_key": lambda: Notification.non_esales_click(text),
        "variant_key": lambda: Notification.non_esales_add_to_cart("P", text),
        "private_key": lambda: Notification.secure_payment([LINE], text),
        "lines[1].product_key": lambda: Notification.payment([LINE, Line(**{**lines, "product_key": text})]),
        "lines[1].variant_key": lambda: Notification.payment([LINE, Line(**{**lines, "variant_key": text})]),
        "lines[1].selling_price": lambda: Notification.payment([LINE, Line(**{**lines, "selling_price": text})]),
        "lines[1].cost": lambda: Notification.secure_payment([LINE, Line(**{**lines, "cost": text})], "k"),
    }
    return made[name]()


TEXTS = ["id", "ticket", "product_key", "variant_key", "private_key"] + [
    f"lines[1].{name}" for name in ("product_key", "variant_key", "selling_price", "cost")
]


@pytest.mark.parametrize("bad", ["1\0", "\0", "1\ud800"])
@pytest.mark.parametrize("name", TEXTS)
def test_notification_text_with_nul_or_surrogates_is_refused_by_name(
    client: Client, sandbox: Sandbox, visitor: Visitor, name: str, bad: str
) -> None:
    for way in WAYS:
        with pytest.raises(e.InvalidArgumentError) as refused:
            getattr(client, way)(visitor, with_text(name, bad))
        assert refused.value.detail.startswith(f"{name} ")
        # If the library had been called, there would be a receipt.
        assert refused.value.receipt is None
    assert sandbox.received() == []


@pytest.mark.parametrize(
    ("notification", "message"),
    [
        (Notification.non_esales_click(), "product_key is missing"),
        (Notification.non_esales_add_to_cart(), "product_key is missing"),
        (Notification.payment([]), "lines are missing"),
        (Notification.secure_payment([], "k"), "lines are missing"),
        (Notification.payment([Line(quantity=1, selling_price="1")]), r"lines\[0\]\.product_key is missing"),
        (Notification.payment([LINE, COST_LINE]), r"lines\[1\]\.cost does not belong to payment"),
        (Notification.secure_payment([line("1", cost="1")], "k"), r"lines\[0\]\.cost must be more than 0 and less"),
        (Notification.secure_payment([line("1", cost=0)], "k"), r"lines\[0\]\.cost must be more than 0 and less"),
        (Notification(Kind.CLICK), "ticket is missing"),
        (Notification(Kind.SECURE_PAYMENT, lines=(LINE,)), "private_key is missing"),
        (Notification(Kind.END, ticket="t"), "ticket does not belong to end"),
    ],
)
def test_incomplete_notification_is_refused(
    client: Client, sandbox: Sandbox, visitor: Visitor, notification: Notification, message: str
) -> None:
    for way in WAYS:
        with pytest.raises(e.InvalidArgumentError, match=message):
            getattr(client, way)(visitor, notification)
    assert sandbox.received() == []


@pytest.mark.parametrize("quantity", [0, 2**31, 2**32 - 1, -1, 2**32, 2**32 + 1, -(2**64), 2**64])
def test_quantity_out_of_range_is_refused_with_the_librarys_message(
    client: Client, sandbox: Sandbox, visitor: Visitor, quantity: int
) -> None:
    with pytest.raises(e.InvalidArgumentError, match=f"quantity is {quantity}; it must be 1 to 2147483647"):
        client.notify(visitor, Notification.payment([Line(product_key="P", quantity=quantity, selling_price="1")]))
    assert sandbox.received() == []


def test_largest_quantity_is_sent(send: Callable[[Notification], Dict[str, Any]]) -> None:
    order = [Line(product_key="P", quantity=2**31 - 1, selling_price="1")]
    assert '"quantity":2147483647,' in send(Notification.payment(order))["body"]


def test_ten_thousand_lines_arrive_and_one_more_is_refused(
    send: Callable[[Notification], Dict[str, Any]], service: Sandbox
) -> None:
    order = [
        Line(product_key=f"P{number}", variant_key=f"V{number}", quantity=number + 1, selling_price=f"{number}.50")
        for number in range(10_000)
    ]
    # The strings of the lines have no other reference, and memory is allocated meanwhile.
    received = send(Notification.payment(line for line in order))
    lines = json.loads(received["body"], parse_float=str)["lines"]
    assert lines == [
        {
            "productKey": one.product_key,
            "variantKey": one.variant_key,
            "quantity": one.quantity,
            "sellingPrice": one.selling_price,
        }
        for one in order
    ]
    with pytest.raises(e.InvalidArgumentError, match="line"):
        send(Notification.payment([*order, LINE]))
    assert len(service.received()) == 1


def test_strings_and_lines_stay_alive_during_the_call(service: Sandbox, visitor: Visitor) -> None:
    service.script("204")
    with Client(base_url=service.base_url, timeout_ms=BUDGET_MS) as client:
        handle = client._handle
        assert handle is not None
        really_notify = client._library.esales_notify

        def notify(*arguments: Any) -> int:
            # Strings without a reference are freed and overwritten before C reads them.
            gc.collect()
            fresh = [b"x" * size for size in range(1, 2000)]
            status: int = really_notify(*arguments)
            assert len(fresh) == 1999
            return status

        client._library.esales_notify = notify
        try:
            order = [
                Line(product_key=f"product {number}", quantity=1, selling_price=Decimal(number)) for number in range(500)
            ]
            client.notify(visitor, Notification.secure_payment(order, "the key " * 10, id="id " * 10))
        finally:
            client._library.esales_notify = really_notify
    (received,) = service.received()
    assert [one["productKey"] for one in json.loads(received["body"])["lines"]] == [f"product {n}" for n in range(500)]


#: Answers after which the service may have processed the payment.
AMBIGUOUS = ["close", "garbage", "500"]


@pytest.mark.parametrize("answer", AMBIGUOUS)
def test_notified_payment_is_sent_once_when_it_may_have_arrived(
    service: Sandbox, visitor: Visitor, answer: str
) -> None:
    service.script(answer)
    with Client(base_url=service.base_url, timeout_ms=BUDGET_MS, max_attempts=3, backoff_ms=0) as client:
        with pytest.raises(e.MayHaveArrivedError) as failed:
            client.notify(visitor, Notification.payment([LINE]))
    assert failed.value.detail.startswith("may have arrived")
    assert failed.value.receipt is not None
    assert failed.value.receipt.attempts == 1
    assert len(service.received()) == 1


@pytest.mark.parametrize("answer", AMBIGUOUS)
@pytest.mark.parametrize("option", ["enqueue", "on_failure"])
def test_queued_payment_becomes_a_dead_letter_when_it_may_have_arrived(
    service: Sandbox, visitor: Visitor, tmp_path: Path, answer: str, option: str
) -> None:
    service.script(answer)
    client = Client(
        base_url=service.base_url,
        timeout_ms=BUDGET_MS,
        enqueue_timeout_ms=BUDGET_MS,
        gate_min_ms=10,
        gate_max_ms=10,
        spool=tmp_path / "spool",
        on_failure="queue",
    )
    with client:
        if option == "enqueue":
            id = client.enqueue(visitor, Notification.payment([LINE])).id
            assert client.flush(LIMIT_S)
            receipt = client.receipt(id)
            assert receipt is not None
            assert receipt.status == e.ESALES_MAY_HAVE_ARRIVED
            counts = client.stats().spool
            assert (counts.accepted, counts.dead, counts.pending) == (1, 1, 0)
        else:
            # The payment is not enqueued either, because the queue would send it again.
            with pytest.raises(e.MayHaveArrivedError):
                client.notify(visitor, Notification.payment([LINE]))
            assert client.flush(LIMIT_S)
        # The next work of the queue does not send it again.
        client.enqueue(visitor, Notification.click("t"))
        assert client.flush(LIMIT_S)
    assert [one["path"].rsplit("/", 1)[1] for one in service.received()] == ["payment", "click"]


@pytest.mark.parametrize("answer", ["503", "429"])
def test_payment_is_sent_again_when_the_service_did_not_process_it(
    start_sandbox: START, visitor: Visitor, answer: str
) -> None:
    service = start_sandbox("--private-key", "k")
    service.script(answer)
    with Client(base_url=service.base_url, timeout_ms=BUDGET_MS, max_attempts=3, backoff_ms=0) as client:
        receipt = client.notify(visitor, Notification.secure_payment([LINE], "k"))
    assert receipt.attempts == 2
    first, second = service.received()
    assert (first["path"], first["body"]) == (second["path"], second["body"])


def test_payment_is_sent_again_when_payment_repeat_is_always(service: Sandbox, visitor: Visitor) -> None:
    service.script("close")
    with Client(
        base_url=service.base_url, timeout_ms=BUDGET_MS, backoff_ms=0, payment_repeat="always"
    ) as client:
        assert client.notify(visitor, Notification.payment([LINE])).attempts == 2


def test_secrets_stay_out_of_repr() -> None:
    order = [LINE]
    for one in (
        Notification.add_to_cart("a secret"),
        Notification.click("a secret"),
        Notification.secure_payment(order, "a secret"),
        Visitor.signed_in("c", "s", "a secret"),
    ):
        assert "secret" not in repr(one)
    assert "P1" in repr(Notification.payment(order))


def test_lines_and_notifications_are_compared_by_value() -> None:
    order = [LINE]
    notification = Notification.secure_payment(order, "k", id="i")
    # The list belongs to the caller and may change afterwards.
    order.append(LINE)
    assert notification.lines == (LINE,)
    assert notification == Notification.secure_payment(iter([LINE]), "k", id="i")
    assert hash(notification) == hash(Notification.secure_payment([LINE], "k", id="i"))
    assert line("1") == line(1) == line(Decimal(1)) != line("1.0")
    for value, name in ((LINE, "quantity"), (notification, "id")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 1)
        for twin in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert twin == value
    assert dataclasses.replace(LINE, quantity=3).quantity == 3
    with pytest.raises(TypeError, match="selling_price must be"):
        dataclasses.replace(LINE, selling_price=0.1)  # type: ignore[arg-type]
