"""Each kind of notification in the inspector: its label, its contents and its secrets."""

import json
import re
import subprocess

import pytest

from conftest import (PRIVATE_KEY, SIGNED_IN, TOKEN, VISITOR, payment_token, request, rows, send, send_kind, wait_rows,
                      wait_text)
from test_access import audit

LAST = "#rows tr:not(.spacer)"
LINES = [{"productKey": "P1", "variantKey": "V1", "quantity": 2, "sellingPrice": 199.5, "cost": 80},
         {"productKey": "P2", "variantKey": None, "quantity": 1, "sellingPrice": 0.25}]
UNSIGNED = [{name: value for name, value in line.items() if name != "cost"} for line in LINES]


def send_all(sandbox):
    """One of each kind, oldest first."""
    answers = [send(sandbox, id="a"), send_kind(sandbox, "click", id="b", ticket="shown"),
               send_kind(sandbox, "non-esales-click", id="c", productKey="P7", variantKey="V8"),
               send_kind(sandbox, "non-esales-adding-to-cart", id="d", productKey="P9", variantKey=None),
               send_kind(sandbox, "payment", lines=UNSIGNED), send_kind(sandbox, "payment", PRIVATE_KEY, lines=LINES),
               send_kind(sandbox, "end")]
    assert [status for status, _ in answers] == [204] * 7, answers


def send_order(sandbox, lines):
    """The lines as text, because Python would format their numbers differently."""
    body = f'{json.dumps(VISITOR)[:-1]}, "lines": {lines}}}'
    return request(sandbox.base_url, "POST", "/api/v1/notifications/payment", body.encode(), {"Content-Type": "application/json"})


def order_shown(page):
    return page.eval_on_selector_all("#detail .order tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))")


def test_row_shows_its_kind_and_its_product_or_ticket(page, sandbox):
    send_all(sandbox)
    seen = wait_rows(page, 7)[::-1]
    assert [row[2] for row in seen] == ["add to cart", "click", "non-eSales click", "non-eSales add to cart", "payment",
                                       "secure payment", "end of session"]
    assert [row[5] for row in seen] == ["a", "b", "c", "d", "has none", "has none", "has none"]
    assert [" ".join(row[6].split()) for row in seen[1:]] == ["shown", "P7 V8", "P9", "2 lines, 399.25: P1 P2",
                                                             "2 lines, 399.25: P1 P2", ""]
    wait_text(page, "#announce", "end of session")


def test_kind_filter_shows_one_kind_and_combines_with_the_search(page, sandbox):
    send_all(sandbox)
    wait_rows(page, 7)
    options = page.locator("#kind option").all_inner_texts()
    assert options[0] == "Every kind" and len(options) == 8
    page.get_by_role("combobox", name="Kind").select_option("payment")
    wait_text(page, "#count", "1 of 7 received")
    assert rows(page)[0][2] == "payment"
    page.get_by_role("searchbox").fill("p9")
    page.locator("#nothing").wait_for()
    page.get_by_role("button", name="Show all").click()
    wait_rows(page, 7)
    assert page.locator("#kind").input_value() == ""
    for text, found in [("P9", 1), ("p1 v1", 2), ("P7 non-esales", 1), ("secure", 1)]:
        page.get_by_role("searchbox").fill(text)
        wait_text(page, "#count", f"{found} of 7 received")
    # A change of the script does not reset the filter.
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Kind").select_option("end")
    sandbox.script("503")
    wait_text(page, "#scripted", "The next answer is 503")
    assert page.locator("#kind").input_value() == "end"


def test_order_is_a_table_whose_sums_are_not_rounded(page, sandbox):
    send_order(sandbox, """[{"productKey":"P1","variantKey":"V1","quantity":3,"sellingPrice":0.10},
        {"productKey":"P2","quantity":1,"sellingPrice":12345678901234567890.123},
        {"variantKey":"V3","quantity":10,"sellingPrice":1.5E-1}]""")
    wait_rows(page, 1)
    page.locator(LAST).click()
    assert order_shown(page) == [
        ["Product", "Variant", "Quantity", "Price", "Sum"],
        ["P1", "V1", "3", "0.10", "0.30"],
        ["P2", "", "1", "12345678901234567890.123", "12345678901234567890.123"],
        ["", "V3", "10", "1.5E-1", "1.50"],
        ["Total", "12345678901234567891.923"]]
    assert "it seems to be the price of one item" in page.locator("#detail").inner_text()


