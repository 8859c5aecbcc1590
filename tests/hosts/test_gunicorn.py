"""gunicorn: workers of both kinds, forked before or after the program is imported, recycled, reloaded and killed."""

import contextlib
import json
import os
import pwd
import re
import signal
import urllib.request

import pytest

from counting import wait_for
from ledger import assert_told_the_truth, most_pages_of_a_worker
from shop import DEPLOYMENT, Shop
from visitors import Visits
from wsgi import Gunicorn, a_busy_day

#: gunicorn's "sync", and its "gthread" with as many threads.
KINDS = [None, 4]
LOADING = ["worker", "preload", "preload and use"]
kinds = pytest.mark.parametrize("threads", KINDS, ids=["sync", "gthread"])


@pytest.fixture
def shop(library, command):
    # Python itself may be readable by nobody else.
    shop = Shop(library, command, pwd.getpwuid(os.geteuid()).pw_name)
    yield shop
    shop.remove()


@pytest.mark.parametrize("loading", LOADING)
@kinds
def test_the_next_page_uses_the_connection_of_the_last(shop, sandbox, loading, threads):
    with Gunicorn(shop, sandbox.base_url, loading, threads=threads) as server:
        pages = [server.page(f"do=send&id=page-{n}") for n in range(5)]
        assert [page["status"] for page in pages] == ["ESALES_DELIVERED"] * 5
        assert len({page["pid"] for page in pages}) == 1
        shop.settled() if loading == "preload and use" else None
        connections = {r["notification"]["id"]: r["connection"] for r in sandbox.received()}
        of_pages = {connections.pop(f"page-{n}") for n in range(5)}
        # A worker never writes to a connection of the process that it was forked from.
        assert len(of_pages) == 1 and not of_pages & set(connections.values())
        server.assert_well()
