"""A spool whose disk is full, gone, damaged or of another version: clear words, and nothing else is lost."""

import contextlib
import os
import pathlib
import re
import signal
import sqlite3
import subprocess

import pytest
from counting import Service, wait_for
from test_kill import kill
from test_shutdown import GRACE_MS

# For what has no time to keep: a guard against a hang, on a machine and a disk that may be slow.
LONG = 120


def produced(spooler, prefix, count, options, threads=1, **more):
    """The ids that a producer says were accepted, and its words."""
    process = spooler("produce", prefix, count, threads, options={"delivery": "none", **options}, **more)
    ids = process.stdout.read().split()
    words = process.stderr.read()
    code = process.wait()
    kill(process)
    return ids, words, code


@pytest.fixture
def options(tmp_path):
    with Service() as service:
        yield {"base_url": service.base_url, "spool": tmp_path / "spool", "service": service,
               "enqueue_timeout_ms": 60000}


def split(options):
    return options["service"], {k: v for k, v in options.items() if k != "service"}


def drain_all(spooler, service, ids, options):
    drainer = spooler("drain", options=options)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG)
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
    names = set()
    for path in pathlib.Path(f"/proc/{process.pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # It has ended meanwhile.
            names.add(path.read_text().strip())
    return names


def taken_away(spool):
    """What whoever has it open goes on seeing, without a name."""
    for suffix in ("-shm", "-wal", ""):
        pathlib.Path(f"{spool}{suffix}").unlink()


def checkpointed(spool):
    """The file as a whole, with nothing in its log."""
    with contextlib.closing(sqlite3.connect(spool)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def what_the_law_lacks(spool):
    with contextlib.closing(sqlite3.connect(spool)) as database:
        return database.execute("""SELECT accepted - delivered - dead - expired - dropped - (SELECT count(*) FROM item),
                                          min(0, delivered, dead, expired, dropped) FROM now""").fetchone()


def test_a_full_disk(spooler, options, small_disk):
    service, options = split(options)
    options["spool"] = small_disk / "spool"
    ids, words, code = produced(spooler, "full", 100000, options)
    assert code == 1 and "disk is full" in words, words
    assert len(ids) > 100
    # A drainer that is at work meanwhile sends nothing twice, and goes on by itself when there is room again.
    drainer = spooler("drain", options=options)
    wait_for(lambda: "esales-worker" in threads(drainer), "the drainer does not even try", LONG)
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG)
    kill(drainer)
    assert all(len(times) == 1 for times in service.ids.values())
    more, words, code = produced(spooler, "again", 10, options)
    assert code == 0, words
    drain_all(spooler, service, more, options)
    assert set(service.ids) == set(ids) | set(more)


def test_a_full_disk_when_the_file_was_deleted(spooler, options, small_disk, tmp_path):
    """What the new file has no room for stays with the one who has the old one open, until there is room."""
    service, options = split(options)
    options.update(spool=small_disk / "spool", gate_min_ms=10, gate_max_ms=50)
    service.tell(503)
    log = tmp_path / "log"
    with open(log, "w") as words:
        drainer = spooler("drain", options=options, stderr=words)
    ids, _, _ = produced(spooler, "before", 100, options)
    wait_for(lambda: service.times, "no attempt", LONG)
    with open(small_disk / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)
    taken_away(options["spool"])
    wait_for(lambda: "disk is full" in log.read_text(), "it was not said", LONG)
    # More than there was: until SQLite's log is emptied, which is done each second, it takes room for what is recorded.
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    service.tell(204)
    wait_for(lambda: set(ids) <= set(service.ids), "lost", LONG)
    kill(drainer)
    assert all(len(times) == 1 for times in service.ids.values())


def test_a_disk_that_becomes_read_only(spooler, options, small_disk):
    service, options = split(options)
    options["spool"] = small_disk / "spool"
    ids, words, code = produced(spooler, "before", 20, options)
    assert code == 0, words
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    none, words, code = produced(spooler, "refused", 1, options)
    assert (none, code) == ([], 1) and "ead-only file system" in words and str(small_disk) in words, words
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    drain_all(spooler, service, ids, options)
    assert set(service.ids) == set(ids)


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


@pytest.mark.parametrize("how", ["deleted", "made anew by another", "replaced"])
def test_a_file_taken_away_in_use(spooler, options, tmp_path, how):
    """What its drainer still holds open is taken over into the file that is there then, whoever made it."""
    service, options = split(options)
    service.tell(503, Retry_After="2")
    ids = []
    if how == "replaced":
        other = {**options, "spool": tmp_path / "other"}
        ids, _, _ = produced(spooler, "other", 5, other)
        # What is in its inbox goes into the file, which alone is moved.
        with contextlib.closing(sqlite3.connect(other["spool"])) as database:
            assert database.execute("SELECT count(*) FROM item").fetchone() == (1,)
        ids = ids[:1]
        checkpointed(other["spool"])
    log = tmp_path / "log"
    with open(log, "w") as words:
        drainer = spooler("drain", options=options, stderr=words)
    ids += produced(spooler, "before", 20, options)[0]
    wait_for(lambda: service.times, "no attempt", LONG)
    drainer.send_signal(signal.SIGSTOP)
    taken_away(options["spool"])
    if how == "made anew by another":
        ids += produced(spooler, "new", 5, options)[0]
    if how == "replaced":
        other["spool"].rename(options["spool"])
    service.tell(204)
    drainer.send_signal(signal.SIGCONT)
    wait_for(lambda: set(ids) <= set(service.ids), "lost with the file", LONG)
    more, words, code = produced(spooler, "after", 20, options)
    assert code == 0, words
    wait_for(lambda: set(more) <= set(service.ids), "the new file is not drained", LONG)
    wait_for(lambda: what_the_law_lacks(options["spool"]) == (0, 0), "the law is broken", LONG)
    kill(drainer)
    assert all(len(times) == 1 for times in service.ids.values()), service.ids
    assert "deleted or replaced while it was in use" in log.read_text()


@pytest.mark.parametrize("damage", ["garbage", "cut", "emptied"])
def test_a_damaged_file_is_set_aside(spooler, options, tmp_path, damage):
    service, options = split(options)
    # In two goes, so that the first is in the file and not only in its log.
    ids, _, _ = produced(spooler, "before", 300, options)
    checkpointed(options["spool"])
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
    assert "is damaged; it was set aside" in words, words
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
    wait_for(lambda: len(service.ids) >= 280, f"only {len(service.ids)} of 300 were saved", LONG)
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


def traced(spooler, log, prefix, count, options, calls, inject=(), **more):
    """A producer under strace: its words, and the lines of its system calls, with the paths of their descriptors."""
    wrapper = ["strace", "-f", "-y", "--seccomp-bpf", "-o", str(log), "-e", f"trace={calls}", *inject]
    result = produced(spooler, prefix, count, options, wrapper=wrapper, **more)
    return result, log.read_text().splitlines()


def synced(lines, spool):
    """Of each line: whether it is the end of an fsync of the spool's log."""
    begun = {}
    for line in lines:
        thread = line.split(maxsplit=1)[0]
        if re.search(rf"(fsync|fdatasync)\(\d+<{re.escape(str(spool))}-wal>", line):
            begun[thread] = True
        is_end = "sync" in line and re.search(r"\) += 0", line)
        yield bool(is_end and begun.pop(thread, False))


def test_an_fsync_comes_before_the_word(spooler, options, tmp_path):
    """durability=disk: between two accepted ids stands an fsync of the log; durability=process has none."""
    _, options = split(options)
    for durability in ("disk", "process"):
        spool = tmp_path / durability
        options = {**options, "spool": spool, "durability": durability}
        produced(spooler, "warm", 1, options)
        (ids, words, code), lines = traced(spooler, tmp_path / "strace", "x", 10, options, "write,fsync,fdatasync")
        assert code == 0 and len(ids) == 10, words
        count = 0
        counts = []
        for line, is_synced in zip(lines, synced(lines, spool), strict=True):
            count += is_synced
            if re.search(r'write\(1<.*>, "x-', line):
                counts.append(count)
                count = 0
        assert len(counts) == 10, lines
        if durability == "disk":
            assert all(count >= 1 for count in counts), lines
        else:
            assert sum(counts) == 0 and not any("sync(" in line for line in lines), lines


def test_a_disk_that_hangs_holds_up_nobody_for_longer_than_allowed(spooler, options):
    """Enqueue, flush and free, while every fsync takes 5 s."""
    _, options = split(options)
    options.update(durability="disk", enqueue_timeout_ms=60000)
    produced(spooler, "warm", 1, options)
    options.update(delivery="none", enqueue_timeout_ms=300)
    wrapper = ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
               "-e", "inject=fsync,fdatasync:delay_enter=5000000"]
    process = spooler("produce", "slow", 1, options=options, wrapper=wrapper)
    words = process.stderr.read()
    kill(process)
    assert "did not finish within enqueue_timeout_ms" in words, words
    process = spooler("shut", options=options, wrapper=wrapper)
    words = process.stdout.readline()
    kill(process)
    enqueue, flush, free = map(int, words.split()[:3])
    assert 300 <= enqueue <= 300 + GRACE_MS and flush <= 300 + GRACE_MS and free <= GRACE_MS, words


def test_sixteen_threads_share_their_fsyncs(spooler, options, tmp_path, capsys):
    """An fsync has a fixed price here: what a disk takes for one is its own affair."""
    _, options = split(options)
    options["durability"] = "disk"
    produced(spooler, "warm", 1, options)
    count, fsyncs, elapsed = 400, {}, {}
    for threads in (1, 16):
        (ids, words, code), lines = traced(
            spooler, tmp_path / "strace", f"t{threads}", count, options, "fsync,fdatasync",
            inject=("-e", "inject=fsync,fdatasync:delay_exit=2000"), threads=threads)
        assert code == 0 and len(ids) == count, words
        fsyncs[threads] = sum(synced(lines, options["spool"]))
        elapsed[threads] = int(words.split()[1])
    with capsys.disabled():
        print(f"\n  durability=disk: 16 threads against 1: {elapsed[1] / elapsed[16]:.1f} times as many a second")
    assert fsyncs[1] >= count and fsyncs[16] < count / 2, fsyncs
    assert elapsed[16] < elapsed[1], elapsed
