"""The requests that the agent accepts, forwards and refuses."""

import json
import pathlib
import re
import uuid

import pytest
from agent import ADD_TO_CART, JSON, VISITOR, cart
from waiting import wait_for

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
ROWS = json.loads((VECTORS / "notifications.json").read_text())
BAD = [row for row in json.loads((VECTORS / "bad_input.json").read_text()) if row["call"] == "notify"]
MAX_BODY = 2 * 1024 * 1024
PAYMENT = "/api/v1/notifications/payment"


def delivered(sandbox, n):
    """The requests that the service received, in the order in which their ids arrived."""
    return wait_for(lambda: len(sandbox.received()) >= n and sandbox.received(), "not delivered")


def test_service_receives_the_same_path_and_bytes_for_every_vector(agent, sandbox):
    for number, row in enumerate(ROWS):
        answer = agent.post(row["body"], row["path"], is_local=number % 2 == 1)
        assert answer.status == 202, (row["name"], answer)
        if json.loads(row["body"]).get("id"):
            assert answer.json()["id"] == row["id"]
    received = delivered(sandbox, len(ROWS))
    sent = lambda rows: sorted((row["path"], row["body"]) for row in rows)  # noqa: E731
    assert sent(received) == sent(ROWS)


def test_body_keeps_its_bytes_when_it_has_blanks_line_breaks_and_unknown_members(agent, sandbox):
    body = json.dumps({**VISITOR, "new": {"a": [1.50, None]}, "id": "pretty", "ticket": "t\u00e5"}, indent=4) + "\r\n\n"
    assert agent.post(body).status == 202
    token = "0aF9" * 16
    order = json.dumps({"lines": [{"quantity": 2, "sellingPrice": 199.5, "cost": 80, "productKey": "P\\1"}], **VISITOR}, indent=1)
    order = order.replace("199.5", "199.500")
    assert agent.post(order, f"{PAYMENT}?paymentToken={token}").status == 202
    received = {row["path"]: row["body"] for row in delivered(sandbox, 2)}
    assert received == {ADD_TO_CART: body, f"{PAYMENT}?paymentToken={token}": order}


def test_id_is_made_or_taken_from_the_header_when_the_body_has_none(agent, sandbox):
    end = json.dumps(VISITOR)
    made = agent.post(end, "/api/v1/notifications/end")
    assert made.status == 202 and str(uuid.UUID(made.json()["id"])) == made.json()["id"]
    named = agent.post(end, "/api/v1/notifications/end", Notification_Id="order/1 2")
    assert named.json() == {"id": "order/1 2", "status": "ESALES_QUEUED"}
    receipt = wait_for(lambda: (found := agent.get("/receipts/order%2F1%202")).json()["status"] == "ESALES_DELIVERED" and found, "no receipt")
    assert receipt.status == 200 and receipt.json()["http_status"] == 204 and receipt.json()["id"] == "order/1 2"
    contradiction = agent.post(cart("one"), Notification_Id="two")
    assert contradiction.status == 400 and contradiction.json()["message"] == "id differs from the id in the body"


def test_receipt_is_404_when_the_id_is_not_known(agent):
    unknown = agent.get("/receipts/unknown")
    assert (unknown.status, unknown.json()["status"]) == (404, "ESALES_UNKNOWN_ID")
    assert agent.get("/receipts/%ff").status == 400


# Bad input

MEMBERS = {"market": "market", "customer_key": "customerKey", "session_key": "sessionKey", "token": "token", "id": "id",
           "ticket": "ticket", "product_key": "productKey", "variant_key": "variantKey", "lines": "lines",
           "quantity": "quantity", "selling_price": "sellingPrice", "cost": "cost"}


def value_of(value):
    """The rows as text. Another test has bytes that are not UTF-8."""
    if isinstance(value, dict):
        return value_of(value["repeat"]) * value["times"] if "repeat" in value else None
    return [line_of(line) for line in value] if isinstance(value, list) else value


def line_of(line):
    return {MEMBERS[name]: Number(value) if name in ("selling_price", "cost") else value for name, value in line.items()}


class Number(str):
    """A price in JSON: without quotes if it is a number."""


