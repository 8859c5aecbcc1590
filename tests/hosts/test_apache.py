"""Tests only for Apache."""

import pytest

from apache import Apache
from shop import Shop, get


@pytest.fixture
def shop(library, command):
    shop = Shop(library, command)
    yield shop
    shop.remove()


@pytest.mark.parametrize("loading", ["enable", "preload", "preload with header"])
def test_no_page_fails_during_a_graceful_apache_restart(shop, sandbox, loading):
    with Apache(shop, sandbox.base_url, loading, workers=4) as server:
        views = server.reloaded_under_pages(sandbox, 3)
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0


def test_environment_variables_reach_the_library_under_apache(shop, sandbox):
    """The variables that Apache was started with are used, not those of SetEnv."""
    with Apache(shop, None, directives=f"SetEnv ESALES_BASE_URL {sandbox.base_url}\n") as server:
        status, body = get(f"{server.address}/page.php?do=send&id=one")
        assert status == 500 and "InvalidConfigException" in body and "cluster_id" in body, body
    with Apache(shop, sandbox.base_url) as server:
        assert server.page("do=send&id=one")["status"] == "ESALES_DELIVERED"
