"""The client."""

from __future__ import annotations

import os
from ctypes import byref, c_void_p, sizeof
from types import TracebackType
from typing import Any, NoReturn, Optional, Type, Union

from ._errors import ClosedError, error_class
from ._library import Library, LibraryPath, PathLike, ReceiptStruct, VisitorStruct, load
from ._status import ESALES_CLOSED
from ._text import encode, encode_optional
from ._types import Receipt, Visitor

Option = Union[str, int, bool, PathLike, None]

_VISITOR_SIZE = sizeof(VisitorStruct)
_RECEIPT_SIZE = sizeof(ReceiptStruct)


class _Handle:
    """Owns one ``esales_client`` and frees it when the last reference goes.

    A call holds a reference while it runs, so the interpreter counts the calls in flight for us and frees the
    client after the last one, without a lock that a fork could leave held. In a forked child the references of
    threads that it does not have are never dropped: the child leaks the handle, which is what it should do.
    """

    __slots__ = ("_free", "pointer")

    def __init__(self, library: Library, pointer: int) -> None:
        # Kept here: when the interpreter ends, module globals may be gone before the last handle.
        self._free = library.client_free
        self.pointer = pointer

    def __del__(self) -> None:
        self._free(self.pointer)


class Client:
    """Sends notifications. May be used from any number of threads at once, and after a fork in parent and child.

    ``options`` are those of the option table, such as ``cluster_id``, ``timeout_ms`` or ``ca_file``, and are passed
    to the library as text: ``True`` as ``"true"``, a number in decimal digits, a path as it is. ``None`` counts as
    not given. Without any option they are read from the environment (``ESALES_CLUSTER_ID``, ``ESALES_TIMEOUT_MS``
    and so on); with any, the environment is not consulted.

    ``library`` is the path of libesales_notify.so; without it, see the README for where it is looked for.

    Making a client sends nothing and starts no thread. Clients whose options lead to the same place share their
    connections, which stay warm for ``keep_alive_s`` after the last client was closed.

    Raises :class:`InvalidConfigError`, :class:`LibraryNotFoundError`, ``TypeError`` naming the option.
    """

    def __init__(self, *, library: Optional[LibraryPath] = None, **options: Option) -> None:
        self._handle: Optional[_Handle] = None
        self._library = load(library)
        given = {name: value for name, value in options.items() if value is not None}
        config = _config(self._library, given) if given else c_void_p()
        try:
            pointer = c_void_p()
            self._library.check(self._library.client_new(config, byref(pointer)))
        finally:
            # NULL when the environment is read; freeing NULL is fine.
            self._library.config_free(config)
        assert pointer.value is not None
        self._handle = _Handle(self._library, pointer.value)

    def notify_add_to_cart(self, visitor: Visitor, ticket: str, id: Optional[str] = None) -> Receipt:
        """Tells the service that the visitor added the product behind the ticket to the cart; waits for the answer.

        Blocks for at most the option ``timeout_ms``, whatever the network does; other threads run meanwhile. A
        signal's Python handler (also Ctrl-C) runs when the call has returned.

        ``ticket``: the service's own opaque string, 1 to 8192 bytes of UTF-8, sent as it is.
        ``id``: names this one event, 1 to 128 bytes of UTF-8; ``None``: a new UUID. It is the same in every attempt.
        To send the same event again, pass the id of the receipt.

        Raises a :class:`NotifyError` by outcome, with the receipt in its ``receipt``; ``TypeError`` naming an
        argument of a wrong type. After :class:`NotifyTimeoutError`, :class:`ConnectionLostError` and
        :class:`BadResponseError` the event may have arrived all the same.
        """
        # A reference of our own: close() in another thread then frees the client only after this call.
        handle = self._handle
        if handle is None:
            raise ClosedError("the client was closed", ESALES_CLOSED, "ESALES_CLOSED")
        if not isinstance(visitor, Visitor):
            raise TypeError(f"visitor must be a Visitor, not {type(visitor).__name__}")
        who = VisitorStruct(
            _VISITOR_SIZE,
            encode_optional("visitor.market", visitor.market),
            encode("visitor.customer_key", visitor.customer_key),
            encode("visitor.session_key", visitor.session_key),
            encode_optional("visitor.token", visitor.token),
        )
        ticket_bytes = encode("ticket", ticket)
        id_bytes = encode_optional("id", id)
        out = ReceiptStruct(_RECEIPT_SIZE)
        status = self._library.notify_add_to_cart(handle.pointer, byref(who), ticket_bytes, id_bytes, byref(out))
        # An exception's traceback keeps this frame, and would keep the client with it.
        del handle
        receipt = Receipt(
            status,
            self._library.status_name(status),
            out.http_status or None,
            out.attempts,
            out.elapsed_us,
            out.id.decode("utf-8"),
            out.detail.decode("utf-8"),
        )
        if status < 0:
            raise error_class(status)(receipt.detail, status, receipt.name, receipt)
        return receipt

    def close(self) -> None:
        """Closes the client; closing twice is fine. Returns at once, from any thread: calls in flight go on and
        end as they would have; later ones raise :class:`ClosedError`."""
        self._handle = None

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


def _config(library: Library, options: Any) -> c_void_p:
    """An ``esales_config`` of these options; the caller frees it."""
    config = c_void_p()
    library.check(library.config_new(byref(config)))
    try:
        for name, value in options.items():
            name_bytes = encode("option name", name)
            library.check(library.config_set(config, name_bytes, encode(f"{name} (option value)", _text_of(name, value))))
    except BaseException:
        library.config_free(config)
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
