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

    #: What became of it; the code that the function returned, if it sends or enqueues.
    status: int
    #: The code's name, such as ``"ESALES_DELIVERED"``.
    name: str
    #: HTTP status of the last attempt's answer; ``None``: it got none.
    http_status: Optional[int]
    #: Attempts that were started; 0: nothing was sent.
    attempts: int
    #: Duration of the call in microseconds.
    elapsed_us: int
    #: The id that was sent; empty if the arguments were refused.
    id: str
    #: What happened, for a person; UTF-8. What does not fit is cut between two characters, and then ends with "...". ``esales_last_error`` has all of it if the call failed.
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

    #: Notifications that all processes put into this spool, since it was made.
    accepted: int
    #: Of these: answered 2xx.
    delivered: int
    #: Refused for good by the service, kept as dead letters.
    dead: int
    #: Not delivered within ``max_age_s``.
    expired: int
    #: Dropped to make room, or by an operator.
    dropped: int
    #: Still to be delivered.
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
    #: Deliveries in a row that failed; 0: the gate is open.
    gate_failures: int
    #: Milliseconds until the next delivery is tried; 0: the gate is open, or it is due.
    gate_closed_ms: int
    #: Bytes of the pending ones.
    pending_bytes: int
    #: Milliseconds that the oldest pending one has been waiting.
    oldest_age_ms: int
    #: Calls, by the same clients, that ended with ``ESALES_QUEUE_FULL`` or ``ESALES_SPOOL_FAILED``; not among the accepted.
    process_refused: int
    #: From acceptance to the service's answer, in milliseconds, of the last 1000 delivered.
    age_ms: Percentiles
    #: Duration of the attempt that delivered, in microseconds, of the last 1000 delivered.
    latency_us: Percentiles

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
    )
