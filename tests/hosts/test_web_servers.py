"""nginx with php-fpm, and Apache with mod_php: workers that are recycled, reloaded and killed, with the library in them."""

import contextlib
import os
import pathlib
import random
import signal

import pytest

from apache import Apache
from ledger import assert_told_the_truth, most_pages_of_a_worker, words
from php_fpm import PhpFpm
from sandbox import TlsSandbox
from shop import Shop, crashes, kinds
from visitors import Visits
from waiting import wait_for

SERVERS = [PhpFpm, Apache]
LOADING = ["enable", "preload", "preload with header"]


@pytest.fixture
def shop(library, command):
    shop = Shop(library, command)
    yield shop
    shop.remove()


@pytest.mark.parametrize("loading", LOADING)
@pytest.mark.parametrize("server", SERVERS)
def test_next_page_reuses_the_connection_under_php_web_servers(shop, sandbox, server, loading):
    with server(shop, sandbox.base_url, loading, workers=1) as server:
        pages = [server.page(f"do=send&id=page-{n}") for n in range(5)]
        assert [(page["sapi"], page["status"]) for page in pages] == [(server.SAPI, "ESALES_DELIVERED")] * 5
        assert len({page["pid"] for page in pages}) == 1
        assert [r["notification"]["id"] for r in sandbox.received()] == [f"page-{n}" for n in range(5)]
        assert {r["connection"] for r in sandbox.received()} == {1}
        server.assert_well()


@pytest.mark.parametrize("server", SERVERS)
def test_next_page_reuses_the_tls_connection_under_php_web_servers(shop, command, server):
    authority = shop.folder / "ca.pem"
    with TlsSandbox(command, authority) as sandbox:
        with server(shop, sandbox.base_url, workers=1, env={"ca_file": authority}) as server:
            assert [server.page(f"do=send&id={n}")["status"] for n in range(5)] == ["ESALES_DELIVERED"] * 5
            # The sandbox's control interface uses TLS too, but only connections of notifications are counted.
            assert {r["connection"] for r in sandbox.received()} == {1}


@pytest.mark.parametrize("server", SERVERS)
def test_child_process_inherits_no_descriptor_under_php_web_servers(shop, sandbox, server):
    with server(shop, sandbox.base_url, workers=1) as server:
        before = server.page("descriptors")
        # Now the spool, its lock, and the connections of the page and of the delivery are open.
        server.page("do=enqueue&id=one")
        shop.settled()
        after = server.page("do=send&id=two&descriptors")
        assert before["pid"] == after["pid"]
        assert len(after["own"]) >= len(before["own"]) + 3
        assert any(str(shop.spool) in name for name in after["own"]), after["own"]
        assert kinds(after["inherited"]) == kinds(before["inherited"])
        server.assert_well()


@pytest.mark.parametrize("server", SERVERS)
def test_crash_check_fails_when_a_php_worker_crashes(shop, sandbox, server):
    """Checks the check: a crashing worker writes a line to the log."""
    with pytest.raises(AssertionError, match="signal"), server(shop, sandbox.base_url) as server:
        os.kill(server.page("do=enqueue&id=one")["pid"], signal.SIGSEGV)
        wait_for(lambda: crashes(server.log()), "the log does not tell")


# Half of the size of a receipt (about 400 bytes), one of which might leak with every page.
WINDOW, FLAT_KIB = 1000, 200


def growth(shop, server, does=("enqueue", "send")):
    """The growth of a worker's memory in KiB per page, over up to three times as many pages, and its final memory."""
    def used_after(pages, prefix):
        views = Visits(server.address, prefix, pages, at_once=1, does=does).done()
        assert most_pages_of_a_worker(views) == pages, "another worker took part"
        shop.settled()
        return used(words(views)[0]["pid"])

    measures = [used_after(500, "warm")]
    grown = []
    # Each of the four delivery threads may begin late, and then uses memory.
    while len(grown) < 3 and not any(kib <= FLAT_KIB for kib in grown):
        measures.append(used_after(WINDOW, f"more-{len(grown)}-"))
        grown.append(measures[-1][0] - measures[-2][0])
    return grown, measures[0], measures[-1]


