"""Every fenced block of the documentation is run, compiled or compared with the file or output that it shows."""

import re
import subprocess

import pytest
from markdown import ROOT, blocks, comparable, elsewhere, links, pages, run, without_packages
from test_deployment import FILES

DOCS = [page for page in pages() if page.is_relative_to(ROOT / "docs")]
DEPLOYMENT = ROOT / "docs/deployment"
# Held by test_deployment.
SNIPPETS = [DEPLOYMENT / name for name in FILES]
# These blocks of the page are held by tests/cli/test_doctor.py, which knows how to bring them about.
DOCTOR = ROOT / "docs/doctor.md"
DOCTORS = ["text", "json"]
STORIES = [page for page in DOCS if page not in [*SNIPPETS, DOCTOR]]
BINDINGS = [page for page in pages() if page.is_relative_to(ROOT / "bindings")]
PROGRAMS = {"c", "cpp", "csharp", "php", "python", "rust"}


def named(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", STORIES, ids=named)
def test_its_blocks_are_of_a_kind_that_is_checked(page):
    found = blocks(page.read_text())
    assert page.read_text().count("\n```") == 2 * len(found), "a fence that is not closed"
    for at, block in enumerate(found):
        assert block.language in PROGRAMS | {"sh", "text"}, f"line {block.line}: who checks {block.language!r}?"
        if block.language == "text":
            assert at and found[at - 1].language == "sh", f"line {block.line}: the output of what?"


@pytest.mark.parametrize("page", STORIES, ids=named)
def test_its_programs_are_files_that_it_runs(page):
    found = blocks(page.read_text())
    commands = "".join(block.code for block in found if block.language == "sh")
    for block in found:
        if block.language in PROGRAMS:
            file = (page.parent / links(block.before)[-1]).resolve()
            assert block.code == file.read_text(), f"line {block.line} is not {file}"
            assert re.search(rf"\b{file.stem}\b", commands), f"line {block.line}: nobody runs {file.name}"


@pytest.mark.parametrize("page", STORIES, ids=named)
def test_its_commands_run_and_print_what_it_says(page, tmp_path):
    found = blocks(elsewhere(without_packages(page.read_text())))
    shell = [at for at, block in enumerate(found) if block.language == "sh"]
    results = run([found[at].code for at in shell], tmp_path) if shell else []
    for at, (status, output) in zip(shell, results):
        shown = found[at + 1] if at + 1 < len(found) and found[at + 1].language == "text" else None
        where = f"line {found[at].line}:\n{output}"
        if shown:
            assert comparable(output) == comparable(shown.code), where
        else:
            assert status == 0, where


@pytest.mark.parametrize("page", STORIES, ids=named)
def test_the_tests_and_files_that_it_names_exist(page):
    text = page.read_text()
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("*") if path.suffix in (".rs", ".py", ".c"))
    for name in re.findall(r"`([a-z]\w*_\w+_\w+_\w+_\w+)(?:\.\.\.)?`", text):
        assert name in sources or name.startswith("esales_"), name
    for path in re.findall(r"`((?:tests|src|include)/[\w./]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_doctors_page_has_no_blocks_but_those_that_its_own_test_holds():
    assert [block.language for block in blocks(DOCTOR.read_text())] == DOCTORS


def compiles(language, code):
    if language == "python":
        compile(code, "a block", "exec")
        return
    assert language == "php", f"who checks {language!r}?"
    code = code if code.startswith("<?php") else f"<?php\n{code}"
    done = subprocess.run(["php", "-l"], input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", BINDINGS, ids=named)
def test_what_a_bindings_page_shows_is_an_example_or_compiles(page):
    examples = [file.read_text() for file in (page.parent / "examples").iterdir()]
    for block in blocks(page.read_text()):
        if block.code not in examples:
            compiles(block.language, block.code)


def test_a_wrong_block_is_found(tmp_path):
    found = blocks("```sh\ntrue\n```\nwords\n\n````text\n```\n````\n")
    assert [(b.language, b.code, b.line, b.before) for b in found] == [
        ("sh", "true\n", 1, ""), ("text", "```\n", 6, "words")]
    assert run(["echo a; false", "cd src; printf b"], tmp_path) == [(1, "a\n"), (0, "b")]
    with pytest.raises(AssertionError, match="ended early"):
        run(["exit 3", "true"], tmp_path)
    assert comparable("in 1.5 ms") == comparable("in 30 ms") != comparable("in 30 attempts")
    with pytest.raises(SyntaxError):
        compiles("python", "def")
    with pytest.raises(AssertionError):
        compiles("php", "function {")
