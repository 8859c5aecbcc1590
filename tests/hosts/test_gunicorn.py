"""gunicorn: workers of both kinds, forked before or after the program is imported, recycled, reloaded and killed."""

import contextlib
import os
import signal

import pytest

from complete_page import post
from ledger import assert_told_the_truth, most_pages_of_a_worker
from shop import DEPLOYMENT, kinds
from visitors import Visits
from waiting import wait_for
from wsgi import Gunicorn, a_busy_day

LOADING = ["worker", "preload", "preload and use"]
# gunicorn's "sync", and its "gthread" with as many threads.
both = pytest.mark.parametrize("threads", [None, 4], ids=["sync", "gthread"])


@pytest.mark.parametrize("loading", LOADING)
@both
def test_next_page_reuses_the_connection_under_gunicorn(python_shop, sandbox, loading, threads):
    with Gunicorn(python_shop, sandbox.base_url, loading, threads=threads) as server:
        pages = [server.page(f"do=send&id=page-{n}") for n in range(5)]
        assert [page["status"] for page in pages] == ["ESALES_DELIVERED"] * 5
        assert len({page["pid"] for page in pages}) == 1
        connections = {r["notification"]["id"]: r["connection"] for r in sandbox.received()}
        of_pages = {connections.pop(f"page-{n}") for n in range(5)}
        # A worker never writes to a connection of the process that it was forked from.
        assert len(of_pages) == 1 and not of_pages & set(connections.values())
        server.assert_well()


@pytest.mark.parametrize("loading", LOADING)
def test_child_process_inherits_no_descriptor_under_gunicorn(python_shop, sandbox, loading):
    with Gunicorn(python_shop, sandbox.base_url, loading, threads=4) as server:
        before = server.page("descriptors")
        server.page("do=enqueue&id=one")
        python_shop.settled()
        after = server.page("do=send&id=two&descriptors")
        assert before["pid"] == after["pid"]
        # The spool and the connection of the page are open now; in the preloaded case the master delivers.
        assert len(after["own"]) >= len(before["own"]) + 2
        assert any(str(python_shop.spool) in name for name in after["own"]), after["own"]
        assert kinds(after["inherited"]) == kinds(before["inherited"])
        server.assert_well()


@pytest.mark.parametrize("loading, threads, delivery", [
    ("worker", None, "background"), ("worker", 4, "background"),
    ("preload", None, "background"), ("preload", 4, "background"),
    ("preload and use", None, "background"), ("preload and use", 4, "background"),
    ("preload", 4, "none"),
])
def test_accepted_events_arrive_while_gunicorn_workers_are_recycled_reloaded_and_killed(
        python_shop, sandbox, loading, threads, delivery, soak):
    env = {"gate_min_ms": 10, "gate_max_ms": 100}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Gunicorn(python_shop, sandbox.base_url, loading, delivery, env, threads=threads,
                                              workers=4, pages_per_worker=30))
        if delivery == "none":
            stack.enter_context(python_shop.drained(sandbox.base_url, **env))
        broken = a_busy_day(server, python_shop, sandbox, 6000 if soak else 320, f"{loading} {threads} {delivery}")
        if delivery == "none":
            # The delivering process did not end, so nothing arrives twice.
            assert sum(r["duplicate"] for r in sandbox.received()) <= broken


@both
def test_gunicorn_workers_end_after_their_last_page(python_shop, sandbox, threads):
    """Without a kill or a reload: every worker ends normally, with hanging deliveries in its threads."""
    sandbox.script("hang:times=1000000")
    env = {"timeout_ms": 500, "gate_min_ms": 10, "gate_max_ms": 50}
    with Gunicorn(python_shop, sandbox.base_url, env=env, threads=threads, workers=4, pages_per_worker=5) as server:
        views = Visits(server.address, "v", 100, at_once=8).done()
        sandbox.script("")
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0
        assert most_pages_of_a_worker(views) <= 5 + (8 if threads else 0)
        last = server.visited_until_all_is_delivered()
        assert python_shop.status()["delivered"] == 100 + len(last)
        assert_told_the_truth(views + last, sandbox)
        server.assert_well()


@pytest.mark.parametrize("loading", ["worker", "preload"])
@both
def test_no_page_fails_during_a_gunicorn_reload(python_shop, sandbox, loading, threads):
    with Gunicorn(python_shop, sandbox.base_url, loading, threads=threads, workers=2) as server:
        views = server.reloaded_under_pages(sandbox, 2)
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0


def test_crash_check_fails_when_a_gunicorn_worker_crashes(python_shop, sandbox):
    """Checks the check: a crashing worker writes a line to the log."""
    with pytest.raises(AssertionError, match="SIGSEGV"), Gunicorn(python_shop, sandbox.base_url) as server:
        os.kill(server.page("do=enqueue&id=one")["pid"], signal.SIGSEGV)
        wait_for(lambda: "SIGSEGV" in server.log(), "the log does not tell")
        server.assert_well()


# --- the page on deployment ---


def test_documented_callback_is_called_when_an_event_is_delivered(python_shop, sandbox):
    hooks = (DEPLOYMENT / "gunicorn/on_delivery.conf.py").read_text()
    with Gunicorn(python_shop, sandbox.base_url, program="shop:application", threads=4, workers=4, lines=hooks) as server:
        assert post(f"{server.address}/", {"ticket": "the ticket"})[0] == 200
        python_shop.settled()
        sent, = (r["notification"] for r in sandbox.received())
        wait_for(lambda: f"{sent['id']} ESALES_DELIVERED" in server.log(), "the callback does not come")
        server.assert_well()


def test_callback_of_the_master_is_not_called_in_a_worker(python_shop, sandbox):
    lines = ("def when_ready(server):\n    import page\n"
             "    page.client.on_delivery(lambda receipt: server.log.info('of the master: %s', receipt.id))\n")
    with Gunicorn(python_shop, sandbox.base_url, lines=lines) as server:
        assert server.page("do=enqueue&id=one&flush=60")["flushed"]
        server.page("listen")
        server.page("do=enqueue&id=two")
        wait_for(lambda: "two" in server.page("")["heard"], "the worker's own callback does not come")
        assert "of the master" not in server.log()
        server.assert_well()


@pytest.mark.parametrize("loading", ["worker", "preload"])
def test_environment_variables_reach_the_library_under_gunicorn(python_shop, sandbox, loading):
    """The variables that gunicorn was started with and those of raw_env are used."""
    with Gunicorn(python_shop, "http://127.0.0.1:9", loading, lines=f'raw_env = ["ESALES_BASE_URL={sandbox.base_url}"]\n') as server:
        assert server.page("do=send&id=one")["status"] == "ESALES_DELIVERED"


def test_memory_queue_is_lost_when_its_gunicorn_worker_ends(python_shop, sandbox):
    """Shows why the page on deployment sets a spool."""
    sandbox.script("503:times=1000000")
    server = Gunicorn(python_shop, sandbox.base_url, env={"gate_min_ms": 10, "gate_max_ms": 50})
    del server.environment["ESALES_SPOOL"]
    with server:
        assert server.page("do=enqueue&id=one")["status"] == "ESALES_QUEUED"
        server.reload()
        sandbox.script("")
        assert server.page("do=enqueue&id=two&flush=60")["flushed"]
        assert [r["notification"]["id"] for r in sandbox.received() if r["status"] == 204] == ["two"]
