"""The library's messages, for the logging module."""

from __future__ import annotations

import logging
from typing import Optional, Union

from . import _callbacks
from ._callbacks import LOGGER_NAME, Logger
from ._library import LibraryPath, load


def log_to(
    logger: Union[Logger, str, None] = LOGGER_NAME,
    level: Optional[int] = None,
    *,
    library: Optional[LibraryPath] = None,
) -> None:
    """Hands the library's messages, of all clients of this process, to a logger; ``None`` ends it.

    ``logger``: a ``Logger``, a ``LoggerAdapter``, or the name of a logger. Replaces an earlier one.
    ``level``: the least severe that is wanted, such as ``logging.INFO``; ``None``: what the logger is enabled for at
    this moment. The library's messages are ``ERROR`` (events may be lost, or were), ``WARNING`` (an outage, a dead
    letter, events that expired or were dropped), ``INFO`` (the service is back) and ``DEBUG`` (every attempt). They
    hold ids, never a key, a token or a ticket.

    The handlers run on the thread that has something to say: one that calls the library, or one of the library's
    own. They may use the library; what it has to say to that on the same thread is dropped. When this returns, an
    earlier logger is at work no more, except when this is called by one of its handlers. So do not call it while
    holding a lock that a handler needs. A Ctrl-C that meets the main thread at work on a message, which a blocking
    call has at ``DEBUG``, is printed as ignored and lost.

    May be called from any thread. After a fork it goes on in the child. It ends with the interpreter's ``atexit``
    functions; after them it raises ``RuntimeError``. Raises ``TypeError`` naming an argument of a wrong type.
    """
    if isinstance(logger, str):
        logger = logging.getLogger(logger)
    elif logger is not None and not isinstance(logger, (logging.Logger, logging.LoggerAdapter)):
        raise TypeError(f"logger must be a Logger, a LoggerAdapter, a str or None, not {type(logger).__name__}")
    if level is None:
        level = logging.NOTSET if logger is None else logger.getEffectiveLevel()
    elif isinstance(level, bool) or not isinstance(level, int):
        raise TypeError(f"level must be an int such as logging.INFO, not {type(level).__name__}")
    _callbacks.log_to(load(library), logger, level)
