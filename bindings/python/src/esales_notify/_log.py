"""Passes the library's log messages to the logging module."""

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
    """Sends the log messages of all clients of this process to a logger. ``None`` unregisters the logger.

    ``logger``: a ``Logger``, a ``LoggerAdapter``, or the name of a logger. It replaces an earlier one.
    ``level``: the lowest level that is logged, such as ``logging.INFO``. ``None``: the level that the logger has now.
    The levels are ``ERROR`` (notifications were lost or may be lost), ``WARNING`` (an outage, a dead letter, expired or
    dropped notifications), ``INFO`` (the service is available again) and ``DEBUG`` (every attempt). The messages contain
    ids, but never a key, a token or a ticket.

    The handlers run on the thread that logs: a thread that calls the library, or a thread of the library. They may use
    the library; messages about calls made within a handler are not logged. When this returns, the earlier logger is no
    longer used, unless the call was made from within one of its handlers; so do not hold a lock that a handler needs. At
    ``DEBUG``, messages are also logged during a blocking call: a Ctrl-C that arrives at that moment in the main thread is
    printed as ignored and lost.

    May be called from any thread. After a fork it stays registered in the child. An ``atexit`` function unregisters it;
    calling this later raises ``RuntimeError``. Raises ``TypeError`` if an argument has a wrong type.
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
