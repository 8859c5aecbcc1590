"""A shop on this machine: its folder, its spool, and checks for every web server."""

import contextlib
import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOYMENT = ROOT / "examples/deployment"
# Web servers that root starts switch to another user.
USER = "www-data" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(pwd.getpwnam(USER).pw_gid).gr_name


class Shop:
    """A folder that the servers' user can read: the pages, the packages with the library in them, the command."""

    def __init__(self, library, command, user=USER):
        self.user = user
        self.group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="esales-notify-shop-"))
        self.folder.chmod(0o755)
        self.public = self.folder / "public"
        self.package = self.folder / "vendor/esales/notify"
        shutil.copytree(ROOT / "tests/hosts/pages", self.public)
        shutil.copy(DEPLOYMENT / "php/shop.php", self.public)
        for part in ("src", "resources"):
            shutil.copytree(ROOT / "bindings/php" / part, self.package / part)
        shutil.copy(ROOT / "bindings/php/preload.php", self.package)
        # Composer would load a class at its first use; if opcache.preload has the classes, this loads nothing.
        (self.folder / "vendor/autoload.php").write_text(
            "<?php if (!class_exists('Esales\\Notify\\Client', false)) require __DIR__ . '/esales/notify/preload.php';\n")
        (self.package / "lib").mkdir()
        self.library = pathlib.Path(shutil.copy(library, self.package / "lib/libesales_notify.so"))
        # The files that pip would install, with the library next to them.
        shutil.copytree(ROOT / "bindings/python/src/esales_notify", self.folder / "python/esales_notify")
        shutil.copy(library, self.folder / "python/esales_notify/libesales_notify.so")
        self.command = pathlib.Path(shutil.copy(command, self.folder))
        self.state = self.folder / "state"
        script = self.configured("spool-folder.sh", {
            "-o www-data -g www-data": f"-o {self.user} -g {self.group}", "/var/lib/esales-notify": self.state}, "spool-folder.sh")
        subprocess.run(["sh", "-e", str(script)], check=True)
        self.spool = self.state / "spool"

    def remove(self):
        shutil.rmtree(self.folder)

    def configured(self, name, substitutes, to):
        """A file of examples/deployment with these replacements; each of them must occur in it."""
        text = (DEPLOYMENT / name).read_text()
        for documented, here in substitutes.items():
            assert documented in text, f"{name} has no {documented}"
            text = text.replace(documented, str(here))
        path = self.folder / to
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def preload_header(self):
        """The output of bin/esales-notify-preload-header, for ffi.preload."""
        script = ROOT / "bindings/php/bin/esales-notify-preload-header"
        header = self.folder / "esales_notify.h"
        with open(header, "wb") as out:
            subprocess.run(["php", str(script), str(self.library)], check=True, stdout=out)
        return header

    def ini_files(self, loading):
        """The folder of ini files for one way of loading: "enable", "preload" or "preload with header"."""
        if loading == "enable":
            self.configured("php/esales-notify.ini", {}, "conf.d/90-esales-notify.ini")
        else:
            path = self.configured("php/esales-notify-preload.ini", {"/var/www/shop": self.folder, "www-data": USER},
                                   "conf.d/90-esales-notify.ini")
            if loading == "preload with header":
                path.write_text(f"{path.read_text()}ffi.preload = {self.preload_header()}\n")
        return self.folder / "conf.d"

    def run(self, *arguments, **options):
        return subprocess.Popen([str(self.command), *arguments], cwd=self.state, user=self.user,
                                group=self.group, extra_groups=[] if os.geteuid() == 0 else None, text=True, **options)

    def drain(self, base_url, **options):
        """The command of the systemd unit, with its file of variables."""
        file = self.configured("drain.env", {
            "ESALES_CLUSTER_ID=mycluster": f"ESALES_BASE_URL={base_url}",
            "/var/lib/esales-notify/spool": self.spool,
        }, "drain.env")
        environment = dict(line.split("=", 1) for line in file.read_text().splitlines() if not line.startswith("#"))
        environment.update({f"ESALES_{name.upper()}": str(value) for name, value in options.items()})
        return self.run("drain", env=environment, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def drained(self, base_url, **options):
        """Runs it during the block, and asserts its exit code."""
        process = self.drain(base_url, **options)
        try:
            yield
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()

    def status(self):
        process = self.run("queue", "status", "--json", env={"ESALES_SPOOL": str(self.spool)}, stdout=subprocess.PIPE)
        status = json.loads(process.communicate()[0])
        assert process.returncode == 0, status
        return status

    def assert_balanced(self):
        """Asserts the counter invariant, while nothing is in flight. Returns the counters."""
        status = self.status()
        left = sum(status[name] for name in ("delivered", "dead", "expired", "dropped", "pending"))
        assert status["accepted"] == left and status["is_balanced"], status
        assert status["faults"] == [], status
        return status

    def settled(self, seconds=120):
        """Waits until nothing is pending; returns the statistics."""
        wait_for(lambda: self.status()["pending"] == 0, "the queue does not become empty", seconds)
        return self.assert_balanced()


def get(address, method="GET"):
    """(HTTP status, the page's JSON)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(address, method=method), timeout=90) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def processes():
    """pid -> (parent, state) of every process."""
    found = {}
    # Not a glob, which fails if a process ends meanwhile.
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, parent = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # It ended meanwhile.
        found[int(pid)] = int(parent), state
    return found


def children(pid):
    return [child for child, (parent, _) in processes().items() if parent == pid]


def assert_no_zombies(pid):
    """Every process is a zombie for a moment when it ends; one that stays is a fault."""
    wait_for(lambda: not any(state == "Z" and parent == pid for parent, state in processes().values()), "zombies", 20)


def assert_gone(pids):
    """Workers end before the process that started them; an orphan would not."""
    left = set(pids) & set(processes())
    assert not left, left


def assert_untouched(master, shop):
    """Asserts that the process that starts the workers has no thread and no descriptor of the library. Returns its
    threads."""
    threads, open_there = [], []
    for task in os.listdir(f"/proc/{master}/task"):
        with contextlib.suppress(OSError):  # It ended meanwhile, as below.
            threads.append(pathlib.Path(f"/proc/{master}/task/{task}/comm").read_text().strip())
    for path in pathlib.Path(f"/proc/{master}/fd").iterdir():
        with contextlib.suppress(OSError):
            open_there.append(os.readlink(path))
    assert threads and not any(name.startswith("esales") for name in threads), threads
    assert not any(str(shop.state) in name for name in open_there), open_there
    return threads


def kinds(descriptors):
    """Their targets, without the numbers of sockets, pipes and processes."""
    return sorted(re.sub(r"\d+", "N", name) for name in descriptors)


def crashes(log):
    """Messages of a web server about processes that ended by a signal other than the test's SIGKILL."""
    ends = re.findall(r"^.*(?:exited on signal|exit signal|[Ss]egmentation|SIGSEGV|SIGABRT|core dump).*$", log, re.M)
    return [line for line in ends if not re.search(r"signal 9 |Killed \(9\)|signal 15 ", line)]


def assert_no_crash(log):
    found = crashes(log)
    assert not found, found
