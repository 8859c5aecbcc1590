"""The status codes and the kinds of notification, under their names in C.

Generated from the Rust source by `make generate`: do not edit.
"""

from enum import IntEnum

#: The service received the notification (2xx).
ESALES_DELIVERED = 0
#: The notification is in the queue and will be delivered.
ESALES_QUEUED = 1
#: An argument is missing or malformed; nothing was sent.
ESALES_INVALID_ARGUMENT = -1
#: An option is missing, unknown, out of range, or contradicts another.
ESALES_INVALID_CONFIG = -2
#: The client was closed; nothing was sent.
ESALES_CLOSED = -3
#: The service refused the request (400): a ticket, a product key or an order line is missing.
ESALES_BAD_REQUEST = -10
#: The service could not validate a signed-in visitor or a payment (403).
ESALES_FORBIDDEN = -11
#: The service gave another final answer, such as a 404 or a redirect.
ESALES_REJECTED = -12
#: It is not known whether the payment arrived; the service would count it twice if it were sent again.
ESALES_MAY_HAVE_ARRIVED = -13
#: The service is unavailable or busy (5xx).
ESALES_SERVER_ERROR = -20
#: The service asks the client to try again later (429 or 425).
ESALES_THROTTLED = -21
#: There was no answer within the time-out, or the answer was 408; the notification may have arrived.
ESALES_TIMEOUT = -22
#: The host name was not found, or no connection could be made.
ESALES_CONNECT_FAILED = -23
#: The TLS handshake failed, or the certificate was refused.
ESALES_TLS_FAILED = -24
#: The connection broke before the answer was complete; the notification may have arrived.
ESALES_CONNECTION_LOST = -25
#: The answer is not valid HTTP; the notification may have arrived.
ESALES_BAD_RESPONSE = -26
#: The queue is full; the notification was not accepted.
ESALES_QUEUE_FULL = -30
#: The spool could not be read or written. If the call was to enqueue, the notification was not accepted.
ESALES_SPOOL_FAILED = -31
#: The notification was not delivered within max_age_s; its delivery is no longer tried.
ESALES_EXPIRED = -32
#: The notification was dropped from the queue: to make room, or by an operator.
ESALES_DROPPED = -33
#: The id is unknown: it was never accepted here, or its receipt was discarded.
ESALES_UNKNOWN_ID = -34
#: The library has a defect; it is not known whether the call had an effect.
ESALES_INTERNAL = -90


class Kind(IntEnum):
    """What the visitor did."""

    #: The visitor added to the cart a product that the service had returned.
    ADD_TO_CART = 1
    #: The visitor clicked a product that the service had returned.
    CLICK = 2
    #: The visitor clicked a product that did not come from the service and has no ticket.
    NON_ESALES_CLICK = 3
    #: The visitor added to the cart a product that did not come from the service and has no ticket.
    NON_ESALES_ADD_TO_CART = 4
    #: The visitor paid for an order. Some clusters accept only signed payments.
    PAYMENT = 5
    #: The visitor paid for an order. The notification is signed with the shop's private key, and its lines may have costs.
    SECURE_PAYMENT = 6
    #: The visitor signed out: the session ends.
    END = 7


__all__ = [
    "Kind",
    "ESALES_DELIVERED",
    "ESALES_QUEUED",
    "ESALES_INVALID_ARGUMENT",
    "ESALES_INVALID_CONFIG",
    "ESALES_CLOSED",
    "ESALES_BAD_REQUEST",
    "ESALES_FORBIDDEN",
    "ESALES_REJECTED",
    "ESALES_MAY_HAVE_ARRIVED",
    "ESALES_SERVER_ERROR",
    "ESALES_THROTTLED",
    "ESALES_TIMEOUT",
    "ESALES_CONNECT_FAILED",
    "ESALES_TLS_FAILED",
    "ESALES_CONNECTION_LOST",
    "ESALES_BAD_RESPONSE",
    "ESALES_QUEUE_FULL",
    "ESALES_SPOOL_FAILED",
    "ESALES_EXPIRED",
    "ESALES_DROPPED",
    "ESALES_UNKNOWN_ID",
    "ESALES_INTERNAL",
]
