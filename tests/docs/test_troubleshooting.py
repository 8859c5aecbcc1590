"""The page about troubles explains codes of the header, and the page of examples provokes every one; test_code runs it."""

import re

from markdown import ROOT, blocks

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
EXAMPLES = (ROOT / "examples/codes.md").read_text()
# A defect cannot be provoked in the library as shipped: see tests/c/panic.c.
NOT_PROVOKED = {"ESALES_INTERNAL"}


def codes():
    header, _ = (ROOT / "include/esales_notify.h").read_text().split("/* The kinds of notification. */")
    return re.findall(r"^#define (ESALES_(?!LOG_)\w+) (-?\d+)$", header, re.M)


def test_troubleshooting_table_equals_the_header():
    assert {name: code for code, name in re.findall(r"^\| (-?\d+) \| `(\w+)` \|", PAGE, re.M)} == dict(codes())


def test_troubleshooting_sections_are_codes_in_the_order_of_the_header():
    sections = re.findall(r"^### (ESALES_\w+) \((-?\d+)\)$", PAGE, re.M)
    assert len(sections) > 12
    assert sections == [code for code in codes() if code in sections]


def test_examples_page_has_a_section_for_every_code():
    sections = re.findall(r"^## (ESALES_\w+) \((-?\d+)\)$", EXAMPLES, re.M)
    assert sections == [(name, code) for name, code in codes() if name not in NOT_PROVOKED]


def test_examples_return_the_code_of_their_section():
    for section in re.split(r"^## ", EXAMPLES, flags=re.M)[1:]:
        name = section.split()[0]
        printed = "".join(block.code for block in blocks(section) if block.language == "text")
        assert name in printed or not name.startswith("ESALES_"), name
