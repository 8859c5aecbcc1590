"""gunicorn from PyPI and uWSGI from Debian's packages, with the files of examples/deployment, on a separate port."""

import collections
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ledger import assert_told_the_truth
from ports import free_port
from shop import DEPLOYMENT, assert_gone, assert_no_zombies, assert_untouched, children
from visitors import Visits
from waiting import wait_for
from web_server import PATIENT, WebServer

AT_ONCE = 12

# A new worker still has the master's signal handlers, which store a signal where the worker never reads it. gunicorn
# sends SIGTERM once, and would wait for that worker until graceful_timeout.
LATE_SIGNALS = """
_documented = globals().get("post_worker_init")


def post_fork(server, worker):
    worker.of_the_master = server.SIG_QUEUE


def post_worker_init(worker):
    import os, signal
    if _documented:
        _documented(worker)
    while not worker.of_the_master.empty():
        if worker.of_the_master.get_nowait() == signal.SIGTERM:
            os.kill(os.getpid(), signal.SIGTERM)
"""


class Server(WebServer):
    """The common part of both servers. `loading`: "worker" (every worker imports the program), "preload" (the master does,
    before it forks), "preload and use" (it sends and enqueues then, too)."""

    # The log messages about starting workers, and about workers that end by a signal, with an error, or not at all.
    STARTS = UNWELL = None
    # The number of pages that a worker serves at a time.
    PAGES_OF_A_WORKER = 1
    # The times of the events, in sixteenths of a busy day.
    RELOADS = (5, 10, 15)
    KILLS = (1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14)

    def __init__(self, shop, base_url, loading, delivery, env, program):
        super().__init__()
        self.shop, self.loading = shop, loading
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.program = program
        file = shop.configured("python/shop.env", self.substitutes(base_url), "shop.env")
        if delivery == "none":
            file.write_text(file.read_text() + (DEPLOYMENT / "python/delivery-none.env").read_text())
        self.variables = dict(line.split("=", 1) for line in file.read_text().splitlines() if line[0] not in "#;")
        self.variables.update({f"ESALES_{name.upper()}": str(value) for name, value in {**PATIENT, **(env or {})}.items()})
        if loading == "preload and use":
            self.variables["SHOP_USES_IT_AT_IMPORT"] = "1"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(shop.folder),
                            "PYTHONPATH": f"{shop.folder}/python:{shop.public}:{DEPLOYMENT}/python"}

    def substitutes(self, base_url):
        """These tests use the sandbox, never the service."""
        return {"ESALES_CLUSTER_ID=mycluster": f"ESALES_BASE_URL={base_url}",
                "/var/lib/esales-notify/spool": self.shop.spool}

    def __enter__(self):
        with open(self.shop.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen(self.command(), env=self.environment, cwd=self.shop.public, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            wait_for(self._has_workers, "the server does not start")
        except BaseException:
            self._stop()
            raise
        return self

    def _has_workers(self):
        """The server listens before it starts the workers."""
        assert self.process.poll() is None, self.log()
        return re.search(self.STARTS, self.log(), re.M)

    def log(self):
        return (self.shop.folder / "server.log").read_text()

    def said_by_pages(self):
        """The lines that page.py wrote to the log."""
        return [json.loads(line) for line in re.findall(r"^PAGE (.*)$", self.log(), re.M)]

    def answered(self):
        """The number of answered pages."""
        return self.log().count(" /page.php")

    def workers(self):
        return children(self.process.pid)

    def reload(self):
        """Waits until all workers are new."""
        self.wait_for_workers()
        before, starts = set(self.workers()), len(re.findall(self.STARTS, self.log(), re.M))
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(re.findall(self.STARTS, self.log(), re.M)) > starts and not before & set(self.workers()),
                 "the server does not reload")

    def assert_well(self, views=()):
        """Asserts that every worker ended normally, that no zombie is left, that no page broke except under a killed
        worker, and that the master has only the library's resources that it used. Returns the number of broken
        pages."""
        self._assert_no_bad_end()
        assert_no_zombies(self.process.pid)
        if self.loading != "preload and use":
            assert_untouched(self.process.pid, self.shop)
        broken = sum(view["http"] == 0 for view in views)
        assert {view["http"] for view in views} <= {200, 0}, [view for view in views if view["http"] not in (200, 0)][:3]
        most = len(self.killed) * self.PAGES_OF_A_WORKER
        assert broken <= most, f"{broken} broke, {len(self.killed)} were killed\n{self.log()}"
        return broken

    def _assert_no_bad_end(self):
        found = [line for line in self.log().splitlines() if re.search(self.UNWELL, line)
                 and not any(re.search(rf"\b{pid}\b", line) for pid in self.killed)]
        assert not found, found

    def wait_for_workers(self):
        """Waits until a signal to the server reaches all workers."""

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.wait_for_workers()
            workers = self.workers()
        finally:
            self._stop()
        if kind is None:
            assert self.process.returncode == 0, self.log()
            self._assert_no_bad_end()
            assert_gone(workers)

    def _stop(self):
        """SIGKILL to the master alone would leave its workers without a parent."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise


class Gunicorn(Server):
    """`threads` is None for the kind "sync". `lines` are added to the documented settings."""

    STARTS = r"Booting worker with pid"
    UNWELL = r"was sent SIG(?!TERM)|exited with code|WORKER TIMEOUT|Traceback|Error"

    def __init__(self, shop, base_url, loading="preload", delivery="background", env=None, program="page:application",
                 threads=None, workers=1, pages_per_worker=0, lines=""):
        super().__init__(shop, base_url, loading, delivery, env, program)
        if threads:
            # The worker accepts more connections than it has threads: as many as the visitors open at once.
            self.PAGES_OF_A_WORKER = AT_ONCE
        self.environment.update(self.variables)
        configured = shop.configured("gunicorn/gunicorn.conf.py", {
            "127.0.0.1:8000": f"127.0.0.1:{self.port}",
            "workers = 4": f"workers = {workers}",
            "threads = 4": f"threads = {threads or 1}",
            "preload_app = True": f"preload_app = {loading != 'worker'}",
            "max_requests = 5000": f"max_requests = {pages_per_worker}",
            "max_requests_jitter = 500": "max_requests_jitter = 0",
            # Longer than any test waits, so that a worker that does not end is found.
            "graceful_timeout = 30": "graceful_timeout = 300",
        }, "gunicorn.conf.py")
        with open(configured, "a") as settings:
            settings.write("accesslog = '-'\n"
                           # One page per connection, so that a broken connection is one that a worker broke.
                           "keepalive = 0\n"
                           # A page may take as long as PATIENT allows.
                           "timeout = 120\n"
                           f'control_socket = "{shop.folder}/gunicorn.ctl"\n{lines}{LATE_SIGNALS}')

    def command(self):
        return [sys.executable, "-m", "gunicorn", "-c", str(self.shop.folder / "gunicorn.conf.py"), self.program]


class Uwsgi(Server):
    """`lines` are added to the documented file."""

    # uWSGI takes some time for both.
    RELOADS = (8,)
    KILLS = (3, 4, 12, 13)
    # Not "Respawned", which is logged for a killed or recycled worker.
    STARTS = r"^spawned uWSGI worker 1 "
    UNWELL = r"died, killed|Segmentation|HARAKIRI|no cheap mode|Traceback|Error"

    def __init__(self, shop, base_url, loading="preload", delivery="background", env=None, program="page:application",
                 workers=1, pages_per_worker=0, threads=True, lines=""):
        super().__init__(shop, base_url, loading, delivery, env, program)
        self.count, self.most_pages = workers, pages_per_worker or math.inf
        configured = shop.configured("uwsgi/shop.ini", {
            "uid = www-data": f"uid = {shop.user}",
            "gid = www-data": f"gid = {shop.group}",
            "127.0.0.1:8000": f"127.0.0.1:{self.port}",
            "/var/www/shop": shop.public,
            "shop:application": program,
            "processes = 4": f"processes = {workers}",
            "max-requests = 5000": f"max-requests = {pages_per_worker}" if pages_per_worker else "",
            "enable-threads = true": "enable-threads = true" if threads else "",
            **self.substitutes(base_url),
        }, "shop.ini")
        documented = configured.read_text()
        with open(configured, "a") as settings:
            if delivery == "none":
                settings.write((DEPLOYMENT / "uwsgi/delivery-none.ini").read_text())
            settings.writelines(f"env = {name}={value}\n" for name, value in self.variables.items()
                                if f"{name}={value}" not in documented)
            # One page per connection, which uWSGI does not announce by itself.
            settings.write("add-header = Connection: close\n"
                           # By default a worker lives at least a minute, whatever max-requests is.
                           "min-worker-lifetime = 1\n"
                           f"worker-reload-mercy = 300\nreload-mercy = 300\n{lines}")
            if loading == "worker":
                settings.write("lazy-apps = true\n")

    def wait_for_workers(self):
        """A worker that is starting, or that will replace a killed one, misses the signal and is killed later. So all
        workers must have answered a page, and none may be about to end after its last one."""
        def are_all_in_the_midst():
            # Slow pages at the same time, because one worker could otherwise answer all of them.
            with ThreadPoolExecutor(self.count) as visitors:
                list(visitors.map(self.page, ["descriptors"] * self.count))
            answered = collections.Counter(re.findall(r"\[pid: (\d+)\|", self.log()))
            workers = self.workers()
            return len(workers) == self.count and all(0 < answered[str(pid)] < self.most_pages - 1 for pid in workers)

        if self.killed or self.most_pages < math.inf:
            wait_for(are_all_in_the_midst, "a worker does not answer")

    def command(self):
        return ["uwsgi", "--ini", str(self.shop.folder / "shop.ini")]


def a_busy_day(server, shop, sandbox, pages, seed):
    """Pages while workers are recycled, reloaded and killed; nothing is lost."""
    dice = random.Random(seed)
    visits = Visits(server.address, "v", pages, at_once=AT_ONCE, pause_ms=5, does=["enqueue"] * 9 + ["send"])
    for number in range(1, 16):
        wait_for(lambda: server.answered() >= number * pages // 16 or not visits.under_way(), "the pages hang")
        if number in server.RELOADS:
            server.reload()
        if number in server.KILLS:
            server.kill_a_worker(dice)
    views = visits.done()
    broken = server.assert_well(views)
    last = server.visited_until_all_is_delivered()
    views += last
    events = pages * 9 // 10 + len(last)
    # uWSGI imports the program again with every reload.
    at_import = [line for line in server.said_by_pages() if "status" in line]
    assert bool(at_import) == (server.loading == "preload and use")
    views += [{"id": said["id"], "http": 200, "body": json.dumps(said)} for said in at_import]
    events += sum(said["status"] == "ESALES_QUEUED" for said in at_import)
    status = shop.status()
    assert_told_the_truth(views, sandbox)
    assert events - broken <= status["accepted"] == status["delivered"] <= events
    server.assert_well(views)
    return broken
