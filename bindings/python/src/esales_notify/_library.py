"""Finds libesales_notify and declares its functions, once per library.

Nothing here takes a lock: loading twice at the same time does no harm, and a fork could leave a lock held.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

from ._errors import LibraryNotFoundError, error_class
from ._text import refusal
from ._types import Counts, Percentiles, Receipt, Stats
from ._version import __version__

if TYPE_CHECKING:
    PathLike = os.PathLike[str]
else:
    # On Python 3.8 os.PathLike takes no parameter when it runs.
    PathLike = os.PathLike

VARIABLE = "ESALES_NOTIFY_LIBRARY"
NEXT_TO_PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libesales_notify.so")
SYSTEM_NAME = "libesales_notify.so.0"

LibraryPath = Union[str, PathLike]


class VisitorStruct(ctypes.Structure):
    """``esales_visitor``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("market", c_char_p),
        ("customer_key", c_char_p),
        ("session_key", c_char_p),
        ("token", c_char_p),
    ]


class LineStruct(ctypes.Structure):
    """``esales_line``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("quantity", c_uint32),
        ("product_key", c_char_p),
        ("variant_key", c_char_p),
        ("selling_price", c_char_p),
        ("cost", c_char_p),
    ]


class NotificationStruct(ctypes.Structure):
    """``esales_notification``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("id", c_char_p),
        ("ticket", c_char_p),
        ("product_key", c_char_p),
        ("variant_key", c_char_p),
        ("lines", POINTER(LineStruct)),
        ("line_count", c_size_t),
        ("private_key", c_char_p),
    ]


class ReceiptStruct(ctypes.Structure):
    """``esales_receipt``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("http_status", c_int32),
        ("attempts", c_uint32),
        ("elapsed_us", c_uint64),
        ("id", ctypes.c_char * 129),
        ("detail", ctypes.c_char * 256),
    ]


class StatsStruct(ctypes.Structure):
    """``esales_stats``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("gate_failures", c_uint32),
        ("gate_closed_ms", c_uint64),
        ("accepted", c_uint64),
        ("delivered", c_uint64),
        ("dead", c_uint64),
        ("expired", c_uint64),
        ("dropped", c_uint64),
        ("pending", c_uint64),
        ("pending_bytes", c_uint64),
        ("oldest_age_ms", c_uint64),
        ("process_accepted", c_uint64),
        ("process_delivered", c_uint64),
        ("process_dead", c_uint64),
        ("process_expired", c_uint64),
        ("process_dropped", c_uint64),
        ("process_pending", c_uint64),
        ("process_refused", c_uint64),
        ("age_p50_ms", c_uint64),
        ("age_p95_ms", c_uint64),
        ("age_p99_ms", c_uint64),
        ("latency_p50_us", c_uint64),
        ("latency_p95_us", c_uint64),
        ("latency_p99_us", c_uint64),
    ]

    def value(self) -> Stats:
        return Stats(
            spool=Counts(self.accepted, self.delivered, self.dead, self.expired, self.dropped, self.pending),
            process=Counts(
                self.process_accepted,
                self.process_delivered,
                self.process_dead,
                self.process_expired,
                self.process_dropped,
                self.process_pending,
            ),
            process_refused=self.process_refused,
            pending_bytes=self.pending_bytes,
            oldest_age_ms=self.oldest_age_ms,
            gate_failures=self.gate_failures,
            gate_closed_ms=self.gate_closed_ms,
            age_ms=Percentiles(self.age_p50_ms, self.age_p95_ms, self.age_p99_ms),
            latency_us=Percentiles(self.latency_p50_us, self.latency_p95_us, self.latency_p99_us),
        )


#: ``esales_delivery_callback`` and ``esales_log_callback``; without an argument they make NULL.
DeliveryFunction = CFUNCTYPE(None, c_void_p, POINTER(ReceiptStruct))
LogFunction = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)


