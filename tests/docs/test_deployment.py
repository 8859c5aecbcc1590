"""The pages on web servers show the files that tests/hosts runs, all of each, and name tests that exist."""

import re

import pytest

FILES = {
    "php-fpm.md": [
        "php/esales-notify.ini", "php/esales-notify-preload.ini", "spool-folder.sh", "php-fpm/pool.conf",
        "php-fpm/delivery-none.conf", "drain.env", "php-fpm/php-fpm.conf", "nginx/shop.conf",
    ],
    "apache.md": [
        "php/esales-notify.ini", "php/esales-notify-preload.ini", "spool-folder.sh", "apache/envvars",
        "apache/delivery-none.envvars", "drain.env",
    ],
}


@pytest.fixture(params=FILES)
def page(request, root):
    return root / "docs/deployment" / request.param


def test_its_snippets_are_the_files_that_are_run(root, page):
    blocks = re.findall(r"```\w+\n(.*?)```", page.read_text(), re.S)
    assert blocks == [(root / "examples/deployment" / name).read_text() for name in FILES[page.name]]


def test_the_tests_that_it_names_exist(root, page):
    sources = "".join(path.read_text() for path in (root / "tests/hosts").glob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", page.read_text()):
        assert f"def {name}(" in sources, name
