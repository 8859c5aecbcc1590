"""Use by keyboard, with a screen reader, in dark mode, and on a narrow screen."""

import pytest

from conftest import SIGNED_IN, TOKEN, rows, send, wait_rows, wait_text


def focused(page):
    return page.evaluate("document.activeElement.id || document.activeElement.innerText")


def tab_to(page, name):
    for _ in range(60):
        if focused(page) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {name}")


def chosen(page):
    """The active row for a screen reader: the text of its id cell."""
    active = page.get_attribute("#table", "aria-activedescendant")
    row = page.locator(f"#{active}")
    assert row.get_attribute("aria-selected") == "true" and page.locator("[aria-selected=true]").count() == 1
    return row.locator("td").nth(5).inner_text()


def test_inspector_is_operable_by_keyboard(page, sandbox):
    for number in range(40):
        send(sandbox, id=f"n{number}")
    page.wait_for_function("() => document.getElementById('count').innerText === '40 received'")
    # The rows: moving to a row shows its details.
    tab_to(page, "table")
    for key, expected in [("ArrowDown", "n39"), ("ArrowDown", "n38"), ("ArrowUp", "n39"), ("ArrowUp", "n39"), ("End", "n0"),
                          ("Home", "n39"), ("ArrowDown", "n38")]:
        page.keyboard.press(key)
        assert chosen(page) == expected
        assert expected in page.locator("#detail").inner_text()
    page.keyboard.press("PageDown")
    assert int(chosen(page)[1:]) < 30
    row = page.locator("[aria-selected=true]")
    scroller = page.locator("#scroller").bounding_box()
    assert scroller["y"] <= row.bounding_box()["y"] <= scroller["y"] + scroller["height"] - row.bounding_box()["height"]
    # To the details and back, and closing them.
    page.keyboard.press("Enter")
    assert focused(page) == "Copy as cURL"
    page.keyboard.press("Enter")
    wait_text(page, "#notice", "copied")
    page.keyboard.press("Escape")
    assert focused(page) == "table" and page.locator("#detail").is_visible()
    page.keyboard.press("Escape")
    assert focused(page) == "table" and page.locator("#detail").is_hidden()
    # Filter, show, pause, clear.
    tab_to(page, "filter")
    page.keyboard.type("n7")
    wait_rows(page, 1)
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    tab_to(page, "show")
    page.keyboard.press("D")
    wait_text(page, "#count", "0 of 40")
    page.keyboard.press("A")
    wait_text(page, "#count", "40 received")
    tab_to(page, "pause")
    page.keyboard.press("Space")
    send(sandbox)
    wait_text(page, "#pause", "Resume (1 new)")
    page.keyboard.press("Space")
    wait_text(page, "#count", "41 received")
    tab_to(page, "clear")
    page.keyboard.press("Enter")
    page.locator("#empty").wait_for()
    # The switches.
    tab_to(page, "forever")
    page.keyboard.press("Space")
    tab_to(page, "503")
    page.keyboard.press("Enter")
    wait_text(page, "#scripted", "until switched off")
    tab_to(page, "normal")
    page.keyboard.press("Enter")
    wait_text(page, "#scripted", "normally")
    assert focused(page) == "400", "the button that is gone does not take the focus with it"


def test_inspector_keeps_the_focus_when_an_element_is_hidden(page, sandbox):
    send(sandbox)
    wait_rows(page, 1)
    page.locator("#rows tr:not(.spacer)").click()
    page.get_by_role("searchbox").fill("nowhere")
    page.locator("#nothing").wait_for()
    page.get_by_role("button", name="Close", exact=True).last.press("Escape")
    assert focused(page) == "filter" and page.locator("#detail").is_visible()
    page.locator("#detail").get_by_role("button", name="Close").click()
    assert focused(page) == "filter" and page.locator("#detail").is_hidden()


def test_inspector_announces_each_action_once(page, sandbox):
    page.get_by_role("button", name="Copy the address").click()
    wait_text(page, "#notice", "The address is copied.")
    told = page.locator("[role=status], [role=alert], [aria-live]").filter(has_text="copied")
    assert told.count() == 1 and told.inner_text() == "The address is copied."


def test_inspector_shows_the_focus(page, sandbox):
    send(sandbox)
    wait_rows(page, 1)
    page.keyboard.press("Tab")
    for _ in range(30):
        seen = page.evaluate("""() => {
            const one = document.activeElement;
            const style = getComputedStyle(one.id === "table" ? one.querySelector("th") : one);
            return [one.id || one.innerText, style.outlineStyle !== "none" || style.boxShadow !== "none"];
        }""")
        if seen[0] == "" or page.evaluate("document.activeElement === document.body"):
            break
        assert seen[1], f"{seen[0]} has the focus and does not show it"
        page.keyboard.press("Tab")
    else:
        raise AssertionError("Tab never leaves the page")


def audit(page, root):
    page.evaluate((root / "target/axe/node_modules/axe-core/axe.min.js").read_text())
    found = page.evaluate("async () => (await axe.run(document)).violations.map(v => [v.id, v.help, v.nodes.map(n => n.html)])")
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_reports_nothing_for_the_inspector(opened, sandbox, root, scheme, width):
    # axe makes elements from text, which the page's policy forbids.
    page = opened(sandbox.base_url, color_scheme=scheme, viewport={"width": width, "height": 720}, bypass_csp=True)
    audit(page, root)  # nothing received
    send(sandbox, id="a")
    send(sandbox, id="a", customerKey=SIGNED_IN, token=TOKEN)
    send(sandbox, id="b", customerKey=SIGNED_IN, token="0" * 64, surprise=1)
    send(sandbox, id="c", surprise=1)
    sandbox.script("503, close:times=forever")
    send(sandbox, id="d", ticket="x")
    wait_rows(page, 5)
    wait_text(page, "#scripted", "Every answer is a closed connection")
    audit(page, root)
    for index in range(5):
        page.locator("#rows tr:not(.spacer)").nth(index).click()
        audit(page, root)
    page.locator("#rows tr:not(.spacer)").first.click()
    page.get_by_role("button", name="Show all with this id").click()
    wait_rows(page, 1)
    audit(page, root)
    page.get_by_role("searchbox").fill("nowhere")
    page.locator("#nothing").wait_for()
    audit(page, root)


def test_inspector_follows_the_colour_scheme_of_the_system(opened, sandbox):
    page = opened(sandbox.base_url)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")

    def brightness(colour):
        return sum(int(part) for part in colour.strip("rgb()").split(","))

    assert brightness(light) > 600 and brightness(dark) < 150


def test_inspector_fits_a_narrow_screen_without_horizontal_scrolling(opened, sandbox):
    page = opened(sandbox.base_url, viewport={"width": 320, "height": 640})
    send(sandbox, id="x" * 100)
    wait_rows(page, 1)
    page.locator("#rows tr:not(.spacer)").click()
    page.locator("#detail").wait_for()
    for selector in ("html", "#scroller", "#detail"):
        wide, seen = page.eval_on_selector(selector, "one => [one.scrollWidth, one.clientWidth]")
        assert wide <= seen, selector
    assert rows(page)
