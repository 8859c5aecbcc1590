"""The exceptions: one class for each status code that is an error.

Generated from the Rust source by `make generate`: do not edit.
"""

from typing import Dict, Type

from . import _status as s
from ._errors import NotifyError


class InvalidArgumentError(NotifyError, ValueError):
    """-1: An argument is missing or malformed; nothing was sent."""


class InvalidConfigError(NotifyError, ValueError):
    """-2: An option is missing, unknown, out of range, or contradicts another."""


class ClosedError(NotifyError):
    """-3: The client was closed; nothing was sent."""


class FinalError(NotifyError):
    """-10 to -19: The notification is not sent again: the service refused it, or would count it twice."""


class BadRequestError(FinalError):
    """-10: The service refused the request (400): a ticket, a product key or an order line is missing."""


class ForbiddenError(FinalError):
    """-11: The service could not validate a signed-in visitor or a payment (403)."""


class RejectedError(FinalError):
    """-12: The service gave another final answer, such as a 404 or a redirect."""


class MayHaveArrivedError(FinalError):
    """-13: It is not known whether the payment arrived; the service would count it twice if it were sent again."""


class RetryableError(NotifyError):
    """-20 to -29: The same notification may succeed later, with the same id."""


class ServerError(RetryableError):
    """-20: The service is unavailable or busy (5xx)."""


class ThrottledError(RetryableError):
    """-21: The service asks the client to try again later (429 or 425)."""


class NotifyTimeoutError(RetryableError, TimeoutError):
    """-22: There was no answer within the time-out, or the answer was 408; the notification may have arrived."""


class ConnectFailedError(RetryableError, ConnectionError):
    """-23: The host name was not found, or no connection could be made."""


class TlsFailedError(RetryableError):
    """-24: The TLS handshake failed, or the certificate was refused."""


class ConnectionLostError(RetryableError, ConnectionError):
    """-25: The connection broke before the answer was complete; the notification may have arrived."""


class BadResponseError(RetryableError):
    """-26: The answer is not valid HTTP; the notification may have arrived."""


class QueueFullError(NotifyError):
    """-30: The queue is full; the notification was not accepted."""


class SpoolFailedError(NotifyError):
    """-31: The spool could not be read or written. If the call was to enqueue, the notification was not accepted."""


class ExpiredError(NotifyError):
    """-32: The notification was not delivered within ``max_age_s``; its delivery is no longer tried."""


class DroppedError(NotifyError):
    """-33: The notification was dropped from the queue: to make room, or by an operator."""


class UnknownIdError(NotifyError):
    """-34: The id is unknown: it was never accepted here, or its receipt was discarded."""


class InternalError(NotifyError):
    """-90: The library has a defect; it is not known whether the call had an effect."""


_BY_STATUS: Dict[int, Type[NotifyError]] = {
    s.ESALES_INVALID_ARGUMENT: InvalidArgumentError,
    s.ESALES_INVALID_CONFIG: InvalidConfigError,
    s.ESALES_CLOSED: ClosedError,
    s.ESALES_BAD_REQUEST: BadRequestError,
    s.ESALES_FORBIDDEN: ForbiddenError,
    s.ESALES_REJECTED: RejectedError,
    s.ESALES_MAY_HAVE_ARRIVED: MayHaveArrivedError,
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
    """The class of a status. An unknown code of a later library gets the class of its group."""
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    if -19 <= status <= -10:
        return FinalError
    if -29 <= status <= -20:
        return RetryableError
    return NotifyError


__all__ = [
    "InvalidArgumentError",
    "InvalidConfigError",
    "ClosedError",
    "FinalError",
    "BadRequestError",
    "ForbiddenError",
    "RejectedError",
    "MayHaveArrivedError",
    "RetryableError",
    "ServerError",
    "ThrottledError",
    "NotifyTimeoutError",
    "ConnectFailedError",
    "TlsFailedError",
    "ConnectionLostError",
    "BadResponseError",
    "QueueFullError",
    "SpoolFailedError",
    "ExpiredError",
    "DroppedError",
    "UnknownIdError",
    "InternalError",
]
