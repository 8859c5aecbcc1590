"""The reference of the C API is made without a remark, and its page names every function."""

import re
import subprocess

import pytest


# A page of the docs makes the reference too.
@pytest.mark.xdist_group("repository")
def test_doxygen_reports_no_warning(root, tmp_path):
    page = root / "target/docs/c-api/esales__notify_8h.html"
    page.unlink(missing_ok=True)
    done = subprocess.run(["make", "docs"], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    # Proof that it read the header: every function has its place in it.
    words = page.read_text()
    for symbol in symbols(root):
        assert f">{symbol}</a>" in words or f"{symbol}()" in words, symbol


def test_doxygen_check_fails_on_an_unknown_name(root, tmp_path):
    header = (root / "include/esales_notify.h").read_text()
    (tmp_path / "wrong.h").write_text(header.replace("Freeing NULL is allowed", "see esales_nonesuch"))
    settings = (root / "docs/c-api/Doxyfile").read_text()
    settings += f"INPUT = {tmp_path}/wrong.h\nUSE_MDFILE_AS_MAINPAGE =\nOUTPUT_DIRECTORY = {tmp_path}\n"
    done = subprocess.run(["doxygen", "-"], cwd=root, input=settings, capture_output=True, text=True)
    assert done.returncode != 0 and "esales_nonesuch" in done.stderr, done


def symbols(root):
    return (root / "tests/abi/symbols.txt").read_text().split()


def test_c_api_page_names_every_function(root):
    page = (root / "docs/c-api/README.md").read_text()
    table = page.split("## The functions by purpose")[1].split("##")[0]
    assert sorted(re.findall(r"\b(esales_\w+)\(\)", table)) == sorted(symbols(root))
