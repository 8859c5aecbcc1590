"""A spool whose disk is full, gone, damaged or of another version: clear words, and nothing else is lost."""

import json
import os
import pathlib
import sqlite3
import subprocess

import pytest
from counting import Service, wait_for
from test_kill import Accepted, kill


def produced(spooler, prefix, count, options, **more):
    """The ids that a producer says were accepted, and its words."""
    process = spooler("produce", prefix, count, options={"delivery": "none", **options}, **more)
    ids = process.stdout.read().split()
    words = process.stderr.read()
    code = process.wait()
    kill(process)
    return ids, words, code


@pytest.fixture
def options(tmp_path):
    with Service() as service:
        yield {"base_url": service.base_url, "spool": tmp_path / "spool", "service": service}


def split(options):
    return options["service"], {k: v for k, v in options.items() if k != "service"}


def drain_all(spooler, service, ids, options):
    drainer = spooler("drain", options=options)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", 30)
    kill(drainer)


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def threads(process):
    return {path.read_text().strip() for path in pathlib.Path(f"/proc/{process.pid}/task").glob("*/comm")}


def test_a_full_disk(spooler, options, small_disk):
    service, options = split(options)
    options["spool"] = small_disk / "spool"
    ids, words, code = produced(spooler, "full", 100000, options)
    assert code == 1 and "disk is full" in words, words
    assert len(ids) > 100
    # A drainer that is at work meanwhile sends nothing twice, and goes on by itself when there is room again.
    drainer = spooler("drain", options=options)
    wait_for(lambda: "esales-worker" in threads(drainer), "the drainer does not even try", 30)
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", 30)
    kill(drainer)
    assert all(len(times) == 1 for times in service.ids.values())
    more, words, code = produced(spooler, "again", 10, options)
    assert code == 0, words
    drain_all(spooler, service, more, options)
    assert set(service.ids) == set(ids) | set(more)


def test_a_folder_that_may_not_be_written(spooler, options, tmp_path):
    _, options = split(options)
    folder = tmp_path / "read-only"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=True)
    try:
        ids, words, code = produced(spooler, "x", 1, {**options, "spool": folder / "spool"})
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert (ids, code) == ([], 1) and "Read-only file system" in words and str(folder) in words, words


@pytest.mark.parametrize("make, words", [
    (lambda folder: (folder / "spool").symlink_to("/etc/passwd"), "symbolic link"),
    (lambda folder: (folder / "spool").mkdir(), "not a regular file"),
    (lambda folder: folder.chmod(0o777), "world-writable"),
    (lambda folder: folder.rmdir(), "folder cannot be used"),
], ids=["symlink", "folder", "world-writable", "no folder"])
def test_places_that_are_refused_when_the_client_is_made(spooler, options, tmp_path, make, words):
    _, options = split(options)
    folder = tmp_path / "place"
    folder.mkdir()
    make(folder)
    _, said, code = produced(spooler, "x", 1, {**options, "spool": folder / "spool"})
    assert code == 1 and words in said and "spool" in said, said


def test_a_file_deleted_in_use(spooler, options):
    """What its drainer still holds open is taken over into the new file."""
    service, options = split(options)
    service.tell(503, Retry_After="2")
    drainer = spooler("drain", options=options)
    ids, _, _ = produced(spooler, "before", 20, options)
    wait_for(lambda: service.times, "no attempt")
    for suffix in ("-shm", "-wal", ""):
        pathlib.Path(f"{options['spool']}{suffix}").unlink()
    service.tell(204)
    wait_for(lambda: set(ids) <= set(service.ids), "lost with the file", 30)
    more, words, code = produced(spooler, "after", 20, options)
    assert code == 0, words
    wait_for(lambda: set(more) <= set(service.ids), "the new file is not drained", 30)
    kill(drainer)


