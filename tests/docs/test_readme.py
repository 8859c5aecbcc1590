"""The README holds: its commands run, its examples are the files that are tested, its tables are the code's."""

import os
import re
import socket
import subprocess

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
def test_the_examples_are_the_files_that_are_run(root, readme, language):
    assert blocks(readme, language) == [(root / EXAMPLES[language]).read_text()]


def test_no_other_code_stands_in_it(readme):
    assert set(re.findall(r"```(\w+)", readme)) == {*EXAMPLES, "sh"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_its_commands_run_in_their_order(root, readme):
    """All of them, in one shell's environment. The port of the page may be taken here, so a free one stands in."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("ESALES_")}
    serving = []
    printed = ""
    try:
        for line in "".join(blocks(readme, "sh")).splitlines():
            line = line.replace(":8080", f":{port}")
            if line.endswith("&"):
                server = subprocess.Popen(line[:-1].split(), cwd=root, env=env, stdout=subprocess.PIPE, text=True)
                serving.append(server)
                assert "listening" in server.stdout.readline(), line
            elif line.startswith("export "):
                env.update(pair.split("=", 1) for pair in line.split()[1:])
            else:
                result = subprocess.run(["bash", "-c", line], cwd=root, env=env, capture_output=True, text=True)
                assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
                printed += result.stdout
    finally:
        for server in serving:
            server.kill()
            server.wait()
            server.stdout.close()
    # The command's, the C example's and the C++ example's.
    assert printed.count("ESALES_DELIVERED") == 3, printed


def test_it_opens_with_the_two_commands_that_ci_runs(root, readme):
    assert re.findall(r"^    (make \w+)", readme, re.M)[:2] == ["make demo", "make test"]
    ci = (root / ".ci/run").read_text().splitlines()
    assert "make test" in ci and "make demo" in ci


def test_it_says_how_each_package_is_made_and_installed(root, readme):
    section = readme.split("\n## Install\n")[1].split("\n## ")[0]
    rules = (root / "packaging/packages.mk").read_text()
    (targets,) = re.findall(r"^packages: (.*)$", rules, re.M)
    for target in ["install", "uninstall", "packages", *targets.split()]:
        assert f"`make {target}`" in section, target
    version = re.search(r'^version = "(.*)"', (root / "Cargo.toml").read_text(), re.M).group(1)
    for name in (f"libesales-notify0_{version}-1_amd64.deb", "libesales-notify-dev", f"esales_notify-{version}-py3-none-manylinux_2_17_x86_64.whl",
                 f"esales-notify-php-{version}.zip", f"Esales.Notify.{version}.nupkg", f"esales-notify-{version}-linux-x86_64.tar.gz"):
        assert name in section, name


def test_the_option_table_is_the_codes(readme, command):
    table = subprocess.run([str(command), "options", "--markdown"], check=True, capture_output=True, text=True).stdout
    assert table in readme


def test_the_status_table_is_the_headers(root, readme):
    header = dict(re.findall(r"^#define (ESALES_(?!LOG_)\w+) (-?\d+)$", (root / "include/esales_notify.h").read_text(), re.M))
    table = {name: code for code, name in re.findall(r"^\| (-?\d+) \| `(\w+)` \|", readme, re.M)}
    assert table == header


def test_its_limits_are_the_codes(root, readme):
    wire = (root / "src/wire.rs").read_text() + (root / "src/identity.rs").read_text()
    limits = {name: int(value) for name, value in re.findall(r"pub const MAX_(\w+): usize = (\d+);", wire)}
    words = (
        f"market {limits['MARKET']}; customer key, session key and token {limits['KEY']}; id {limits['ID']}; "
        f"ticket {limits['TICKET']}; customer id and private key {limits['IDENTITY']}."
    )
    assert words in " ".join(readme.split())


def test_its_links_lead_somewhere(root, readme):
    for target in re.findall(r"\]\(([^)]+)\)", readme):
        assert (root / target).exists(), target


def test_the_tests_that_the_page_on_delivery_names_exist(root):
    page = (root / "docs/delivery.md").read_text()
    sources = "".join(path.read_text() for path in (root / "tests").rglob("*") if path.suffix in (".rs", ".py", ".c"))
    for name in re.findall(r"`([a-z]\w*_\w+_\w+_\w+_\w+)(?:\.\.\.)?`", page):
        if not name.startswith("esales_"):
            assert name in sources, name
    for path in re.findall(r"`(tests/[\w./]+)`", page):
        assert (root / path).is_file(), path
