"""The README holds: its commands run, its example is a file that is run, and what it says of packages is so."""

import re

import markdown
import pytest

EXAMPLE = "bindings/php/examples/cart.php"
# Of all pages that a user may have to read, with their tables and code. A new fact takes the place of something less useful.
MOST_WORDS = 20_000


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text()


def blocks(readme, language):
    return [block.code for block in markdown.blocks(readme) if block.language == language]


def test_readme_example_equals_the_example_file(root, readme):
    assert blocks(readme, "php") == [(root / EXAMPLE).read_text()]


def test_readme_has_no_other_code(readme):
    assert {block.language for block in markdown.blocks(readme)} == {"text", "php", "sh"}


# They build in the repository's own target folder, as a reader does.
@pytest.mark.xdist_group("repository")
def test_readme_commands_run_in_order(readme, tmp_path):
    """All of them in one shell."""
    results = markdown.run(blocks(markdown.elsewhere(readme), "sh"), tmp_path)
    assert [status for status, _ in results] == [0] * len(results), results
    assert sum(output.count("ESALES_DELIVERED") for _, output in results) == 1, results


@pytest.mark.xdist_group("repository")
@pytest.mark.parametrize("setting, said", [("ffi.enable=1", "ESALES_QUEUED queued"), ("ffi.enable=0", "ffi.enable=1")])
def test_readme_example_enqueues_or_logs_why_not(library, tmp_path, setting, said):
    """On the command line, where error_log() writes to standard error."""
    options = {"ESALES_NOTIFY_LIBRARY": str(library), "ESALES_BASE_URL": "http://127.0.0.1:9", "ESALES_MARKET": "UK",
               "ESALES_SPOOL": str(tmp_path / "spool")}
    program = f"cd bindings/php && composer dump-autoload --quiet && php -d {setting} examples/cart.php"
    (status, output), = markdown.run([program], tmp_path, **options)
    assert status == 0 and said in output, output


def test_readme_names_the_commands_that_ci_runs(root, readme):
    assert re.findall(r"^    (make \w+)", readme, re.M) == ["make demo", "make test"]
    ci = (root / ".ci/run").read_text().splitlines()
    assert "make test" in ci and "make demo" in ci


def test_readme_names_every_release_file_and_install_page_what_builds_it(root, readme):
    install = (root / "docs/install.md").read_text()
    rules = (root / "packaging/packages.mk").read_text()
    (targets,) = re.findall(r"^packages: (.*)$", rules, re.M)
    for target in ["install", "uninstall", "packages", *targets.split()]:
        assert f"make {target}" in install, target
    version = re.search(r'^version = "(.*)"', (root / "Cargo.toml").read_text(), re.M).group(1)
    for name in (f"libesales-notify0_{version}-1_amd64.deb", "libesales-notify-dev", f"esales_notify-{version}-py3-none-manylinux_2_17_x86_64.whl",
                 f"esales-notify-php-{version}.zip", f"Esales.Notify.{version}.nupkg", f"esales-notify-{version}-linux-x86_64.tar.gz"):
        assert name in install and name in readme, name


def test_readme_names_the_oldest_rust_that_is_tested(root, readme):
    oldest = re.search(r'^rust-version = "(.*)"', (root / "Cargo.toml").read_text(), re.M).group(1)
    assert f"Rust {oldest}+" in readme and f"Rust {oldest} or newer" in readme
    toolchain = (root / "rust-toolchain.toml").read_text()
    assert re.search(r'^channel = "(.*)"', toolchain, re.M).group(1).startswith(oldest)


def test_documented_limits_equal_the_code(root):
    sources = [*sorted((root / "src/notification").glob("*.rs")), root / "src/keys.rs"]
    declared = re.findall(r"pub const MAX_(\w+): usize = ([\d_]+);", "".join(source.read_text() for source in sources))
    limits = {name: int(value) for name, value in declared}
    words = (
        f"market {limits['MARKET']}; customer key, session key and token {limits['KEY']}; id {limits['ID']}; "
        f"ticket {limits['TICKET']}; product key and variant key {limits['PRODUCT_KEY']}; "
        f"customer id and private key {limits['KEY_INPUT']}. An order has at most {limits['LINES']:,} lines."
    )
    assert words in " ".join((root / "docs/kinds.md").read_text().split())


def test_user_pages_stay_within_their_word_limits(root):
    pages = [root / "README.md", root / "CHANGELOG.md", *(root / "docs").rglob("*.md")]
    words = {str(page): len(page.read_text().split()) for page in pages}
    assert sum(words.values()) <= MOST_WORDS, sorted(words.items(), key=lambda one: -one[1])[:5]
