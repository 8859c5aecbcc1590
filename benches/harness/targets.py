"""The targets, and whether they are reached. They are ratios of medians (p50); smaller is better unless stated
otherwise."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Target:
    key: str
    title: str
    least: float
    aim: float
    is_more_better: bool = False
    unit: str = ""

    def verdict(self, measured):
        if self._reaches(measured, self.aim):
            return "aim met"
        return "met, aim missed" if self._reaches(measured, self.least) else "missed"

    def _reaches(self, measured, bound):
        return measured >= bound if self.is_more_better else measured <= bound


# Memory counts as constant if each of 10,000 sends leaves at most this many bytes, which is less than any leaked
# object.
FLAT = 4

TARGETS = (
    Target("c/libcurl", "blocking send from C, HTTP keep-alive, against libcurl reused", 1.0, 0.72),
    Target("c/socket", "the same against the raw socket", 1.8, 1.3),
    Target("c/https", "blocking send from C, HTTPS keep-alive, against libcurl reused", 0.9, 0.75),
    Target("first/bundle", "first send of a process over HTTPS, the distribution's CA bundle, against libcurl", 0.12, 0.08),
    Target("memory/private", "private memory of a process after two sends, the distribution's CA bundle, against libcurl", 1.0, 0.75),
    Target("python/pycurl", "from Python, HTTP keep-alive, against pycurl reused", 0.95, 0.75),
    Target("python/requests", "the same against requests with a session", 0.08, 0.05),
    Target("mono/httpclient", "from Mono, HTTP keep-alive, against HttpClient", 0.5, 0.35),
    Target("page/one-ca", "php-fpm page over HTTPS, time in the page, against ext-curl with a new handle and one CA", 0.08, 0.04),
    Target("page/bundle", "the same, both with the distribution's CA bundle", 0.007, 0.0035),
    Target("agent/https", "enqueue from PHP without FFI through the agent, against ext-curl with a new handle, HTTPS", 0.25, 0.1),
    Target("agent/http", "the same, against ext-curl over HTTP without TLS", 0.25, 0.25),
    Target("enqueue/p50", "enqueue, durability=process, from C, one process, against a bare append, p50", 7, 5),
    Target("enqueue/p99", "the same, p99", 3, 3),
    Target("enqueue/tail", "the same, p99.9 against its own p50", 20, 8),
    Target("enqueue/segment", "enqueue durable from Python against segment's in-memory track", 0.6, 0.4),
    Target("processes/drained-p99", "eight processes at 200/s each while one process drains, against a bare append, p99", 4, 4),
    Target("processes/drained-p99.9", "the same, p99.9", 8, 8),
    Target("processes/paced-p99.9", "eight processes at 200/s each, no process drains, against a bare append, p99.9", 8, 8),
    Target("processes/flat-p99.9", "eight processes flat out, no process drains, against a bare append, p99.9", 2, 2),
    Target("drain/wrk", "drain, 8 connections, HTTP, requests a second against wrk (more is better)", 0.45, 0.5, True),
    Target("fleet/enqueue", "enqueue into a Redis from C, one process, against redis-benchmark's XADD of the same body, p50", 2, 1.5),
    Target("fleet/drain", "drain from a Redis, 8 connections, HTTP, notifications a second against that XADD (more is better)", 0.3, 0.4, True),
    Target("fleet/status", "`queue status` with a million pending in a Redis", 0.5, 0.1, unit=" s"),
    Target("backlog/enqueue", "enqueue behind a million that wait, against an empty spool, p50", 1.2, 1),
    Target("backlog/drain", "drain of a million, requests a second against a short queue (more is better)", 0.9, 1, True),
    Target("load/size", "library size, stripped", 3.1, 2.8, unit=" MiB"),
    Target("memory/sends", "memory of an idle client: growth over 10,000 sends (flat)", FLAT, FLAT, unit=" bytes a send"),
)
