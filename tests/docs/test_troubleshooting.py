"""The page about troubles has a section for every code, in the header's order; test_code provokes them."""

import re

from markdown import ROOT, blocks

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
# A defect cannot be provoked in the library as shipped: see tests/c/panic.c.
NOT_PROVOKED = {"ESALES_INTERNAL"}


def test_troubleshooting_page_has_a_section_for_every_code():
    header, _ = (ROOT / "include/esales_notify.h").read_text().split("/* The kinds of notification. */")
    codes = re.findall(r"^#define (ESALES_(?!LOG_)\w+) (-?\d+)$", header, re.M)
    assert re.findall(r"^### (ESALES_\w+) \((-?\d+)\)$", PAGE, re.M) == codes


def test_troubleshooting_table_equals_the_header():
    header, _ = (ROOT / "include/esales_notify.h").read_text().split("/* The kinds of notification. */")
    header = dict(re.findall(r"^#define (ESALES_(?!LOG_)\w+) (-?\d+)$", header, re.M))
    assert {name: code for code, name in re.findall(r"^\| (-?\d+) \| `(\w+)` \|", PAGE, re.M)} == header


def test_troubleshooting_examples_return_the_code_of_their_section():
    for section in re.split(r"^### ", PAGE, flags=re.M)[1:]:
        name = section.split()[0]
        printed = "".join(block.code for block in blocks(section) if block.language == "text")
        assert name in printed or name in NOT_PROVOKED, name
