"""The README holds: its commands run, its examples are the files that are tested, its tables are the code's."""

import re

import markdown
import pytest

EXAMPLES = {
    "c": "examples/c/add_to_cart.c",
    "cpp": "examples/cpp/add_to_cart.cpp",
    "python": "bindings/python/examples/add_to_cart.py",
    "php": "bindings/php/examples/add_to_cart.php",
    "csharp": "bindings/csharp/examples/AddToCart.cs",
}


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text()


def blocks(readme, language):
    return re.findall(rf"```{language}\n(.*?)```", readme, re.S)


@pytest.mark.parametrize("language", EXAMPLES)
def test_readme_examples_equal_the_example_files(root, readme, language):
    assert blocks(readme, language) == [(root / EXAMPLES[language]).read_text()]


def test_readme_has_no_other_code(readme):
    assert set(re.findall(r"```(\w+)", readme)) == {*EXAMPLES, "sh"}


# They build in the repository's own target folder, as a reader does.
@pytest.mark.xdist_group("repository")
def test_readme_commands_run_in_order(readme, tmp_path):
    """All of them in one shell, but those that install: tests/packages runs them."""
    results = markdown.run(blocks(markdown.elsewhere(markdown.without_packages(readme)), "sh"), tmp_path)
    for status, output in results:
        assert status == 0, output
    # The command's, the C example's and the C++ example's.
    assert sum(output.count("ESALES_DELIVERED") for _, output in results) == 3, results


def test_readme_opens_with_the_commands_that_ci_runs(root, readme):
    assert re.findall(r"^    (make \w+)", readme, re.M)[:2] == ["make demo", "make test"]
    ci = (root / ".ci/run").read_text().splitlines()
    assert "make test" in ci and "make demo" in ci


def test_readme_names_how_each_package_is_built_and_installed(root, readme):
    section = readme.split("\n## Install\n")[1].split("\n## ")[0]
    rules = (root / "packaging/packages.mk").read_text()
    (targets,) = re.findall(r"^packages: (.*)$", rules, re.M)
    for target in ["install", "uninstall", "packages", *targets.split()]:
        assert f"`make {target}`" in section, target
    version = re.search(r'^version = "(.*)"', (root / "Cargo.toml").read_text(), re.M).group(1)
    for name in (f"libesales-notify0_{version}-1_amd64.deb", "libesales-notify-dev", f"esales_notify-{version}-py3-none-manylinux_2_17_x86_64.whl",
                 f"esales-notify-php-{version}.zip", f"Esales.Notify.{version}.nupkg", f"esales-notify-{version}-linux-x86_64.tar.gz"):
        assert name in section, name


def test_readme_status_table_equals_the_header(root, readme):
    header, _ = (root / "include/esales_notify.h").read_text().split("/* The kinds of notification. */")
    header = dict(re.findall(r"^#define (ESALES_(?!LOG_)\w+) (-?\d+)$", header, re.M))
    table = {name: code for code, name in re.findall(r"^\| (-?\d+) \| `(\w+)` \|", readme, re.M)}
    assert table == header


def test_readme_limits_equal_the_code(root, readme):
    sources = [*sorted((root / "src/notification").glob("*.rs")), root / "src/identity.rs"]
    declared = re.findall(r"pub const MAX_(\w+): usize = ([\d_]+);", "".join(source.read_text() for source in sources))
    limits = {name: int(value) for name, value in declared}
    words = (
        f"market {limits['MARKET']}; customer key, session key and token {limits['KEY']}; id {limits['ID']}; "
        f"ticket {limits['TICKET']}; product key and variant key {limits['PRODUCT_KEY']}; "
        f"customer id and private key {limits['IDENTITY']}. An order has at most {limits['LINES']:,} lines."
    )
    assert words in " ".join(readme.split())
