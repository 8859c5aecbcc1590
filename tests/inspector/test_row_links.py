"""A link to each notification, the export, and the undo of Clear."""

import json
import pathlib

import pytest

from conftest import (PATH, PRIVATE_KEY, SIGNED_IN, TICKET, TOKEN, connected, request, rows, send, send_kind, wait_rows,
                      wait_text)

LAST = "#rows tr:not(.spacer)"


def ids(page):
    return [row[5].split()[-1] for row in rows(page) if len(row) > 1]


def address(page):
    return page.evaluate("location.hash")


def test_url_names_the_open_row_and_back_closes_it(page, sandbox):
    for number in range(3):
        send(sandbox, id=f"n{number}")
    wait_rows(page, 3)
    assert address(page) == ""
    page.locator(LAST).nth(0).click()
    newest = address(page)
    assert newest.endswith("-3")
    page.locator(LAST).nth(2).click()
    oldest = address(page)
    assert oldest.endswith("-1") and oldest[:-1] == newest[:-1]
    assert "n0" in page.locator("#detail").inner_text()
    page.go_back()
    page.locator("#detail").wait_for(state="hidden")
    assert address(page) == "" and page.url.startswith(sandbox.base_url)
    page.go_forward()
    page.locator("#detail").wait_for()
    assert address(page) == oldest and "n0" in page.locator("#detail").inner_text()


def test_url_has_no_fragment_when_the_details_are_closed(page, sandbox):
    send(sandbox)
    wait_rows(page, 1)
    for _ in range(3):
        page.locator(LAST).click()
        assert address(page) != ""
        page.locator("#detail").get_by_role("button", name="Close").click()
        assert address(page) == "" and page.locator("#detail").is_hidden()
    # However many rows were opened, the history has only one entry for them.
    assert page.evaluate("history.length") <= 3


def test_link_of_a_row_opens_it_in_another_tab(page, opened, sandbox):
    for number in range(40):
        send(sandbox, id=f"n{number}")
    page.wait_for_function("() => document.getElementById('count').innerText === '40 received'")
    page.locator("#table").focus()
    page.keyboard.press("End")
    link = page.locator("#rows tr[aria-selected=true] a")
    assert link.get_attribute("href") == address(page) and link.get_attribute("tabindex") == "-1"
    other = opened(sandbox.base_url + "/" + link.get_attribute("href"))
    wait_text(other, "#detail", "n0")
    # The row is also visible.
    chosen = other.locator("#rows tr[aria-selected=true]")
    chosen.wait_for()
    assert chosen.locator("td").nth(5).inner_text() == "n0"
    box, scroller = chosen.bounding_box(), other.locator("#scroller").bounding_box()
    assert scroller["y"] <= box["y"] <= scroller["y"] + scroller["height"] - box["height"]


def test_link_to_a_discarded_notification_shows_a_notice(opened, sandbox):
    page = opened(sandbox.base_url)
    send(sandbox)
    wait_rows(page, 1)
    page.locator(LAST).click()
    link = page.url
    page.get_by_role("button", name="Clear").click()
    page.locator("#empty").wait_for()
    assert address(page) == ""
    send(sandbox, id="another")
    for gone in (link, sandbox.base_url + "/#nonsense"):
        other = opened(gone)
        wait_text(other, "#notice", "The notification of this link is not here")
        assert other.locator("#detail").is_hidden() and address(other) == ""


def test_link_of_a_notification_that_has_not_arrived_opens_it_later(opened, sandbox):
    page = opened(sandbox.base_url)
    send(sandbox, id="first")
    wait_rows(page, 1)
    page.locator(LAST).click()
    later = page.url[:-1] + "2"
    other = opened(later)
    wait_rows(other, 1)
    assert other.locator("#detail").is_hidden()
    send(sandbox, id="second")
    wait_text(other, "#detail", "second")


# Export

def exported(page, tmp_path):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export the shown notifications as JSON").click()
    file = pathlib.Path(tmp_path / waiting.value.suggested_filename)
    waiting.value.save_as(file)
    assert file.suffix == ".json"
    return json.loads(file.read_text())


def test_export_contains_the_shown_rows_oldest_first(page, sandbox, tmp_path):
    send(sandbox, id="a", market="UK")
    send(sandbox, id="b", market="SE")
    send(sandbox, id="c", market="UK", ticket="odd ü\n\"quoted\"")
    wait_rows(page, 3)
    assert exported(page, tmp_path) == sandbox.received()
    page.get_by_role("searchbox").fill("market:UK")
    wait_rows(page, 2)
    assert [record["notification"]["id"] for record in exported(page, tmp_path)] == ["a", "c"]
    page.get_by_role("searchbox").fill("nowhere")
    page.locator("#nothing").wait_for()
    assert page.get_by_role("button", name="Export").is_disabled()


