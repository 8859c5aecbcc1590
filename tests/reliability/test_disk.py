"""A spool whose disk is full, read-only or damaged: calls fail with a message, and no other event is lost."""

import contextlib
import os
import re
import resource
import subprocess
import threading

import pytest
from counting import Service
from spool_files import enqueued_ids, segments
from test_kill import kill
from test_shutdown import GRACE_MS
from waiting import wait_for

# A limit for steps without a deadline, long enough for a slow machine and disk.
LONG_S = 120
# /proc is an empty folder.
WITHOUT_PROC = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "-")


def produced(spooler, prefix, count, options, threads=1, **more):
    """The ids that a producer printed as accepted, its stderr, and its exit code."""
    process = spooler("produce", prefix, count, threads, options={"delivery": "none", **options}, **more)
    ids = process.stdout.read().split()
    messages = process.stderr.read()
    code = process.wait()
    kill(process)
    return ids, messages, code


@pytest.fixture
def service():
    with Service() as running:
        yield running


@pytest.fixture
def options(service, tmp_path):
    return {"base_url": service.base_url, "spool": tmp_path / "spool"}


@pytest.fixture
def delivered(spooler, service, counters):
    """Delivers a spool, and asserts that each of these ids arrived once."""

    def deliver(ids, options, is_complete=True, wrapper=()):
        drainer = spooler("drain", options=options, wrapper=wrapper)
        wait_for(lambda: set(ids) <= set(service.ids), "an accepted event did not arrive", LONG_S)
        wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
        kill(drainer)
        assert all(len(times) == 1 for times in service.ids.values()), service.ids
        if is_complete:
            assert set(service.ids) == set(ids)

    return deliver


@contextlib.contextmanager
def mounted(folder, *options):
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 1 MiB."""
    with mounted(tmp_path / "disk", "size=1m") as folder:
        yield folder


def size_of(path):
    """0 if there is no such file: the drainer may be making it again."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def free_bytes(folder):
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_enqueue_is_refused_and_delivery_continues_when_the_disk_is_full(spooler, service, options, counters, small_disk):
    options["spool"] = small_disk / "spool"
    ids, messages, code = produced(spooler, "full", 100000, options)
    assert code == 1 and "the disk is full" in messages and str(options["spool"]) in messages, messages
    assert len(ids) > 100
    report = counters(options["spool"])
    assert (report["accepted"], report["pending"]) == (len(ids), len(ids)), report
    # The disk has no room, not even for the journal. Only delivery can free space.
    drainer = spooler("drain", options=options)
    wait_for(lambda: set(ids) <= set(service.ids) or drainer.poll() is not None, "delivery stopped", LONG_S)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    # The next housekeeping deletes the completed segments within seconds.
    wait_for(lambda: free_bytes(small_disk) > 64 << 10, "no room is given back", LONG_S)
    more, messages, code = produced(spooler, "again", 10, options)
    assert code == 0, messages
    wait_for(lambda: set(more) <= set(service.ids), "lost", LONG_S)
    kill(drainer)
    assert set(service.ids) == set(ids) | set(more)
    assert all(len(times) == 1 for times in service.ids.values())


