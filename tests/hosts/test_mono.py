"""Mono: many threads, domains that are unloaded, processes that are killed, during delivery."""

import fcntl
import os
import random
import struct
import subprocess

import pytest

from counting import Service
from environment import CLEAN, as_environment
from waiting import wait_for

# fcntl(2): a lock that belongs to an open file description. Python has no name for it before 3.9.
OFD_GETLK = 36


@pytest.fixture(scope="session")
def program(root, tmp_path_factory):
    """The binding and the host, compiled as a shop would."""
    folder = tmp_path_factory.mktemp("mono")
    compiler = ["mcs", "-langversion:7.2", "-warnaserror"]
    sources = sorted(map(str, (root / "bindings/csharp/src").glob("*.cs")))
    subprocess.run([*compiler, "-unsafe", "-target:library", f"-out:{folder}/Esales.Notify.dll", *sources], check=True)
    subprocess.run([*compiler, f"-r:{folder}/Esales.Notify.dll", f"-out:{folder}/recycling.exe",
                    str(root / "tests/hosts/recycling.cs")], check=True)
    return folder / "recycling.exe"


@pytest.fixture
def run(program, library, sandbox, tmp_path):
    """Starts the host; stdout is a file, which a killed one leaves behind."""

    def start(name, *arguments, **options):
        env = {**CLEAN, "ESALES_NOTIFY_LIBRARY": str(library), "ESALES_BASE_URL": sandbox.base_url,
               "ESALES_TIMEOUT_MS": "60000", "ESALES_ENQUEUE_TIMEOUT_MS": "60000",
               **as_environment(options)}
        with open(tmp_path / name, "w") as out:
            return subprocess.Popen(["mono", str(program), *map(str, arguments)], env=env, stdin=subprocess.PIPE,
                                    stdout=out, stderr=subprocess.PIPE, text=True)

    return start


def ended(process):
    _, output = process.communicate(timeout=180)
    assert (process.returncode, output) == (0, "")


def taken(path):
    """A line that a kill cut does not count."""
    return [line.strip() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def arrived(sandbox):
    return [one["notification"]["id"] for one in sandbox.received()]


def test_many_mono_threads_share_a_client(run, sandbox, tmp_path):
    ended(run("ids", "threads", 20))
    assert sorted(taken(tmp_path / "ids")) == sorted(arrived(sandbox))
    assert len(arrived(sandbox)) == 16 * 20


def test_program_started_by_mono_inherits_no_descriptor(run, sandbox, tmp_path):
    """With a spool, so its files and the connections are open. The host leaves no child."""
    ended(run("ids", "starts", 100, tmp_path / "handed", spool=tmp_path / "spool"))
    assert sorted(taken(tmp_path / "ids")) == sorted(arrived(sandbox))
    assert len(arrived(sandbox)) == 4 * 100


def test_mono_descriptor_check_fails_when_a_descriptor_is_inherited(run, tmp_path):
    process = run("ids", "starts", 1, tmp_path / "handed", "leak")
    assert "handed to a program" in process.communicate(timeout=180)[1] and process.returncode != 0


def test_mono_domain_can_be_unloaded_while_it_has_callbacks(run, sandbox, soak, tmp_path):
    count = 200 if soak else 10
    ended(run("ids", "domains", count))
    assert sorted(taken(tmp_path / "ids")) == sorted(arrived(sandbox))
    assert len(arrived(sandbox)) == count * 8


def test_accepted_events_arrive_when_mono_processes_are_killed_and_restarted(run, soak, tmp_path):
    dice = random.Random(4711)
    names = [f"ids-{n}" for n in range(60 if soak else 6)]
    # `make soak` sends more than a sandbox remembers.
    with Service() as service:
        options = {"base_url": service.base_url, "spool": tmp_path / "spool", "gate_min_ms": 10, "gate_max_ms": 50}
        for name in names:
            process = run(name, "threads", 10000, **options)
            enough = dice.randrange(1, 60)
            wait_for(lambda: len(taken(tmp_path / name)) >= enough or process.poll() is not None, "the host does not send")
            process.kill()
            assert process.communicate()[1] == ""
        ended(run("last", "threads", 2, **options))
        ids = {id for name in [*names, "last"] for id in taken(tmp_path / name)}
        assert len(ids) > len(names) and ids <= set(service.ids)


def who_delivers(spool):
    """The process that holds the lease; none if its lock is free."""
    with open(spool / "lease", "r+b") as lease:
        asked = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind = struct.unpack("hhqqi", fcntl.fcntl(lease, OFD_GETLK, asked)[:28])[0]
        process = int(lease.read().split(b"\t")[2])
    return process if kind != fcntl.F_UNLCK else None


def test_two_mono_processes_share_a_spool_and_one_delivers(run, sandbox, tmp_path):
    """As a web server does that starts the new domain before the old one has ended."""
    spool = tmp_path / "spool"

    def started(name):
        process = run(name, "threads", 4, "stay", spool=spool)
        wait_for(lambda: len(taken(tmp_path / name)) == 16 * 4, f"the {name} process does not send")
        return process

    def have_arrived(*names):
        return sorted(arrived(sandbox)) == sorted(id for name in names for id in taken(tmp_path / name))

    old = started("old")
    wait_for(lambda: have_arrived("old"), "what the old one accepted does not arrive")
    assert who_delivers(spool) == old.pid
    new = started("new")
    wait_for(lambda: have_arrived("old", "new"), "what the new one put into the spool does not arrive")
    assert who_delivers(spool) == old.pid
    ended(old)
    wait_for(lambda: who_delivers(spool) == new.pid, "the new process does not take over")
    ended(new)
