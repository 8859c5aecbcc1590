"""The client."""

from __future__ import annotations

import math
import os
from ctypes import byref, c_void_p, sizeof
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Type, Union

from ._callbacks import DeliveryCallback, Handle
from ._errors import NotifyError
from ._library import Library, LibraryPath, PathLike, load
from ._native import LineStruct, NotificationStruct, ReceiptStruct, StatsStruct, VisitorStruct
from ._notification import Line, Notification, Visitor
from ._outcomes import ClosedError, error_class
from ._records import Receipt, Stats, stats_of
from ._status import ESALES_CLOSED, ESALES_INVALID_ARGUMENT, ESALES_TIMEOUT, ESALES_UNKNOWN_ID
from ._text import encode, refusal

if TYPE_CHECKING:
    # Type checkers have it built in, so it need not be installed.
    from typing_extensions import Unpack

    from ._options import ClientOptions

#: The types that can be passed as the text of an option. :class:`ClientOptions` has the type of each option.
Option = Union[str, int, bool, PathLike, None]

_VISITOR_SIZE = sizeof(VisitorStruct)
_NOTIFICATION_SIZE = sizeof(NotificationStruct)
_LINE_SIZE = sizeof(LineStruct)
_RECEIPT_SIZE = sizeof(ReceiptStruct)
_STATS_SIZE = sizeof(StatsStruct)
#: The greatest value of C's uint32_t.
_LONGEST_MS = 2**32 - 1