class Library:
    """The C functions, each looked up once and with its types declared.

    CDLL gives the interpreter's lock back while a function runs, so other threads go on during a call.
    """

    def __init__(self, path: str) -> None:
        dll = ctypes.CDLL(path)

        def function(name: str, result: Any, *arguments: Any) -> Any:
            try:
                found = getattr(dll, name)
            except AttributeError:
                raise LibraryNotFoundError(
                    f"{path} is not libesales_notify: it has no function {name}", path=path
                ) from None
            found.restype, found.argtypes = result, arguments
            return found

        self.path = path
        self._version = function("esales_version", c_char_p)
        # Before the other functions: "another version" says more than "has no function".
        self._check_version()
        self._status_name = function("esales_status_name", c_char_p, c_int32)
        self._names: Dict[int, str] = {}
        self._last_error = function("esales_last_error", c_char_p)
        self.config_new = function("esales_config_new", c_int32, POINTER(c_void_p))
        self.config_set = function("esales_config_set", c_int32, c_void_p, c_char_p, c_char_p)
        self.config_free = function("esales_config_free", None, c_void_p)
        self.client_new = function("esales_client_new", c_int32, c_void_p, POINTER(c_void_p))
        self.client_free = function("esales_client_free", None, c_void_p)
        about_a_notification = (c_void_p, POINTER(VisitorStruct), POINTER(NotificationStruct), POINTER(ReceiptStruct))
        self.notify = function("esales_notify", c_int32, *about_a_notification)
        self.enqueue = function("esales_enqueue", c_int32, *about_a_notification)
        about_a_cart = (c_void_p, POINTER(VisitorStruct), c_char_p, c_char_p, POINTER(ReceiptStruct))
        self.notify_add_to_cart = function("esales_notify_add_to_cart", c_int32, *about_a_cart)
        self.enqueue_add_to_cart = function("esales_enqueue_add_to_cart", c_int32, *about_a_cart)
        self.client_flush = function("esales_client_flush", c_int32, c_void_p, c_uint32, POINTER(StatsStruct))
        self.client_stop_delivery = function("esales_client_stop_delivery", c_int32, c_void_p, c_uint32)
        self.stop_delivery = function("esales_stop_delivery", c_int32, c_uint32)
        self.client_stats = function("esales_client_stats", c_int32, c_void_p, POINTER(StatsStruct))
        self.client_receipt = function("esales_client_receipt", c_int32, c_void_p, c_char_p, POINTER(ReceiptStruct))
        self.client_on_delivery = function(
            "esales_client_on_delivery", c_int32, c_void_p, DeliveryFunction, c_void_p
        )
        self.log_to = function("esales_log_to", c_int32, LogFunction, c_void_p, c_int32)
        self.customer_key = function("esales_customer_key", c_int32, c_char_p, c_char_p)
        self.customer_token = function("esales_customer_token", c_int32, c_char_p, c_char_p, c_char_p)
        self.new_key = function("esales_new_key", c_int32, c_char_p)

    def version(self) -> str:
        return _words(self._version())

    def status_name(self, status: int) -> str:
        name = self._names.get(status)
        if name is None:
            # Codes are frozen, and few.
            name = self._names[status] = _words(self._status_name(status))
        return name

    def last_error(self) -> str:
        return _words(self._last_error())

    def receipt(self, status: int, out: ReceiptStruct) -> Receipt:
        """The receipt that C wrote, with the status that counts: a call's own, or the one that it holds."""
        # What Receipt(...) does, in half the time: each notification has one.
        return tuple.__new__(
            Receipt,
            (
                status,
                self.status_name(status),
                out.http_status or None,
                out.attempts,
                out.elapsed_us,
                out.id.decode(),
                out.detail.decode(),
            ),
        )

    def check(self, status: int) -> None:
        """Raises what a failed call of this thread, one without a receipt, has to say."""
        if status < 0:
            raise error_class(status)(self.last_error(), status, self.status_name(status))

    def _check_version(self) -> None:
        theirs, ours = self.version(), __version__
        if theirs.split(".")[:2] != ours.split(".")[:2]:
            raise LibraryNotFoundError(
                f"{self.path} is libesales_notify {theirs}, but this package is esales-notify {ours}: "
                "the first two numbers must be equal; install the package or the library of the other's version",
                path=self.path,
            )


def _words(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def loaded() -> List[Library]:
    """The libraries that this process has loaded."""
    return list(_loaded.values())


# What was loaded, by the path that was asked for; None: nobody named one.
_loaded: Dict[Optional[str], Library] = {}


def load(path: Optional[LibraryPath] = None) -> Library:
    """The library at ``path``; without one: of the environment variable, next to this package, of the system."""
    if path is not None:
        given = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
        if not isinstance(given, str):
            raise TypeError(f"library must be a str or an os.PathLike of str, not {type(path).__name__}")
        if not given:
            raise refusal("library is empty")
        return _load_given(given, "the argument library")
    # An empty variable counts as not set, as with the options.
    given = os.environ.get(VARIABLE, "")
    if given:
        return _load_given(given, VARIABLE)
    library = _loaded.get(None)
    if library is None:
        library = _loaded[None] = _find()
    return library


def _load_given(path: str, source: str) -> Library:
    """A path that somebody named: this one or none."""
    library = _loaded.get(path)
    if library is None:
        if "\0" in path:
            raise refusal("library contains a NUL character")
        # Absolute: dlopen would look for a bare name in the system's directories.
        absolute = os.path.abspath(path)
        try:
            library = _loaded[path] = Library(absolute)
        except OSError as error:
            raise LibraryNotFoundError(
                f"the library {path} (from {source}) cannot be loaded: {error}", path=path
            ) from error
    return library


def _find() -> Library:
    tried: List[str] = ["the argument library: not given", f"the variable {VARIABLE}: not set"]
    # A file that is there is meant to be used: if it is broken, that is said, not passed over.
    if os.path.lexists(NEXT_TO_PACKAGE):
        return _load_given(NEXT_TO_PACKAGE, "next to the package")
    tried.append(f"{NEXT_TO_PACKAGE}: no such file")
    try:
        return Library(SYSTEM_NAME)
    except OSError as error:
        tried.append(f"the system's loader: {error}")
    raise LibraryNotFoundError(
        "libesales_notify was not found. Tried:\n"
        + "".join(f"  - {line}\n" for line in tried)
        + f"Install libesales_notify, or set {VARIABLE} to the path of libesales_notify.so."
    )
