"""Spools of every kind, as doctor finds them: real files, real processes, real other users."""

import contextlib
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pytest
from conftest import CLEAN
from test_queue import QUICK, Operator, numbered, wait_for

NAMES = ["path", "permissions", "space", "contents", "drainer", "waiting", "dead"]
NOBODY = 65534


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def operator(command, library, folder):
    return Operator(command, library, folder / "spool.db")


@pytest.fixture
def look(doctor, folder, sandbox):
    """doctor at the spool; what it says of the rest is well."""

    def run(*arguments, spool=folder / "spool.db", **more):
        return doctor("--base-url", sandbox.base_url, "--market", "UK", "--spool", spool, *arguments, **more)

    return run


def states(diagnosis):
    return dict(zip(NAMES, diagnosis.states("spool")))


def test_no_spool(doctor, sandbox):
    without = doctor("--base-url", sandbox.base_url)
    assert set(states(without).values()) == {"skipped"} and "memory of its process" in without["spool.path"]["found"]


def test_a_spool_that_is_not_made_yet(look, folder):
    new = look("--max-bytes", "1024")
    assert new.code == 0
    assert new.expect("spool.path", "ok", "the first enqueue makes it") == {"path": str(folder / "spool.db"), "exists": False}
    assert list(states(new).values()) == ["ok", "ok", "ok"] + ["skipped"] * 4
    assert list(folder.iterdir()) == [], "a look made a file"


def test_a_spool_without_a_care(look, operator, sandbox):
    operator.fill(sandbox.base_url, numbered("a", 3))
    operator.empty(sandbox.base_url)
    well = look("--strict", "--max-bytes", "1024")
    assert well.code == 0, well.text
    assert set(states(well).values()) == {"ok"}
    facts = well.expect("spool.contents", "ok", "3 accepted = 3 delivered + 0 dead + 0 expired + 0 dropped + 0 pending")
    assert facts["accepted"] == facts["delivered"] == 3 and facts["set_aside"] == []


# path

@pytest.mark.parametrize("make, words", [
    (lambda folder: folder.rmdir(), "folder cannot be used"),
    (lambda folder: folder.chmod(0o777), "world-writable without the sticky bit"),
    (lambda folder: (folder / "spool.db").symlink_to("/etc/passwd"), "symbolic link"),
    (lambda folder: (folder / "spool.db").mkdir(), "not a regular file"),
], ids=["no-folder", "world-writable", "symlink", "folder"])
def test_places_that_the_library_refuses(look, folder, command, sandbox, make, words):
    make(folder)
    bad = look()
    bad.expect("spool.path", "failed", words, "mode 0700")
    assert bad.code == 2 and list(states(bad).values()) == ["failed"] + ["skipped"] * 6
    # In the library's words.
    sent = subprocess.run([str(command), "send", "--ticket", "t", "--market", "UK", "--base-url", sandbox.base_url,
                           "--spool", str(folder / "spool.db")], capture_output=True, text=True, env=CLEAN)
    assert sent.returncode == 2 and bad["spool.path"]["found"] in sent.stderr


# permissions

def test_a_folder_in_which_anybody_may_write(look, folder):
    folder.chmod(0o1777)
    look().expect("spool.permissions", "warning", "any user may put files", "folder of its own")