def test_order_has_a_column_for_costs_only_when_there_is_one(page, sandbox):
    send_kind(sandbox, "payment", PRIVATE_KEY, lines=LINES)
    wait_rows(page, 1)
    page.locator(LAST).click()
    assert order_shown(page) == [["Product", "Variant", "Quantity", "Price", "Cost", "Sum"], ["P1", "V1", "2", "199.5", "80", "399.0"],
                                 ["P2", "", "1", "0.25", "", "0.25"], ["Total", "399.25"]]


@pytest.mark.parametrize("lines, total", [
    ('[{"productKey":"P","quantity":-1,"sellingPrice":2}]', "-2"), ('[{"productKey":"P","quantity":"1","sellingPrice":2}]', None),
    ('[{"productKey":"P","quantity":1}]', None), ('[{"productKey":"P","quantity":1,"sellingPrice":1e300}]', None),
    (f'[{{"productKey":"P","quantity":1,"sellingPrice":0.{"1" * 80}}}]', None),
    ("[{}]", None), ("[7]", "0"), ("[]", "0")])
def test_order_with_strange_numbers_has_no_wrong_total(page, sandbox, lines, total):
    send_order(sandbox, lines)
    wait_rows(page, 1)
    page.locator(LAST).click()
    shown = order_shown(page)
    assert (shown[-1] == ["Total", total]) if total is not None else (shown[-1][0] != "Total")


def test_long_order_shows_its_first_lines_and_the_total_of_all(page, sandbox):
    send_order(sandbox, json.dumps([{"productKey": f"P{number}", "quantity": 1, "sellingPrice": 1} for number in range(2000)]))
    wait_rows(page, 1)
    page.locator(LAST).click()
    shown = order_shown(page)
    assert len(shown) == 102 and shown[-1] == ["Total", "2000"]
    wait_text(page, "#detail", "And 1,900 more lines")


def test_only_a_kind_with_a_ticket_shows_one(page, sandbox):
    send_all(sandbox)
    wait_rows(page, 7)
    for index, (has, has_not) in enumerate([("this kind has none", "Ticket"), ("Order", "Ticket"), ("Order", "Ticket"),
                                            ("Product key", "Ticket"), ("Variant key", "Ticket"), ("Ticket", "Product key")]):
        page.locator(LAST).nth(index).click()
        terms = page.locator("#detail dt, #detail h3").all_inner_texts() + [page.locator("#detail").inner_text()]
        assert has in terms or has in terms[-1]
        assert has_not not in terms[:-1]


def test_payment_that_counts_twice_is_a_problem(page, sandbox):
    for _ in range(2):
        send_kind(sandbox, "payment", lines=UNSIGNED)
    wait_rows(page, 2)
    page.get_by_role("combobox", name="Show").select_option("problems")
    wait_text(page, "#count", "1 of 2 received")
    assert rows(page)[0][5] == "duplicate has none"
    page.locator(LAST).click()
    wait_text(page, "#detail", "counted twice: number 1 was a payment with the same bytes")


def test_notification_after_the_end_of_its_session_is_a_problem(page, sandbox):
    send_kind(sandbox, "end")
    send_kind(sandbox, "click", id="late", ticket="t")
    wait_rows(page, 2)
    page.locator(LAST).first.click()
    wait_text(page, "#detail", "this session was ended by number 1")


def test_payment_token_is_shown_only_on_demand(page, sandbox):
    send_kind(sandbox, "payment", PRIVATE_KEY, lines=LINES)
    token = re.search("paymentToken=([0-9a-f]{64})", sandbox.received()[0]["path"])[1]
    wait_rows(page, 1)
    page.locator(LAST).click()
    wait_text(page, "#detail", "Valid: it signs the bytes of the body.")
    assert token not in page.content()
    page.get_by_role("button", name="Show the whole payment token").click()
    wait_text(page, "#detail", f"/payment?paymentToken={token}")
    hide = page.get_by_role("button", name="Hide the whole payment token")
    assert hide.evaluate("one => one === document.activeElement")
    hide.click()
    page.get_by_role("button", name="Show the whole payment token").wait_for()
    assert token not in page.content()


