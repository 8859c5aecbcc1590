"""What holds for Apache alone."""

import pytest

from apache import Apache
from counting import wait_for
from shop import Shop, get
from visitors import Visits


@pytest.fixture
def shop(library, command):
    shop = Shop(library, command)
    yield shop
    shop.remove()


@pytest.mark.parametrize("loading", ["enable", "preload", "preload with header"])
def test_a_graceful_restart_breaks_no_page(shop, sandbox, loading):
    with Apache(shop, sandbox.base_url, loading, workers=4) as server:
        # Every page takes its time when the restart comes.
        sandbox.script("204:wait=50:times=1000")
        visits = Visits(server.address, "v", 80, at_once=4, does=["send"])
        for _ in range(3):
            sandbox_has = sandbox.status()["received"]
            wait_for(lambda: sandbox.status()["received"] > sandbox_has + 4, "the pages hang")
            server.reload()
        views = visits.done()
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0


def test_which_variables_reach_the_library(shop, sandbox):
    """Those that Apache was started with, not those of SetEnv."""
    with Apache(shop, None, directives=f"SetEnv ESALES_BASE_URL {sandbox.base_url}\n") as server:
        status, words = get(f"{server.address}/page.php?do=send&id=one")
        assert status == 500 and "InvalidConfigException" in words and "cluster_id" in words, words
    with Apache(shop, sandbox.base_url) as server:
        assert server.page("do=send&id=one")["status"] == "ESALES_DELIVERED"