def test_room_of_delivered_events_is_given_back_on_a_full_disk_whenever_they_were_delivered(
        spooler, service, options, counters, small_disk):
    options["spool"] = small_disk / "spool"
    ids, _, code = produced(spooler, "full", 100000, options)
    assert code == 1
    # Half of them are delivered before the drainer makes the reserve again, which is the sign that it has kept house.
    is_up = threading.Event()
    service.answer = lambda: (204, {}) if is_up.is_set() or len(service.ids) < len(ids) // 2 else (503, {})
    drainer = spooler("drain", options={**options, "gate_min_ms": 10, "gate_max_ms": 100})
    wait_for(lambda: len(service.ids) == len(ids) // 2, "delivery stopped", LONG_S)
    reserve = options["spool"] / "reserve"
    size = wait_for(lambda: size_of(reserve), "no reserve", LONG_S)
    is_up.set()
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    wait_for(lambda: sum(path.stat().st_blocks * 512 for path in segments(options["spool"])) < 64 << 10,
             "no room is given back", LONG_S)
    wait_for(lambda: size_of(reserve) > size, "the reserve stays small", LONG_S)
    kill(drainer)


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_host_survives_and_all_accepted_events_arrive_when_the_size_of_files_is_limited(
        spooler, service, options, counters, durability):
    """ulimit -f: SIGXFSZ would kill the host. The spool begins the next segment instead."""
    limit = (600_000, resource.RLIM_INFINITY)
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)}
    options.update(durability=durability, max_items=1_000_000)
    service.tell(503)
    drainer = spooler("drain", options={**options, "gate_min_ms": 10, "gate_max_ms": 100}, **limited)
    process = spooler("try", "limited", 4000, options={**options, "delivery": "none"}, **limited)
    accepted = []
    for line in process.stdout:
        if line == "done\n":
            break
        accepted.append(line.strip())
    assert len(accepted) > 1000
    report = counters(options["spool"])
    assert report["accepted"] == report["pending"] == len(accepted), report
    service.tell(204)
    wait_for(lambda: set(accepted) <= set(service.ids), "lost", LONG_S)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    assert drainer.poll() is None and process.poll() is None, "the host was killed"
    process.stdin.close()
    messages = process.stderr.read()
    assert process.wait() == 0, messages
    assert all("ulimit -f" in line for line in messages.splitlines() if line.startswith("limited-")), messages
    process.stdin = None
    kill(process)
    kill(drainer)
    assert all(len(times) == 1 for times in service.ids.values())


def test_enqueue_is_refused_and_nothing_is_lost_when_the_disk_becomes_read_only(
        spooler, options, delivered, small_disk):
    options["spool"] = small_disk / "spool"
    ids, messages, code = produced(spooler, "before", 20, options)
    assert code == 0, messages
    remount(small_disk, "ro")
    none, messages, code = produced(spooler, "refused", 1, options)
    assert (none, code) == ([], 1) and "ead-only file system" in messages and str(small_disk) in messages, messages
    remount(small_disk, "rw")
    delivered(ids, options)


def test_enqueue_is_refused_when_the_folder_of_the_spool_is_read_only(spooler, options, tmp_path):
    with mounted(tmp_path / "read-only", "ro") as folder:
        ids, messages, code = produced(spooler, "x", 1, {**options, "spool": folder / "spool"})
    assert (ids, code) == ([], 1) and "Read-only file system" in messages and str(folder) in messages, messages


@pytest.mark.parametrize("make, message", [
    (lambda folder: (folder / "spool").symlink_to("/etc"), "symbolic link"),
    (lambda folder: (folder / "spool").touch(), "it is a file; a spool is a directory"),
    (lambda folder: folder.chmod(0o777), "writable by others"),
    (lambda folder: folder.rmdir(), "its folder"),
], ids=["symbolic link", "file", "world-writable", "no folder"])
def test_client_is_refused_when_the_spool_directory_is_unusable(spooler, options, tmp_path, make, message):
    folder = tmp_path / "place"
    folder.mkdir()
    make(folder)
    _, said, code = produced(spooler, "x", 1, {**options, "spool": folder / "spool"})
    assert code == 1 and message in said and "spool" in said, said


def test_client_is_refused_when_the_path_of_its_spool_is_relative(spooler, options):
    _, said, code = produced(spooler, "x", 1, {**options, "spool": "spool"})
    assert code == 1 and "absolute path" in said, said