def test_export_has_no_token_that_can_be_used(page, sandbox, tmp_path):
    send(sandbox, customerKey=SIGNED_IN, token=TOKEN)
    send_kind(sandbox, "payment", PRIVATE_KEY, customerKey=SIGNED_IN, token=TOKEN, lines=[{"productKey": "P", "quantity": 1, "sellingPrice": 1.50}])
    request(sandbox.base_url, "POST", PATH, f"ticket=t&token={TOKEN}".encode(), {"Content-Type": "application/json"})
    request(sandbox.base_url, "POST", PATH, b'\xff{"token":"' + TOKEN.encode() + b'"}', {"Content-Type": "application/json"})
    wait_rows(page, 4)
    records = exported(page, tmp_path)
    text = json.dumps(records)
    assert TOKEN not in text and TOKEN.encode().hex() not in text
    assert sandbox.received()[1]["path"].rpartition("=")[2] not in text
    short = f"{TOKEN[:8]}…{TOKEN[-4:]}"
    assert records[0]["notification"]["token"] == short
    # Only the token of the body is changed.
    assert [record["body"] for record in records[:2]] == [record["body"].replace(TOKEN, short) for record in sandbox.received()[:2]]


# Undo

def test_undo_restores_the_rows_that_clear_removed(page, sandbox):
    for number in range(3):
        send(sandbox, id=f"n{number}", ticket=TICKET)
    wait_rows(page, 3)
    undo = page.locator("#undo")
    assert undo.is_hidden()
    page.get_by_role("button", name="Clear").click()
    page.locator("#empty").wait_for()
    send(sandbox, id="after")
    wait_rows(page, 1)
    page.get_by_role("button", name="Undo clear (3)").click()
    seen = wait_rows(page, 5)
    assert ids(page) == ["after", "n2", "n1", "n0"] and "cleared" in seen[1][0]
    assert undo.is_hidden() and page.evaluate("document.activeElement.id") == "clear"
    wait_text(page, "#count", "4 received")
    # The restored rows can be opened and searched as before.
    page.locator(LAST).last.click()
    wait_text(page, "#detail", "n0")
    page.get_by_role("searchbox").fill("n1")
    wait_rows(page, 1)
    assert [record["notification"]["id"] for record in sandbox.received()] == ["after"], "the sandbox stays cleared"


def test_undo_restores_waiting_rows_when_the_page_is_paused(page, sandbox):
    send(sandbox, id="shown")
    wait_rows(page, 1)
    page.get_by_role("button", name="Pause").click()
    send(sandbox, id="waiting")
    page.get_by_role("button", name="Resume (1 new)").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Undo clear (2)").click()
    wait_rows(page, 3)
    assert ids(page) == ["waiting", "shown"]
    page.get_by_role("button", name="Resume").click()
    send(sandbox, id="new")
    wait_rows(page, 4)
    assert ids(page) == ["new", "waiting", "shown"]


def clear(page):
    """Clears, and waits until the sandbox has reported it: a report that comes after an undo clears again."""
    if page.locator("#dismiss").is_visible():
        page.locator("#dismiss").click()
    page.locator("#notice-box").wait_for(state="hidden")
    page.get_by_role("button", name="Clear", exact=True).click()
    page.locator("#notice-box").wait_for()


def test_report_of_a_clear_stays_when_the_answer_comes_after_it(page, sandbox):
    send(sandbox)
    wait_rows(page, 1)
    answers = []
    page.route("**/sandbox/received", lambda route: answers.append((route, route.fetch())))
    clear(page)
    [(route, answer)] = answers
    with page.expect_event("requestfinished", lambda finished: finished.method == "DELETE"):
        route.fulfill(response=answer)
    # What the page does with the answer is done before the second frame.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.locator("#notice").inner_text() == "Cleared."


@pytest.mark.parametrize("times", [1, 2])
def test_undo_reverts_the_last_clear_that_removed_rows(page, sandbox, times):
    send(sandbox, id="old")
    wait_rows(page, 1)
    clear(page)
    page.locator("#empty").wait_for()
    send(sandbox, id="new")
    wait_rows(page, 1)
    for _ in range(times):
        clear(page)
        page.locator("#empty").wait_for()
    page.get_by_role("button", name="Undo clear (1)").click()
    wait_rows(page, 2)
    assert ids(page) == ["new"]
    connected(page)
