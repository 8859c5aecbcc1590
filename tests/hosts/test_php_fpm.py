"""What holds for php-fpm alone."""

import pytest

from counting import wait_for
from php_fpm import PhpFpm
from shop import Shop, get
from visitors import Visits


@pytest.fixture
def shop(library, command):
    shop = Shop(library, command)
    yield shop
    shop.remove()


def test_which_variables_reach_the_library(shop, sandbox):
    """Those of the pool, those of the master only without clear_env, those of nginx never."""
    outside = {"ESALES_BASE_URL": sandbox.base_url}

    def asked(server):
        nginx = shop.folder / "nginx/shop.conf"
        param = f"fastcgi_param ESALES_BASE_URL {sandbox.base_url};\n        fastcgi_pass"
        nginx.write_text(nginx.read_text().replace("fastcgi_pass", param))
        with server:
            return get(f"{server.address}/page.php?do=send&id=one")

    status, words = asked(PhpFpm(shop, None, environment=outside))
    assert status == 500 and "InvalidConfigException" in words and "cluster_id" in words, words
    status, page = asked(PhpFpm(shop, None, environment=outside, pool={"clear_env": "no"}))
    assert (status, page["status"]) == (200, "ESALES_DELIVERED")
    status, page = asked(PhpFpm(shop, sandbox.base_url))
    assert (status, page["status"]) == (200, "ESALES_DELIVERED")


def test_the_pool_as_it_is_documented_with_its_dynamic_workers(shop, sandbox):
    with PhpFpm(shop, sandbox.base_url, workers=None) as server:
        views = Visits(server.address, "v", 200, at_once=20).done()
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0
        last = server.visited_until_all_is_delivered()
        assert shop.status()["delivered"] == 200 + len(last)


def test_idle_workers_that_php_fpm_ends_take_the_delivery_with_them(shop, sandbox):
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


def test_a_value_without_quotation_marks_may_be_none(shop):
    server = PhpFpm(shop, None)
    pool = shop.folder / "pool.d/test.conf"
    pool.write_text("[shop]\nenv[ESALES_DELIVERY] = none\n")
    refused = server.check()
    assert refused.returncode != 0 and "empty value" in refused.stderr
    pool.write_text('[shop]\nenv[ESALES_DELIVERY] = "none"\n')
    assert server.check().returncode == 0


def test_a_reload_breaks_no_page(shop, sandbox):
    with PhpFpm(shop, sandbox.base_url, workers=4) as server:
        views = server.reloaded_under_pages(sandbox, 3)
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0


def test_a_reload_without_process_control_timeout_breaks_pages(shop, sandbox):
    """Why the page on deployment has that line. What nginx makes good shows in its log."""
    server = PhpFpm(shop, sandbox.base_url, workers=4)
    main = shop.folder / "php-fpm.conf"
    assert "process_control_timeout = 300" in main.read_text()
    main.write_text(main.read_text().replace("process_control_timeout = 300", ""))
    with server:
        server.reloaded_under_pages(sandbox, 3)
        # nginx writes its log when the visitor has the answer already.
        wait_for(lambda: any("502" in statuses for _, statuses in server.views()), "no page broke")


@pytest.mark.parametrize("method, asked", [("GET", 3), ("POST", 1)])
def test_nginx_asks_another_worker_for_a_get_only(shop, sandbox, method, asked):
    with PhpFpm(shop, sandbox.base_url, workers=4) as server:
        assert get(f"{server.address}/page.php?do=die", method)[0] == 502
        # nginx writes its log when the visitor has the answer already.
        wait_for(lambda: broken(server), "nginx does not tell of the page")
        assert broken(server) == [(502, ["502"] * asked)]


def broken(server):
    return [view for view in server.views() if view[0] == 502]
