"""What the tests ask of any web server with the shop's pages in it."""

import contextlib
import itertools
import json
import os
import signal

from shop import get
from visitors import Visits
from waiting import wait_for

# A page waits for a slow machine; a test whose subject is a deadline sets its own.
PATIENT = {"enqueue_timeout_ms": 60_000, "timeout_ms": 60_000}


class WebServer:
    """Its own are `shop`, `address`, `killed`, `workers()` and `reload()`."""

    def __init__(self):
        self.killed = set()
        self._last = itertools.count()

    def page(self, query):
        """What the page says; it must be one."""
        status, page = get(f"{self.address}/page.php?{query}")
        assert status == 200, page
        return page

    def kill_a_worker(self, dice):
        """SIGKILL, whatever it is doing. There may be none for a moment, or it may just have ended."""
        workers = self.workers()
        for victim in dice.sample(workers, min(1, len(workers))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                self.killed.add(victim)

    def visited_until_all_is_delivered(self):
        """In the background it is the next event that makes a new worker deliver; and that may have been its last page.
        Returns the page views that it took."""
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
        """What visitors see whose every page takes its time when the reload comes."""
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