def test_a_spool_that_is_open_to_others_is_told_and_closed(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    spool = pathlib.Path(operator.spool)
    spool.chmod(0o644)
    look().expect("spool.permissions", "warning", "mode 0644", "closes it")
    assert spool.stat().st_mode & 0o777 == 0o600
    look().expect("spool.permissions", "ok")


def given_to(uid, *paths):
    for path in paths:
        os.chown(path, uid, uid)


def test_root_does_not_open_the_spool_of_another_user(look, folder, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    given_to(NOBODY, folder, *folder.iterdir())
    before = sorted((p.name, p.stat().st_uid, p.stat().st_mtime_ns) for p in folder.iterdir())
    foreign = look()
    assert foreign.expect("spool.permissions", "warning", f"uid {NOBODY}", f"sudo -u '#{NOBODY}'")["owner"] == NOBODY
    assert list(states(foreign).values())[3:] == ["skipped"] * 4 and "another user" in foreign["spool.dead"]["found"]
    assert sorted((p.name, p.stat().st_uid, p.stat().st_mtime_ns) for p in folder.iterdir()) == before


@pytest.fixture
def as_nobody(doctor, sandbox, command):
    """doctor as an ordinary user, in a folder that they can reach; the command may be in one that they cannot."""
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        place.chmod(0o755)
        doctor.command = str(shutil.copy(command, place / "esales-notify"))
        folder = place / "spool"
        folder.mkdir(mode=0o700)
        given_to(NOBODY, folder)

        def run():
            return doctor("--base-url", sandbox.base_url, "--spool", folder / "spool.db", user=NOBODY, group=NOBODY,
                          extra_groups=[], cwd="/")

        run.folder = folder
        yield run


def test_the_spools_own_user_finds_it_well(as_nobody):
    assert list(states(as_nobody()).values())[:3] == ["ok", "ok", "ok"]


def test_another_user_cannot_use_it(as_nobody):
    as_nobody.folder.chmod(0o755)
    (as_nobody.folder / "spool.db").touch(0o600)
    other = as_nobody()
    other.expect("spool.permissions", "failed", "belongs to uid 0", "sudo -u '#0'")
    assert other.code == 2


def test_a_folder_that_may_not_be_written(as_nobody):
    as_nobody.folder.chmod(0o500)
    as_nobody().expect("spool.permissions", "failed", "may not write into", "chown")


def test_what_root_left_behind(as_nobody):
    spool = as_nobody.folder / "spool.db"
    spool.touch(0o600)
    given_to(NOBODY, spool)
    pathlib.Path(f"{spool}.lock").touch(0o600)
    as_nobody().expect("spool.permissions", "failed", "spool.db.lock belongs to uid 0", "chown")


def test_a_disk_that_cannot_be_written(look, folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=True)
    try:
        look().expect("spool.permissions", "failed", "Read-only file system")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# space

@pytest.mark.parametrize("size, max_bytes, state", [
    ("4m", 1024, "ok"), ("4m", 16 << 20, "warning"), ("512k", 1024, "failed"),
])
def test_space(look, folder, size, max_bytes, state):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)], check=True)
    try:
        facts = look("--max-bytes", max_bytes).expect("spool.space", state, "MiB free")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert 0 < facts["free_bytes"] <= 4 << 20


# contents

