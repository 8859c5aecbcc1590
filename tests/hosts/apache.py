"""Apache with mod_php (prefork) from Debian's packages, with the files of examples/deployment, on a separate port."""

import os
import signal
import subprocess

from ports import free_port
from shop import DEPLOYMENT, GROUP, USER, assert_gone, assert_no_crash, assert_no_zombies, assert_untouched, children, get
from waiting import wait_for
from web_server import PATIENT, WebServer

MODULES = "/usr/lib/apache2/modules"
CONFIGURATION = """\
ServerRoot {folder}
ServerName shop
Listen 127.0.0.1:{port}
User {user}
Group {group}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/apache.log
LogLevel notice
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule env_module {modules}/mod_env.so
LoadModule php_module {modules}/libphp8.2.so
StartServers {workers}
MinSpareServers {workers}
MaxSpareServers {workers}
MaxRequestWorkers {workers}
MaxConnectionsPerChild {pages_per_worker}
# A page a connection: one that breaks is then one that a worker broke.
KeepAlive Off
LogFormat "%>s" test
CustomLog {folder}/access.log test
DocumentRoot {folder}/public
<FilesMatch "\\.php$">
    SetHandler application/x-httpd-php
</FilesMatch>
"""


class Apache(WebServer):
    """`env` (options) is added to the documented options. Without `base_url` the environment has no address."""

    SAPI = "apache2handler"
    # No proxy is in front of Apache, so the visitor's connection breaks.
    WHEN_KILLED = (0,)
    # Apache starts one or two workers per second.
    PAGES = 240

    def __init__(self, shop, base_url, loading="enable", delivery="background", env=None, workers=1, pages_per_worker=0,
                 directives=""):
        super().__init__()
        self.shop = shop
        folder = shop.folder
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._envvars = shop.configured("apache/envvars", {
            # These tests use the sandbox, never the service.
            "ESALES_CLUSTER_ID=mycluster": f"ESALES_BASE_URL={base_url}" if base_url else "NOTHING=",
            "/var/lib/esales-notify/spool": shop.spool,
        }, "envvars")
        with open(self._envvars, "a") as lines:
            if delivery == "none":
                lines.write((DEPLOYMENT / "apache/delivery-none.envvars").read_text())
            lines.writelines(f"export ESALES_{name.upper()}={value}\n" for name, value in {**PATIENT, **(env or {})}.items())
        (folder / "apache.conf").write_text(CONFIGURATION.format(
            folder=folder, port=port, user=USER, group=GROUP, modules=MODULES, workers=workers,
            pages_per_worker=pages_per_worker)
            + directives)
        self._environment = {
            "PATH": os.environ["PATH"], "PHP_INI_SCAN_DIR": f"/etc/php/8.2/apache2/conf.d:{shop.ini_files(loading)}"}

    def __enter__(self):
        # In the same way as apachectl.
        command = f". {self._envvars}; exec /usr/sbin/apache2 -f {self.shop.folder}/apache.conf -D FOREGROUND"
        with open(self.shop.folder / "apache.err", "wb") as errors:
            # Apache signals its whole process group when it ends, so it must not be in the group of the tests.
            self.process = subprocess.Popen(["sh", "-c", command], env=self._environment, stdout=errors, stderr=errors,
                                            start_new_session=True)
        try:
            wait_for(self._answers, "Apache does not start")
        except BaseException:
            self._stop()
            raise
        return self

    def _answers(self):
        assert self.process.poll() is None, self.log()
        try:
            return get(f"{self.address}/page.php")[0] == 200
        except OSError:
            return False

    def log(self):
        return "".join(path.read_text() for path in self.shop.folder.glob("apache.[el]*"))

    def answered(self):
        """The number of answered pages."""
        return (self.shop.folder / "access.log").read_text().count("\n")

    def workers(self):
        return children(self.process.pid)

    def reload(self):
        """`apachectl graceful`; waits until the new workers have started."""
        ready = self.log().count("resuming normal operations")
        self.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: self.log().count("resuming normal operations") > ready, "Apache does not restart")

    def assert_well(self, views=()):
        """No crash, no zombie, and no page broke but under a worker that was killed. Returns how many did."""
        assert_no_crash(self.log())
        assert_no_zombies(self.process.pid)
        assert len(assert_untouched(self.process.pid, self.shop)) == 1
        broken = sum(view["http"] == 0 or not view["body"] for view in views)
        assert broken <= len(self.killed), f"{broken} pages broke, {len(self.killed)} workers were killed\n{self.log()}"
        return broken

    def __exit__(self, kind, *_):
        workers = self.workers()
        self._stop()
        if kind is None:
            assert self.process.returncode == 0
            assert_no_crash(self.log())
            # Apache's messages about workers that do not end in time.
            assert "did not exit" not in self.log()
            assert_gone(workers)

    def _stop(self):
        """SIGKILL would leave its workers behind, without a parent."""
        self.process.terminate()
        self.process.wait(60)
