"""The pages on deployment show or link the files that tests/hosts runs, all of each."""

import re

import pytest

FILES = {
    "README.md": ["spool-folder.sh", "drain.env", "python/delivery-none.env"],
    "php-fpm.md": [
        "php-fpm/ffi.conf", "php/esales-notify.ini", "php/esales-notify-preload.ini", "php-fpm/pool.conf",
        "php-fpm/delivery-none.conf", "php-fpm/php-fpm.conf", "nginx/shop.conf",
    ],
    "apache.md": ["php/esales-notify.ini", "php/esales-notify-preload.ini", "apache/envvars", "apache/delivery-none.envvars"],
    "gunicorn.md": ["gunicorn/gunicorn.conf.py", "python/shop.env", "python/delivery-none.env", "gunicorn/on_delivery.conf.py"],
    "uwsgi.md": ["uwsgi/shop.ini", "uwsgi/delivery-none.ini"],
    "c-cpp.md": ["c-cpp/shared.sh", "c-cpp/static.sh", "c-cpp/plugin.sh", "apache/cgi.conf"],
    "dotnet.md": ["dotnet/install.sh", "python/shop.env"],
}
# Files that a page links because they are long.
LINKED = {"c-cpp.md": "c-cpp/plugin.c"}
# The complete pages, which the pages of the languages show or link.
COMPLETE = {
    "php.md": "php/shop.php", "python.md": "python/shop.py", "csharp.md": "dotnet/Shop.cs", "c.md": "c-cpp/shop.c",
    "cpp.md": "c-cpp/shop.cpp", "rust.md": "rust/shop.rs",
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
    assert files == {name for names in FILES.values() for name in names} | set(LINKED.values()) | set(COMPLETE.values())
    index = (root / "docs/deployment/README.md").read_text()
    assert {path.name for path in (root / "docs/deployment").glob("*.md")} == set(FILES)
    assert set(FILES) - {"README.md"} <= set(re.findall(r"\]\(([\w-]+\.md)\)", index))


@pytest.mark.parametrize("name", LINKED)
def test_deployment_page_links_its_long_file(root, name):
    assert f"(../../examples/deployment/{LINKED[name]})" in (root / "docs/deployment" / name).read_text()


@pytest.mark.parametrize("name", COMPLETE)
def test_language_page_links_its_complete_page(root, name):
    assert f"../../examples/deployment/{COMPLETE[name]}" in (root / "docs/getting-started" / name).read_text()
