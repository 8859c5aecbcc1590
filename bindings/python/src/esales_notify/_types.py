"""What became of notifications: plain values, without the library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Optional


class Receipt(NamedTuple):
    """What became of one notification. Immutable. (A tuple, because each call makes one: a frozen dataclass takes three
    times as long.)"""

    #: The status code, such as ``ESALES_DELIVERED``: 0 and above is success.
    status: int
    #: The code's name, such as ``"ESALES_DELIVERED"``.
    name: str
    #: HTTP status of the last attempt's answer; ``None``: it got none.
    http_status: Optional[int]
    #: Attempts that were started; 0: nothing was sent.
    attempts: int
    #: Duration of the call in microseconds. Of a receipt that comes from the queue: from acceptance to the end, or
    #: to now while it waits.
    elapsed_us: int
    #: The id that was sent; empty if the arguments were refused. To send the same event again, pass it as ``id``.
    id: str
    #: What happened, for a person; at most 255 bytes.
    detail: str

    @property
    def elapsed(self) -> timedelta:
        """``elapsed_us`` as a ``timedelta``."""
        return timedelta(microseconds=self.elapsed_us)


@dataclass(frozen=True)
class Counts:
    """How many notifications the queue accepted, and what became of them. Immutable."""

    #: All that were taken into the queue.
    accepted: int
    #: Those that the service received.
    delivered: int
    #: Those that the service refused for good.
    dead: int
    #: Those that could not be delivered within the option ``max_age_s``.
    expired: int
    #: Those that made room for newer ones (``overflow="drop_oldest"``) or that an operator dropped.
    dropped: int
    #: Those that wait for delivery.
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

    #: The whole spool: what all processes that share it put in, since it was made.
    spool: Counts
    #: What this process put in by clients of these options (they share a queue), whoever delivered it.
    process: Counts
    #: Calls of these clients that raised :class:`QueueFullError` or :class:`SpoolFailedError`; not among the accepted.
    process_refused: int
    #: Bytes of the notifications (their JSON) that wait in the spool.
    pending_bytes: int
    #: How long the oldest one has been waiting in the spool, in milliseconds; 0: none waits.
    oldest_age_ms: int
    #: Deliveries in a row that failed; 0: the gate is open.
    gate_failures: int
    #: Until the next delivery is tried, in milliseconds; 0: the gate is open, or it is due.
    gate_closed_ms: int
    #: From acceptance to the service's answer, in milliseconds, of the last 1000 delivered.
    age_ms: Percentiles
    #: Duration of the attempt that delivered, in microseconds, of the last 1000 delivered.
    latency_us: Percentiles

    @property
    def is_balanced(self) -> bool:
        """Whether every accepted notification is accounted for, in the spool and in this process."""
        return self.spool.is_balanced and self.process.is_balanced
