"""Any program that reaches the sandbox can send hostile contents, and any web site may try to reach it."""

import http.server
import threading
import urllib.request

import pytest

from conftest import PATH, LIMIT_MS, request, send, wait_rows
from sandbox import Sandbox

LAST = "#rows tr:not(.spacer)"
EVIL = "<img src=x onerror=\"window.hurt=1\"><script>window.hurt=1</script>"


def test_inspector_shows_hostile_contents_as_text(page, sandbox):
    asked = []
    page.on("request", lambda one: asked.append(one.url))
    members = {name: EVIL for name in ("market", "customerKey", "sessionKey", "id", "token", "ticket")}
    send(sandbox, **members)
    send(sandbox, id="\u202egnp.exe\u0000\u001b[2J", ticket="\u2066" * 10)
    request(sandbox.base_url, "POST", f"{PATH}?%3Cscript%3E", EVIL.encode(), {"X-Evil": EVIL, "Content-Type": EVIL})
    send(sandbox, id="x" * 200_000)
    request(sandbox.base_url, "POST", PATH, b"[" * 100_000)
    sandbox.script(f"503:body=\"{EVIL}\"".replace('onerror="window.hurt=1"', "onerror=window.hurt=1"))
    send(sandbox, id="__proto__", market="constructor")
    seen = wait_rows(page, 6)
    assert EVIL in seen[5][5] and "\\u202egnp.exe\\u0000\\u001b[2J" in seen[4][5]
    for index in range(6):
        page.locator(LAST).nth(index).click()
        page.locator("#detail header").wait_for()
        page.get_by_role("button", name="Copy as cURL").click()
    text = page.locator("body").inner_text()
    assert "\u202e" not in text and "\u001b" not in text
    assert page.evaluate("window.hurt") is None
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert [url for url in asked if "/sandbox/" not in url] == []


def test_content_security_policy_blocks_foreign_scripts_and_requests(page):
    """Trusted Types: markup from data is refused by the browser, wherever a later change might put it."""
    tried = page.evaluate("() => { try { document.body.innerHTML = '<p>x'; return 'done'; } catch (e) { return e.name; } }")
    assert tried == "TypeError"


def test_inspector_responses_have_security_headers(sandbox):
    for path in ("/", "/sandbox/received", "/sandbox/status", "/sandbox/inspector/main.js", "/sandbox/inspector/inspector.css"):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sandbox.base_url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", path
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["Cache-Control"] == "no-store", path
            assert answer.headers["Access-Control-Allow-Origin"] is None, path


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another web site."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>elsewhere</title>")

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


ATTEMPT = """async (base) => {
    const outcome = {};
    const attempts = {
        read: [base + "/sandbox/received"], one: [base + "/sandbox/received/1"], events: [base + "/sandbox/events"], status: [base + "/sandbox/status"],
        page: [base + "/"],
        clear: [base + "/sandbox/received", { method: "DELETE" }],
        script: [base + "/sandbox/script", { method: "PUT", body: "503:times=forever" }],
        close: [base + "/sandbox/close-idle", { method: "POST" }],
        closeBlind: [base + "/sandbox/close-idle", { method: "POST", mode: "no-cors" }],
    };
    for (const [name, [url, options]] of Object.entries(attempts)) {
        try {
            const answer = await fetch(url, options);
            outcome[name] = answer.type === "opaque" ? "blind" : `${answer.status}`;
        } catch { outcome[name] = "refused"; }
    }
    outcome.element = await new Promise((done) => {
        const script = document.createElement("script");
        script.onload = () => done("loaded");
        script.onerror = () => done("refused");
        script.src = base + "/sandbox/received";
        document.head.append(script);
    });
    return outcome;
}"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_page_of_another_origin_cannot_use_the_sandbox(browser, sandbox, elsewhere, name):
    send(sandbox)
    context = browser.new_context()
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    page.goto(f"http://{name}:{elsewhere}/")
    outcome = page.evaluate(ATTEMPT, sandbox.base_url)
    context.close()
    assert set(outcome.values()) <= {"refused", "blind"}, outcome
    assert len(sandbox.received()) == 1 and sandbox.status()["script_left"] == 0
    origin = {"Origin": f"http://{name}:{elsewhere}"}
    assert request(sandbox.base_url, "POST", "/sandbox/close-idle", headers=origin)[0] == 403, "what was sent blindly"


def test_request_is_refused_when_its_host_name_is_rebound_to_loopback(sandbox):
    """DNS rebinding: for the browser, the sandbox is evil.example and has the same origin."""
    port = sandbox.base_url.rsplit(":", 1)[1]
    send(sandbox)
    status, text = request(sandbox.base_url, "GET", "/sandbox/received", headers={"Host": f"evil.example:{port}"})
    assert status == 403 and "--allow-host evil.example" in text and "notification" not in text
    for method, path in [("GET", "/"), ("GET", "/sandbox/received/1"), ("DELETE", "/sandbox/received"), ("PUT", "/sandbox/script"), ("GET", "/sandbox/events"),
                         ("POST", "/sandbox/close-idle"), ("GET", "/sandbox/status"), ("GET", "/sandbox/ca.pem"),
                         ("GET", "/sandbox/inspector/main.js")]:
        assert request(sandbox.base_url, method, path, headers={"Host": "evil.example"})[0] == 403, path
    assert len(sandbox.received()) == 1
    # A shop may use any host name for notifications.
    assert request(sandbox.base_url, "POST", PATH, b"{}", {"Host": "evil.example"})[0] == 400


def test_request_is_accepted_when_its_host_name_is_allowed_by_option(command):
    with Sandbox(command, "--allow-host", "sandbox") as told:
        assert request(told.base_url, "GET", "/sandbox/received", headers={"Host": "sandbox:8080"}) == (200, "[]")
        assert request(told.base_url, "GET", "/sandbox/received", headers={"Host": "other:8080"})[0] == 403


def test_link_from_another_site_opens_the_inspector(browser, sandbox, elsewhere):
    context = browser.new_context()
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    page.goto(f"http://localhost:{elsewhere}/")
    page.evaluate("url => { location.href = url; }", sandbox.base_url + "/")
    page.locator("#connection[data-state=on]").wait_for()
    context.close()
