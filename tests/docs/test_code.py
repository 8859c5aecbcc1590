"""Every block of the documentation is run, compiled or compared with the file or output that it shows.

Those that are indented are commands that would take too long, or would want a system of their own: there it is seen that they
exist.
"""

import configparser
import functools
import re
import shlex
import subprocess

import pytest
from markdown import ROOT, blocks, comparable, elsewhere, indented, links, pages, run, without_packages
from test_deployment import FILES

DOCS = [page for page in pages() if page.is_relative_to(ROOT / "docs")]
# What runs in a copy of the repository only.
EXAMPLES = [page for page in pages() if page.is_relative_to(ROOT / "examples")]
# Of the contributors, in the folders that they are about.
CONTRIBUTORS = [ROOT / name for name in ("src/README.md", "src/spool/log/FORMAT.md", "tests/sanitize/README.md", "CONTRIBUTING.md")]
DEPLOYMENT = ROOT / "docs/deployment"
# Held by test_deployment.
SNIPPETS = [DEPLOYMENT / name for name in FILES]
# These blocks of the page are checked by tests/cli/test_doctor.py and test_doctor_php.py.
DOCTOR = ROOT / "docs/doctor.md"
DOCTORS = ["text", "json"]
STORIES = [page for page in [*DOCS, *EXAMPLES] if page not in [*SNIPPETS, DOCTOR]]
BINDINGS = [page for page in pages() if page.is_relative_to(ROOT / "bindings")]
PROGRAMS = {"c", "cpp", "csharp", "php", "python", "rust"}


