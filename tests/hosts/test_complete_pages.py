"""The complete pages of the documentation, each under the server of its page."""

import re
import shutil
import subprocess

import pytest

from apache import Apache
from complete_page import (
    assert_first_visit_without_cookies_is_served,
    assert_is_complete,
    assert_page_is_served_when_an_event_is_refused,
    signing_sandbox,
)
from php_fpm import PhpFpm
from shop import DEPLOYMENT, Shop
from wsgi import Gunicorn, Uwsgi

# A spool that cannot be made, and a queue that is full from the second event on.
BROKEN = [{"spool": "/nowhere/spool"}, {"max_items": 1, "max_age_s": 1, "gate_min_ms": 60_000, "base_url": "http://127.0.0.1:9"}]


@pytest.fixture
def shop(library, command):
    shop = Shop(library, command)
    yield shop
    shop.remove()


def logged(server):
    """With php-fpm, the output of error_log() is in nginx's log."""
    nginx = server.shop.folder / "nginx.log"
    return server.log() + (nginx.read_text() if nginx.exists() else "")


@pytest.fixture
def sandbox(command, tmp_path):
    with signing_sandbox(command, tmp_path) as running:
        yield running


@pytest.mark.parametrize("server", [Gunicorn, Uwsgi])
def test_python_page_serves_the_first_visit_without_cookies(python_shop, sandbox, server):
    with server(python_shop, sandbox.base_url, program="shop:application") as running:
        assert_first_visit_without_cookies_is_served(f"{running.address}/", sandbox)
        running.assert_well()


@pytest.mark.parametrize("server", [Gunicorn, Uwsgi])
def test_python_page_is_complete(python_shop, sandbox, server):
    with server(python_shop, sandbox.base_url, program="shop:application") as running:
        assert_is_complete(f"{running.address}/", sandbox)
        running.assert_well()


@pytest.mark.parametrize("server", [Gunicorn, Uwsgi])
@pytest.mark.parametrize("env", BROKEN, ids=lambda env: " ".join(env))
def test_python_page_is_served_when_events_are_refused(python_shop, sandbox, server, env):
    with server(python_shop, sandbox.base_url, program="shop:application", env=env) as running:
        assert_page_is_served_when_an_event_is_refused(f"{running.address}/", running.log)
        running.assert_well()


@pytest.mark.parametrize("server", [PhpFpm, Apache])
def test_php_page_is_complete(shop, sandbox, server):
    with server(shop, sandbox.base_url) as running:
        assert_is_complete(f"{running.address}/shop.php", sandbox)
        running.assert_well()


@pytest.mark.parametrize("server", [PhpFpm, Apache])
@pytest.mark.parametrize("env", BROKEN, ids=lambda env: " ".join(env))
def test_php_page_is_served_when_events_are_refused(shop, sandbox, server, env):
    with server(shop, sandbox.base_url, env=env) as running:
        assert_page_is_served_when_an_event_is_refused(f"{running.address}/shop.php", lambda: logged(running))
        running.assert_well()


def test_php_page_is_served_when_ffi_is_off(shop, sandbox):
    with PhpFpm(shop, sandbox.base_url, pool={"php_admin_value[ffi.enable]": 0}) as running:
        assert_page_is_served_when_an_event_is_refused(f"{running.address}/shop.php", lambda: logged(running))
        assert "ffi.enable" in logged(running)
        running.assert_well()


LANGUAGES = [pytest.param(name, marks=pytest.mark.xdist_group(f"{name} page")) for name in ("c", "cpp", "rust")]


@pytest.fixture(scope="session", params=LANGUAGES)
def cgi_program(request, root, library_dir, tmp_path_factory):
    """The page of a language that is compiled, which finds the library in a folder beside it."""
    program = tmp_path_factory.mktemp("cgi") / "shop.cgi"
    linked = [f"-I{root}/include", f"-L{library_dir}", "-Wl,-rpath,$ORIGIN/lib", "-lesales_notify", "-o", str(program)]
    strict = ["-Wall", "-Wextra", "-Werror"]
    if request.param == "c":
        subprocess.run(["cc", "-std=gnu99", *strict, str(DEPLOYMENT / "c-cpp/shop.c"), *linked], check=True)
    elif request.param == "cpp":
        subprocess.run(["c++", "-std=c++17", *strict, str(DEPLOYMENT / "c-cpp/shop.cpp"), *linked], check=True)
    else:
        # With --workspace it is the build of the Rust tests.
        built = subprocess.run(["cargo", "build", "--locked", "--workspace", "--example", "shop", "--message-format", "json"],
                               cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
        found, = re.findall(r'"executable":"([^"]*/shop)"', built)
        shutil.copy(found, program)
    return program


@pytest.fixture
def cgi(cgi_program, shop, library_dir):
    """The lines of Apache's configuration that serve the page."""
    shutil.copytree(library_dir, shop.folder / "lib")
    (shop.folder / "lib").chmod(0o755)
    shutil.copy(cgi_program, shop.folder / "shop.cgi")
    lines = (DEPLOYMENT / "apache/cgi.conf").read_text()
    # The sandbox stands in for the service.
    return lines.replace("/var/www/shop", str(shop.folder)).replace("ESALES_CLUSTER_ID", "ESALES_BASE_URL")


def test_cgi_page_is_complete(shop, sandbox, cgi):
    with shop.drained(sandbox.base_url), Apache(shop, sandbox.base_url, delivery="none", directives=cgi) as running:
        assert_is_complete(f"{running.address}/shop", sandbox)
        running.assert_well()


@pytest.mark.parametrize("env", BROKEN, ids=lambda env: " ".join(env))
def test_cgi_page_is_served_when_events_are_refused(shop, sandbox, cgi, env):
    lines = "".join(f"PassEnv ESALES_{name.upper()}\n" for name in env)
    with Apache(shop, sandbox.base_url, delivery="none", env=env, directives=cgi + lines) as running:
        assert_page_is_served_when_an_event_is_refused(f"{running.address}/shop", running.log)
        running.assert_well()
