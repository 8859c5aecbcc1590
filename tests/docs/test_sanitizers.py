"""tests/sanitize/README.md names the fuzz targets that there are, and all of them are run and have seeds."""

import re

import pytest


def test_sanitizers_page_lists_the_fuzz_targets(root):
    page = (root / "tests/sanitize/README.md").read_text()
    on_the_page = re.findall(r"^\| `(\w+)` \|", page, re.M)
    built = re.findall(r'^name = "(\w+)"$', (root / "fuzz/Cargo.toml").read_text(), re.M)
    run = re.search(r"for target in (.*); do", (root / "tools/fuzz.sh").read_text()).group(1).split()
    seeds = [folder.name for folder in (root / "fuzz/seeds").iterdir()]
    tried = re.findall(r'\("(\w+)", \w+\),', (root / "fuzz/entries/mod.rs").read_text())
    assert sorted(on_the_page) == sorted(run) == sorted(tried)
    assert sorted(built) == sorted(seeds) == sorted([*run, "planted"])


# How each file begins a suppression, and what the page says of how many there are.
@pytest.mark.parametrize("name, begins, count, expected", [
    ("tsan.supp", r"\w+:", 1, "Suppressed is one thing"), ("drd.supp", r"\{", 3, "in three suppressions that say why"),
])
def test_every_sanitizer_suppression_has_a_reason(root, name, begins, count, expected):
    lines = (root / "tests/sanitize" / name).read_text().splitlines()
    suppressions = [n for n, line in enumerate(lines) if re.match(begins, line)]
    assert len(suppressions) == count and all(lines[n - 1].startswith("# ") for n in suppressions)
    assert expected in " ".join((root / "tests/sanitize/README.md").read_text().split())


def test_sanitizers_page_lists_the_programs_that_run(root):
    page = (root / "tests/sanitize/README.md").read_text()
    run = re.findall(r'"(tests/(?:c|sanitize)/\w+\.(?:c|cpp))"', (root / "tests/sanitize/test_sanitizers.py").read_text())
    listed = re.search(r"^Programs: (.*?)\n\n", page, re.M | re.S).group(1)
    assert sorted(re.findall(r"`(\S+)`", listed)) == sorted(run)
    defects = set(re.findall(r"`(\w+\.c)`", page))
    assert {"overflow.c", "leak.c", "race.c", "late.c", "callers.c"} <= defects
