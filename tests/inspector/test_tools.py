"""Filter, pause, clear, copy, and the switches."""

import json
import subprocess

import pytest

from conftest import (PATH, PRIVATE_KEY, SIGNED_IN, TOKEN, notification, opening, request, rows, send, send_kind, until,
                      wait_rows, wait_text)
from sandbox import Sandbox

LAST = "#rows tr:not(.spacer)"


def ids(page):
    return [row[5].split()[-1] for row in rows(page)]


def await_ids(page, ids):
    """The filter is applied with the next frame, and the number of rows may be the same before and after."""
    page.wait_for_function("""ids => [...document.querySelectorAll('#rows tr:not(.spacer)')]
        .map(row => row.cells[5].innerText.trim().split(/\\s+/).pop()).join('') === ids""", arg=ids)


def test_filter_shows_only_matching_rows(page, sandbox):
    send(sandbox, id="a", market="UK")
    send(sandbox, id="b", market="SE", ticket="unusual")
    send(sandbox, id="b", market="SE")
    send(sandbox, id="c", ticket=None)
    send(sandbox, id="d", customerKey=SIGNED_IN, token=TOKEN)
    wait_rows(page, 5)
    for text, found in [("UNUSUAL", "b"), ("p_125383-0014 se", "b"), ("SE", "bb"), ("ticket is missing", "c"), ("nowhere", "")]:
        page.get_by_role("searchbox").fill(text)
        await_ids(page, found)
    assert page.locator("#nothing").is_visible() and page.locator("#table").is_hidden()
    page.get_by_role("button", name="Show all").click()
    wait_rows(page, 5)
    for show, found in [("Problems", "c"), ("Duplicates", "b"), ("Signed in", "d"), ("Anonymous", "cbba")]:
        page.get_by_role("combobox", name="Show").select_option(show)
        await_ids(page, found)
    assert page.locator("#count").inner_text() == "4 of 5 received"
    # New arrivals are filtered too.
    send(sandbox, id="e")
    send(sandbox, id="f", customerKey=SIGNED_IN, token=TOKEN)
    wait_text(page, "#count", "5 of 7 received")
    assert ids(page)[0] == "e"


@pytest.fixture(scope="module")
def various(browser, command):
    """A page with six different notifications."""
    with Sandbox(command, "--private-key", PRIVATE_KEY) as sandbox, opening(browser) as open_page:
        page = open_page(sandbox.base_url)
        send(sandbox, id="a", surprise="x")
        send(sandbox, id="b", market="SE", ticket="unusual")
        send(sandbox, id="c", ticket=None)
        send(sandbox, id="d", market="SE", customerKey=SIGNED_IN, token="0" * 64)
        lines = [{"productKey": "P1", "variantKey": "V1", "quantity": 1, "sellingPrice": 1.5}]
        send_kind(sandbox, "payment", lines=lines)
        send_kind(sandbox, "payment", PRIVATE_KEY, lines=lines)
        wait_rows(page, 6)
        yield page


@pytest.mark.parametrize("text, found", [
    ("market:SE", "db"), ("MARKET:se", "db"), ("market:S", ""), ("status:403", "d"), ("status:4xx", "dc"), ("status:204", "nonenoneba"),
    ("kind:payment", "none"), ("kind:secure_payment", "none"), ("kind:secure-payment", "none"), ("kind:add-to-cart", "dcba"), ('kind:"add to cart"', "dcba"),
    ("id:a", "a"), ("visitor:signed-in", "d"), ("visitor:anonymous status:204 market:UK kind:add-to-cart", "a"),
    ("customer:d9528030", "nonenonecba"), ("session:zzz", ""), ("ticket:unusual", "b"), ("ticket:P_125383", "da"), ('ticket:"un usual"', ""),
    ("product:p1", "nonenone"), ("variant:V", "nonenone"), ("path:adding", "dcba"), ("warning:surprise", "a"), ("market:SE unusual", "b"),
    ("market:", "nonenonedcba"), ("colour:red", ""), ('"ticket is missing"', "c"), ('"missing ticket"', ""),
])
def test_filter_matches_fields(various, text, found):
    various.get_by_role("searchbox").fill(text)
    await_ids(various, found)


