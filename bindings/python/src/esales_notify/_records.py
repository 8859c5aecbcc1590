"""Receipts and statistics as plain values, and how they are read from C.

Generated from the Rust source by `make generate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Optional

from ._native import ReceiptStruct, StatsStruct


class Receipt(NamedTuple):
    """What became of one notification. Immutable. (A tuple, because each call makes one: a frozen dataclass takes three
    times as long.)"""

    #: What became of it: a status code. It is the code that the function returned, if it sends or enqueues.
    status: int
    #: The code's name, such as ``"ESALES_DELIVERED"``.
    name: str
    #: HTTP status of the last attempt's answer; ``None``: it got none.
    http_status: Optional[int]
    #: How many attempts were started; 0: nothing was sent.
    attempts: int
    #: Duration of the call in microseconds. If it comes from the queue: from acceptance to the outcome, or to now.
    elapsed_us: int
    #: The id that was sent, the same in every attempt; empty if the arguments were refused. To send the same event again, pass it as the id.
    id: str
    #: What happened, for a person: UTF-8, at most 255 bytes. A longer text is cut, and then ends with "...".
    detail: str

    @property
    def elapsed(self) -> timedelta:
        """``elapsed_us`` as a ``timedelta``."""
        return timedelta(microseconds=self.elapsed_us)


def receipt_of(out: ReceiptStruct, status: int, name: str) -> Receipt:
    """The receipt that C wrote, with the status that counts: a call's own, or the one that it holds."""
    # What Receipt(...) does, in half the time.
    return tuple.__new__(
        Receipt,
        (
            status,
            name,
            out.http_status or None,
            out.attempts,
            out.elapsed_us,
            out.id.decode(),
            out.detail.decode(),
        ),
    )


@dataclass(frozen=True)
class Counts:
    """How many notifications the queue accepted, and what became of them. Immutable."""

    #: Notifications that the queue accepted, from all processes, since the spool was made.
    accepted: int
    #: Of these: answered 2xx.
    delivered: int
    #: Of these: refused for good by the service (400, 403, ...), or payments that may have arrived. The spool keeps them as dead letters.
    dead: int
    #: Of these: not delivered within ``max_age_s``.
    expired: int
    #: Of these: dropped, to make room (overflow, ``max_dead``), by an operator, or because a file was deleted or damaged.
    dropped: int
    #: Of these: still to be delivered.
    pending: int

    @property
    def is_balanced(self) -> bool:
        """Whether every accepted notification is accounted for:
        ``accepted == delivered + dead + expired + dropped + pending``. False is a defect of the library."""
        return self.accepted == self.delivered + self.dead + self.expired + self.dropped + self.pending


@dataclass(frozen=True)
class Percentiles:
    """How long something took, for most. The field that holds it says what was measured, and the unit. Immutable."""

    #: Half took no longer.
    p50: int
    #: 95 of 100 took no longer.
    p95: int
    #: 99 of 100 took no longer.
    p99: int


@dataclass(frozen=True)
class Stats:
    """The queue in numbers, at the moment of :meth:`Client.stats`. Immutable."""

    #: The whole spool: what all processes accepted since it was made, and what became of it.
    spool: Counts
    #: What this process accepted through clients with these options (they share a queue), and what became of it.
    process: Counts
    #: Deliveries in a row that failed; 0: deliveries are not backing off.
    gate_failures: int
    #: How long until the next delivery is tried, in milliseconds; 0: deliveries are not backing off, or it is due.
    gate_closed_ms: int
    #: Bytes of the pending notifications, which are JSON.
    pending_bytes: int
    #: How long the oldest pending notification has been waiting, in milliseconds; 0: none is pending.
    oldest_age_ms: int
    #: Calls of the same clients that ended with ``ESALES_QUEUE_FULL`` or ``ESALES_SPOOL_FAILED``; not among the accepted.
    process_refused: int
    #: From acceptance to the service's answer, in milliseconds, of the last 1000 delivered.
    age_ms: Percentiles
    #: Duration of the attempt that delivered, in microseconds, of the last 1000 delivered.
    latency_us: Percentiles
    #: Notifications that were accepted, and that the engine of the spool has lost since, at least: after it was restarted without its data, or after a replica without the last of them became the primary. Not among the accepted. 0 for a spool in a directory or in memory.
    lost: int

    @property
    def is_balanced(self) -> bool:
        """Whether every accepted notification is accounted for, in the spool and in this process."""
        return self.spool.is_balanced and self.process.is_balanced


def stats_of(out: StatsStruct) -> Stats:
    """The statistics that C wrote."""
    return Stats(
        spool=Counts(out.accepted, out.delivered, out.dead, out.expired, out.dropped, out.pending),
        process=Counts(
            out.process_accepted,
            out.process_delivered,
            out.process_dead,
            out.process_expired,
            out.process_dropped,
            out.process_pending,
        ),
        gate_failures=out.gate_failures,
        gate_closed_ms=out.gate_closed_ms,
        pending_bytes=out.pending_bytes,
        oldest_age_ms=out.oldest_age_ms,
        process_refused=out.process_refused,
        age_ms=Percentiles(out.age_p50_ms, out.age_p95_ms, out.age_p99_ms),
        latency_us=Percentiles(out.latency_p50_us, out.latency_p95_us, out.latency_p99_us),
        lost=out.lost,
    )