def named(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", STORIES, ids=named)
def test_code_blocks_are_of_a_checked_language(page):
    found = blocks(page.read_text())
    assert page.read_text().count("\n```") == 2 * len(found), "a fence that is not closed"
    for at, block in enumerate(found):
        # tests/fleet has the rights of Redis.
        assert block.language in PROGRAMS | {"sh", "text", "acl"}, f"line {block.line}: who checks {block.language!r}?"
        if block.language == "text":
            assert at and found[at - 1].language == "sh", f"line {block.line}: the output of what?"


@pytest.mark.parametrize("page", STORIES, ids=named)
def test_documented_programs_are_tested_files(page):
    found = blocks(page.read_text())
    commands = "".join(block.code for block in found if block.language == "sh")
    for block in found:
        if block.language in PROGRAMS:
            file = (page.parent / links(block.before)[-1]).resolve()
            assert block.code == file.read_text(), f"line {block.line} is not {file}"
            # A complete page runs under its server: tests/hosts.
            if not file.is_relative_to(ROOT / "examples/deployment"):
                assert re.search(rf"\b{file.stem}\b", commands), f"line {block.line}: nobody runs {file.name}"


# They build in the repository's own target folder, as a reader does.
@pytest.mark.xdist_group("repository")
@pytest.mark.parametrize("page", STORIES, ids=named)
def test_documented_commands_print_the_documented_output(page, tmp_path):
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


@pytest.mark.parametrize("page", [*STORIES, *CONTRIBUTORS], ids=named)
def test_page_names_only_existing_tests_and_files(page):
    text = page.read_text()
    sources = "".join(path.read_text() for folder in ("src", "tests", "bindings")
                      for path in (ROOT / folder).rglob("*") if path.suffix in (".rs", ".py", ".c", ".cs", ".php"))
    for name in re.findall(r"`([a-z]\w*_\w+_\w+_\w+_\w+)(?:\.\.\.)?`", text):
        assert name in sources or name.startswith("esales_"), name
    for path in re.findall(r"`((?:tests|src|include)/[\w./]+)`", text):
        assert (ROOT / path).exists(), path


def test_doctor_page_has_only_blocks_that_its_own_test_checks():
    assert [block.language for block in blocks(DOCTOR.read_text())] == DOCTORS


# What a block of C# takes from the program around it.
AROUND = """using System;
using Esales.Notify;
interface ILogger {{ void LogInformation(string words, params object[] values); }}
static class Shown {{
    static void Run(string customerId, string privateKey, string sessionKey, ILogger logger) {{
{}
    }}
}}
"""


def compiles(language, code, scratch):
    if language == "python":
        compile(code, "a block", "exec")
        return
    if language == "ini":
        settings = configparser.ConfigParser()
        settings.read_string(f"[php.ini]\n{code}")
        assert settings.sections() == ["php.ini"] and all("." in name for name in settings["php.ini"])
        return
    if language == "csharp":
        file = scratch / "Shown.cs"
        file.write_text(AROUND.format(code))
        sources = sorted((ROOT / "bindings/csharp/src").glob("*.cs"))
        checker = ["mcs", "-langversion:7.2", "-unsafe", "-target:library", f"-out:{scratch}/shown.dll",
                   *map(str, [file, *sources])]
    elif language == "php":
        code = code if code.startswith("<?php") else f"<?php\n{code}"
        checker = ["php", "-l"]
    else:
        assert language == "sh", f"who checks {language!r}?"
        checker = ["bash", "-n"]
    done = subprocess.run(checker, input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", BINDINGS, ids=named)
def test_binding_page_code_is_an_example_or_compiles(page, tmp_path):
    examples = [file.read_text() for file in (page.parent / "examples").iterdir()]
    assert not indented(page.read_text())
    for block in blocks(page.read_text()):
        if block.code not in examples:
            compiles(block.language, block.code, tmp_path)


@functools.cache
def helped(command, subcommand):
    return subprocess.run([command, subcommand, "--help"], check=True, capture_output=True, text=True).stdout


def exists(line, command):
    """Whether this is a command of the Makefile's, or of `esales-notify` with options that it has."""
    words = shlex.split(line, comments=True)
    # A file of variables, and the command that switches the unit on: test_operations has them; tests/packages has the container.
    if not words or re.match(r"ESALES_\w+=", words[0]) or words[0] in ("systemctl", "docker"):
        return True
    name = next(word for word in words if word in ("make", "esales-notify"))
    arguments = words[words.index(name) + 1 :]
    if name == "make":
        rules = "".join(path.read_text() for path in (ROOT / "Makefile", *ROOT.glob("*/*.mk")))
        targets = [word for word in arguments if "=" not in word]
        return bool(targets) and all(re.search(rf"^([\w -]+ )?{target}( [\w -]+)?:", rules, re.M) for target in targets)
    options = [word for word in arguments if word.startswith("--")]
    return all(re.search(rf"{option}\b", helped(str(command), arguments[0])) for option in options)


@pytest.mark.parametrize("page", [page for page in pages() if page not in BINDINGS], ids=named)
def test_indented_commands_exist(page, command):
    for line, code in indented(page.read_text()).items():
        assert exists(code, command), f"line {line}: {code}"


@pytest.mark.parametrize("page", pages(), ids=named)
def test_code_fences_begin_their_line(page):
    """Others are not seen by the tests of blocks."""
    assert not re.search(r"^[ >]+```", page.read_text(), re.M)


def test_code_block_check_fails_on_a_wrong_block(tmp_path):
    found = blocks("```sh\ntrue\n```\nwords\n\n````text\n```\n````\n")
    assert [(b.language, b.code, b.line, b.before) for b in found] == [
        ("sh", "true\n", 1, ""), ("text", "```\n", 6, "words")]
    assert run(["echo a; false", "cd src; printf b"], tmp_path) == [(1, "a\n"), (0, "b")]
    assert run(["false\necho a", "if false; then true; fi; false || true"], tmp_path) == [(1, "a\n"), (0, "")]
    with pytest.raises(AssertionError, match="ended early"):
        run(["exit 3", "true"], tmp_path)
    assert comparable("in 1.5 ms") == comparable("in 30 ms") != comparable("in 30 attempts")
    with pytest.raises(SyntaxError):
        compiles("python", "def", tmp_path)
    for language, code in (("php", "function {"), ("csharp", "new Clients();"), ("sh", "if true"), ("ini", "[other]\na.b=1")):
        with pytest.raises(AssertionError):
            compiles(language, code, tmp_path)


def test_indented_command_check_fails_on_an_unknown_command(command):
    assert indented("words\n    more words\n\n    make a\n    make b\n```\n\n    c\n```\n") == {4: "make a", 5: "make b"}
    for right in ("make bench SECTION=c  # some", "sudo -u shop env A=b esales-notify doctor --json"):
        assert exists(right, command)
    for wrong in ("make benches", "make", "esales-notify doctor --jsonl"):
        assert not exists(wrong, command)
