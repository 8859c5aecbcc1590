"""The Python functions that the library calls on threads of its own, and how they come to an end.

A thread that enters Python while the interpreter ends is stopped in the middle of what the library was doing. So
before that everything is taken back, and later nothing is handed out any more.

C gets the same two functions all the time, which are never freed; whose call it is, they look up by a number. So it
does no harm if a call is still under way when its client is closed. Nothing here takes a lock: a callback may come
back to us while another thread waits for it to end, and a fork could leave a lock held.
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
# At run time it takes no parameter before Python 3.11.
Logger = Union[logging.Logger, "logging.LoggerAdapter[Any]"]

LOGGER_NAME = "esales_notify"

#: The levels of C, from ESALES_LOG_ERROR to ESALES_LOG_DEBUG.
LEVELS: Dict[int, int] = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}
_OFF = 0

_has_ended = False
#: The calls that hand out or take back a function, or wait for one by freeing a client, and are not done yet.
_changes: Set[object] = set()


#: The longest that the interpreter's end waits for them: where a signal's handler raises at the worst moment, one
#: stays behind.
_PATIENCE_S = 10.0
#: The longest that the interpreter's end waits for requests in flight.
_STOP_TIMEOUT_MS = 2000


def _begin(change: object, is_new: bool) -> None:
    """To be called in a ``try`` whose ``finally`` discards the change: a handler may raise within, or right after."""
    _changes.add(change)
    # After the line above: whoever has set the flag then waits for us.
    if is_new and _has_ended:
        raise RuntimeError("the interpreter is ending: no callback can be set any more")


class Handle:
    """Owns one ``esales_client`` and frees it when the last reference goes.

    A call holds a reference while it runs, a call of the delivery callback too. So the interpreter counts the calls
    in flight for us and frees the client after the last one, without a lock that a fork could leave held. In a
    forked child the references of threads that it does not have are never dropped: the child leaks the handle, which
    is what it should do.
    """

    __slots__ = ("__weakref__", "_changes", "_free", "callback", "library", "number", "pointer")

    def __init__(self, library: Library, pointer: int) -> None:
        self.library = library
        self.pointer: Optional[int] = pointer
        #: What it is called by in C.
        self.number = next(_numbers)
        self.callback: Optional[DeliveryCallback] = None
        # Kept here: when the interpreter ends, module globals may be gone before the last handle.
        self._free = library.esales_client_free
        self._changes = _changes

    def on_delivery(self, callback: Optional[DeliveryCallback]) -> int:
        """Sets the callback, or takes it back; waits for the end of an earlier one. Returns C's status."""
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
        # For a callback that was just about to begin, and looks us up.
        pointer, self.pointer, self.callback = self.pointer, None, None
        # It may wait for that one; see _end.
        change = object()
        try:
            self._changes.add(change)
            self._free(pointer)
        finally:
            self._changes.discard(change)


_numbers = itertools.count(1)
#: Whoever has a callback in C. Weak: it is no reason to keep a client.
_listening: WeakValueDictionary[int, Handle] = WeakValueDictionary()


def _on_delivery(number: int, out: Any) -> None:
    handle = _listening.get(number)
    callback = None if handle is None else handle.callback
    if handle is None or callback is None:
        return
    try:
        callback(handle.library.receipt(out.contents.status, out.contents))
    except BaseException:
        # SystemExit too: this is no thread of Python's that it could end.
        logging.getLogger(LOGGER_NAME).exception("the callback of on_delivery failed")
    finally:
        # A traceback that somebody keeps has this frame, and would keep the client with it.
        del handle, callback


_DELIVERY = DeliveryFunction(_on_delivery)
_NO_DELIVERY = DeliveryFunction()

#: Where the messages of a library go, by the number of the library.
_loggers: Dict[int, Tuple[Library, Logger]] = {}
_here = threading.local()


def log_to(library: Library, logger: Optional[Logger], level: int) -> None:
    """Hands the messages of a library to a logger; ``None`` ends it, and waits for its end."""
    # Libraries are never freed, so this is a name.
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
    # A handler that uses the library would be told what it causes, and cause more of it.
    if logger is None or getattr(_here, "is_logging", False):
        return
    _here.is_logging = True
    try:
        # What the logger raises, ctypes hands to sys.unraisablehook; it never gets into C.
        logger.log(LEVELS.get(level, logging.DEBUG), message.decode("utf-8", "replace"))
    finally:
        _here.is_logging = False


_LOG = LogFunction(_on_message)


def _end() -> None:
    """Stops the delivery of spools, takes every callback back, and waits for those that are running."""
    global _has_ended
    # First: the callbacks still hear what became of the requests in flight. These would be sent again otherwise.
    for library in loaded():
        library.esales_stop_delivery(_STOP_TIMEOUT_MS)
    _has_ended = True
    deadline = time.monotonic() + _PATIENCE_S
    while _changes and time.monotonic() < deadline:
        time.sleep(0.001)
    for handle in list(_listening.values()):
        if handle.pointer is not None:
            handle.library.esales_client_on_delivery(handle.pointer, _NO_DELIVERY, None)
    for library, _ in list(_loggers.values()):
        library.esales_log_to(LogFunction(), None, _OFF)


def _start_afresh() -> None:
    """In a forked child: it has no callbacks until it sets them. The library's log goes on."""
    global _listening, _changes
    for handle in list(_listening.values()):
        handle.callback = None
    _listening = WeakValueDictionary()
    _changes.clear()
    _here.is_logging = False


# After that of logging, which is imported above: so it runs before it, and the last messages are still written.
atexit.register(_end)
os.register_at_fork(after_in_child=_start_afresh)
