"""Compares the results of pages with the received notifications."""

import collections
import json


def words(views):
    """The results of the pages; a page whose worker was killed has none."""
    return [json.loads(view["body"]) for view in views if view["http"] == 200 and view["body"]]


def assert_told_the_truth(views, sandbox):
    """Asserts that every notification that a page reported as delivered or accepted arrived."""
    arrived = {r["notification"]["id"] for r in sandbox.received() if r["status"] == 204}
    pages = words(views)
    assert {page["status"] for page in pages} <= {"ESALES_QUEUED", "ESALES_DELIVERED"}
    said = {page["id"] for page in pages}
    assert said <= arrived, f"lost: {sorted(said - arrived)[:10]}"
    assert arrived <= {view["id"] for view in views}, "nobody asked for these"


def most_pages_of_a_worker(views):
    return max(collections.Counter(page["pid"] for page in words(views)).values())
