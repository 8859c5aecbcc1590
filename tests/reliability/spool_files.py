"""Reads a spool's files as src/spool/log/FORMAT.md describes them, independently of the library."""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import shutil
import struct
import time
import zlib

# fcntl(2): a lock that belongs to an open file description. Python has no name for it before 3.9.
OFD_SETLK = 37


def lines(path):
    """The payloads of the valid lines of a file; none if the file does not exist."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in pathlib.Path(path).read_bytes().split(b"\n"):
            checksum, _, rest = line.partition(b" ")
            if len(checksum) == 8 and checksum == b"%08x" % zlib.crc32(rest):
                found.append(rest.split(b" ", 1)[1].decode())
    return found


def encoded(payload):
    """A line of a file."""
    rest = b"%06x %s" % (len(payload.encode()), payload.encode())
    return b"\n%08x %s" % (zlib.crc32(rest), rest)


def segments(spool):
    return sorted(pathlib.Path(spool).glob("segment-*.log"))


def enqueued_ids(spool):
    """The ids of the notifications in the segments, in their order."""
    records = [line.split("\t") for path in segments(spool) for line in lines(path)]
    return [record[7] for record in records if record[0].upper().startswith(("N", "A"))]


def journal(spool):
    """The batches of the present journal."""
    journals = sorted(pathlib.Path(spool).glob("journal-*"))
    return [json.loads(line) for line in lines(journals[-1])] if journals else []


def attempts(spool):
    """The number of failed attempts of each notification that waits for a retry."""
    waiting = {}
    for batch in journal(spool):
        for position in batch.get("completed", ()):
            waiting.pop(position, None)
        waiting.update((position, retry["n"]) for position, retry in batch.get("retries", ()))
    return sum(waiting.values())


@contextlib.contextmanager
def locked(spool):
    """Holds the lock of the directory, as the library does for a moment."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as boot_id:
        boot = zlib.crc32(boot_id.read())
    namespace = os.stat("/proc/self/ns/pid").st_ino
    uptime_ms = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
    with open(pathlib.Path(spool) / "lock", "r+b", buffering=0) as file:
        fcntl.fcntl(file, OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        columns = (os.getpid(), namespace, int(time.time() * 1000), uptime_ms, boot)
        file.write(encoded("".join(f"{column}\t" for column in columns)) + b"\n")
        yield


def size_on_disk(spool):
    """The total size of all files of the spool, in bytes."""
    total = 0
    for path in pathlib.Path(spool).iterdir():
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_blocks * 512
    return total


def leader(spool):
    """The process id of the drainer in the lease file."""
    with contextlib.suppress(FileNotFoundError):
        payload = lines(pathlib.Path(spool) / "lease")
        return int(payload[0].split("\t")[2]) if payload else None
    return None


def delete(spool):
    """Removes a directory, and repeats until it succeeds, because the leader may make a file meanwhile."""
    is_there = True
    while is_there:
        try:
            shutil.rmtree(spool)
            return
        except OSError as e:
            assert e.errno in (errno.ENOTEMPTY, errno.ENOENT), e
            is_there = spool.exists()
