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
    # Type checkers have it built in; it need not be installed.
    from typing_extensions import Unpack

    from ._options import ClientOptions

#: What the library takes as text. The types of its own options are those of :class:`ClientOptions`.
Option = Union[str, int, bool, PathLike, None]

_VISITOR_SIZE = sizeof(VisitorStruct)
_NOTIFICATION_SIZE = sizeof(NotificationStruct)
_LINE_SIZE = sizeof(LineStruct)
_RECEIPT_SIZE = sizeof(ReceiptStruct)
_STATS_SIZE = sizeof(StatsStruct)
#: What C's uint32_t holds.
_LONGEST_MS = 2**32 - 1


class Client:
    """Sends notifications. May be used from any number of threads at once, and after a fork in parent and child.

    ``options`` are those of the option table (:class:`ClientOptions`), such as ``cluster_id``, ``timeout_ms`` or ``ca_file``, and are passed
    to the library as text: ``True`` as ``"true"``, a number in decimal digits, a path as it is. ``None`` counts as
    not given. Without any option they are read from the environment (``ESALES_CLUSTER_ID``, ``ESALES_TIMEOUT_MS``
    and so on); with any, the environment is not consulted.

    ``library`` is the path of libesales_notify.so; without it, see the README for where it is looked for.

    Making a client sends nothing and starts no thread. Clients whose options lead to the same place share their
    connections, which stay warm for ``keep_alive_s`` after the last client was closed, and their queue.

    Raises :class:`InvalidConfigError`, :class:`SpoolFailedError` if the place of the ``spool`` cannot be used,
    :class:`LibraryNotFoundError`, ``TypeError`` naming the option.
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
            # NULL when the environment is read; freeing NULL is fine.
            self._library.esales_config_free(config)
        assert pointer.value is not None
        self._handle = Handle(self._library, pointer.value)

    def notify(self, visitor: Visitor, notification: Notification) -> Receipt:
        """Tells the service what the visitor did; waits for the answer.

        Blocks for at most the option ``timeout_ms``, whatever the network does; other threads run meanwhile. A
        signal's Python handler (also Ctrl-C) runs when the call has returned.

        With the option ``on_failure="queue"``, what may get through later goes into the queue under the same id
        instead of raising a :class:`RetryableError`: the receipt's status is then ``ESALES_QUEUED``.

        A payment is sent again only if it is certain that the service did not process it, because the service would
        count it twice (option ``payment_repeat``). ``Notification.end()`` waits for older notifications in the
        client's queue, for at most half of ``timeout_ms``.

        Raises a :class:`NotifyError` by outcome, with the receipt in its ``receipt``; ``TypeError`` naming an
        argument of a wrong type. After :class:`NotifyTimeoutError`, :class:`ConnectionLostError`,
        :class:`BadResponseError` and :class:`ServerError` the event may have arrived all the same: send it again with
        the same id. A payment raises :class:`MayHaveArrivedError` instead: do not send it again.
        """
        return self._tell(self._library.esales_notify, visitor, _notification(notification))

    def enqueue(self, visitor: Visitor, notification: Notification) -> Receipt:
        """Puts into the queue what the visitor did, and returns.

        It is delivered later, again and again until the service answers for good or it is older than ``max_age_s``:
        by a thread of this process, or by another process that has the same ``spool`` (option ``delivery``). Without
        the option ``spool`` the queue is in the memory of this process and ends with it: call :meth:`flush` first.
        A payment that may have arrived becomes a dead letter, which an operator may retry.

        The arguments are those of :meth:`notify`, and checked as there. Never waits on the network; on the disk and
        other processes at most ``enqueue_timeout_ms``.

        Returns a receipt whose status is ``ESALES_QUEUED``; with its id, :meth:`receipt` tells what becomes of it.

        Raises :class:`QueueFullError` and :class:`SpoolFailedError`: it was not accepted;
        :class:`InvalidArgumentError`; ``TypeError`` naming an argument of a wrong type.
        """
        return self._tell(self._library.esales_enqueue, visitor, _notification(notification))

    def notify_add_to_cart(self, visitor: Visitor, ticket: str, id: Optional[str] = None) -> Receipt:
        """:meth:`notify` of the commonest kind: the visitor added the product behind the ticket to the cart.

        ``ticket``: the string that the service gave with the product, 1 to 8192 bytes of UTF-8, sent
        unchanged; refused if it has a control character.
        ``id``: names this one event, 1 to 128 bytes of UTF-8; ``None``: a new UUID. It is the same in every attempt.
        To send the same event again, pass the id of the receipt.
        """
        ticket_bytes, id_bytes = encode("ticket", ticket), None if id is None else encode("id", id)
        return self._tell(self._library.esales_notify_add_to_cart, visitor, ticket_bytes, id_bytes)

    def enqueue_add_to_cart(self, visitor: Visitor, ticket: str, id: Optional[str] = None) -> Receipt:
        """:meth:`enqueue` of the commonest kind: the visitor added the product behind the ticket to the cart.

        The arguments are those of :meth:`notify_add_to_cart`.
        """
        ticket_bytes, id_bytes = encode("ticket", ticket), None if id is None else encode("id", id)
        return self._tell(self._library.esales_enqueue_add_to_cart, visitor, ticket_bytes, id_bytes)

    def try_enqueue(self, visitor: Visitor, notification: Notification) -> Receipt:
        """:meth:`enqueue` for a page that must not fail: it never raises.

        Returns a receipt whose status is ``ESALES_QUEUED``, or below 0: not accepted, and ``detail`` says why. Log it.
        """
        try:
            return self.enqueue(visitor, notification)
        except Exception as error:
            return _receipt_of(error)

    def try_enqueue_add_to_cart(self, visitor: Visitor, ticket: str, id: Optional[str] = None) -> Receipt:
        """:meth:`enqueue_add_to_cart` for a page that must not fail: it never raises, as :meth:`try_enqueue`."""
        try:
            return self.enqueue_add_to_cart(visitor, ticket, id)
        except Exception as error:
            return _receipt_of(error)

    def flush(self, timeout: float) -> bool:
        """Waits until everything that was accepted before this call has left the queue, for at most ``timeout``
        seconds; other threads run meanwhile, and a signal's Python handler when the call has returned.

        Returns True: all of it is gone; False: not within the time. What is left stays in the queue, and
        :meth:`stats` says how much.

        ``timeout``: 0 only looks; more than 4294967 seconds count as that.
        Raises :class:`SpoolFailedError`; :class:`InvalidArgumentError` for a negative ``timeout`` or NaN.
        """
        status = self._call(self._library.esales_client_flush, _milliseconds(timeout), None)
        if status == ESALES_TIMEOUT:
            return False
        self._library.check(status)
        return True

    def stop_delivery(self, timeout: float) -> bool:
        """Ends this process's part in the delivery of the client's queue, for good: the process takes nothing more out
        of the queue, and the call waits for requests in flight, for at most ``timeout`` seconds.

        For a service that is told to stop: a request that is in flight when the process ends is sent again later. The
        end of the interpreter does this by itself for every ``spool``, with its ``atexit`` functions, and waits at most
        2 seconds. Clients that share the queue, also later ones, do not deliver either; what is left stays in it.

        Returns True: nothing is in flight any more; False: not within the time, and what was in flight is sent once
        more later, under the same id.

        ``timeout``: 0 does not wait; more than 4294967 seconds count as that.
        Raises :class:`InvalidArgumentError` for a negative ``timeout`` or NaN.
        """
        status = self._call(self._library.esales_client_stop_delivery, _milliseconds(timeout))
        if status == ESALES_TIMEOUT:
            return False
        self._library.check(status)
        return True

    def stats(self) -> Stats:
        """The queue in numbers. Waits at most ``enqueue_timeout_ms`` for the disk and other processes.

        Raises :class:`SpoolFailedError`.
        """
        out = StatsStruct(_STATS_SIZE)
        self._library.check(self._call(self._library.esales_client_stats, byref(out)))
        return stats_of(out)

    def receipt(self, id: str) -> Optional[Receipt]:
        """What became of a notification that was put into the queue.

        Its status is ``ESALES_QUEUED`` while it waits, ``ESALES_DELIVERED``, the code of the answer that refused it
        for good, ``ESALES_EXPIRED`` or ``ESALES_DROPPED``. ``None`` (``ESALES_UNKNOWN_ID`` in C): nothing is known of
        the id, or no longer (option ``receipt_retention_s``).

        Raises :class:`SpoolFailedError`.
        """
        out = ReceiptStruct(_RECEIPT_SIZE)
        status = self._call(self._library.esales_client_receipt, encode("id", id), byref(out))
        if status == ESALES_UNKNOWN_ID:
            return None
        self._library.check(status)
        return self._library.receipt(out.status, out)

    def on_delivery(self, callback: Optional[DeliveryCallback]) -> None:
        """Has ``callback(receipt)`` called for every notification whose delivery by this process has come to an end:
        delivered, refused for good, or expired. It is recorded by then. ``None`` ends it.

        The callback runs on a thread of the library, and holds up the next deliveries while it does. It may use the
        client. What it raises is logged as an error by the logger ``esales_notify``, and goes no further.

        Replaces an earlier callback; when this returns, that one has ended, except when it is itself the caller. So
        do not call this while holding a lock that the callback needs. The client keeps the callback until it is
        closed. After a fork the child has no callback: register again in the child.

        The end of the interpreter waits for a callback that is running, and takes all of them back with its
        ``atexit`` functions; to set one later raises ``RuntimeError``.
        """
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable or None, not {type(callback).__name__}")
        self._library.check(self._open().on_delivery(callback))

    def close(self) -> None:
        """Closes the client; closing twice is fine. Returns at once, from any thread: calls in flight go on and
        end as they would have, a running callback too; later ones raise :class:`ClosedError`. The callback is not
        called any more. The process keeps delivering what is in the queue, until it ends or :meth:`stop_delivery` was
        called."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.callback = None

    def _open(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise ClosedError("the client was closed", ESALES_CLOSED, "ESALES_CLOSED")
        return handle

    def _call(self, function: Any, *arguments: Any) -> int:
        # A reference of our own: close() in another thread then frees the client only after this call. It is gone
        # when we return; an exception's traceback, which keeps the frames, would keep the client with it.
        handle = self._open()
        status: int = function(handle.pointer, *arguments)
        return status

    def _tell(
        self, function: Any, visitor: Visitor, what: Union[NotificationStruct, bytes], id: Optional[bytes] = None
    ) -> Receipt:
        """``what`` is a whole notification, or the ticket of a function that takes the ``id`` beside it."""
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
        # As _call does it, without the call.
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
        # Not the options: one of them may hold a password.
        return f"<esales_notify.Client {'closed' if self.closed else 'open'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client cannot be pickled or copied: make one in each process (they are cheap)")


def _receipt_of(error: Exception) -> Receipt:
    """The receipt of a call that raised. Only values of a wrong type raise anything but a :class:`NotifyError`."""
    if not isinstance(error, NotifyError):
        return Receipt(ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT", None, 0, 0, "", str(error))
    return error.receipt or Receipt(error.status, error.name, None, 0, 0, "", error.detail)


def _notification(notification: Notification) -> NotificationStruct:
    """The struct of C. It keeps its strings and lines alive (ctypes holds them in ``_objects``)."""
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
    """An ``esales_config`` of these options; the caller frees it."""
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
    # bool is an int to Python, so it comes first.
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
    # Rounded up: a moment is not to become none.
    return _LONGEST_MS if timeout >= _LONGEST_MS / 1000 else math.ceil(timeout * 1000)
