"""The page survives a restart of the sandbox, shows nothing twice, and misses nothing."""

import socket
import threading
from urllib.parse import urlsplit

import pytest

from conftest import LIMIT_MS, connected, rows, send, wait_rows, wait_text
from sandbox import Sandbox


def ids(page):
    return [row[5].split()[-1] for row in rows(page) if len(row) > 1]


def test_inspector_reports_a_restart_and_keeps_its_rows(command, opened):
    with Sandbox(command) as first:
        address = urlsplit(first.base_url).netloc
        page = opened(first.base_url)
        send(first, id="before-1")
        send(first, id="before-2")
        wait_rows(page, 2)
    wait_text(page, "#connection", "Not connected since")
    assert ids(page) == ["before-2", "before-1"]
    with Sandbox(command, listen=address) as second:
        # The notification may arrive before the page has reconnected; the page then catches up.
        send(second, id="after-1")
        connected(page)
        send(second, id="after-2")
        seen = wait_rows(page, 5)
        assert ids(page) == ["after-2", "after-1", "before-2", "before-1"]
        assert "The sandbox was restarted" in seen[2][0] and len(seen[2]) == 1
        wait_text(page, "#notice", "The sandbox was restarted")
        # The switches show the script of the new sandbox, and Clear also removes the rows of the old one.
        page.get_by_role("button", name="503", exact=True).click()
        wait_text(page, "#scripted", "The next answer is 503")
        assert second.status()["script_left"] == 1
        page.get_by_role("button", name="Clear").click()
        page.locator("#empty").wait_for()


def test_inspector_keeps_its_rows_when_the_sandbox_restarts_during_a_pause(command, opened):
    with Sandbox(command) as first:
        address = urlsplit(first.base_url).netloc
        page = opened(first.base_url)
        send(first, id="before")
        wait_rows(page, 1)
        page.get_by_role("button", name="Pause").click()
    wait_text(page, "#connection", "Not connected since")
    with Sandbox(command, listen=address) as second:
        send(second, id="after")
        page.get_by_role("button", name="Resume (1 new)").click()
        wait_rows(page, 3)
        assert ids(page) == ["after", "before"]


class Cable:
    """A proxy to the sandbox at another address, which can be cut."""

    def __init__(self, base_url):
        self._to = (urlsplit(base_url).hostname, urlsplit(base_url).port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        self._ends = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(self._to)
            self._ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return  # cut, or closed by one of the two sides

    def cut(self):
        for end in self._ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed by its other side already
            end.close()
        self._ends = []

    def close(self):
        self._listener.close()
        self.cut()


@pytest.fixture
def cable(sandbox):
    made = Cable(sandbox.base_url)
    yield made
    made.close()


def test_inspector_shows_each_row_once_after_a_lost_connection(cable, opened, sandbox):
    page = opened(cable.base_url)
    sent = []
    for round_number in range(5):
        for number in range(4):
            sent.insert(0, f"{round_number}-{number}")
            send(sandbox, id=sent[0])
            if number == 1:
                wait_rows(page, len(sent))
                cable.cut()
        wait_rows(page, len(sent))
        assert ids(page) == sent
    connected(page)
    assert not [row for row in rows(page) if len(row) == 1], "it was no restart"


def test_inspector_is_cleared_when_the_sandbox_was_cleared_while_it_was_disconnected(cable, opened, sandbox):
    page = opened(cable.base_url)
    send(sandbox, id="old")
    wait_rows(page, 1)
    # The sandbox is cleared and filled while the page is disconnected or has just reconnected, so a new record has an
    # old number.
    cable.cut()
    sandbox._ask("DELETE", "/sandbox/received")
    send(sandbox, id="new")
    page.wait_for_function("() => document.querySelector('#rows').innerText.includes('new')")
    assert ids(page) == ["new"]


#: A page that can be hidden, and whose timers of a minute fire at once. Only the pause of a hidden page uses such
#: a timer.
HIDEABLE = """() => {
    const { setTimeout } = window;
    window.setTimeout = (act, ms) => setTimeout(act, ms === 60000 ? window.minute ?? 0 : ms);
    let hidden = false;
    Object.defineProperty(document, "hidden", { get: () => hidden });
    window.hide = (is) => { hidden = is; document.dispatchEvent(new Event("visibilitychange")); };
}"""


def test_hidden_inspector_uses_no_connection_and_catches_up_when_it_is_shown(opened, sandbox):
    page = opened(sandbox.base_url)
    page.evaluate(HIDEABLE)
    send(sandbox, id="before")
    wait_rows(page, 1)
    # A page that was hidden for less than a minute keeps listening, and its title counts.
    page.evaluate("() => { window.minute = 1e9; hide(true); }")
    send(sandbox, id="short")
    wait_rows(page, 2)
    page.evaluate("() => { hide(false); window.minute = 0; hide(true); }")
    wait_text(page, "#connection", "Not listening while this page is hidden")
    assert page.title() == "(2+) Inspector - esales-notify sandbox"
    send(sandbox, id="away-1")
    send(sandbox, id="away-2")
    page.evaluate("() => hide(false)")
    connected(page)
    wait_rows(page, 4)
    assert ids(page) == ["away-2", "away-1", "short", "before"] and page.title().startswith("(4) ")


def test_seven_tabs_of_one_browser_all_show_arrivals(browser, sandbox):
    """A browser opens at most six connections to one host, and hidden pages use none."""
    context = browser.new_context()
    context.set_default_timeout(LIMIT_MS)
    pages = []
    for _ in range(7):
        page = context.new_page()
        page.goto(sandbox.base_url)
        connected(page)
        page.evaluate(HIDEABLE)
        page.evaluate("() => hide(true)")
        wait_text(page, "#connection", "Not listening")
        pages.append(page)
    pages[0].evaluate("() => hide(false)")
    connected(pages[0])
    send(sandbox)
    wait_rows(pages[0], 1)
    context.close()


def test_hidden_inspector_stops_reconnecting_when_the_sandbox_has_ended(command, opened):
    with Sandbox(command) as first:
        address = urlsplit(first.base_url).netloc
        page = opened(first.base_url)
        page.evaluate(HIDEABLE)
    wait_text(page, "#connection", "Not connected since")
    page.evaluate("() => hide(true)")
    wait_text(page, "#connection", "Not listening")
    asked = []
    page.on("request", lambda one: asked.append(one.url))
    with Sandbox(command, listen=address) as second:
        send(second, id="after")
        # A pending reconnection would happen earlier, because its longest pause is two seconds.
        page.evaluate("() => new Promise((done) => setTimeout(done, 2500))")
        assert asked == []
        page.evaluate("() => hide(false)")
        wait_rows(page, 1)