@pytest.mark.parametrize("damage", ["garbage", "cut", "emptied"])
def test_a_damaged_file_is_set_aside(spooler, options, tmp_path, damage):
    service, options = split(options)
    # In two goes, so that the first is in the file and not only in its log.
    ids, _, _ = produced(spooler, "before", 300, options)
    with sqlite3.connect(options["spool"]) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    spool = pathlib.Path(options["spool"])
    whole = spool.read_bytes()
    # Emptied, but there, as our own connections leave it.
    pathlib.Path(f"{spool}-wal").touch(0o600)
    if damage == "emptied":
        produced(spooler, "logged", 5, options)
        assert pathlib.Path(f"{spool}-wal").stat().st_size > 0
    with open(spool, "r+b") as file:
        if damage == "garbage":
            file.write(b"not a database at all" * 10)
        else:
            file.truncate(len(whole) // 2 if damage == "cut" else 0)
    more, words, code = produced(spooler, "after", 10, options)
    assert code == 0 and len(more) == 10, words
    aside = [path for path in tmp_path.glob("spool.damaged-*") if not path.name.endswith(("-wal", "-shm"))]
    assert len(aside) == 1, list(tmp_path.iterdir())
    if damage != "emptied":
        assert aside[0].stat().st_size == (len(whole) if damage == "garbage" else len(whole) // 2)
    drain_all(spooler, service, more, options)


def test_a_page_that_went_bad_costs_no_other(spooler, options, tmp_path):
    service, options = split(options)
    ids, _, _ = produced(spooler, "page", 300, options)
    database = sqlite3.connect(options["spool"])
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = database.execute("PRAGMA page_size").fetchone()[0]
    database.close()
    spool = pathlib.Path(options["spool"])
    pages = spool.stat().st_size // size
    with open(spool, "r+b") as file:
        file.seek(size * (pages - 5))
        file.write(b"\xff" * size)
    drainer = spooler("drain", options=options)
    wait_for(lambda: len(service.ids) >= 280, f"only {len(service.ids)} of 300 were saved", 30)
    kill(drainer)
    assert list(tmp_path.glob("spool.damaged-*"))
    assert set(service.ids) <= set(ids)


def test_files_that_are_not_ours_are_left_alone(spooler, options, tmp_path):
    _, options = split(options)
    foreign = tmp_path / "foreign"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE theirs(x)")
    database.close()
    text = tmp_path / "text"
    text.write_text("a file that somebody needs " * 50)
    text.chmod(0o644)
    newer = tmp_path / "newer"
    produced(spooler, "x", 1, {**options, "spool": newer})
    with sqlite3.connect(newer) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    key = tmp_path / "key"
    key.write_text("a private key " * 50)
    key.chmod(0o600)
    for path, expected in ((foreign, "another program"), (text, "not a database"), (key, "not a database"),
                           (newer, "version 99")):
        before = path.read_bytes()
        ids, words, code = produced(spooler, "x", 1, {**options, "spool": path})
        assert (ids, code) == ([], 1) and expected in words, words
        assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.damaged-*"))


def test_the_files_are_for_their_owner_alone(spooler, options, tmp_path):
    _, options = split(options)
    old = os.umask(0)
    try:
        produced(spooler, "x", 1, options)
    finally:
        os.umask(old)
    for path in tmp_path.glob("spool*"):
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert len(list(tmp_path.glob("spool*"))) >= 3


def traced(root, spooler, tmp_path, options, *arguments, inject=()):
    """A producer under strace: its words, and the system calls it made, in order."""
    log = tmp_path / "strace"
    wrapper = ["strace", "-f", "-o", str(log), "-e", "trace=write,fsync,fdatasync", *inject]
    result = produced(spooler, *arguments, options, wrapper=wrapper)
    return result, log.read_text().splitlines()


def test_an_fsync_comes_before_the_word(root, spooler, options, tmp_path):
    """durability=disk: between two accepted ids stands an fsync of the log; durability=process has none."""
    _, options = split(options)
    for durability, most in (("disk", None), ("process", 0)):
        spool = tmp_path / durability
        produced(spooler, "warm", 1, {**options, "spool": spool, "durability": durability})
        (ids, words, code), calls = traced(root, spooler, tmp_path,
                                           {**options, "spool": spool, "durability": durability}, "x", 10)
        assert code == 0 and len(ids) == 10, words
        synced = 0
        counts = []
        for call in calls:
            if "sync(" in call and "unfinished" not in call or "sync resumed" in call:
                synced += 1
            if 'write(1, "x-' in call:
                counts.append(synced)
                synced = 0
        assert len(counts) == 10
        if most is None:
            assert all(count >= 1 for count in counts), calls
        else:
            assert sum(counts) == 0, calls


def test_a_disk_that_hangs_holds_up_nobody_for_longer_than_allowed(root, spooler, options, tmp_path):
    _, options = split(options)
    options.update(durability="disk", enqueue_timeout_ms=300)
    produced(spooler, "warm", 1, options)
    inject = ["-e", "inject=fsync,fdatasync:delay_enter=5000000"]
    process = spooler("produce", "slow", 1, options={**options, "delivery": "none"},
                      wrapper=["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", *inject])
    words = process.stderr.read()
    kill(process)
    assert "did not finish within enqueue_timeout_ms" in words, words


def test_group_commit_makes_sixteen_threads_faster_than_one(spooler, options, tmp_path, capsys):
    _, options = split(options)
    options["durability"] = "disk"
    per_second = {}
    for threads in (1, 16, 1, 16):
        process = spooler("produce", f"t{threads}", 800, threads, options={**options, "delivery": "none"})
        assert len(Accepted(process).done()) == 800
        process = spooler("produce", f"u{threads}", 800, threads, options={**options, "delivery": "none"})
        process.stdout.read()
        count, elapsed = map(int, process.stderr.read().split()[:2])
        process.wait()
        kill(process)
        per_second[threads] = max(per_second.get(threads, 0), count / elapsed * 1e6)
    with capsys.disabled():
        print(f"\n  durability=disk: 16 threads against 1: {per_second[16] / per_second[1]:.1f} times as many a second")
    assert per_second[16] > per_second[1]


def test_a_million_in_an_outage_keep_the_memory_flat(spooler, soak, tmp_path):
    """Bounded queues during an outage; a million in soak."""
    count = 1_000_000 if soak else 50_000
    for spool in ({}, {"spool": tmp_path / "spool"}):
        options = {"base_url": "http://127.0.0.1:9", "max_items": 1000, "overflow": "drop_oldest", **spool}
        process = spooler("flood", count, options=options)
        before, after, accepted, accounted, _ = map(int, process.stdout.read().split())
        kill(process)
        assert accepted == accounted == count + 20_000
        assert after - before < 4096, f"{after - before} KiB more after {count} enqueues"
