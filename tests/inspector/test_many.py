"""Ten thousand rows."""

from conftest import pour, rows, send, wait_text

MANY = 10_000
#: How much more work a step may be with a hundred times as many rows: scrolling shows as many rows as before, and the filter
#: looks at each.
MOST = {"a scrolling step": 3, "a letter in the filter": 30}
STEPS = {
    "a scrolling step": """async () => {
        const scroller = document.getElementById("scroller");
        for (let step = 0; step < 120; step += 1) {
            scroller.scrollTop = step % 2 ? step * 300 : (scroller.scrollHeight - scroller.clientHeight) * step / 120;
            await new Promise((done) => requestAnimationFrame(done));
        }
        scroller.scrollTop = 0;
        return 120;
    }""",
    "a letter in the filter": """async () => {
        const filter = document.getElementById("filter");
        const texts = ["n", "n1", "n12", "n123", "n12", "n1", "n", ""];
        for (const text of texts) {
            filter.value = text;
            filter.dispatchEvent(new Event("input"));
            await new Promise((done) => requestAnimationFrame(done));
        }
        return texts.length;
    }""",
}


def measured(page):
    """The processor time of the page's thread for each kind of step, in milliseconds. Other work of the machine has no part
    in it, unlike in the time until a frame is shown."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent():
        return {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}["TaskDuration"] * 1000

    times = {}
    for name, script in STEPS.items():
        before = spent()
        steps = page.evaluate(script)
        times[name] = (spent() - before) / steps
    session.detach()
    return times


def in_document(page):
    return page.evaluate("document.querySelectorAll('#rows tr').length")


def test_inspector_scrolls_through_ten_thousand_rows(page, sandbox):
    pour(sandbox, 100)
    wait_text(page, "#count", "100 received")
    few, few_rows = measured(page), in_document(page)
    pour(sandbox, MANY, first=100)
    wait_text(page, "#count", f"{MANY:,} received")
    many, many_rows = measured(page), in_document(page)
    print(f"\n100 rows: {few}\n{MANY:,} rows: {many}")
    assert all(0 < many[name] <= most * few[name] for name, most in MOST.items()), (few, many)
    # A page with many rows is slow because of many elements, and their number does not grow.
    assert many_rows <= few_rows < 100
    assert page.get_attribute("#table", "aria-rowcount") == str(MANY + 1)

    # The first row is at the bottom, and the visible rows stay while more arrive.
    page.locator("#table").focus()
    page.keyboard.press("End")
    page.wait_for_function("() => document.querySelector('#rows').innerText.includes('n0')")
    assert rows(page)[-1][5] == "n0" and page.locator("#rows tr:not(.spacer)").last.get_attribute("aria-rowindex") == str(MANY + 1)
    page.evaluate("() => { document.getElementById('scroller').scrollTop = 5000 * 32; }")
    page.wait_for_function("() => document.getElementById('rows').innerText.includes('n4995')")
    middle = "() => { const box = scroller.getBoundingClientRect(); return document.elementFromPoint(box.x + 5, box.y + 200).parentNode.cells[5].innerText; }"
    before = page.evaluate(middle)
    top = page.evaluate("scroller.scrollTop")
    for number in range(3):
        send(sandbox, id=f"more-{number}")
    page.wait_for_function("top => scroller.scrollTop === top + 3 * 32", arg=top)
    assert page.evaluate(middle) == before
    # The oldest rows are removed when more arrive, and the top shows the newest.
    wait_text(page, "#count", f"{MANY:,} received, 3 older not kept")
    page.evaluate("() => { scroller.scrollTop = 0; }")
    page.wait_for_function("() => document.getElementById('rows').innerText.includes('more-2')")
    page.locator("#table").focus()
    page.keyboard.press("End")
    page.wait_for_function("() => document.querySelector('#rows').lastChild.previousSibling.cells[5].innerText.includes('n3')")


def test_inspector_opened_late_catches_up_and_reports_discarded_records(opened, sandbox):
    pour(sandbox, MANY + 250)
    page = opened(sandbox.base_url)
    wait_text(page, "#count", f"{MANY:,} received, 250 older not kept")
    page.wait_for_function("() => document.getElementById('rows').innerText.includes('n10249')")
    page.locator("#table").focus()
    page.keyboard.press("End")
    page.wait_for_function("() => document.getElementById('rows').innerText.includes('n250')")
