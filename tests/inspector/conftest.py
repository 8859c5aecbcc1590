"""The inspector in a real browser, against the real sandbox."""

import contextlib
import hashlib
import hmac
import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from browser import chromium
from sandbox import Sandbox

PATH = "/api/v1/notifications/adding-to-cart"
PRIVATE_KEY = "sandbox-private-key"
#: A customer key shaped like SHA-256, and its token under PRIVATE_KEY (made by Python's hmac, see normal.rs).
SIGNED_IN = "a045eb33f8797f35ea7d5fad7c5e0d021e2142e9c1bb6e9dc9f45b4f503b03e8"
TOKEN = "502162c104b80ab4d94392cbeac5b27ffdd34ec0a8dcb253f2417a107d252bcc"
TICKET = ("Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7"
          "NjE7")
#: The longest time of a step before it counts as hanging, in milliseconds.
LIMIT_MS = 60_000


def notification(**members):
    usual = {"market": "UK", "customerKey": "d9528030-509c-4e0f-b585-7168f1e9feca",
             "sessionKey": "b106299c-eac0-4f6f-96d2-93e57c255784", "id": "one", "ticket": TICKET}
    return {name: value for name, value in {**usual, **members}.items() if value is not None}


def request(base_url, method, path, body=None, headers=None):
    """Makes one request on a new connection. Returns (status, text) of the answer; the status is 0 if there was
    none."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=LIMIT_MS / 1000)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return 0, ""
    finally:
        connection.close()


def send(sandbox, **members):
    body = json.dumps(notification(**members))
    return request(sandbox.base_url, "POST", PATH, body.encode(), {"Content-Type": "application/json"})


#: The members of every kind's body.
VISITOR = {"market": "UK", "customerKey": "d9528030-509c-4e0f-b585-7168f1e9feca", "sessionKey": "b106299c-eac0-4f6f-96d2-93e57c255784"}


def send_kind(sandbox, path, private_key=None, **members):
    """A notification of another kind: the members of the visitor and of the kind. A private key signs the payment."""
    body = json.dumps({**VISITOR, **members}).encode()
    query = "" if private_key is None else f"?paymentToken={payment_token(private_key, body)}"
    return request(sandbox.base_url, "POST", f"/api/v1/notifications/{path}{query}", body, {"Content-Type": "application/json"})


def payment_token(private_key, body):
    return hmac.new(private_key.encode(), body, hashlib.sha256).hexdigest()


def pour(sandbox, count, first=0):
    """Sends many requests on one connection, without waiting for the answers in between."""
    address = urlsplit(sandbox.base_url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        answers = connection.makefile("rb")
        for start in range(first, count, 500):
            batch = b""
            for number in range(start, min(start + 500, count)):
                body = json.dumps(notification(id=f"n{number}")).encode()
                batch += (f"POST {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n").encode() + body
            connection.sendall(batch)
            for _ in range(start, min(start + 500, count)):
                while (line := answers.readline()) != b"\r\n":
                    assert line != b"", "the sandbox closed the connection"


def until(what, is_so):
    deadline = time.monotonic() + LIMIT_MS / 1000
    while not is_so():
        assert time.monotonic() < deadline, f"it was awaited that {what}"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def sandbox(command):
    with Sandbox(command, "--private-key", PRIVATE_KEY) as running:
        yield running


@contextlib.contextmanager
def opening(browser):
    """Opens pages. The end fails if a script of a page failed or violated the page's policy."""
    contexts, faults = [], []

    def open_page(address, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
        contexts.append(context)
        context.set_default_timeout(LIMIT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Policy" in said.text else None)
        page.goto(address)
        connected(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def opened(browser):
    with opening(browser) as open_page:
        yield open_page


@pytest.fixture
def page(opened, sandbox):
    return opened(sandbox.base_url, permissions=["clipboard-read", "clipboard-write"])


def connected(page):
    page.locator("#connection[data-state=on]").wait_for()


def rows(page):
    """The rows in the document, newest first, as lists of their cells' texts."""
    return page.eval_on_selector_all("#rows tr:not(.spacer)", "rows => rows.map(row => [...row.cells].map(c => c.innerText.trim()))")


def wait_rows(page, count):
    page.wait_for_function("n => document.querySelectorAll('#rows tr:not(.spacer)').length === n", arg=count)
    return rows(page)


def wait_text(page, selector, part):
    page.wait_for_function("([s, t]) => document.querySelector(s).innerText.includes(t)", arg=[selector, part])
