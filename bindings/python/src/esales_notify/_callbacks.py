"""Callbacks into Python from threads of the library, and how they end.

A thread that enters Python while the interpreter ends is stopped in the middle of the library's work. Therefore every
callback is unregistered before the interpreter ends, and none can be registered after that.

C always gets the same two functions, which are never freed. They find the client by a number, so a call may still run
when its client is closed. Nothing here takes a lock: a callback may call this module while another thread waits for the
callback to end, and a fork could leave a lock held.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import threading
import time
from typing import Any, Callable, Dict, Optional, Set, Tuple, Union
from weakref import WeakValueDictionary

from ._library import Library, loaded
from ._native import DeliveryFunction, LogFunction
from ._records import Receipt

DeliveryCallback = Callable[[Receipt], object]
# LoggerAdapter cannot be subscripted at run time before Python 3.11.
Logger = Union[logging.Logger, "logging.LoggerAdapter[Any]"]

LOGGER_NAME = "esales_notify"

#: The levels of C, from ESALES_LOG_ERROR to ESALES_LOG_DEBUG.
LEVELS: Dict[int, int] = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}
_OFF = 0

_has_ended = False
#: The calls in progress that register or unregister a callback, or free a client and wait for its callback.
_changes: Set[object] = set()


#: How long the end of the interpreter waits for these calls. One may stay in the set if a signal handler raised.
_CHANGES_TIMEOUT_S = 10.0
#: How long the end of the interpreter waits for requests in flight.
_STOP_TIMEOUT_MS = 2000


def _begin(change: object, is_new: bool) -> None:
    """Call it in a ``try`` whose ``finally`` discards the change, because a signal handler may raise at any point."""
    _changes.add(change)
    # Checked after the line above, so that the code that sets the flag waits for this change.
    if is_new and _has_ended:
        raise RuntimeError("the interpreter is ending: no callback can be set any more")


class Handle:
    """Owns one ``esales_client`` and frees it with the last reference.

    Every call, and every call of the delivery callback, holds a reference while it runs. So the interpreter frees the
    client after the last call in flight, without a lock that a fork could leave held. In a forked child, references of
    the parent's threads are never dropped: the child leaks the handle on purpose.
    """

    __slots__ = ("__weakref__", "_changes", "_free", "callback", "library", "number", "pointer")

    def __init__(self, library: Library, pointer: int) -> None:
        self.library = library
        self.pointer: Optional[int] = pointer
        #: The number that C passes to the callback.
        self.number = next(_numbers)
        self.callback: Optional[DeliveryCallback] = None
        # Kept here, because module globals may be cleared before the last handle when the interpreter ends.
        self._free = library.esales_client_free
        self._changes = _changes

    def on_delivery(self, callback: Optional[DeliveryCallback]) -> int:
        """Sets or unregisters the callback, and waits until an earlier one has ended. Returns the status from C."""
        change = object()
        try:
            _begin(change, is_new=callback is not None)
            self.callback = callback
            if callback is not None:
                _listening[self.number] = self
            function, number = (_NO_DELIVERY, None) if callback is None else (_DELIVERY, self.number)
            status: int = self.library.esales_client_on_delivery(self.pointer, function, number)
            if callback is None:
                _listening.pop(self.number, None)
        finally:
            _changes.discard(change)
        return status

    def __del__(self) -> None:
        # A callback that is about to begin then finds no client.
        pointer, self.pointer, self.callback = self.pointer, None, None
        # Freeing may wait for a running callback; see _end.
        change = object()
        try:
            self._changes.add(change)
            self._free(pointer)
        finally:
            self._changes.discard(change)


_numbers = itertools.count(1)
#: The handles that have a callback in C. Weak, so that a callback does not keep its client alive.
_listening: WeakValueDictionary[int, Handle] = WeakValueDictionary()


def _on_delivery(number: int, out: Any) -> None:
    handle = _listening.get(number)
    callback = None if handle is None else handle.callback
    if handle is None or callback is None:
        return
    try:
        callback(handle.library.receipt(out.contents.status, out.contents))
    except BaseException:
        # SystemExit too: it cannot end a thread that Python did not start.
        logging.getLogger(LOGGER_NAME).exception("the callback of on_delivery failed")
    finally:
        # A stored traceback has this frame, and would keep the client alive.
        del handle, callback


_DELIVERY = DeliveryFunction(_on_delivery)
_NO_DELIVERY = DeliveryFunction()

#: The logger of each library, by the number of the library.
_loggers: Dict[int, Tuple[Library, Logger]] = {}
_here = threading.local()


def log_to(library: Library, logger: Optional[Logger], level: int) -> None:
    """Sends the messages of a library to a logger. ``None`` unregisters it and waits until it has ended."""
    # Libraries are never freed, so the id is unique.
    number = id(library)
    wanted = max((ours for ours, theirs in LEVELS.items() if theirs >= level), default=_OFF)
    change = object()
    try:
        _begin(change, is_new=logger is not None)
        if logger is None or wanted == _OFF:
            status = library.esales_log_to(LogFunction(), None, _OFF)
            _loggers.pop(number, None)
        else:
            _loggers[number] = (library, logger)
            status = library.esales_log_to(_LOG, number, wanted)
    finally:
        _changes.discard(change)
    library.check(status)


def _on_message(number: int, level: int, message: bytes) -> None:
    _, logger = _loggers.get(number, (None, None))
    # Messages about a handler's own calls would call the handler again without end.
    if logger is None or getattr(_here, "is_logging", False):
        return
    _here.is_logging = True
    try:
        # ctypes passes an exception of the logger to sys.unraisablehook; it never reaches C.
        logger.log(LEVELS.get(level, logging.DEBUG), message.decode("utf-8", "replace"))
    finally:
        _here.is_logging = False


_LOG = LogFunction(_on_message)


def _end() -> None:
    """Stops the delivery of spools, unregisters every callback, and waits for running callbacks."""
    global _has_ended
    # First, so that callbacks get the outcomes of requests in flight, which would otherwise be sent again.
    for library in loaded():
        library.esales_stop_delivery(_STOP_TIMEOUT_MS)
    _has_ended = True
    deadline = time.monotonic() + _CHANGES_TIMEOUT_S
    while _changes and time.monotonic() < deadline:
        time.sleep(0.001)
    for handle in list(_listening.values()):
        if handle.pointer is not None:
            handle.library.esales_client_on_delivery(handle.pointer, _NO_DELIVERY, None)
    for library, _ in list(_loggers.values()):
        library.esales_log_to(LogFunction(), None, _OFF)


def _reset_in_child() -> None:
    """In a forked child: forgets the parent's callbacks. The library's log stays registered."""
    global _listening, _changes
    for handle in list(_listening.values()):
        handle.callback = None
    _listening = WeakValueDictionary()
    _changes.clear()
    _here.is_logging = False


# Registered after logging's own function, and so run before it: the last messages are still written.
atexit.register(_end)
os.register_at_fork(after_in_child=_reset_in_child)
