"""nginx and php-fpm from Debian's packages, with the files of examples/deployment, on a separate port."""

import os
import re
import signal
import subprocess

from ports import free_port
from shop import DEPLOYMENT, GROUP, USER, assert_gone, assert_no_crash, assert_no_zombies, assert_untouched, children, get
from waiting import wait_for
from web_server import PATIENT, WebServer

NGINX = """\
user {user} {group};
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format test '$status $upstream_status $request_uri';
    access_log {folder}/access.log test;
    client_body_temp_path {folder}/tmp;
    fastcgi_temp_path {folder}/tmp;
    proxy_temp_path {folder}/tmp;
    scgi_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp;
    include {folder}/nginx/shop.conf;
}}
"""


class PhpFpm(WebServer):
    """`env` (options) and `pool` (lines) are added to the documented pool; `workers` changes it. Without `base_url`
    the pool has no address."""

    SAPI = "fpm-fcgi"
    # nginx asks another worker.
    WHEN_KILLED = ()
    PAGES = 600

    def __init__(self, shop, base_url, loading="enable", delivery="background", env=None, workers=1, pages_per_worker=0,
                 pool=None, environment=None):
        super().__init__()
        self.shop = shop
        folder = shop.folder
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._log = folder / "fpm.log"
        shop.configured("nginx/shop.conf", {
            "unix:/run/php/shop.sock": f"unix:{folder}/shop.sock",
            "listen 80;": f"listen 127.0.0.1:{self._port};",
            "/var/www/shop": folder,
        }, "nginx/shop.conf")
        (folder / "nginx.conf").write_text(NGINX.format(user=USER, group=GROUP, folder=folder))
        shop.configured("php-fpm/pool.conf", {
            "user = www-data": f"user = {USER}",
            "owner = www-data": f"owner = {USER}",
            "group = www-data": f"group = {GROUP}",
            "/run/php/shop.sock": folder / "shop.sock",
            # These tests use the sandbox, never the service.
            "env[ESALES_CLUSTER_ID] = \"mycluster\"": f"env[ESALES_BASE_URL] = \"{base_url}\"" if base_url else "",
            "/var/lib/esales-notify/spool": shop.spool,
        }, "pool.d/shop.conf")
        if delivery == "none":
            with open(folder / "pool.d/shop.conf", "a") as documented:
                documented.write((DEPLOYMENT / "php-fpm/delivery-none.conf").read_text())
        # A repeated section is continued.
        lines = [f"{name} = {value}" for name, value in (pool or {}).items()]
        if workers:
            lines += ["pm = static", f"pm.max_children = {workers}", f"pm.max_requests = {pages_per_worker}"]
        lines += [f"env[ESALES_{name.upper()}] = \"{value}\"" for name, value in {**PATIENT, **(env or {})}.items()]
        (folder / "pool.d/test.conf").write_text("\n".join(["[shop]", *lines, ""]))
        # Longer than any test waits, so that a worker that does not end is found.
        main = shop.configured("php-fpm/php-fpm.conf", {"timeout = 10": "timeout = 300"}, "php-fpm.conf")
        main.write_text(f"{main.read_text()}error_log = {self._log}\ndaemonize = no\ninclude = {folder}/pool.d/*.conf\n")
        self._environment = {
            "PATH": os.environ["PATH"], "PHP_INI_SCAN_DIR": f"/etc/php/8.2/fpm/conf.d:{shop.ini_files(loading)}"}
        self._environment.update(environment or {})

    def check(self):
        """The output of php-fpm's configuration test."""
        command = ["/usr/sbin/php-fpm8.2", "-t", "-y", str(self.shop.folder / "php-fpm.conf")]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True)

    def __enter__(self):
        folder = self.shop.folder
        # Its standard error, with messages of crashes.
        with open(folder / "fpm.err", "wb") as errors:
            self.fpm = subprocess.Popen(
                ["/usr/sbin/php-fpm8.2", "-y", str(folder / "php-fpm.conf")], env=self._environment, stdout=errors, stderr=errors)
        self.nginx = None
        try:
            wait_for(lambda: self._runs(self.fpm, "fpm") and "ready to handle connections" in self.log(),
                     "php-fpm does not start")
            with open(folder / "nginx.err", "wb") as errors:
                self.nginx = subprocess.Popen(
                    ["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], stdout=errors, stderr=errors)
            wait_for(lambda: self._runs(self.nginx, "nginx") and self._answers(), "nginx does not start")
        except BaseException:
            self._kill()
            raise
        return self

    def _runs(self, process, name):
        said = [path.read_text() for path in self.shop.folder.glob(f"{name}.[el]*")]
        assert process.poll() is None, "".join(said)
        return True

    def _answers(self):
        try:
            return get(f"{self.address}/page.php")[0] == 200
        except OSError:
            return False

    def log(self):
        return (self._log.read_text() if self._log.exists() else "") + (self.shop.folder / "fpm.err").read_text()

    def workers(self):
        return children(self.fpm.pid)

    def reload(self):
        """Reloads like `systemctl reload php8.2-fpm`; waits until the new master is ready."""
        ready = self.log().count("ready to handle connections")
        self.fpm.send_signal(signal.SIGUSR2)
        wait_for(lambda: self.log().count("ready to handle connections") > ready, "php-fpm does not reload")

    def answered(self):
        """The number of answered pages."""
        return len(self.views())

    def views(self):
        """(status, statuses of the workers that were asked) of every page view, as nginx saw it."""
        lines = (line.split(" /")[0] for line in (self.shop.folder / "access.log").read_text().splitlines())
        return [(int(status), upstream.split(", ")) for status, _, upstream in (line.partition(" ") for line in lines)]

    def _has_logged(self, views):
        """nginx writes its log after the visitor has the answer."""
        logged = set(re.findall(r"[?&]id=([^&\s]+)", (self.shop.folder / "access.log").read_text()))
        return {view["id"] for view in views if view["http"]} <= logged

    def assert_well(self, views=()):
        """No crash, no zombie, and no page broke except under a killed worker. Returns the number of broken pages.

        If a page breaks before its first byte, nginx asks another worker and the visitor notices nothing. If a worker
        is killed between its output and the end of the connection, the page is empty; no setting prevents that.
        """
        wait_for(lambda: self._has_logged(views), "nginx does not tell of every page")
        assert_no_crash(self.log())
        assert_no_zombies(self.fpm.pid)
        assert len(assert_untouched(self.fpm.pid, self.shop)) == 1
        broken = sum(status == "502" for _, statuses in self.views() for status in statuses)
        broken += sum(view["http"] == 200 and not view["body"] for view in views)
        assert broken <= len(self.killed), f"{broken} pages broke, {len(self.killed)} workers were killed\n{self.log()}"
        return broken

    def __exit__(self, kind, *_):
        if kind is not None:
            self._kill()
            return
        workers = self.workers()
        # Gracefully: a worker that does not end is a hang.
        self.fpm.send_signal(signal.SIGQUIT)
        self.nginx.send_signal(signal.SIGQUIT)
        try:
            assert self.fpm.wait(60) == 0
            assert self.nginx.wait(60) == 0
            assert_no_crash(self.log())
            assert_gone(workers)
        finally:
            self._kill()

    def _kill(self):
        """SIGKILL would leave their workers behind, without a parent."""
        for process in filter(None, (self.fpm, self.nginx)):
            process.terminate()
        for process in filter(None, (self.fpm, self.nginx)):
            process.wait(60)
