"""The site is built in strict mode: every link and anchor leads somewhere. (`make site` adds the references.)"""

import re
import shutil
import subprocess

import pytest

from markdown import ROOT

PYTHON = ROOT / "target/tools-venv/bin/python"
# The environment is made once.
pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def python(root):
    """The environment that `make tools` installs."""
    subprocess.run(["make", "-s", "target/tools-venv/installed"], cwd=root, check=True)
    return PYTHON


def test_site_has_every_page_and_is_searchable(python, root, tmp_path):
    done = subprocess.run([python, "tools/site/build.py", "--pages-only", tmp_path / "site"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    index = (tmp_path / "site/search/search_index.json").read_text()
    for page in (root / "docs").rglob("*.md"):
        place = page.relative_to(root).with_suffix("")
        place = place.parent if place.name == "README" else place
        assert (tmp_path / "site" / place / "index.html").is_file(), place
        assert f'"{place}/' in index, place


def test_site_build_fails_on_a_dead_link(python, root, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "README.md").write_text("# A\n[b](#nonesuch)\n")
    config = tmp_path / "mkdocs.yml"
    lines = (root / "tools/site/mkdocs.yml").read_text()
    config.write_text(re.sub(r"^nav:\n(?:.*\n)*", "", lines, flags=re.M))
    shutil.copy(root / "tools/site/slugs.py", tmp_path)
    env = {"SITE_SOURCE": str(source), "SITE_OUT": str(tmp_path / "out"), "PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([python, "-m", "mkdocs", "build", "--strict", "-f", config], env=env, capture_output=True, text=True)
    assert done.returncode != 0 and "nonesuch" in done.stderr, done
