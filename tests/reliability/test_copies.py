"""Two copies of the library in one process with one spool: each event arrives once.

The third way to have two copies, a deployment under php-fpm, is in tests/hosts/test_php_fpm.py.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import pytest
from counting import Service
from environment import CLEAN, as_environment
from test_kill import Accepted, kill
from waiting import wait_for


@contextlib.contextmanager
def host(root, tmp_path, options, count, libraries, package):
    process = subprocess.Popen(
        [sys.executable, str(root / "tests/reliability/copies.py"), str(package), str(count), *map(str, libraries)],
        env={**CLEAN, **as_environment(options)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        kill(process)


@pytest.fixture
def two_files(library, tmp_path):
    folders = [tmp_path / name for name in ("site-1", "site-2")]
    for folder in folders:
        folder.mkdir()
        shutil.copy(library, folder)
    return [folder / library.name for folder in folders]


@pytest.fixture
def wheel_and_system(root, library, tmp_path):
    """The wheel's copy is in the package. The system's copy is found by its SONAME in the loader's path."""
    package = tmp_path / "site-packages"
    shutil.copytree(root / "bindings/python/src/esales_notify", package / "esales_notify")
    wheel = package / "esales_notify/libesales_notify.so"
    shutil.copy(library, wheel)
    (tmp_path / "lib").mkdir()
    system = tmp_path / "lib/libesales_notify.so.0"
    shutil.copy(library, system)
    return [wheel, system]


@pytest.mark.parametrize("kind", ["two_files", "wheel_and_system"])
def test_two_loaded_copies_of_the_library_deliver_each_event_once(root, request, counters, tmp_path, kind):
    libraries = request.getfixturevalue(kind)
    package = root / "bindings/python/src" if kind == "two_files" else tmp_path / "site-packages"
    spool = tmp_path / "spool"
    with Service() as service:
        options = {"base_url": service.base_url, "spool": spool, "market": "UK", "concurrency": 2}
        with host(root, tmp_path, options, 200, libraries, package) as process:
            ids = []
            for line in process.stdout:
                if line == "done\n":
                    break
                ids.append(line.strip())
            assert len(set(ids)) == 400
            wait_for(lambda: set(ids) <= set(service.ids), "lost")
            wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal")
            process.stdin.close()
            assert process.wait(60) == 0
            process.stdin = None
        assert set(service.ids) == set(ids)
        assert all(len(times) == 1 for times in service.ids.values())
        report = counters(spool)
        assert report["accepted"] == report["delivered"] == 400, report


def test_two_loaded_copies_of_the_library_lose_nothing_when_the_process_is_killed(root, two_files, spooler, counters, tmp_path):
    spool = tmp_path / "spool"
    with Service() as service:
        options = {"base_url": service.base_url, "spool": spool, "market": "UK", "concurrency": 4}
        with host(root, tmp_path, options, 100_000, two_files, root / "bindings/python/src") as process:
            accepted = Accepted(process)
            wait_for(lambda: len(accepted.ids) > 500 and len(service.ids) > 50, "nothing is enqueued")
            os.kill(process.pid, signal.SIGKILL)
            ids = accepted.done()
        service.rest()
        drainer = spooler("drain", options=options)
        wait_for(lambda: set(ids) <= set(service.ids), "lost")
        wait_for(lambda: counters(spool)["pending"] == 0, "the deliveries are not in the journal")
        kill(drainer)
        assert sum(len(times) > 1 for times in service.ids.values()) <= 4