def test_each_token_has_its_own_button(page, sandbox):
    send_kind(sandbox, "payment", PRIVATE_KEY, customerKey=SIGNED_IN, token=TOKEN, lines=LINES)
    wait_rows(page, 1)
    page.locator(LAST).click()
    page.get_by_role("button", name="Show the whole payment token").click()
    page.get_by_role("button", name="Hide the whole payment token").wait_for()
    assert TOKEN not in page.content()
    page.get_by_role("button", name="Show the whole token").click()
    page.get_by_role("button", name="Hide the whole payment token").wait_for()
    assert TOKEN in page.content()


def test_copied_command_sends_a_secure_payment_that_is_valid(page, sandbox):
    send_kind(sandbox, "payment", PRIVATE_KEY, lines=LINES)
    wait_rows(page, 1)
    page.locator(LAST).click()
    page.get_by_role("button", name="Copy as cURL").click()
    wait_text(page, "#notice", "is copied")
    subprocess.run(["sh", "-c", page.evaluate("navigator.clipboard.readText()")], check=True, capture_output=True)
    assert [r["payment_token_valid"] for r in sandbox.received()] == [True, True]
    wait_rows(page, 2)


def test_payment_token_is_reported_missing_when_the_sandbox_discarded_it(page, sandbox):
    send_kind(sandbox, "payment", PRIVATE_KEY, lines=LINES)
    wait_rows(page, 1)
    page.locator(LAST).click()
    # Another request now has the number, as after a restart.
    page.route("**/sandbox/received/1", lambda route: route.fulfill(status=404, body="forgotten"))
    page.get_by_role("button", name="Show the whole payment token").click()
    wait_text(page, "#notice", "does not have this request any more")
    page.get_by_role("button", name="Copy as cURL").click()
    wait_text(page, "#notice", "does not have this request any more")


def test_refused_payment_token_shows_the_reason(page, sandbox):
    body = json.dumps({**VISITOR, "lines": LINES}).encode()
    token = payment_token("another-private-key", body)
    request(sandbox.base_url, "POST", f"/api/v1/notifications/payment?paymentToken={token}", body, {"Content-Type": "application/json"})
    sandbox.script("503")
    request(sandbox.base_url, "POST", "/api/v1/notifications/payment?paymentToken=00", body, {"Content-Type": "application/json"})
    seen = wait_rows(page, 2)
    assert [row[1].split()[0] for row in seen] == ["503", "403"]
    page.locator(LAST).nth(1).click()
    wait_text(page, "#detail", "A payment token was used, but it could not be validated. Sandbox: the payment token does not sign these bytes")
    page.locator(LAST).nth(0).click()
    wait_text(page, "#detail", "Not valid: the payment token is not 64 hexadecimal digits.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_reports_nothing_for_any_kind(opened, sandbox, root, scheme, width):
    page = opened(sandbox.base_url, color_scheme=scheme, viewport={"width": width, "height": 720}, bypass_csp=True)
    send_all(sandbox)
    send_kind(sandbox, "payment", lines=LINES)
    send_kind(sandbox, "payment", "another-private-key", lines=LINES)
    wait_rows(page, 9)
    audit(page, root)
    for index in range(9):
        page.locator(LAST).nth(index).click()
        audit(page, root)


def test_order_fits_a_narrow_screen_without_horizontal_scrolling(opened, sandbox):
    page = opened(sandbox.base_url, viewport={"width": 320, "height": 640})
    long = [{"productKey": "P" * 200, "variantKey": "V" * 200, "quantity": 123456, "sellingPrice": 123456.789, "cost": 1}]
    send_kind(sandbox, "payment", PRIVATE_KEY, lines=long)
    wait_rows(page, 1)
    page.locator(LAST).click()
    page.locator("#detail .order").wait_for()
    for selector in ("html", "#scroller", "#detail"):
        wide, seen = page.eval_on_selector(selector, "one => [one.scrollWidth, one.clientWidth]")
        assert wide <= seen, selector
