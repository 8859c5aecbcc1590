"""Builds the site: the pages of the repository, searchable, and the reference of every language.

    build.py OUT                everything; needs cargo and doxygen
    build.py --pages-only OUT   the pages alone. A dead link fails.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tools/site"
# The target of a link or an image.
LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(r"^(```+).*\n(?:.*\n)*?\1$|`[^`\n]*`", re.M)


def linked(page):
    """The files of the repository that a page links."""
    for link in LINK.findall(CODE.sub("", page.read_text())):
        target = (page.parent / link.partition("#")[0]).resolve()
        if "://" not in link and target != page and target.is_file():
            yield target


def pages():
    """The pages that can be reached from the README by links."""
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        if page.suffix == ".md":
            waiting += [target for target in linked(page) if target not in found]
    return found


def stage(source):
    for page in pages():
        copy = source / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, copy)


def doxygen(source, out, name, *settings):
    """The settings are added to those that make web pages from comments."""
    common = ["GENERATE_LATEX = NO", "GENERATE_HTML = YES", "HTML_OUTPUT = .", "EXTRACT_ALL = YES", "QUIET = YES", "WARNINGS = NO", "WARN_IF_DOC_ERROR = NO",
              "JAVADOC_AUTOBRIEF = YES", "RECURSIVE = YES", f"OUTPUT_DIRECTORY = {out}", f'PROJECT_NAME = "{name}"', "HAVE_DOT = NO",
              f"INPUT = {source}", "VERBATIM_HEADERS = NO"]
    out.mkdir(parents=True)
    subprocess.run(["doxygen", "-"], input="\n".join([*common, *settings]), text=True, cwd=ROOT, check=True)


def references(out):
    """Builds each language's reference with that language's usual tool. Returns (language, first page)."""
    subprocess.run(["make", "docs"], cwd=ROOT, check=True)
    shutil.copytree(ROOT / "target/docs/c-api", out / "c")
    doxygen("bindings/php/src", out / "php", "esales-notify for PHP", "FILE_PATTERNS = *.php", "EXCLUDE_PATTERNS = */Internal/*")
    doxygen("bindings/csharp/src", out / "csharp", "esales-notify for C#", "FILE_PATTERNS = *.cs", "OPTIMIZE_OUTPUT_JAVA = YES")
    subprocess.run([sys.executable, "-m", "pdoc", "--docformat", "restructuredtext", "-o", str(out / "python"), "esales_notify"],
                   env={**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}, check=True)
    subprocess.run(["cargo", "doc", "--locked", "--no-deps", "-p", "esales-notify"], cwd=ROOT, check=True)
    shutil.copytree(ROOT / "target/doc", out / "rust")
    return [("C and C++", "c/index.html"), ("PHP", "php/annotated.html"), ("C#", "csharp/annotated.html"),
            ("Python", "python/esales_notify.html"), ("Rust", "rust/esales_notify/index.html")]


def build(out, pages_only):
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "source"
        stage(source)
        found = [] if pages_only else references(source / "reference")
        lines = [f"- [{language}](reference/{page})" for language, page in found]
        (source / "reference.md").write_text("\n".join(["# Reference", "", *lines, ""]))
        variables = {"SITE_SOURCE": str(source), "SITE_OUT": str(out), "PYTHONPATH": str(HERE)}
        mkdocs = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--clean", "-f", str(HERE / "mkdocs.yml")]
        return subprocess.run(mkdocs, env={**os.environ, **variables}).returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages-only", action="store_true")
    parser.add_argument("out", type=pathlib.Path)
    chosen = parser.parse_args()
    sys.exit(build(chosen.out.resolve(), chosen.pages_only))
