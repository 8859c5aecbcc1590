"""The client: options, closing, connections, types."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import pickle
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

import esales_notify as e
from esales_notify import Client, NotifyError, Receipt, Visitor
from esales_notify._client import Option, _text_of
from esales_notify._outcomes import error_class
from service import BUDGET_MS, Sandbox


def connections(sandbox: Sandbox) -> int:
    return len({one["connection"] for one in sandbox.received()})


def test_fifty_sends_use_one_connection(start_sandbox: Callable[..., Sandbox], visitor: Visitor, ticket: str) -> None:
    sandbox = start_sandbox()
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
        ids = [client.notify_add_to_cart(visitor, ticket).id for _ in range(50)]
    assert sandbox.ids() == ids
    assert len(set(ids)) == 50
    assert connections(sandbox) == 1


def test_next_client_reuses_the_connection(
    start_sandbox: Callable[..., Sandbox], visitor: Visitor, ticket: str
) -> None:
    sandbox = start_sandbox()
    for _ in range(2):
        with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
            client.notify_add_to_cart(visitor, ticket)
        del client
        gc.collect()
    assert len(sandbox.received()) == 2
    assert connections(sandbox) == 1


def test_client_reads_the_environment_when_it_has_no_options(
    sandbox: Sandbox, visitor: Visitor, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESALES_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("ESALES_MARKET", "Sweden")
    anywhere = Visitor.anonymous(visitor.customer_key, visitor.session_key)
    # None counts as not given.
    for client in (Client(), Client(cluster_id=None, market=None)):
        client.notify_add_to_cart(anywhere, ticket)
    assert [one["notification"]["market"] for one in sandbox.received()] == ["Sweden", "Sweden"]


def test_client_ignores_the_environment_when_it_has_an_option(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESALES_BASE_URL", sandbox.base_url)
    with pytest.raises(e.InvalidConfigError, match="cluster_id is missing"):
        Client(timeout_ms=5)


def test_client_is_refused_when_the_environment_has_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESALES_TIMEOUT_MS", "5")
    with pytest.raises(e.InvalidConfigError, match="ESALES_CLUSTER_ID") as refused:
        Client()
    assert (refused.value.status, refused.value.name) == (e.ESALES_INVALID_CONFIG, "ESALES_INVALID_CONFIG")
    assert refused.value.receipt is None


def test_options_of_every_type_are_accepted(tmp_path: Path) -> None:
    # `true` allows the address, `false` does not.
    Client(base_url="http://shop.example", allow_http=True).close()
    with pytest.raises(e.InvalidConfigError, match="allow_http"):
        Client(base_url="http://shop.example", allow_http=False)
    with pytest.raises(e.InvalidConfigError, match="300001"):
        Client(cluster_id="a", timeout_ms=300001)
    with pytest.raises(e.InvalidConfigError, match="no-such-file"):
        Client(cluster_id="a", ca_file=tmp_path / "no-such-file.pem")


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (1, "1"), (0, "0"), (-5, "-5"), ("a b", "a b"), (Path("/a"), "/a")],
)
def test_option_value_is_converted_to_text(value: Option, text: str) -> None:
    assert _text_of("name", value) == text


def test_unknown_option_is_refused_with_a_suggestion() -> None:
    with pytest.raises(e.InvalidConfigError, match="timeout_ms"):
        Client(cluster_id="a", timeout=1)  # type: ignore[call-arg]


def test_market_option_applies_to_visitors_without_a_market(sandbox: Sandbox, visitor: Visitor, ticket: str) -> None:
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS, market="Sweden") as client:
        client.notify_add_to_cart(Visitor.anonymous("c", "s"), ticket)
        client.notify_add_to_cart(Visitor.anonymous("c", "s", market="UK"), ticket)
    assert [one["notification"]["market"] for one in sandbox.received()] == ["Sweden", "UK"]


def test_closed_client_raises_closed(sandbox: Sandbox, visitor: Visitor, ticket: str) -> None:
    client = Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS)
    assert (client.closed, repr(client)) == (False, "<esales_notify.Client open>")
    client.close()
    client.close()
    assert (client.closed, repr(client)) == (True, "<esales_notify.Client closed>")
    calls: List[Callable[[], object]] = [
        lambda: client.notify_add_to_cart(visitor, ticket),
        lambda: client.enqueue_add_to_cart(visitor, ticket),
        lambda: client.flush(0),
        client.stats,
        lambda: client.receipt("i"),
        lambda: client.on_delivery(None),
    ]
    for call in calls:
        with pytest.raises(e.ClosedError) as refused:
            call()
        assert (refused.value.status, refused.value.name) == (e.ESALES_CLOSED, "ESALES_CLOSED")
    assert sandbox.received() == []


def test_context_manager_closes_the_client_after_an_exception(sandbox: Sandbox) -> None:
    with pytest.raises(KeyError):
        with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
            raise KeyError("the shop's own")
    assert client.closed


# mypy refuses each of them too: it reports an unnecessary ignore.
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("customer_key", lambda c: Visitor.anonymous(4711, "s")),  # type: ignore[arg-type]
        ("session_key", lambda c: Visitor.anonymous("c", b"s")),  # type: ignore[arg-type]
        ("market", lambda c: Visitor.anonymous("c", "s", market=1)),  # type: ignore[arg-type]
        ("token", lambda c: Visitor.signed_in("c", "s", None)),  # type: ignore[arg-type]
        ("token", lambda c: Visitor("c", "s", b"t")),  # type: ignore[arg-type]
        ("visitor", lambda c: c.notify_add_to_cart("somebody", "t")),
        ("visitor", lambda c: c.notify_add_to_cart(None, "t")),
        ("ticket", lambda c: c.notify_add_to_cart(Visitor("c", "s", None, "UK"), None)),
        ("ticket", lambda c: c.notify_add_to_cart(Visitor("c", "s", None, "UK"), b"t")),
        ("id", lambda c: c.notify_add_to_cart(Visitor("c", "s", None, "UK"), "t", 7)),
        ("visitor", lambda c: c.enqueue_add_to_cart("somebody", "t")),
        ("id", lambda c: c.receipt(None)),
        ("timeout", lambda c: c.flush("1")),
        ("timeout", lambda c: c.flush(None)),
        ("timeout", lambda c: c.flush(True)),
        ("callback", lambda c: c.on_delivery("f")),
        ("logger", lambda c: e.log_to(5)),  # type: ignore[arg-type]
        ("level", lambda c: e.log_to("a", "INFO")),  # type: ignore[arg-type]
        ("level", lambda c: e.log_to("a", True)),
        ("customer_id", lambda c: e.customer_key(4711)),  # type: ignore[arg-type]
        ("private_key", lambda c: e.customer_token(None, "c")),  # type: ignore[arg-type]
        ("customer_key", lambda c: e.customer_token("k", b"c")),  # type: ignore[arg-type]
        ("timeout_ms", lambda c: Client(cluster_id="a", timeout_ms=1.5)),  # type: ignore[arg-type]
        ("cluster_id", lambda c: Client(cluster_id=b"a")),  # type: ignore[arg-type]
        ("library", lambda c: Client(cluster_id="a", library=5)),  # type: ignore[arg-type]
    ],
)
def test_wrong_type_raises_an_error_that_names_the_argument(
    sandbox: Sandbox, client: Client, name: str, call: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError, match=rf"\b{name} must be "):
        call(client)
    assert sandbox.received() == []


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b", "\0"])
@pytest.mark.parametrize("name", ["market", "customer_key", "session_key", "token", "ticket", "id"])
def test_text_with_nul_or_surrogates_is_refused_by_name(
    sandbox: Sandbox, client: Client, ticket: str, name: str, bad: str
) -> None:
    good = {"market": "UK", "customer_key": "c", "session_key": "s", "token": "t", "ticket": ticket, "id": "i"}
    row: Dict[str, str] = {**good, name: bad}
    visitor = Visitor.signed_in(row["customer_key"], row["session_key"], row["token"], row["market"])
    with pytest.raises(e.InvalidArgumentError, match=name) as refused:
        client.notify_add_to_cart(visitor, row["ticket"], row["id"])
    # If the library had been called, there would be a receipt.
    assert refused.value.receipt is None
    assert refused.value.status == e.ESALES_INVALID_ARGUMENT
    assert sandbox.received() == []


def test_option_with_nul_or_surrogates_is_refused() -> None:
    options: List[Dict[str, Any]] = [{"cluster_id": "a\0b"}, {"cluster_id": "\udfff"}, {"cluster_id\0": "a"}]
    for bad in options:
        with pytest.raises(e.InvalidArgumentError, match="cluster_id|option name"):
            Client(**bad)


def test_visitors_and_receipts_are_compared_by_value(visitor: Visitor, sandbox: Sandbox, client: Client, ticket: str) -> None:
    assert visitor == Visitor(visitor.customer_key, visitor.session_key, None, "UK")
    assert hash(visitor) == hash(copy.copy(visitor))
    receipt = client.notify_add_to_cart(visitor, ticket)
    for value, attribute in ((visitor, "market"), (receipt, "id")):
        with pytest.raises(AttributeError):
            setattr(value, attribute, "x")
        assert pickle.loads(pickle.dumps(value)) == value


def test_repr_shows_no_token() -> None:
    assert "secret" not in repr(Visitor.signed_in("c", "s", "secret-token"))


def test_client_cannot_be_pickled_or_copied(client: Client) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="make one in each process"):
            attempt(client)


CODES = {name: code for name, code in vars(e).items() if name.startswith("ESALES_")}


@pytest.mark.parametrize("name", [name for name, code in CODES.items() if code < 0])
def test_errors_survive_pickling_and_copying(name: str) -> None:
    receipt = Receipt(CODES[name], name, 503, 2, 1234, "one-id", "message")
    error = error_class(CODES[name])("message", CODES[name], name, receipt)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error) == f"{name}: message"
        assert (twin.status, twin.name, twin.detail, twin.receipt) == (CODES[name], name, "message", receipt)


def test_unknown_code_raises_the_error_of_its_group() -> None:
    assert error_class(-29) is e.RetryableError
    assert error_class(-19) is e.FinalError
    assert error_class(-50) is NotifyError


def send_and_fail(base_url: str, visitor: Visitor, ticket: str) -> None:
    with Client(base_url=base_url, timeout_ms=BUDGET_MS, max_attempts=1) as client:
        client.notify_add_to_cart(visitor, ticket, "from a worker")


def test_error_is_passed_back_from_a_worker_process(sandbox: Sandbox, visitor: Visitor, ticket: str) -> None:
    sandbox.script("503")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        with pytest.raises(e.ServerError) as failed:
            pool.apply(send_and_fail, (sandbox.base_url, visitor, ticket))
    assert failed.value.receipt is not None
    assert failed.value.receipt.id == "from a worker"


def test_new_key_customer_key_and_version_return_text() -> None:
    keys = {e.new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == 36 and key[14] == "4" for key in keys)
    assert e.version().startswith("0.1.")
