"""Who did it, and what became of it: plain values, without the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Optional

from ._text import require_text


@dataclass(frozen=True)
class Visitor:
    """Who added the product to the cart.

    Made by :meth:`anonymous` or :meth:`signed_in`. Immutable, so one visitor may be used by any number of threads.
    Wrong types are refused here (``TypeError``); what the strings hold is checked by the call that sends them.
    The token does not show in ``repr``, so that it stays out of logs.
    """

    #: Who the visitor is, 1 to 256 bytes of UTF-8.
    customer_key: str
    #: A UUID for the visit, 1 to 256 bytes of UTF-8.
    session_key: str
    #: Signed in: the token, 1 to 256 bytes of UTF-8. ``None``: anonymous.
    token: Optional[str] = field(default=None, repr=False)
    #: Storefront market, 1 to 128 bytes of UTF-8. ``None``: the client's option ``market``.
    market: Optional[str] = None

    def __post_init__(self) -> None:
        require_text("customer_key", self.customer_key)
        require_text("session_key", self.session_key)
        if self.token is not None:
            require_text("token", self.token)
        if self.market is not None:
            require_text("market", self.market)

    @classmethod
    def anonymous(cls, customer_key: str, session_key: str, market: Optional[str] = None) -> Visitor:
        """A visitor who is not signed in. ``customer_key`` is a UUID that the shop made and keeps (``new_key()``)."""
        return cls(customer_key, session_key, None, market)

    @classmethod
    def signed_in(cls, customer_key: str, session_key: str, token: str, market: Optional[str] = None) -> Visitor:
        """A visitor who is signed in: ``customer_key`` from ``customer_key()``, ``token`` from ``customer_token()``."""
        require_text("token", token)
        return cls(customer_key, session_key, token, market)


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
