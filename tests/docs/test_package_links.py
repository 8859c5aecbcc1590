"""Pages that go into packages: their links lead somewhere without the repository, and the addresses stand in one place."""

import re
import subprocess
import sys

import pytest

from markdown import ROOT, links

sys.path.insert(0, str(ROOT / "packaging"))
from links import absolute, addresses  # noqa: E402

PAGES = ["README.md", "CHANGELOG.md", "bindings/php/README.md", "bindings/python/README.md", "bindings/csharp/README.md"]
VERSION = "1.2.3"


def check(text):
    """Each link is an anchor of the page, another site's, or a file of the repository at the version."""
    repository = addresses()["REPOSITORY"]
    found = [link for link in links(text) if not link.startswith("#")]
    for link in found:
        assert "://" in link, link
        if link.startswith(repository):
            path = re.fullmatch(rf"{repository}/(?:blob|raw|tree)/v{VERSION}/([^#]*)(?:#.*)?", link)
            assert path and (ROOT / path[1]).exists(), link
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_packaged_page_lead_into_the_repository(page):
    text = absolute(ROOT / page, VERSION)
    assert len(check(text)) >= 2
    assert len(links(text)) == len(links((ROOT / page).read_text()))


def test_kept_links_and_code_stay_as_they_are(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[a](LICENSE-MIT) `[b](c.md)` [d](#e)\n```sh\n[f](g.md)\n```\n")
    assert absolute(page, VERSION, ["LICENSE-MIT"]) == page.read_text()


def test_installed_readme_has_the_links_of_the_tarballs(tmp_path):
    """install.sh rewrites with sed what links.py rewrites elsewhere."""
    script = (ROOT / "packaging/install.sh").read_text()
    function = re.search(r"^page\(\) \{.*?^\}\n", script, re.M | re.S)[0]
    run = f'set -eu; version={VERSION}; DESTDIR={tmp_path}; . packaging/project\n{function}page README.md /README.md'
    subprocess.run(["sh", "-c", run], cwd=ROOT, check=True)
    assert (tmp_path / "README.md").read_text() == absolute(ROOT / "README.md", VERSION)


def test_metadata_has_the_addresses_of_the_project():
    """The files that cannot read packaging/project."""
    known = addresses()
    for name in ("Cargo.toml", "bindings/csharp/Esales.Notify.csproj"):
        text = (ROOT / name).read_text()
        found = set(re.findall(r"https://[a-z.]*esales-notify\.example[^\s\"<]*", text))
        assert found == {known["HOMEPAGE"], known["REPOSITORY"]}, name