@pytest.mark.parametrize("loading", LOADING)
@pytest.mark.parametrize("server", SERVERS)
def test_worker_memory_stays_flat_over_many_pages(shop, sandbox, server, loading):
    with server(shop, sandbox.base_url, loading, workers=1) as server:
        grown, (_, _, descriptors), (_, threads_then, descriptors_then) = growth(shop, server)
        assert min(grown) <= FLAT_KIB, grown
        # PHP's thread, the drainer, and as many senders as the option concurrency. Each may have a connection.
        assert threads_then <= 1 + 1 + 4
        assert descriptors_then <= descriptors + 4
        server.assert_well()


def test_memory_check_fails_when_400_bytes_leak_with_each_page(shop, sandbox):
    with PhpFpm(shop, sandbox.base_url, workers=1) as server:
        grown, *_ = growth(shop, server, ["enqueue&leak", "send&leak"])
        assert min(grown) > FLAT_KIB, grown


def used(pid):
    """Returns (KiB of memory, threads, descriptors)."""
    status = dict(line.split(":\t") for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]), int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("delivery", ["background", "none"])
@pytest.mark.parametrize("loading", LOADING)
@pytest.mark.parametrize("server", SERVERS)
def test_accepted_events_arrive_while_php_workers_are_recycled_reloaded_and_killed(shop, sandbox, server, loading, delivery):
    pages, recycled_after, dice = server.PAGES, 20, random.Random(loading + delivery)
    env = {"gate_min_ms": 10, "gate_max_ms": 100}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            server(shop, sandbox.base_url, loading, delivery, env, workers=10, pages_per_worker=recycled_after))
        if delivery == "none":
            stack.enter_context(shop.drained(sandbox.base_url, **env))
        visits = Visits(server.address, "v", pages, at_once=12, pause_ms=5, does=["enqueue"] * 9 + ["send"])
        for number in range(1, 16):
            wait_for(lambda: server.answered() >= number * pages // 16 or not visits.under_way(), "the pages hang")
            if number % 5 == 0:
                server.reload()
            else:
                server.kill_a_worker(dice)
        views = visits.done()
        assert {view["http"] for view in views} <= {200, *server.WHEN_KILLED}
        broken = server.assert_well(views)
        assert most_pages_of_a_worker(views) <= recycled_after

        last = server.visited_until_all_is_delivered()
        views += last
        status = shop.status()
        assert_told_the_truth(views, sandbox)
        events = pages * 9 // 10 + len(last)
        # A broken page may have enqueued its event, or enqueued it twice with the same id.
        assert events - broken <= status["accepted"] == status["delivered"] <= events + broken
        if delivery == "none":
            # The delivering process did not end, so nothing arrives twice except repeated page views.
            assert sum(r["duplicate"] for r in sandbox.received()) <= broken
        server.assert_well(views)


@pytest.mark.parametrize("server", SERVERS)
def test_php_workers_end_after_their_last_page(shop, sandbox, server):
    """Without a kill or a reload: every worker ends normally, with hanging deliveries in its threads."""
    sandbox.script("hang:times=1000000")
    env = {"timeout_ms": 500, "gate_min_ms": 10, "gate_max_ms": 50}
    with server(shop, sandbox.base_url, "preload", env=env, workers=8, pages_per_worker=5) as server:
        views = Visits(server.address, "v", 100, at_once=8).done()
        sandbox.script("")
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0
        assert most_pages_of_a_worker(views) == 5
        last = server.visited_until_all_is_delivered()
        assert shop.status()["delivered"] == 100 + len(last)
        assert_told_the_truth(views + last, sandbox)
        server.assert_well()