def test_filter_finds_connections_that_were_closed(page, sandbox):
    sandbox.script("close")
    send(sandbox, id="a")
    send(sandbox, id="b")
    wait_rows(page, 2)
    for text in ("status:close", "status:none"):
        page.get_by_role("searchbox").fill(text)
        await_ids(page, "a")


def test_repetition_is_a_retry_until_an_answer_was_2xx(page, sandbox):
    sandbox.script("503, close, 429")
    for _ in range(5):
        send(sandbox, id="again")
    seen = wait_rows(page, 5)
    assert [row[5] for row in seen] == ["duplicate again", "retry again", "retry again", "retry again", "again"]
    for show, count in (("Retries", 3), ("Duplicates", 1)):
        page.get_by_role("combobox", name="Show").select_option(show)
        wait_rows(page, count)
        page.locator(LAST).first.click()
        wait_text(page, "#detail", {"Retries": "retry", "Duplicates": "duplicate"}[show])
    assert [(r["retry"], r["duplicate"]) for r in sandbox.received()] == [(False, False)] + [(True, False)] * 3 + [(False, True)]


@pytest.mark.parametrize("name", ["twice", "1", "UK", "with space", "x" * 128])
def test_same_id_button_filters_all_rows_with_the_id(page, sandbox, name):
    # Other notifications that contain the text, or a part of it, in the id, the market or the ticket's parts.
    for other in (name, f"{name}1", "with", "space", name):
        send(sandbox, id=other)
    wait_rows(page, 5)
    page.get_by_role("searchbox").fill("x")
    page.get_by_role("searchbox").fill("")
    page.locator(LAST).first.click()
    page.get_by_role("button", name="Show all with this id").click()
    wait_text(page, "#count", "2 of 5 received")
    only = page.get_by_role("button", name="Only id")
    assert only.evaluate("one => one === document.activeElement") and name[:20] in only.inner_text()
    assert {row[5].removeprefix("duplicate ") for row in rows(page)} == {name}
    # New arrivals are filtered by it too, together with the other filters.
    send(sandbox, id=name)
    send(sandbox, id="another")
    wait_text(page, "#count", "3 of 7 received")
    page.get_by_role("searchbox").fill("nowhere")
    page.locator("#nothing").wait_for()
    page.get_by_role("searchbox").fill("")
    only.click()
    wait_text(page, "#count", "7 received")
    assert only.is_hidden() and page.evaluate("document.activeElement.id") == "filter"


def test_pause_holds_arrivals_back_until_it_ends(page, sandbox):
    send(sandbox, id="before")
    wait_rows(page, 1)
    page.get_by_role("button", name="Pause").click()
    for number in range(3):
        send(sandbox, id=f"held-{number}")
    page.get_by_role("button", name="Resume (3 new)").wait_for()
    assert ids(page) == ["before"]
    page.get_by_role("button", name="Resume (3 new)").click()
    wait_rows(page, 4)
    assert ids(page) == ["held-2", "held-1", "held-0", "before"]


def test_clear_empties_the_sandbox_and_every_inspector(page, opened, sandbox):
    other = opened(sandbox.base_url)
    send(sandbox)
    for one in (page, other):
        wait_rows(one, 1)
    page.locator(LAST).click()
    page.get_by_role("button", name="Clear").click()
    for one in (page, other):
        one.locator("#empty").wait_for()
        assert rows(one) == []
    assert page.locator("#detail").is_hidden()
    assert sandbox.received() == []
    send(sandbox)
    assert wait_rows(page, 1)[0][5] == "one", "counted from one again, and not taken for a duplicate"


