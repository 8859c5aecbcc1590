"""Receipts and statistics as plain values, and how they are read from C.

Generated from the Rust source by `make generate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Optional

from ._native import ReceiptStruct, StatsStruct


class Receipt(NamedTuple):
    """The outcome of one notification. Immutable. It is a tuple, because a frozen dataclass takes three times as long to
    make, and every call makes one."""

    #: The outcome, as a status code. A function that sends or enqueues returns the same code.
    status: int
    #: The name of the code, such as ``"ESALES_DELIVERED"``.
    name: str
    #: HTTP status of the answer to the last attempt. ``None``: the last attempt got no answer.
    http_status: Optional[int]
    #: How many attempts were started. 0: nothing was sent.
    attempts: int
    #: Duration of the call, in microseconds. In a receipt from the queue: the time from acceptance to the outcome, or until now if the notification is pending.
    elapsed_us: int
    #: The id that was sent, which is the same in every attempt. Empty if the arguments were refused. To send the same event again, pass this id.
    id: str
    #: A message for a person: UTF-8, at most 255 bytes. A longer message is cut and ends with "...".
    detail: str

    @property
    def elapsed(self) -> timedelta:
        """``elapsed_us`` as a ``timedelta``."""
        return timedelta(microseconds=self.elapsed_us)


def receipt_of(out: ReceiptStruct, status: int, name: str) -> Receipt:
    """The receipt that C wrote, with this status."""
    # The same as Receipt(...), in half the time.
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
    """Numbers of notifications, by their outcome. Immutable."""

    #: Notifications that the queue has accepted from all processes since the spool was made.
    accepted: int
    #: Accepted notifications that the service received (2xx).
    delivered: int
    #: Accepted notifications that became dead letters: the service refused them for good (400, 403, ...), or they are payments that may have arrived. The spool keeps dead letters for an operator.
    dead: int
    #: Accepted notifications that were not delivered within ``max_age_s``.
    expired: int
    #: Accepted notifications that were dropped: to make room (overflow, ``max_dead``), by an operator, or because a spool file was deleted or damaged.
    dropped: int
    #: Accepted notifications that are still to be delivered.
    pending: int

    @property
    def is_balanced(self) -> bool:
        """Whether the counters add up: ``accepted == delivered + dead + expired + dropped + pending``. False is a defect of the library."""
        return self.accepted == self.delivered + self.dead + self.expired + self.dropped + self.pending


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of durations. The field of :class:`Stats` has their meaning and unit. Immutable."""

    #: Half of the durations are not longer.
    p50: int
    #: 95 of 100 durations are not longer.
    p95: int
    #: 99 of 100 durations are not longer.
    p99: int


@dataclass(frozen=True)
class Stats:
    """The counters of a queue at the time of :meth:`Client.stats`. Immutable."""

    #: Notifications of all processes since the spool was made.
    spool: Counts
    #: Notifications that this process accepted through clients that share this client's queue.
    process: Counts
    #: Number of consecutive failed deliveries. 0: deliveries are not backing off.
    gate_failures: int
    #: Time until the next delivery is tried, in milliseconds. 0: deliveries are not backing off, or the next one is due.
    gate_closed_ms: int
    #: Bytes of the pending notifications (their JSON).
    pending_bytes: int
    #: How long the oldest pending notification has been waiting, in milliseconds. 0: none is pending.
    oldest_age_ms: int
    #: Calls by the same clients that returned ``ESALES_QUEUE_FULL`` or ``ESALES_SPOOL_FAILED``. ``process_accepted`` does not include them.
    process_refused: int
    #: Time from acceptance to the service's answer, in milliseconds, of the last 1000 delivered notifications.
    age_ms: Percentiles
    #: Duration of the successful attempt, in microseconds, of the last 1000 delivered notifications.
    latency_us: Percentiles
    #: Accepted notifications that the spool's engine has lost, because it restarted without its data or because a replica without the newest notifications became the primary. The true number may be greater. accepted does not include them. 0 for a spool in a directory or in memory.
    lost: int

    @property
    def is_balanced(self) -> bool:
        """Whether the counters of the spool and of this process add up."""
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