@pytest.mark.parametrize("damage", ["garbage", "cut", "emptied", "one byte"])
def test_damaged_segment_loses_only_the_damaged_events(spooler, service, options, counters, tmp_path, damage):
    ids, _, _ = produced(spooler, "before", 300, options)
    (segment,) = segments(options["spool"])
    whole = segment.read_bytes()
    with open(segment, "r+b") as file:
        if damage == "garbage":
            file.seek(len(whole) // 2)
            file.write(b"not a record at all" * 10)
        elif damage == "one byte":
            file.seek(len(whole) // 2)
            file.write(b"\x00")
        else:
            file.truncate(len(whole) // 2 if damage == "cut" else 0)
    left = set(enqueued_ids(options["spool"]))
    assert len(left) >= {"garbage": 298, "one byte": 299, "cut": 149, "emptied": 0}[damage]
    more, messages, code = produced(spooler, "after", 10, options)
    assert code == 0 and len(more) == 10, messages
    with open(tmp_path / "log", "w") as log:
        drainer = spooler("drain", options=options, stderr=log)
    wait_for(lambda: left | set(more) <= set(service.ids), "an event that is not damaged was lost", LONG_S)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", LONG_S)
    kill(drainer)
    assert set(service.ids) == left | set(more)
    assert all(len(times) == 1 for times in service.ids.values())
    if damage in ("garbage", "one byte"):
        assert "damaged line" in (tmp_path / "log").read_text()
        assert (options["spool"] / "damaged-lines.log").stat().st_size > 0


def test_damaged_journal_repeats_deliveries_and_loses_nothing(spooler, service, options, delivered):
    ids, _, _ = produced(spooler, "before", 50, options)
    delivered(ids, options)
    more, _, _ = produced(spooler, "after", 50, options)
    (journal,) = options["spool"].glob("journal-*")
    journal.write_bytes(b"\n" + os.urandom(500))
    drainer = spooler("drain", options=options)
    wait_for(lambda: set(more) <= set(service.ids), "lost", LONG_S)
    kill(drainer)


def test_directory_of_another_program_or_version_is_left_alone(spooler, options, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("a file that somebody needs")
    newer = tmp_path / "newer"
    produced(spooler, "x", 1, {**options, "spool": newer})
    (newer / "FORMAT").write_text("esales-notify spool, format 2\n")
    for folder, expected in ((foreign, "letter.txt"), (newer, "another version")):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        ids, messages, code = produced(spooler, "x", 1, {**options, "spool": folder})
        assert (ids, code) == ([], 1) and expected in messages, messages
        drainer = spooler("drain", options={**options, "spool": folder})
        assert drainer.wait(LONG_S) == 1
        kill(drainer)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("umask", [0, 0o777])
def test_spool_files_have_mode_0600_whatever_the_umask_is(spooler, options, delivered, umask):
    old = os.umask(umask)
    try:
        ids, messages, code = produced(spooler, "x", 1, options)
        assert code == 0, messages
        delivered(ids, options)
    finally:
        os.umask(old)
    assert options["spool"].stat().st_mode & 0o777 == 0o700
    files = list(options["spool"].iterdir())
    assert len(files) >= 4 and all(path.stat().st_mode & 0o777 == 0o600 for path in files), files


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o666], ids=oct)
@pytest.mark.parametrize("wrapper", [(), WITHOUT_PROC], ids=["with /proc", "without /proc"])
def test_restored_spool_files_get_mode_0600_when_they_were_readable_by_others(spooler, options, delivered, wrapper, mode):
    """As a backup brought them back; without /proc as in a chroot."""
    ids, _, _ = produced(spooler, "x", 3, options, wrapper=wrapper)
    options["spool"].chmod(0o755)
    for path in options["spool"].iterdir():
        path.chmod(mode)
    more, _, _ = produced(spooler, "y", 3, options, wrapper=wrapper)
    delivered(ids + more, options, wrapper=wrapper)
    assert options["spool"].stat().st_mode & 0o777 == 0o700
    used = [path for path in options["spool"].iterdir() if path.name not in ("FORMAT", "reserve")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in used), used


def traced(spooler, log, prefix, count, options, calls, inject=(), **more):
    """The output of a producer under strace, and the lines of its system calls, with the paths of their descriptors."""
    wrapper = ["strace", "-f", "-y", "--seccomp-bpf", "-o", str(log), "-e", f"trace={calls}", *inject]
    result = produced(spooler, prefix, count, options, wrapper=wrapper, **more)
    return result, log.read_text().splitlines()


def synced(trace, spool):
    """For each line, whether it is the end of an fsync of a segment."""
    begun = {}
    for line in trace:
        thread = line.split(maxsplit=1)[0]
        if re.search(rf"(fsync|fdatasync)\(\d+<{re.escape(str(spool))}/segment-\d+\.log>", line):
            begun[thread] = True
        is_end = "sync" in line and re.search(r"\) += 0", line)
        yield bool(is_end and begun.pop(thread, False))


def test_fsync_precedes_the_return_of_enqueue_when_durability_is_disk(spooler, options, tmp_path):
    for durability in ("disk", "process"):
        spool = tmp_path / durability
        options = {**options, "spool": spool, "durability": durability}
        produced(spooler, "warm", 1, options)
        (ids, messages, code), trace = traced(spooler, tmp_path / "strace", "x", 10, options, "write,fsync,fdatasync")
        assert code == 0 and len(ids) == 10, messages
        count = 0
        counts = []
        for line, is_synced in zip(trace, synced(trace, spool), strict=True):
            count += is_synced
            if re.search(r'write\(1<.*>, "x-', line):
                counts.append(count)
                count = 0
        assert len(counts) == 10, trace
        if durability == "disk":
            assert all(count >= 1 for count in counts), trace
        else:
            assert sum(counts) == 0 and not any("sync(" in line for line in trace), trace


def test_directory_is_synced_before_the_first_enqueue_returns_when_durability_is_disk(spooler, options, tmp_path):
    options["durability"] = "disk"
    (ids, messages, code), trace = traced(spooler, tmp_path / "strace", "x", 1, options, "write,fsync,fdatasync")
    assert code == 0 and len(ids) == 1, messages
    accepted = next(n for n, line in enumerate(trace) if re.search(r'write\(1<.*>, "x-', line))
    directory = rf"sync\(\d+<{re.escape(str(options['spool']))}>"
    assert any(re.search(directory, line) for line in trace[:accepted]), trace


def test_enqueue_flush_and_free_keep_their_deadlines_when_fsync_hangs(spooler, options):
    """While every fsync takes 5 s."""
    options["durability"] = "disk"
    produced(spooler, "warm", 1, options)
    options.update(delivery="none", enqueue_timeout_ms=300)
    wrapper = ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
               "-e", "inject=fsync,fdatasync:delay_enter=5000000"]
    process = spooler("produce", "slow", 1, options=options, wrapper=wrapper)
    messages = process.stderr.read()
    kill(process)
    assert "not confirmed by the disk" in messages and "may yet be accepted" in messages, messages
    process = spooler("shut", options=options, wrapper=wrapper)
    printed = process.stdout.readline()
    kill(process)
    enqueue, flush, free = map(int, printed.split()[:3])
    assert 300 <= enqueue <= 300 + GRACE_MS and flush <= 300 + GRACE_MS and free <= GRACE_MS, printed


def test_sixteen_threads_enqueue_with_shared_fsyncs(spooler, options, tmp_path, capsys):
    """Each fsync takes a fixed time here, whatever the disk is. A busy machine may slow down either of the two compared
    runs, so they are repeated at most three times."""
    options["durability"] = "disk"
    produced(spooler, "warm", 1, options)
    count, rounds = 400, []
    while not rounds or rounds[-1][16] >= rounds[-1][1]:
        assert len(rounds) < 3, rounds
        fsyncs, elapsed = {}, {}
        for threads in (1, 16):
            (ids, messages, code), trace = traced(
                spooler, tmp_path / "strace", f"r{len(rounds)}-t{threads}", count, options, "fsync,fdatasync",
                inject=("-e", "inject=fsync,fdatasync:delay_exit=5000"), threads=threads)
            assert code == 0 and len(ids) == count, messages
            fsyncs[threads] = sum(synced(trace, options["spool"]))
            elapsed[threads] = int(messages.split()[1])
        assert fsyncs[1] >= count and fsyncs[16] < count / 2, fsyncs
        rounds.append(elapsed)
    with capsys.disabled():
        print(f"\n  durability=disk: 16 threads against 1: {elapsed[1] / elapsed[16]:.1f} times as many a second")