def test_a_damaged_spool_is_told_and_left_alone(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    for companion in ("-wal", "-shm"):
        pathlib.Path(operator.spool + companion).unlink(missing_ok=True)
    pathlib.Path(operator.spool).write_bytes(b"damage" * 1000)
    bad = look()
    bad.expect("spool.contents", "failed", "not a database", "sets a damaged spool aside")
    assert list(states(bad).values())[4:] == ["skipped"] * 3 and "contents failed" in bad["spool.dead"]["found"]
    assert pathlib.Path(operator.spool).read_bytes() == b"damage" * 1000


@pytest.mark.parametrize("pragma, words, advice", [
    ("user_version = 99", "version 99", "update it"), ("application_id = 7", "another program", "name another one"),
])
def test_a_file_that_is_not_for_this_version(look, operator, sandbox, pragma, words, advice):
    operator.fill(sandbox.base_url, ["a"])
    with contextlib.closing(sqlite3.connect(operator.spool)) as spool:
        spool.execute(f"PRAGMA {pragma}")
    look().expect("spool.contents", "failed", words, advice)


def test_a_broken_law(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    with contextlib.closing(sqlite3.connect(operator.spool)) as spool, spool:
        spool.execute("UPDATE total SET delivered = delivered + 1")
    look().expect("spool.contents", "failed", "does not hold; really there: 1 pending, 0 dead", "keep a copy")


def test_spools_that_were_set_aside(look, operator, sandbox, folder):
    operator.fill(sandbox.base_url, ["a"])
    (folder / "spool.db.damaged-1").touch()
    facts = look().expect("spool.contents", "warning", "set aside", "check the disk")
    assert facts["set_aside"] == [str(folder / "spool.db.damaged-1")]


# drainer and what waits

def test_a_drainer_that_is_alive_and_one_that_is_not(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    dead = look("--delivery", "none")
    assert dead.code == 2
    assert dead.expect("spool.drainer", "failed", "1 notification waits, and no process", "esales-notify drain") == {"has_drainer": False}
    look().expect("spool.drainer", "failed", advice="begin again at the next event")
    with operator.drain("--base-url", sandbox.base_url) as draining:
        wait_for(lambda: operator.status()["delivered"] == 1, "not delivered")
        alive = look("--delivery", "none")
        assert alive.expect("spool.drainer", "ok", "some process") == {"has_drainer": True}
        assert alive.code == 0
        draining.send_signal(signal.SIGTERM)
        assert draining.wait(timeout=30) == 0
    look().expect("spool.drainer", "ok", "nothing waits")
    look("--delivery", "none").expect("spool.drainer", "warning", "no process delivers")


def older(operator, seconds):
    """Makes what waits older than it is."""
    with contextlib.closing(sqlite3.connect(operator.spool)) as spool, spool:
        spool.execute("UPDATE item SET accepted_at = accepted_at - ?", (seconds * 1000,))


@pytest.mark.parametrize("age, state, advice", [
    (0, "ok", ""), (1000, "warning", "stand still"), (50_000, "failed", "expire after 24 h"),
])
def test_what_waits_for_long(look, operator, sandbox, age, state, advice):
    operator.fill(sandbox.base_url, numbered("a", 2))
    older(operator, age)
    facts = look().expect("spool.waiting", state, "2 notifications wait (", advice)
    assert facts["pending"] == 2 and facts["pending_bytes"] > 0 and facts["oldest_age_ms"] >= age * 1000


def test_deliveries_that_fail(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    sandbox.script("503:retry-after=600")
    operator.empty(sandbox.base_url, "--max-wait-s", "5", code=4)
    failing = look()
    failing.expect("spool.waiting", "warning", "1 failures in a row, next try in 9 min", "deliveries fail")
    assert sandbox.base_url in failing["spool.waiting"]["found"]


@pytest.mark.parametrize("count, limit", [(9, ["--max-items", "10"]), (10, ["--max-bytes", "1024"])])
def test_a_queue_that_is_nearly_full(look, operator, sandbox, count, limit):
    # A little over 100 bytes each.
    operator.fill(sandbox.base_url, numbered("a", count))
    look(*limit).expect("spool.waiting", "warning", advice="nearly full")


def test_dead_letters_by_reason(look, operator, sandbox):
    look_before = look()
    assert states(look_before)["dead"] == "skipped"
    operator.fill(sandbox.base_url, numbered("a", 4), customer_key="s3cret-customer", token="s3cret-token")
    sandbox.script("400, 403, 403, 404")
    operator.empty(sandbox.base_url)
    dead = look()
    facts = dead.expect("spool.dead", "warning", "ESALES_FORBIDDEN", "dead list")
    assert facts["by_status"] == {"ESALES_TICKET_MISSING": 1, "ESALES_FORBIDDEN": 2, "ESALES_REJECTED": 1}
    for words in ("no ticket", "ESALES_PRIVATE_KEY", "v1 API"):
        dead.expect("spool.dead", "warning", advice=words)
    assert "s3cret" not in dead.text
    operator.json("queue", "dead", "drop", "--all")
    look().expect("spool.dead", "ok", "no dead letters")


def test_a_drain_at_work_does_not_mind_being_looked_at(look, operator, sandbox):
    """Looking takes the lead for a moment; whoever delivers keeps it."""
    operator.fill(sandbox.base_url, ["first"])
    with operator.drain("--base-url", sandbox.base_url, *QUICK):
        wait_for(lambda: operator.status()["delivered"] == 1, "not delivered")
        for n in range(5):
            assert look()["spool.drainer"]["facts"] == {"has_drainer": True}
        operator.fill(sandbox.base_url, numbered("more", 5))
        wait_for(lambda: operator.status()["delivered"] == 6, "not delivered after a look")
