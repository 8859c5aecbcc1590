"""Tests of the complete page of every language: requests like a browser's, and the notifications that the sandbox
received."""

import contextlib
import hashlib
import re
import urllib.parse
import urllib.request

from sandbox import Sandbox
from waiting import wait_for

# The shop's private key in the examples.
PRIVATE_KEY = "the private key"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@contextlib.contextmanager
def signing_sandbox(command, tmp_path):
    """A sandbox that validates tokens with the shop's private key."""
    key = tmp_path / "private-key"
    key.write_text(PRIVATE_KEY)
    with Sandbox(command, "--private-key-file", key) as sandbox:
        yield sandbox


def post(address, form, cookies=None, user=None):
    """Returns (HTTP status, the cookies that the answer sets). `user` is the signed-in user that the front web
    server passes."""
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())} if cookies else {}
    if user:
        headers["X-Remote-User"] = user
    request = urllib.request.Request(address, urllib.parse.urlencode(form).encode(), headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=90) as answer:
            status, lines = answer.status, answer.headers.get_all("Set-Cookie") or []
    except urllib.error.HTTPError as refused:
        status, lines = refused.code, []
    return status, dict(line.partition(";")[0].split("=", 1) for line in lines)


def received(sandbox, count):
    wait_for(lambda: len(sandbox.received()) >= count, "the event does not arrive")
    return [one["notification"] | one for one in sandbox.received()][-1]


def assert_first_visit_without_cookies_is_served(address, sandbox):
    """Returns the cookies."""
    status, cookies = post(address, {"ticket": "first;&="})
    assert status == 200
    assert sorted(cookies) == ["customer", "session"], cookies
    assert all(re.fullmatch(UUID, key) for key in cookies.values()), cookies
    sent = received(sandbox, 1)
    assert (sent["ticket"], sent["market"]) == ("first;&=", "UK")
    assert (sent["customerKey"], sent["sessionKey"]) == (cookies["customer"], cookies["session"])
    return cookies


def assert_is_complete(address, sandbox):
    """The first visit, the next one, a broken cookie, a visitor who is signed in, an order that is paid."""
    cookies = assert_first_visit_without_cookies_is_served(address, sandbox)

    assert post(address, {"ticket": "next"}, cookies) == (200, {})
    assert received(sandbox, 2)["customerKey"] == cookies["customer"]

    status, made = post(address, {"ticket": "broken"}, {"a@b": "c", "customer": "a&b", "session": cookies["session"]})
    assert (status, list(made)) == (200, ["customer"])
    assert received(sandbox, 3)["customerKey"] == made["customer"]

    assert post(address, {"ticket": "signed in"}, cookies, "customer-4711") == (200, {})
    sent = received(sandbox, 4)
    assert sent["customerKey"] == hashlib.sha256(b"customer-4711").hexdigest()
    assert sent["token_valid"] is True and sent["status"] == 204

    assert post(address, {"order": "1001"}, cookies) == (200, {})
    sent = received(sandbox, 5)
    assert (sent["kind"], sent["payment_token_valid"], sent["status"]) == ("secure_payment", True, 204)
    assert sent["lines"][0]["sellingPrice"] == "199.50"
    assert not any(one["warnings"] for one in sandbox.received()), sandbox.received()


def assert_page_is_served_when_an_event_is_refused(address, log):
    """Asserts that each failure is in the log, which `log` returns."""
    for form in ({"ticket": "a ticket"}, {"ticket": ""}, {"order": "1001"}, {"ticket[]": "an array"}, {}):
        assert post(address, form)[0] == 200, f"{form} {log()}"
    wait_for(lambda: "esales-notify: " in log(), "nothing is in the log")
