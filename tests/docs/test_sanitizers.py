"""docs/contributing/sanitizers.md names the fuzz targets that there are, and all of them are run and have seeds."""

import re


def test_the_fuzz_targets(root):
    page = (root / "docs/contributing/sanitizers.md").read_text()
    on_the_page = re.findall(r"^\| `(\w+)` \|", page, re.M)
    built = re.findall(r'^name = "(\w+)"$', (root / "fuzz/Cargo.toml").read_text(), re.M)
    run = re.search(r"for target in (.*); do", (root / "tools/fuzz.sh").read_text()).group(1).split()
    seeds = [folder.name for folder in (root / "fuzz/seeds").iterdir()]
    tried = re.findall(r'\("(\w+)", \w+\),', (root / "src/fuzz.rs").read_text())
    assert sorted(on_the_page) == sorted(run) == sorted(tried)
    assert sorted(built) == sorted(seeds) == sorted([*run, "planted"])


def test_every_suppression_says_why(root):
    lines = (root / "tests/sanitize/tsan.supp").read_text().splitlines()
    suppressions = [n for n, line in enumerate(lines) if line and not line.startswith("#")]
    assert suppressions and all(lines[n - 1].startswith("# ") for n in suppressions)
    page = (root / "docs/contributing/sanitizers.md").read_text()
    assert len(suppressions) == 1 and "Suppressed is one thing" in page
