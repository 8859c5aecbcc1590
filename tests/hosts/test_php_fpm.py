"""Tests only for php-fpm."""

import contextlib
import pathlib
import shutil

import pytest

from php_fpm import PhpFpm
from shop import DEPLOYMENT, Shop, get
from visitors import Visits
from waiting import wait_for


@pytest.fixture
def shop(library, command):
    shop = Shop(library, command)
    yield shop
    shop.remove()


def test_environment_variables_reach_the_library_under_php_fpm(shop, sandbox):
    """The variables of the pool are used, those of the master only without clear_env, those of nginx never."""
    outside = {"ESALES_BASE_URL": sandbox.base_url}

    def asked(server):
        nginx = shop.folder / "nginx/shop.conf"
        param = f"fastcgi_param ESALES_BASE_URL {sandbox.base_url};\n        fastcgi_pass"
        nginx.write_text(nginx.read_text().replace("fastcgi_pass", param))
        with server:
            return get(f"{server.address}/page.php?do=send&id=one")

    status, body = asked(PhpFpm(shop, None, environment=outside))
    assert status == 500 and "InvalidConfigException" in body and "cluster_id" in body, body
    status, page = asked(PhpFpm(shop, None, environment=outside, pool={"clear_env": "no"}))
    assert (status, page["status"]) == (200, "ESALES_DELIVERED")
    status, page = asked(PhpFpm(shop, sandbox.base_url))
    assert (status, page["status"]) == (200, "ESALES_DELIVERED")


def test_documented_php_fpm_pool_delivers_with_dynamic_workers(shop, sandbox):
    with PhpFpm(shop, sandbox.base_url, workers=None) as server:
        views = Visits(server.address, "v", 200, at_once=20).done()
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0
        last = server.visited_until_all_is_delivered()
        assert shop.status()["delivered"] == 200 + len(last)


def test_delivery_ends_when_php_fpm_ends_idle_workers(shop, sandbox):
    """pm = ondemand: nothing is lost, but it waits for the next event."""
    pool = {"pm": "ondemand", "pm.max_children": 2, "pm.process_idle_timeout": "1s"}
    with PhpFpm(shop, sandbox.base_url, workers=None, pool=pool, env={"gate_min_ms": 10, "gate_max_ms": 100}) as server:
        sandbox.script("503:times=1000000")
        assert server.page("do=enqueue&id=one")["status"] == "ESALES_QUEUED"
        wait_for(lambda: not server.workers(), "php-fpm keeps its idle worker")
        sandbox.script("")
        status = shop.assert_balanced()
        assert status["pending"] == 1 and not status["has_drainer"]
        last = server.visited_until_all_is_delivered()
        assert shop.status()["delivered"] == 1 + len(last)
        server.assert_well()


@pytest.mark.parametrize("name, value, message", [
    ("DELIVERY", "none", "empty value"), ("SPOOL", "redis://queue.example/0?name=shop", "syntax error")])
def test_php_fpm_refuses_a_value_without_quotation_marks(shop, name, value, message):
    server = PhpFpm(shop, None)
    pool = shop.folder / "pool.d/test.conf"
    pool.write_text(f"[shop]\nenv[ESALES_{name}] = {value}\n")
    refused = server.check()
    assert refused.returncode != 0 and message in refused.stderr
    pool.write_text(f'[shop]\nenv[ESALES_{name}] = "{value}"\n')
    assert server.check().returncode == 0


def test_no_page_fails_during_a_php_fpm_reload(shop, sandbox):
    with PhpFpm(shop, sandbox.base_url, workers=4) as server:
        views = server.reloaded_under_pages(sandbox, 3)
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0


def test_pages_fail_during_a_php_fpm_reload_without_process_control_timeout(shop, sandbox):
    """Shows why the page on deployment has that line. The retries of nginx are in its log."""
    server = PhpFpm(shop, sandbox.base_url, workers=4)
    main = shop.folder / "php-fpm.conf"
    assert "process_control_timeout = 300" in main.read_text()
    main.write_text(main.read_text().replace("process_control_timeout = 300", ""))
    with server:
        server.reloaded_under_pages(sandbox, 3)
        # nginx writes its log after the visitor has the answer.
        wait_for(lambda: any("502" in statuses for _, statuses in server.views()), "no page broke")


@pytest.mark.parametrize("method, asked", [("GET", 3), ("POST", 1)])
def test_nginx_retries_another_worker_only_for_get(shop, sandbox, method, asked):
    with PhpFpm(shop, sandbox.base_url, workers=4) as server:
        assert get(f"{server.address}/page.php?do=die", method)[0] == 502
        # nginx writes its log after the visitor has the answer.
        wait_for(lambda: broken(server), "nginx does not tell of the page")
        assert broken(server) == [(502, ["502"] * asked)]


def deployed(shop):
    """The packages as in a deployment: vendor links to the present release. Returns a function that installs the
    next."""
    vendor, releases = shop.folder / "vendor", shop.folder / "releases"
    releases.mkdir()
    vendor.rename(releases / "1")
    shutil.copytree(releases / "1", releases / "2")
    vendor.symlink_to("releases/1")

    def deploy():
        new = shop.folder / "vendor.new"
        new.symlink_to("releases/2")
        new.rename(vendor)

    return deploy


@pytest.mark.parametrize("delivery", ["background", "none"])
def test_each_event_arrives_once_when_a_worker_loads_the_library_of_a_new_release(shop, sandbox, delivery):
    """Deployed without a reload: the old copy of the library stays in the worker, and still delivers."""
    deploy = deployed(shop)
    # PHP resolves the path at each page.
    pool = {"php_admin_value[realpath_cache_size]": 0, "php_admin_value[opcache.revalidate_path]": 1,
            "php_admin_value[opcache.revalidate_freq]": 0}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PhpFpm(shop, sandbox.base_url, delivery=delivery, workers=1, pool=pool))
        if delivery == "none":
            stack.enter_context(shop.drained(sandbox.base_url))
        pages = [server.page(f"do=enqueue&id=old-{n}") for n in range(100)]
        deploy()
        pages += [server.page(f"do=enqueue&id=new-{n}") for n in range(200)]
        (worker,) = {page["pid"] for page in pages}
        maps = pathlib.Path(f"/proc/{worker}/maps").read_text()
        assert "releases/1/" in maps and "releases/2/" in maps, maps
        assert {page["status"] for page in pages} == {"ESALES_QUEUED"}
        assert shop.settled()["delivered"] == 300
        arrived = [received["notification"]["id"] for received in sandbox.received()]
        assert len(arrived) == len(set(arrived)) == 300
        server.assert_well()


def broken(server):
    return [view for view in server.views() if view[0] == 502]


def test_ffi_may_be_allowed_to_one_pool(shop, sandbox):
    """The line of the page on deployment, where PHP's own default refuses FFI to web pages."""
    (name, value), = (line.split(" = ") for line in (DEPLOYMENT / "php-fpm/ffi.conf").read_text().splitlines() if line[0] != ";")
    refused = PhpFpm(shop, sandbox.base_url)
    (shop.folder / "conf.d/90-esales-notify.ini").unlink()
    with refused:
        status, body = get(f"{refused.address}/page.php?do=send&id=one")
        assert status == 500 and "ffi.enable" in body, body
    allowed = PhpFpm(shop, sandbox.base_url, pool={name: value})
    (shop.folder / "conf.d/90-esales-notify.ini").unlink()
    with allowed:
        assert allowed.page("do=send&id=two")["status"] == "ESALES_DELIVERED"