def encoded(value):
    if isinstance(value, Number) and re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?", value):
        return value
    if isinstance(value, list):
        return "[" + ",".join(map(encoded, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{encoded(member)}" for name, member in value.items()) + "}"
    return json.dumps(value)


def request_of(row):
    """(path, body) of a row. `None` if a request cannot express the row: bytes that are not text, a private key, the id
    of a kind whose body has none, or a body that is too long for HTTP (413)."""
    example = next(vector for vector in ROWS if vector["kind"] == row["kind"])
    body = {name: value for name, value in json.loads(example["body"]).items() if value is not None}
    if "lines" in example:
        body["lines"] = [line_of(line) for line in example["lines"]]
    for name, value in row["set"].items():
        if "private_key" in name or isinstance(value, dict) and "hex" in value:
            return None
        target, member = body, name
        if name.startswith("lines["):
            index, _, member = name.partition("].")
            target = body["lines"][int(index[6:])]
        value = value_of(value)
        if value is None:
            target.pop(MEMBERS[member], None)
        else:
            is_price = member in ("selling_price", "cost")
            target[MEMBERS[member]] = Number(value) if is_price else value
        if member == "id" and not json.loads(example["body"]).get("id"):
            return None
    text = encoded(body)
    return None if len(text) > MAX_BODY else (example["path"], text)


EXPRESSIBLE = [row for row in BAD if request_of(row)]


def test_most_bad_input_can_be_expressed_in_a_request():
    assert len(EXPRESSIBLE) > 100 and {row["kind"] for row in EXPRESSIBLE} == {row["kind"] for row in BAD}


def test_bad_input_is_refused_with_the_message_of_the_library(agent, sandbox):
    with agent.connection(is_local=True) as connection:
        for row in EXPRESSIBLE:
            path, body = request_of(row)
            connection.request("POST", path, body.encode("utf-8", "surrogatepass"), JSON)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            assert answer.status == 400 and row["names"] in said["message"], (row, answer.status, said)
            assert said["status"] == "ESALES_INVALID_ARGUMENT"
    assert sandbox.received() == [] and 'answers_total{spool="' in agent.get("/metrics").body.decode()


def test_body_is_refused_when_it_is_not_utf_8_or_has_a_member_twice(agent):
    assert agent.post(b'{"market":"\xff"}').json()["message"] == "body is not UTF-8"
    twice = agent.post('{"market":"UK","market":"SE"}')
    assert twice.status == 400 and twice.json()["message"] == "body has the member market twice"


# HTTP

@pytest.mark.parametrize("method, path, headers, body, status", [
    ("POST", "/", JSON, b"{}", 404),
    ("POST", "/api/v2/notifications/click", JSON, b"{}", 404),
    ("POST", ADD_TO_CART + "/", JSON, b"{}", 404),
    ("GET", ADD_TO_CART, {}, None, 405),
    ("PUT", ADD_TO_CART, JSON, b"{}", 405),
    ("OPTIONS", ADD_TO_CART, {}, None, 405),
    ("POST", "/metrics", JSON, b"{}", 405),
    ("DELETE", "/receipts/x", {}, None, 405),
    ("POST", ADD_TO_CART, JSON, b"x" * (MAX_BODY + 1), 413),
    ("POST", ADD_TO_CART, {}, b"{}", 415),
    ("POST", ADD_TO_CART, {"Content-Type": "text/json"}, b"{}", 415),
    ("POST", ADD_TO_CART, {"Content-Type": "application/json; charset=utf-8"}, b"{}", 400),
    ("POST", ADD_TO_CART + "?x=1", JSON, cart("q").encode(), 400),
    ("POST", PAYMENT + "?paymentToken=a&b=c", JSON, b"{}", 400),
    # pytest puts the name of a test into the environment, where a body would be too long.
], ids=lambda value: "body" if isinstance(value, bytes) else None)
def test_agent_answers_http_errors_with_the_standard_status(agent, sandbox, method, path, headers, body, status):
    answer = agent.ask(method, path, body, headers)
    assert answer.status == status and answer.json()["message"], answer
    assert (answer.headers["Allow"] is not None) == (status == 405)
    assert agent.get("/readyz").status == 200 and sandbox.received() == []


def test_http_status_is_411_when_the_body_has_no_length(agent):
    with agent.raw() as client:
        client.sendall(f"POST {ADD_TO_CART} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n".encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 411 ")


def test_chunked_body_is_accepted(agent, sandbox):
    with agent.connection() as connection:
        connection.request("POST", ADD_TO_CART, iter([cart("chunked")[:20].encode(), cart("chunked")[20:].encode()]), JSON,
                           encode_chunked=True)
        assert connection.getresponse().status == 202
    assert delivered(sandbox, 1)[0]["body"] == cart("chunked")
