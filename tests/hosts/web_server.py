"""The common interface of the web servers that serve the shop's pages."""

import contextlib
import itertools
import json
import os
import signal

from shop import get
from visitors import Visits
from waiting import wait_for

# Long time-outs for a slow machine; a test of a deadline sets its own.
PATIENT = {"enqueue_timeout_ms": 60_000, "timeout_ms": 60_000}


class WebServer:
    """A subclass has `shop`, `address`, `killed`, `workers()` and `reload()`."""

    def __init__(self):
        self.killed = set()
        self._last = itertools.count()

    def page(self, query):
        """The JSON of a page, which must have been answered with 200."""
        status, page = get(f"{self.address}/page.php?{query}")
        assert status == 200, page
        return page

    def kill_a_worker(self, dice):
        """Kills a worker, whatever it is doing. There may be no worker for a moment, or it may just have ended."""
        workers = self.workers()
        for victim in dice.sample(workers, min(1, len(workers))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                self.killed.add(victim)

    def visited_until_all_is_delivered(self):
        """Requests pages until everything is delivered: with delivery in the background, the next event makes a new
        worker deliver, but that page may be the worker's last. Returns the number of page views."""
        views = []

        def is_delivered():
            status = self.shop.status()
            if status["pending"] and not status["has_drainer"] or not views:
                id = f"last-{next(self._last)}"
                views.append({"id": id, "http": 200, "body": json.dumps(self.page(f"do=enqueue&id={id}"))})
                return False
            return status["pending"] == 0

        wait_for(is_delivered, "the queue does not become empty", 120)
        self.shop.assert_balanced()
        return views

    def reloaded_under_pages(self, sandbox, times):
        """The results of visitors whose pages are slow, so that pages are in progress during the reload."""
        sandbox.script("204:wait=50:times=1000000")
        visits = Visits(self.address, "v", None, at_once=4, does=["send"])

        def wait_for_pages():
            before = sandbox.status()["received"]
            wait_for(lambda: sandbox.status()["received"] > before + 4, "the pages hang")

        for _ in range(times):
            wait_for_pages()
            self.reload()
        wait_for_pages()
        return visits.done()