class Client:
    """Sends notifications. Any number of threads may use it at once, and after a fork the parent and the child.

    ``options`` are the options of :class:`ClientOptions`, such as ``cluster_id``, ``timeout_ms`` or ``ca_file``. They
    are passed to the library as text: ``True`` as ``"true"``, a number in decimal digits, a path unchanged. ``None``
    counts as not given. If no option is given, they are read from the environment (``ESALES_CLUSTER_ID``,
    ``ESALES_TIMEOUT_MS`` and so on); otherwise the environment is not read.

    ``library`` is the path of libesales_notify.so. The README has the search order if it is not given.

    Making a client sends nothing and starts no thread. Clients that have the same endpoint settings share their
    connections, which stay open for ``keep_alive_s`` after the last client is closed. Clients that have the same options
    share their queue.

    Raises :class:`InvalidConfigError`; :class:`SpoolFailedError` if the ``spool`` directory cannot be used;
    :class:`LibraryNotFoundError`; ``TypeError`` if an option has a wrong type.
    """

    def __init__(self, *, library: Optional[LibraryPath] = None, **options: Unpack[ClientOptions]) -> None:
        self._handle: Optional[Handle] = None
        self._library = load(library)
        given = {name: value for name, value in options.items() if value is not None}
        config = _config(self._library, given) if given else c_void_p()
        try:
            pointer = c_void_p()
            self._library.check(self._library.esales_client_new(config, byref(pointer)))
        finally:
            # NULL if the environment is read. Freeing NULL is allowed.
            self._library.esales_config_free(config)
        assert pointer.value is not None
        self._handle = Handle(self._library, pointer.value)

    def notify(self, visitor: Visitor, notification: Notification) -> Receipt:
        """Sends a notification and waits for the answer.

        The call returns within the option ``timeout_ms``, whatever the network does; other threads run meanwhile.
        Python's signal handlers (also Ctrl-C) run when the call has returned.

        With the option ``on_failure="queue"``, a notification that may succeed later is enqueued with the same id
        instead of raising a :class:`RetryableError`. The status of the receipt is then ``ESALES_QUEUED``.

        The service would count a repeated payment twice. A payment is therefore sent again only if the service
        certainly did not process it (option ``payment_repeat``). ``Notification.end()`` waits for older notifications
        in the client's queue, for at most half of ``timeout_ms``.

        Raises the :class:`NotifyError` of the outcome, which has the receipt; ``TypeError`` if an argument has a wrong
        type. After :class:`NotifyTimeoutError`, :class:`ConnectionLostError`, :class:`BadResponseError` and
        :class:`ServerError` the notification may have arrived: send it again with the same id. A payment raises
        :class:`MayHaveArrivedError` instead: do not send it again.
        """
        return self._send(self._library.esales_notify, visitor, _notification(notification))

    def enqueue(self, visitor: Visitor, notification: Notification) -> Receipt:
        """Accepts a notification into the queue and returns.

        A thread of this process or another process with the same ``spool`` delivers it later (option ``delivery``). It
        is retried until the service gives a final answer or it is older than ``max_age_s``. Without the option
        ``spool`` the queue is in the memory of this process: call :meth:`flush` before the process ends. A payment
        that may have arrived becomes a dead letter, which an operator may retry.

        The arguments are checked as in :meth:`notify`. The call never waits for the network; it waits for the disk and
        for other processes for at most ``enqueue_timeout_ms``.

        Returns a receipt with the status ``ESALES_QUEUED``. Pass its id to :meth:`receipt` to get the outcome later.

        Raises :class:`QueueFullError` or :class:`SpoolFailedError` if the notification was not accepted;
        :class:`InvalidArgumentError`; ``TypeError`` if an argument has a wrong type.
        """
        return self._send(self._library.esales_enqueue, visitor, _notification(notification))

    def notify_add_to_cart(self, visitor: Visitor, ticket: str, id: Optional[str] = None) -> Receipt:
        """Sends the most common notification with :meth:`notify`: the visitor added the ticket's product to the cart.

        ``ticket``: the string that the service returned with the product, 1 to 8192 bytes of UTF-8, sent unchanged.
        A ticket with a control character is refused.
        ``id``: id of this one event, 1 to 128 bytes of UTF-8. ``None``: a new UUID. All attempts send the same id. To
        send the same event again, pass the id of its receipt.
        """
        ticket_bytes, id_bytes = encode("ticket", ticket), None if id is None else encode("id", id)
        return self._send(self._library.esales_notify_add_to_cart, visitor, ticket_bytes, id_bytes)

    def enqueue_add_to_cart(self, visitor: Visitor, ticket: str, id: Optional[str] = None) -> Receipt:
        """Enqueues the most common notification with :meth:`enqueue`: the visitor added the ticket's product to the cart.

        The arguments are those of :meth:`notify_add_to_cart`.
        """
        ticket_bytes, id_bytes = encode("ticket", ticket), None if id is None else encode("id", id)
        return self._send(self._library.esales_enqueue_add_to_cart, visitor, ticket_bytes, id_bytes)

    def try_enqueue(self, visitor: Visitor, notification: Notification) -> Receipt:
        """Like :meth:`enqueue`, but never raises. It is for a page that must not fail.

        Returns a receipt. Its status is ``ESALES_QUEUED``, or below 0 if the notification was not accepted; ``detail`` has
        the reason, which the page should log.
        """
        try:
            return self.enqueue(visitor, notification)
        except Exception as error:
            return _receipt_of(error)

    def try_enqueue_add_to_cart(self, visitor: Visitor, ticket: str, id: Optional[str] = None) -> Receipt:
        """Like :meth:`enqueue_add_to_cart`, but never raises, like :meth:`try_enqueue`."""
        try:
            return self.enqueue_add_to_cart(visitor, ticket, id)
        except Exception as error:
            return _receipt_of(error)

    def flush(self, timeout: float) -> bool:
        """Waits until all notifications that were accepted before this call have left the queue, and the callbacks for
        those that this process delivered have ended, for at most ``timeout`` seconds. Other threads run meanwhile;
        Python's signal handlers run when the call has returned. A call from within a callback does not wait for
        callbacks; any other caller must not hold a lock that a callback needs.

        Returns whether that was so in time. What has not left stays in the queue; :meth:`stats` returns the number.

        ``timeout``: 0 does not wait; the maximum is 4294967 seconds, and a greater number counts as that.
        Raises :class:`SpoolFailedError`; :class:`InvalidArgumentError` if ``timeout`` is negative or NaN.
        """
        status = self._call(self._library.esales_client_flush, _milliseconds(timeout), None)
        if status == ESALES_TIMEOUT:
            return False
        self._library.check(status)
        return True

    def stop_delivery(self, timeout: float) -> bool:
        """Ends this process's delivery of the client's queue, for good, and waits for requests in flight, for at most
        ``timeout`` seconds.

        Call it in a service that is about to end: a request that is in flight when the process ends is sent again
        later. At the end of the interpreter, an ``atexit`` function does this for every ``spool`` and waits at most 2
        seconds. No other client of this process delivers the queue either, even if it is made later. Pending
        notifications stay in the queue.

        Returns True if no request is in flight any more. False: the requests that were still in flight are sent again
        later, with the same ids.

        ``timeout``: 0 does not wait; the maximum is 4294967 seconds, and a greater number counts as that.
        Raises :class:`InvalidArgumentError` if ``timeout`` is negative or NaN.
        """
        status = self._call(self._library.esales_client_stop_delivery, _milliseconds(timeout))
        if status == ESALES_TIMEOUT:
            return False
        self._library.check(status)
        return True

    def stats(self) -> Stats:
        """Returns the counters of the queue. Waits for the disk and other processes for at most ``enqueue_timeout_ms``.

        Raises :class:`SpoolFailedError`.
        """
        out = StatsStruct(_STATS_SIZE)
        self._library.check(self._call(self._library.esales_client_stats, byref(out)))
        return stats_of(out)

    def receipt(self, id: str) -> Optional[Receipt]:
        """Returns the receipt of a notification that was accepted into the queue.

        Its status is ``ESALES_QUEUED`` while the notification is pending, then ``ESALES_DELIVERED``,
        ``ESALES_EXPIRED``, ``ESALES_DROPPED``, or the code for which it became a dead letter. ``None``
        (``ESALES_UNKNOWN_ID`` in C): the id is unknown, or its receipt was discarded (option ``receipt_retention_s``).

        Raises :class:`SpoolFailedError`.
        """
        out = ReceiptStruct(_RECEIPT_SIZE)
        status = self._call(self._library.esales_client_receipt, encode("id", id), byref(out))
        if status == ESALES_UNKNOWN_ID:
            return None
        self._library.check(status)
        return self._library.receipt(out.status, out)

    def on_delivery(self, callback: Optional[DeliveryCallback]) -> None:
        """Sets a callback for the outcomes of this process's delivery. ``callback(receipt)`` is called for every
        notification that was delivered, became a dead letter or expired, after the outcome is recorded. ``None``
        unregisters the callback.

        The callback runs on a thread of the library; the next deliveries wait until it returns. It may use the client.
        The logger ``esales_notify`` logs an exception of the callback as an error.

        This replaces an earlier callback. When the call returns, the earlier callback has ended, unless the call was
        made from within it; so do not hold a lock that the callback needs. The client keeps the callback until it is
        closed. After a fork the child has no callback: set it again in the child.

        At the end of the interpreter, an ``atexit`` function unregisters all callbacks and waits for running ones.
        Setting a callback after that raises ``RuntimeError``.
        """
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable or None, not {type(callback).__name__}")
        self._library.check(self._open().on_delivery(callback))

    def close(self) -> None:
        """Closes the client. It may be called from any thread and more than once, and returns at once. Calls in flight
        and a running callback finish normally; later calls raise :class:`ClosedError`, and the callback is not called
        again. The process keeps delivering the queue until it ends or :meth:`stop_delivery` is called."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.callback = None

    def _open(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise ClosedError("the client was closed", ESALES_CLOSED, "ESALES_CLOSED")
        return handle

    def _call(self, function: Any, *arguments: Any) -> int:
        # This reference makes close() in another thread free the client only after the call. It is dropped on return,
        # because the traceback of an exception keeps the frame and would keep the client alive.
        handle = self._open()
        status: int = function(handle.pointer, *arguments)
        return status

    def _send(
        self, function: Any, visitor: Visitor, what: Union[NotificationStruct, bytes], id: Optional[bytes] = None
    ) -> Receipt:
        """``what`` is a notification, or the ticket for a function that also takes the ``id``."""
        if not isinstance(visitor, Visitor):
            raise TypeError(f"visitor must be a Visitor, not {type(visitor).__name__}")
        market, token = visitor.market, visitor.token
        who = VisitorStruct(
            _VISITOR_SIZE,
            None if market is None else encode("visitor.market", market),
            encode("visitor.customer_key", visitor.customer_key),
            encode("visitor.session_key", visitor.session_key),
            None if token is None else encode("visitor.token", token),
        )
        out = ReceiptStruct(_RECEIPT_SIZE)
        # As in _call, but inlined for speed.
        handle = self._open()
        try:
            status: int = (
                function(handle.pointer, who, what, id, out)
                if type(what) is bytes
                else function(handle.pointer, who, what, out)
            )
        finally:
            del handle
        receipt = self._library.receipt(status, out)
        if status < 0:
            raise error_class(status)(receipt.detail, status, receipt.name, receipt)
        return receipt

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._handle is None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        # Without the options, because one of them may contain a password.
        return f"<esales_notify.Client {'closed' if self.closed else 'open'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client cannot be pickled or copied: make one in each process (they are cheap)")


def _receipt_of(error: Exception) -> Receipt:
    """The receipt of a call that raised. An error that is not a :class:`NotifyError` comes from a wrong type."""
    if not isinstance(error, NotifyError):
        return Receipt(ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT", None, 0, 0, "", str(error))
    return error.receipt or Receipt(error.status, error.name, None, 0, 0, "", error.detail)


def _notification(notification: Notification) -> NotificationStruct:
    """The struct for C. It keeps its strings and lines alive, because ctypes stores them in ``_objects``."""
    if not isinstance(notification, Notification):
        raise TypeError(f"notification must be a Notification, not {type(notification).__name__}")
    n = notification
    lines = [_line(f"lines[{number}]", line) for number, line in enumerate(n.lines)]
    return NotificationStruct(
        _NOTIFICATION_SIZE,
        # members: generated by `make generate`, do not edit
        n.kind,
        _optional("id", n.id),
        _optional("ticket", n.ticket),
        _optional("product_key", n.product_key),
        _optional("variant_key", n.variant_key),
        (LineStruct * len(lines))(*lines) if lines else None,
        len(lines),
        _optional("private_key", n.private_key),
        # end of members
    )


def _line(name: str, line: Line) -> LineStruct:
    return LineStruct(
        _LINE_SIZE,
        line.quantity,
        _optional(f"{name}.product_key", line.product_key),
        _optional(f"{name}.variant_key", line.variant_key),
        encode(f"{name}.selling_price", line.selling_price),
        _optional(f"{name}.cost", line.cost),
    )


def _optional(name: str, value: Optional[str]) -> Optional[bytes]:
    return None if value is None else encode(name, value)


def _config(library: Library, options: Any) -> c_void_p:
    """Makes an ``esales_config`` with these options. The caller frees it."""
    config = c_void_p()
    library.check(library.esales_config_new(byref(config)))
    try:
        for name, value in options.items():
            name_bytes = encode("option name", name)
            library.check(library.esales_config_set(config, name_bytes, encode(f"{name} (option value)", _text_of(name, value))))
    except BaseException:
        library.esales_config_free(config)
        raise
    return config


def _text_of(name: str, value: Option) -> str:
    # A bool is an int in Python, so it is checked first.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return value
    raise TypeError(f"{name} must be a str, an int, a bool or a path, not {type(value).__name__}")


def _milliseconds(timeout: float) -> int:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be a number of seconds, not {type(timeout).__name__}")
    if not timeout >= 0:
        raise refusal(f"timeout is {timeout}, not a number of seconds from 0")
    # Rounded up, so that a short time-out does not become 0.
    return _LONGEST_MS if timeout >= _LONGEST_MS / 1000 else math.ceil(timeout * 1000)
