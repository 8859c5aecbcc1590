"""nginx and php-fpm: the library in workers that are recycled, reloaded and killed."""

import contextlib
import json
import random
import re

import pytest


from counting import wait_for
from php_fpm import PhpFpm
from shop import Shop, get
from visitors import Visits

LOADING = ["enable", "preload", "preload with header"]


@pytest.fixture
def shop(library, command):
    shop = Shop(library, command)
    yield shop
    shop.remove()


@pytest.mark.parametrize("loading", LOADING)
def test_the_next_page_uses_the_connection_of_the_last(shop, sandbox, loading):
    with PhpFpm(shop, sandbox.base_url, loading, pool={"pm": "static", "pm.max_children": 1}) as server:
        pages = [server.page(f"do=send&id=page-{n}") for n in range(5)]
        assert [(page["sapi"], page["status"]) for page in pages] == [("fpm-fcgi", "ESALES_DELIVERED")] * 5
        assert len({page["pid"] for page in pages}) == 1
        assert [r["notification"]["id"] for r in sandbox.received()] == [f"page-{n}" for n in range(5)]
        assert {r["connection"] for r in sandbox.received()} == {1}
        server.assert_well()


def test_a_child_process_inherits_no_descriptor_of_ours(shop, sandbox):
    with PhpFpm(shop, sandbox.base_url, pool={"pm": "static", "pm.max_children": 1}) as server:
        before = server.page("descriptors")
        # The spool, its lock, the connection of the page and that of the delivery: all are open now.
        server.page("do=enqueue&id=one")
        shop.settled()
        after = server.page("do=send&id=two&descriptors")
        assert before["pid"] == after["pid"]
        assert len(after["own"]) >= len(before["own"]) + 3
        assert any(str(shop.spool) in name for name in after["own"]), after["own"]
        assert kinds(after["inherited"]) == kinds(before["inherited"])
        server.assert_well()


def kinds(descriptors):
    """Where they lead, without the numbers of sockets, pipes and processes."""
    return sorted(re.sub(r"\d+", "N", name) for name in descriptors)


def test_which_variables_reach_the_library(shop, sandbox):
    """Those of the pool, those of the master only without clear_env, those of nginx never."""
    one = {"pm": "static", "pm.max_children": 1}
    outside = {"ESALES_BASE_URL": sandbox.base_url}

    def asked(server):
        nginx = shop.folder / "nginx/shop.conf"
        param = f"fastcgi_param ESALES_BASE_URL {sandbox.base_url};\n        fastcgi_pass"
        nginx.write_text(nginx.read_text().replace("fastcgi_pass", param))
        with server:
            return get(f"{server.address}/page.php?do=send&id=one")

    status, words = asked(PhpFpm(shop, None, named=False, pool=one, environment=outside))
    assert status == 500 and "InvalidConfigException" in words and "cluster_id" in words, words
    status, page = asked(PhpFpm(shop, None, named=False, pool={**one, "clear_env": "no"}, environment=outside))
    assert (status, page["status"]) == (200, "ESALES_DELIVERED")
    status, page = asked(PhpFpm(shop, sandbox.base_url, pool=one))
    assert (status, page["status"]) == (200, "ESALES_DELIVERED")


@pytest.mark.parametrize("delivery", ["background", "none"])
@pytest.mark.parametrize("loading", LOADING)
def test_nothing_is_lost_while_workers_are_recycled_reloaded_and_killed(shop, sandbox, loading, delivery):
    pages, dice = 600, random.Random(loading + delivery)
    env = {"delivery": delivery, "gate_min_ms": 10, "gate_max_ms": 100}
    pool = {"pm": "static", "pm.max_children": 6, "pm.max_requests": 30}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PhpFpm(shop, sandbox.base_url, loading, env, pool))
        if delivery == "none":
            stack.enter_context(drained(shop, sandbox))
        visits = Visits(server.address, "v", pages, at_once=12, pause_ms=5, does=["enqueue"] * 9 + ["send"])
        for seen in range(20, pages, 20):
            wait_for(lambda: len(server.views()) >= seen, "the pages hang")
            if seen % 200 == 0:
                server.reload()
            else:
                server.kill_a_worker(dice)
        views = visits.done()
        assert [view for view in views if view["http"] != 200] == []
        broken = server.assert_well(views)

        # Whoever held the queue may be dead; in the background it is the next event that wakes a new worker's delivery.
        views.append({"id": "last", "body": json.dumps(server.page("do=enqueue&id=last"))})
        status = shop.settled()
        assert_told_the_truth(views, sandbox)
        assert status["delivered"] == status["accepted"] >= pages * 9 // 10
        # Those that were asked twice enqueued twice, under one id, at most.
        assert status["accepted"] <= pages * 9 // 10 + 1 + broken
        assert "exited with code 0" in server.log(), "no worker was recycled"
        server.assert_well()


@contextlib.contextmanager
def drained(shop, sandbox):
    """What the systemd unit runs."""
    process = shop.drain(sandbox.base_url, gate_min_ms=10, gate_max_ms=100)
    try:
        yield process
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def assert_told_the_truth(views, sandbox):
    """What a page said was delivered, or accepted, arrived."""
    arrived = {r["notification"]["id"] for r in sandbox.received() if r["status"] == 204}
    said = {view["id"]: json.loads(view["body"])["status"] for view in views if view["body"]}
    assert set(said.values()) <= {"ESALES_QUEUED", "ESALES_DELIVERED"}
    assert set(said) <= arrived, f"lost: {sorted(set(said) - arrived)[:10]}"
    assert arrived <= {view["id"] for view in views}, "nobody asked for these"
