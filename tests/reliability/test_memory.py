"""A flood during an outage: a bounded queue keeps the process's memory flat, and its files."""

import threading
import time

import pytest
from test_kill import kill

# From takeover.rs: an inbox grows by so much before it is taken over, and one that was taken over whole and is longer than
# that is replaced. A record is shorter than the rest.
GROWTH = 1 << 20
RECORD = 4096


class Largest:
    """How large a file becomes while `process` runs; it may come and go."""

    def __init__(self, path, process):
        self.size = 0
        self._thread = threading.Thread(target=self._watch, args=(path, process))
        self._thread.start()

    def _watch(self, path, process):
        while True:
            has_ended = process.poll() is not None
            try:
                self.size = max(self.size, path.stat().st_size)
            except FileNotFoundError:
                pass
            if has_ended:
                return
            time.sleep(0.001)

    def join(self):
        self._thread.join()
        return self.size


@pytest.mark.parametrize("in_file, max_items, overflow", [
    (False, 4_000, "drop_oldest"),
    (True, 20_000, "drop_oldest"),
    (True, 2_000_000, "refuse"),
], ids=["memory", "file", "a file with room for all"])
def test_a_flood_keeps_memory_and_inbox_bounded(spooler, law, soak, tmp_path, in_file, max_items, overflow):
    """In a file more of it fit than the last thousand, for which the inbox is left alone."""
    count = 1_000_000 if soak else 20_000
    options = {"base_url": "http://127.0.0.1:9", "max_items": max_items, "max_bytes": 1 << 30, "overflow": overflow}
    spool = tmp_path / "spool"
    if in_file:
        options["spool"] = spool
    process = spooler("flood", count, options=options)
    inbox = Largest(tmp_path / "spool-inbox", process)
    before, after, accepted, accounted, _ = map(int, process.stdout.read().split())
    windows = [before, *map(int, process.stderr.read().split())]
    kill(process)
    assert accepted == accounted == count + 20_000
    # The least of ten: the first ones may still fill the queue and its receipts, and the memory of what a thread is late with
    # comes and goes. A leak is in each.
    growth = [later - earlier for earlier, later in zip(windows, windows[1:])]
    assert len(growth) == 10 and min(growth) * 1024 < count / 10 * 10, f"ten bytes and more for each: {growth} KiB"
    largest = inbox.join()
    if in_file:
        assert GROWTH / 2 < largest <= 2 * GROWTH + RECORD
        numbers = law(spool)
        assert (numbers["accepted"], numbers["pending"]) == (accepted, min(accepted, max_items)), numbers
