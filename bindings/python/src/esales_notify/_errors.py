"""What is raised, one class for each outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Type

from . import _status as s

if TYPE_CHECKING:
    from ._types import Receipt


class LibraryNotFoundError(ImportError):
    """libesales_notify was not found, cannot be loaded, or is of another version than this package.

    ``path`` is the file that was named, or ``None`` if none was.
    """


class NotifyError(Exception):
    """Parent of everything that a call of the library raises. Can be pickled."""

    #: The status code, such as ``ESALES_TIMEOUT``.
    status: int
    #: The code's name, such as ``"ESALES_TIMEOUT"``.
    name: str
    #: What went wrong, in words that name the argument or option.
    detail: str
    #: What became of the notification; ``None`` if the call was not about one, or it was refused before the library.
    receipt: Optional[Receipt]

    def __init__(self, detail: str, status: int, name: str, receipt: Optional[Receipt] = None) -> None:
        super().__init__(f"{name}: {detail}")
        self.detail = detail
        self.status = status
        self.name = name
        self.receipt = receipt

    def __reduce__(self) -> Tuple[Type[NotifyError], Tuple[Any, ...]]:
        # The inherited one would call the class with the message alone.
        return type(self), (self.detail, self.status, self.name, self.receipt)


class InvalidArgumentError(NotifyError, ValueError):
    """-1: an argument is missing or malformed; nothing was sent."""


class InvalidConfigError(NotifyError, ValueError):
    """-2: an option is unknown, out of range, or contradicts another."""


class ClosedError(NotifyError):
    """-3: the client was closed."""


class FinalError(NotifyError):
    """-10 to -19: the service refused the notification; the same bytes will meet the same answer."""


class BadRequestError(FinalError):
    """-10: a ticket, a product key or an order line is missing (400)."""


class ForbiddenError(FinalError):
    """-11: the customer key of a signed-in visitor could not be validated (403)."""


class RejectedError(FinalError):
    """-12: any other final answer, such as a 404 or a redirect."""


class RetryableError(NotifyError):
    """-20 to -29: the same notification may get through later; pass ``error.receipt.id`` as its id."""


class ServerError(RetryableError):
    """-20: the service is unavailable or busy (5xx)."""


class ThrottledError(RetryableError):
    """-21: the service asks to come back later (429 or 425)."""


class NotifyTimeoutError(RetryableError, TimeoutError):
    """-22: no answer within ``timeout_ms`` (or 408). The notification may have arrived all the same."""


class ConnectFailedError(RetryableError, ConnectionError):
    """-23: the name was not found, or no connection could be made."""


class TlsFailedError(RetryableError):
    """-24: the TLS handshake failed or the certificate was refused."""


class ConnectionLostError(RetryableError, ConnectionError):
    """-25: the connection broke before the answer. The notification may have arrived all the same."""


class BadResponseError(RetryableError):
    """-26: the answer is not HTTP. The notification may have arrived all the same."""


class QueueFullError(NotifyError):
    """-30: the queue is full (``max_items``, ``max_bytes``); the notification was not accepted."""


class SpoolFailedError(NotifyError):
    """-31: the spool could not be read, or not be written: then the notification was not accepted."""


class ExpiredError(NotifyError):
    """-32: the notification was not delivered within ``max_age_s``."""


class DroppedError(NotifyError):
    """-33: the notification was dropped: to make room, or by an operator."""


class UnknownIdError(NotifyError):
    """-34: nothing is known of the id. :meth:`Client.receipt` returns ``None`` instead."""


class InternalError(NotifyError):
    """-90: a defect in the library."""


_BY_STATUS: Dict[int, Type[NotifyError]] = {
    s.ESALES_INVALID_ARGUMENT: InvalidArgumentError,
    s.ESALES_INVALID_CONFIG: InvalidConfigError,
    s.ESALES_CLOSED: ClosedError,
    s.ESALES_BAD_REQUEST: BadRequestError,
    s.ESALES_FORBIDDEN: ForbiddenError,
    s.ESALES_REJECTED: RejectedError,
    s.ESALES_SERVER_ERROR: ServerError,
    s.ESALES_THROTTLED: ThrottledError,
    s.ESALES_TIMEOUT: NotifyTimeoutError,
    s.ESALES_CONNECT_FAILED: ConnectFailedError,
    s.ESALES_TLS_FAILED: TlsFailedError,
    s.ESALES_CONNECTION_LOST: ConnectionLostError,
    s.ESALES_BAD_RESPONSE: BadResponseError,
    s.ESALES_QUEUE_FULL: QueueFullError,
    s.ESALES_SPOOL_FAILED: SpoolFailedError,
    s.ESALES_EXPIRED: ExpiredError,
    s.ESALES_DROPPED: DroppedError,
    s.ESALES_UNKNOWN_ID: UnknownIdError,
    s.ESALES_INTERNAL: InternalError,
}


def error_class(status: int) -> Type[NotifyError]:
    """The class of a status. A code that only a later library knows still falls into its group."""
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    if -29 <= status <= -20:
        return RetryableError
    if -19 <= status <= -10:
        return FinalError
    return NotifyError
