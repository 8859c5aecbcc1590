"""The status codes of the C API, under their C names.

They are written down here, and not asked of the library, so that they can be used without loading it. A test
compares them with the C header.
"""

#: The service received the notification (2xx).
ESALES_DELIVERED = 0
#: The notification is in the queue and will be delivered.
ESALES_QUEUED = 1
#: An argument is missing or malformed; nothing was sent.
ESALES_INVALID_ARGUMENT = -1
#: An option is unknown, out of range, or contradicts another.
ESALES_INVALID_CONFIG = -2
#: The client was closed.
ESALES_CLOSED = -3
#: 400: a ticket, a product key or an order line is missing. Final.
ESALES_BAD_REQUEST = -10
#: 403: the customer key of a signed-in visitor could not be validated. Final.
ESALES_FORBIDDEN = -11
#: Any other final answer.
ESALES_REJECTED = -12
#: 5xx: unavailable or busy. May succeed later, with the same id.
ESALES_SERVER_ERROR = -20
#: 429 or 425: come back later. May succeed later, with the same id.
ESALES_THROTTLED = -21
#: No answer within timeout_ms, or 408. May succeed later, with the same id.
ESALES_TIMEOUT = -22
#: Name not found, or no connection. May succeed later, with the same id.
ESALES_CONNECT_FAILED = -23
#: TLS handshake failed or certificate refused. May succeed later, once mended.
ESALES_TLS_FAILED = -24
#: The connection broke before the answer. May succeed later, with the same id.
ESALES_CONNECTION_LOST = -25
#: The answer is not HTTP. May succeed later, with the same id.
ESALES_BAD_RESPONSE = -26
#: The queue is full; not accepted.
ESALES_QUEUE_FULL = -30
#: The spool could not be written; not accepted.
ESALES_SPOOL_FAILED = -31
#: The notification was not delivered within max_age_s.
ESALES_EXPIRED = -32
#: The notification was dropped: to make room, or by an operator.
ESALES_DROPPED = -33
#: Nothing is known of the id.
ESALES_UNKNOWN_ID = -34
#: A defect in the library.
ESALES_INTERNAL = -90
