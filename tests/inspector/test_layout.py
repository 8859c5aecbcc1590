"""The layout: columns, switches, tooltips and notices."""

import pytest

from conftest import pour, rows, send, wait_rows, wait_text
from sandbox import Sandbox
from test_access import audit, focused, tab_to

#: Widths at which no column, two columns and five columns are hidden.
WIDTHS = [1280, 800, 390]


def widths(page):
    """The widths of the visible columns and of the table."""
    return page.evaluate("""() => [[...document.querySelectorAll('#table th')].map(cell => cell.getBoundingClientRect().width)
        .filter(width => width > 0), document.getElementById('table').getBoundingClientRect().width]""")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("has_detail", [False, True])
def test_columns_fill_the_table_when_there_are_more_rows_than_fit(opened, sandbox, width, has_detail):
    page = opened(sandbox.base_url, viewport={"width": width, "height": 720})
    pour(sandbox, 3)
    wait_rows(page, 3)
    if has_detail:
        page.locator("#rows tr:not(.spacer)").first.click()
    few, _ = widths(page)
    pour(sandbox, 300)
    wait_text(page, "#count", "303 received")
    page.wait_for_function("() => document.querySelector('.spacer:not([hidden])') !== null")
    # In the middle, with a spacer above and below.
    page.evaluate("() => { document.getElementById('scroller').scrollTop = 150 * 32; }")
    page.wait_for_function("() => document.querySelectorAll('.spacer:not([hidden])').length === 2")
    many, table = widths(page)
    assert sum(many) == pytest.approx(table, abs=1), "there is no hole beside the columns"
    # A scroll bar may take a few pixels, but no column shrinks for hidden columns.
    assert many == pytest.approx(few, abs=20)


@pytest.mark.parametrize("width", WIDTHS)
def test_columns_fill_the_table_when_a_remark_is_between_two_rows(command, opened, width):
    with Sandbox(command) as first:
        address = first.base_url.removeprefix("http://")
        page = opened(first.base_url, viewport={"width": width, "height": 720})
        send(first)
        wait_rows(page, 1)
    few, _ = widths(page)
    with Sandbox(command, listen=address):
        wait_rows(page, 2)
        many, table = widths(page)
        assert sum(many) == pytest.approx(table, abs=1) and many == pytest.approx(few, abs=1)
        remark = page.locator(".note td").bounding_box()
        assert remark["width"] == pytest.approx(table, abs=1), "the remark is as wide as the table"


@pytest.mark.parametrize("width", WIDTHS)
def test_table_does_not_move_when_a_switch_is_pressed(opened, sandbox, width):
    page = opened(sandbox.base_url, viewport={"width": width, "height": 720}, permissions=["clipboard-read", "clipboard-write"])
    for number in range(30):
        send(sandbox, id=f"n{number}")
    page.wait_for_function("() => document.getElementById('count').innerText === '30 received'")

    def place():
        return page.locator("#scroller").bounding_box()

    before = place()
    page.get_by_role("button", name="Copy the address").click()
    wait_text(page, "#notice", "copied")
    assert place() == before, "a notice lies over the page"
    for name in ("400", "403", "429", "503", "Wait", "Close"):
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_function("() => document.getElementById('scripted').dataset.on === 'true'")
        assert place() == before, name
        page.get_by_role("button", name="Switch off").click()
        page.wait_for_function("() => document.getElementById('scripted').dataset.on === 'false'")
        assert place() == before, name
    sandbox.script(", ".join(["503:retry-after=1"] * 5 + ["204:times=forever"]))
    wait_text(page, "#scripted", "Scripted: ")
    assert place() == before, "a long script"


def test_notice_is_hidden_when_it_is_dismissed(page, sandbox):
    page.get_by_role("button", name="Copy the address").click()
    wait_text(page, "#notice", "copied")
    page.get_by_role("button", name="Dismiss").click()
    assert page.locator("#notice").is_hidden() and focused(page) == "filter"


@pytest.mark.parametrize("name, text", [
    ("400", "does not send it again"), ("403", "the token was not accepted"), ("429", "Retry-After"), ("503", "sends the notification again later"),
    ("Wait", "shorter time-out"), ("Close", "without an answer"),
])
@pytest.mark.parametrize("width", [1280, 320])
def test_switch_has_a_tooltip_for_pointer_keyboard_and_screen_reader(opened, sandbox, name, text, width):
    page = opened(sandbox.base_url, viewport={"width": width, "height": 720})
    button = page.get_by_role("button", name=name, exact=True)
    tip = page.locator(f"#{button.get_attribute('aria-describedby')}")
    assert text in tip.text_content() and tip.is_hidden()
    button.hover()
    tip.wait_for()
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.mouse.move(0, 0)
    tip.wait_for(state="hidden")
    page.locator("#copy-address").focus()
    tab_to(page, name)
    tip.wait_for()
    page.keyboard.press("Escape")
    assert tip.is_hidden(), "Escape takes it away"


def test_filter_tooltip_is_hidden_while_typing(page, sandbox):
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    tip = page.locator("#tip-filter")
    tip.wait_for()
    page.keyboard.type("m")
    assert tip.is_hidden()


def test_axe_finds_nothing_wrong_with_a_tooltip_and_a_notice(opened, sandbox, root):
    page = opened(sandbox.base_url, bypass_csp=True, permissions=["clipboard-read", "clipboard-write"])
    send(sandbox)
    wait_rows(page, 1)
    page.get_by_role("button", name="Copy the address").click()
    wait_text(page, "#notice", "copied")
    page.get_by_role("button", name="429", exact=True).hover()
    page.locator("#tip-429").wait_for()
    audit(page, root)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Undo clear (1)").wait_for()
    audit(page, root)
    page.get_by_role("button", name="Undo clear (1)").click()
    wait_rows(page, 2)
    audit(page, root)
    assert rows(page)[1][5] == "one"
