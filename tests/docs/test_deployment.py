"""The pages on deployment show the files that tests/hosts runs, all of each, and name tests that exist."""

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
    "gunicorn.md": [
        "python/shop.py", "gunicorn/gunicorn.conf.py", "spool-folder.sh", "python/shop.env", "python/delivery-none.env",
        "drain.env", "gunicorn/on_delivery.conf.py",
    ],
    "uwsgi.md": ["python/shop.py", "uwsgi/shop.ini", "spool-folder.sh", "uwsgi/delivery-none.ini", "drain.env"],
    "c-cpp.md": ["c-cpp/shared.sh", "c-cpp/static.sh", "c-cpp/plugin.c", "c-cpp/plugin.sh", "spool-folder.sh"],
    "dotnet.md": ["dotnet/install.sh", "dotnet/Cart.cs", "python/shop.env", "spool-folder.sh", "drain.env"],
}


@pytest.fixture(params=FILES)
def page(request, root):
    return root / "docs/deployment" / request.param


def test_deployment_snippets_equal_the_tested_files(root, page):
    blocks = re.findall(r"```\w+\n(.*?)```", page.read_text(), re.S)
    assert blocks == [(root / "examples/deployment" / name).read_text() for name in FILES[page.name]]


def test_every_deployment_file_is_on_a_page_and_every_page_in_the_index(root):
    files = {str(path.relative_to(root / "examples/deployment")) for path in (root / "examples/deployment").rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}
    assert files == {name for names in FILES.values() for name in names}
    index = (root / "docs/deployment/README.md").read_text()
    assert sorted(re.findall(r"^- .*\]\((\S+\.md)\)", index, re.M)) == sorted(FILES)
    pages = {path.name for path in (root / "docs/deployment").glob("*.md")}
    assert pages == {*FILES, "README.md"}


def test_deployment_pages_name_only_existing_tests(root, page):
    sources = "".join(path.read_text() for path in (root / "tests/hosts").glob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", page.read_text()):
        assert f"def {name}(" in sources, name
