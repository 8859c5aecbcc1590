"""One function a section: from a Stage to what was Found."""

from . import queue, wire

# In the order of the report.
SECTIONS = {
    "c": wire.from_c,
    "reader": wire.slow_reader,
    "cold": wire.cold,
    "enqueue": queue.one_process,
    "processes": queue.eight_processes,
}
