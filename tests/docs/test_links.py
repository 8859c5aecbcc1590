"""Every link in every Markdown file leads somewhere: to a file of the repository, and to a heading that is there."""

import re
import subprocess

import pytest
from markdown import ROOT, anchors, links, pages


def committed():
    """Files and folders as a clone has them: a link must not lead into what was built here."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = {ROOT / name for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")}
    return files | {folder for file in files for folder in file.parents}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_page_links_have_existing_targets(page):
    there = committed()
    text = page.read_text()
    for link in links(text):
        if "://" in link:
            # There is no network here: no more than its form can be looked at.
            assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]+(/[^\s]*)?", link), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target in there, link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_every_page_is_reachable_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for link in links(page.read_text()):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_file() and target not in reached:
                waiting.append(target)
    assert {page for page in pages() if page.is_relative_to(ROOT / "docs")} <= reached


def test_link_check_fails_on_a_broken_link():
    assert links("[a](b.md) `[c](d.md)` ![e](f.png)\n```sh\n[g](h)\n```\n[i](#j)") == ["b.md", "f.png", "#j"]
    assert anchors("# Who delivers?\n## `a_b` -1\n# Who delivers?\n") == {"who-delivers", "a_b--1", "who-delivers-1"}