ODD = [
    ("usual", PATH, json.dumps(notification()).encode(), {"Content-Type": "application/json", "X-Shop": "it's"}),
    ("quotes", f"{PATH}?a=%27$(id)", b"""{"id":"it's `$HOME` \\"quoted\\" \\\\ !"}""", {"Content-Type": "text/plain"}),
    ("a file's name", PATH, b"@/etc/hostname", {}),
    ("control characters", PATH, b'{"id":"\x1b[201~\nrm -rf %s\\n\x00"}', {"Content-Type": "application/json"}),
    ("marks of direction", PATH, '{"id":"\u202egnp.exe", "a":"é"}'.encode(), {"Content-Type": "application/json"}),
    ("not UTF-8", PATH, b"\xff\xfe'%d\\", {"Content-Type": "application/json"}),
    ("globs and dots", "/shop/../{a,b}[1-3]" + PATH, b"{}", {"Content-Type": "application/json", "X-Empty": ""}),
    ("longer than an argument", PATH, json.dumps({"id": "it's é", "ticket": "x y" * 60_000}, ensure_ascii=False).encode(),
     {"Content-Type": "application/json"}),
    ("another method", PATH, b"", {"Accept": "text/html"}),
]


@pytest.mark.parametrize("what, path, body, headers", ODD, ids=[row[0] for row in ODD])
def test_copied_curl_command_sends_the_same_request(page, sandbox, tmp_path, what, path, body, headers):
    method = "PUT" if what == "another method" else "POST"
    request(sandbox.base_url, method, path, body, headers)
    wait_rows(page, 1)
    page.locator(LAST).click()
    page.get_by_role("button", name="Copy as cURL").click()
    wait_text(page, "#notice", "is copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    # The text contains nothing that a terminal would execute during the paste.
    assert not [c for c in copied if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or c == "\u202e"]
    # The command is run from a file, because it is too long for an argument.
    (tmp_path / "copied.sh").write_text(copied)
    done = subprocess.run(["sh", tmp_path / "copied.sh"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, (copied[:1000], done.stderr)
    first, second = sandbox.received()
    same = ("method", "path", "body", "body_hex", "notification", "visitor", "token_valid", "warnings", "status")
    assert {k: first.get(k) for k in same} == {k: second.get(k) for k in same}, copied

    def compared(record):
        return sorted([n, v] for n, v in record["headers"] if n not in ("host", "content-length", "accept-encoding"))

    assert compared(first) == compared(second), copied


def test_copied_curl_command_has_the_whole_token(page, sandbox):
    send(sandbox, customerKey=SIGNED_IN, token=TOKEN)
    wait_rows(page, 1)
    page.locator(LAST).click()
    page.get_by_role("button", name="Copy as cURL").click()
    wait_text(page, "#notice", "is copied")
    subprocess.run(["sh", "-c", page.evaluate("navigator.clipboard.readText()")], check=True, capture_output=True)
    assert [r["token_valid"] for r in sandbox.received()] == [True, True]


def test_command_is_shown_for_copying_when_the_clipboard_is_not_available(opened, sandbox):
    page = opened(sandbox.base_url)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.get_by_role("button", name="Copy the address").click()
    assert page.locator("#by-hand textarea").input_value() == sandbox.base_url
    page.keyboard.press("Escape")
    assert page.locator("#by-hand").is_hidden()


@pytest.mark.parametrize("switch, status", [("503", 503), ("403", 403), ("400", 400), ("429", 429), ("Close", 0), ("Wait", 204)])
def test_failure_switch_makes_the_next_answers_fail(page, sandbox, switch, status):
    page.get_by_label("the next").fill("2")
    page.locator("#wait").fill("7")
    page.get_by_label("Retry-After").fill("17")
    button = page.get_by_role("button", name=switch, exact=True)
    button.click()
    wait_text(page, "#scripted", "The next 2 answers are")
    assert button.get_attribute("aria-pressed") == "true"
    for left in (1, 0):
        assert send(sandbox)[0] == status
        until("it counts down", lambda: sandbox.status()["script_left"] == left)
    wait_text(page, "#scripted", "The sandbox answers normally.")
    assert button.get_attribute("aria-pressed") == "false"
    assert send(sandbox)[0] == 204
    answers = [r["answer"] for r in sandbox.received()]
    assert answers[0] == answers[1] and answers[2] == "204"
    assert answers[0] == {"429": "429:retry-after=17", "Close": "close", "Wait": "normal:wait=7"}.get(switch, switch)


@pytest.mark.parametrize("switch, text", [
    ("400", "30 % of the next 200 answers are 400. Then answers are normal."),
    ("429", "30 % of the next 200 answers are 429 with Retry-After: 5. Then answers are normal."),
    ("Close", "30 % of the next 200 answers are closed connections. Then answers are normal."),
])
def test_failure_switch_makes_a_percentage_of_the_answers_fail(page, sandbox, switch, text):
    page.get_by_label("% of").fill("30")
    page.get_by_label("the next").fill("200")
    button = page.get_by_role("button", name=switch, exact=True)
    button.click()
    wait_text(page, "#scripted", text)
    assert button.get_attribute("aria-pressed") == "true"
    answers = [send(sandbox, id=f"n{number}")[0] for number in range(200)]
    failed = {"400": 400, "429": 429, "Close": 0}[switch]
    assert set(answers) == {204, failed} and 30 <= answers.count(failed) <= 90
    wait_text(page, "#scripted", "The sandbox answers normally.")


def test_failure_switch_describes_its_percentage(page, sandbox):
    page.get_by_label("% of").fill("10")
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#scripted", "The next answer is 503, with a chance of 10 %. Then answers are normal.")
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#scripted", "normally")
    page.get_by_label("until switched off").check()
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#scripted", "10 % of all answers are 503 until switched off.")


@pytest.mark.parametrize("typed, used", [("0", "1"), ("101", "100"), ("-5", "1"), ("33.4", "33")])
def test_percentage_outside_its_range_is_corrected(page, sandbox, typed, used):
    page.get_by_label("% of").fill(typed)
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#scripted", "503")
    assert page.get_by_label("% of").input_value() == used


def test_waiting_requests_are_answered_normally_when_the_switch_is_turned_off(page, sandbox):
    page.locator("#wait").fill("7")
    page.get_by_label("the next").fill("3")
    page.get_by_role("button", name="Wait", exact=True).click()
    wait_text(page, "#scripted", "The next 3 answers are delayed by 7 ms. Then answers are normal.")
    sent = [send(sandbox), send(sandbox, ticket=None), send(sandbox, customerKey=SIGNED_IN, token="0" * 64)]
    assert [status for status, _ in sent] == [204, 400, 403]
    seen = wait_rows(page, 3)
    assert [row[1].split() for row in seen] == [[status, "scripted"] for status in ("403", "400", "204")]
    page.locator(LAST).first.click()
    wait_text(page, "#detail", "could not be validated")


def test_failure_switch_stays_on_until_it_is_turned_off(page, sandbox):
    page.get_by_label("until switched off").check()
    assert page.get_by_label("the next").is_disabled()
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#scripted", "Every answer is 503 until switched off.")
    assert [send(sandbox)[0] for _ in range(5)] == [503] * 5
    page.get_by_role("button", name="403", exact=True).click()
    wait_text(page, "#scripted", "Every answer is 403")
    assert send(sandbox)[0] == 403
    page.get_by_role("button", name="403", exact=True).click()
    wait_text(page, "#scripted", "normally")
    assert send(sandbox)[0] == 204


def test_script_of_another_client_is_shown_and_can_be_ended(page, sandbox):
    sandbox.script("503:retry-after=1, hang, 204:times=forever")
    wait_text(page, "#scripted", "Scripted: 503:retry-after=1, hang, 204:times=forever (without end).")
    assert page.locator("[data-answer][aria-pressed=true]").count() == 0
    page.get_by_role("button", name="Switch off").click()
    wait_text(page, "#scripted", "normally")
    assert sandbox.status()["script_left"] == 0


def test_inspector_reports_a_control_request_that_fails(page, sandbox):
    page.route("**/sandbox/script", lambda route: route.fulfill(status=400, body="no such answer"))
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#notice", "The request failed: no such answer")


def test_inspector_reports_a_sandbox_that_does_not_answer(opened, sandbox):
    page = opened(sandbox.base_url)
    page.evaluate("""() => {
        const timeout = AbortSignal.timeout;
        AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / 100);
    }""")
    page.route("**/sandbox/script", lambda route: None)
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#notice", "The request failed: ")
    page.unroute("**/sandbox/script")
    page.get_by_role("button", name="503", exact=True).click()
    wait_text(page, "#scripted", "The next answer is 503")
    assert page.locator("#notice").is_hidden()
