"""uWSGI: workers that the master forks with the program in it, or that import it themselves; recycled, reloaded, killed."""

import contextlib
import itertools
import os
import signal

import pytest

from shop import kinds
from waiting import wait_for
from wsgi import Uwsgi, a_busy_day


@pytest.mark.parametrize("loading, threads", [("worker", True), ("preload", False), ("preload and use", True)])
def test_next_page_reuses_the_connection_under_uwsgi(python_shop, sandbox, loading, threads):
    with Uwsgi(python_shop, sandbox.base_url, loading, threads=threads) as server:
        pages = [server.page(f"do=send&id=page-{n}") for n in range(5)]
        assert [page["status"] for page in pages] == ["ESALES_DELIVERED"] * 5
        connections = {r["notification"]["id"]: r["connection"] for r in sandbox.received()}
        of_pages = {connections.pop(f"page-{n}") for n in range(5)}
        assert len(of_pages) == 1 and not of_pages & set(connections.values())
        server.assert_well()


@pytest.mark.parametrize("loading, threads, delivery", [
    ("worker", True, "background"), ("preload", False, "background"), ("preload and use", True, "background"),
    ("preload", True, "none"),
])
def test_accepted_events_arrive_while_uwsgi_workers_are_recycled_reloaded_and_killed(
        python_shop, sandbox, loading, threads, delivery, soak):
    env = {"gate_min_ms": 10, "gate_max_ms": 100}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Uwsgi(python_shop, sandbox.base_url, loading, delivery, env, threads=threads,
                                           workers=4, pages_per_worker=30))
        if delivery == "none":
            stack.enter_context(python_shop.drained(sandbox.base_url, **env))
        a_busy_day(server, python_shop, sandbox, 6000 if soak else 200, f"{loading} {threads} {delivery}")


def test_child_process_inherits_no_descriptor_under_uwsgi(python_shop, sandbox):
    with Uwsgi(python_shop, sandbox.base_url) as server:
        before = server.page("descriptors")
        server.page("do=enqueue&id=one")
        python_shop.settled()
        after = server.page("do=send&id=two&descriptors")
        assert before["pid"] == after["pid"]
        assert any(str(python_shop.spool) in name for name in after["own"]), after["own"]
        assert kinds(after["inherited"]) == kinds(before["inherited"])
        server.assert_well()


def test_uwsgi_workers_end_after_their_last_page(python_shop, sandbox):
    """Without a kill or a reload: every worker ends normally, with hanging deliveries in its threads."""
    sandbox.script("hang:times=1000000")
    env = {"timeout_ms": 500, "gate_min_ms": 10, "gate_max_ms": 50}
    with Uwsgi(python_shop, sandbox.base_url, env=env, workers=2, pages_per_worker=5) as server:
        numbers = itertools.count(1)
        wait_for(lambda: server.page(f"do=enqueue&id=v{next(numbers)}") and server.log().count("Seeya!") >= 4,
                 "workers are not recycled")
        server.assert_well()
        sandbox.script("")
        last = server.visited_until_all_is_delivered()
        assert python_shop.status()["delivered"] == next(numbers) - 1 + len(last)
        server.assert_well()


@pytest.mark.parametrize("loading", ["worker", "preload"])
def test_no_page_fails_during_a_uwsgi_reload(python_shop, sandbox, loading):
    with Uwsgi(python_shop, sandbox.base_url, loading, workers=2) as server:
        views = server.reloaded_under_pages(sandbox, 1)
        assert {view["http"] for view in views} == {200}
        assert server.assert_well(views) == 0


def test_crash_check_fails_when_a_uwsgi_worker_crashes(python_shop, sandbox):
    """Checks the check: a crashing worker writes a line to the log."""
    with pytest.raises(AssertionError, match="Segmentation"), Uwsgi(python_shop, sandbox.base_url) as server:
        os.kill(server.page("do=enqueue&id=one")["pid"], signal.SIGSEGV)
        wait_for(lambda: "Segmentation" in server.log(), "the log does not tell")
        server.assert_well()


# --- the page on deployment ---


def test_delivery_works_without_enable_threads_of_uwsgi(python_shop, sandbox):
    with Uwsgi(python_shop, sandbox.base_url, threads=False) as server:
        server.page("do=enqueue&id=v&times=20")
        # No further page is requested.
        assert python_shop.settled()["delivered"] == 20
        server.assert_well()


@pytest.mark.parametrize("threads", [True, False], ids=["threads", "without"])
def test_callbacks_run_at_once_only_with_enable_threads_of_uwsgi(python_shop, sandbox, threads):
    """Without enable_threads, callbacks wait for a page that lets other threads run, and deliveries wait for the
    callbacks."""
    with Uwsgi(python_shop, sandbox.base_url, threads=threads) as server:
        def waits():
            return python_shop.status()["pending"]

        def heard():
            return {said["heard"] for said in server.said_by_pages()}

        server.page("do=enqueue&id=v&times=20&listen")
        if threads:
            wait_for(lambda: waits() == 0 and len(heard()) == 20, "the callbacks do not come")
        else:
            wait_for(lambda: sandbox.status()["received"] >= 1, "nothing is delivered")
            # Each of these requests takes longer than all twenty deliveries.
            assert all(waits() > 0 for _ in range(20)) and not heard()
            wait_for(lambda: server.page("flush=0") and waits() == 0 and len(heard()) == 20, "the callbacks do not come")
        server.assert_well()
