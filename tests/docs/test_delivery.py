"""The page of promises has a table "promise | test", and the tests that it names are defined."""

import re

from markdown import ROOT

PAGE = (ROOT / "tests/README.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE, re.M)[1:]


def defined():
    """The names of all tests: functions of Rust, C, Python, PHP and C#, and the cases of the spool's conformance kit."""
    names = set()
    for folder in ("src", "tests", "bindings"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".rs", ".py", ".php", ".cs", ".c") and path.is_file():
                names |= set(re.findall(r"\b(?:fn|def|function|void) (\w+)[(<]", path.read_text(errors="replace")))
    return names


def test_delivery_page_names_only_existing_tests():
    assert len(ROWS) > 20
    known = defined()
    for promise, tests in ROWS:
        named = re.findall(r"`(\w+)`", tests)
        assert named and ", ".join(f"`{name}`" for name in named) == tests, promise
        assert [name for name in named if name not in known] == [], promise


def test_delivery_page_check_fails_when_a_test_does_not_exist():
    known = defined()
    assert "test_delivery_page_names_only_existing_tests" in known
    assert "a_test_that_" + "nobody_wrote" not in known
