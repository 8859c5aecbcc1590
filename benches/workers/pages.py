"""Requests the page BENCH_PAGE on one connection. Each page prints how long its call took. See sample.h."""

import http.client
import json
import os
import urllib.parse

parts = urllib.parse.urlsplit(os.environ["BENCH_PAGE"])
connection = http.client.HTTPConnection(parts.netloc, timeout=30)


def one():
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {said[:1000]}")
    return json.loads(said)["ns"]


for _ in range(int(os.environ["BENCH_WARMUP"])):
    one()
print("\n".join(str(one()) for _ in range(int(os.environ["BENCH_COUNT"]))))
