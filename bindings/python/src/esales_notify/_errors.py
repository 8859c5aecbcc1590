"""The base classes of the exceptions. `_outcomes` has one class for each code."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple, Type

from ._records import Receipt


class LibraryNotFoundError(ImportError):
    """libesales_notify was not found, cannot be loaded, or is of another version than this package.

    ``path`` is the file that was given, or ``None``.
    """


class NotifyError(Exception):
    """Base class of every exception for a failed call of the library. It can be pickled."""

    #: The status code, such as ``ESALES_TIMEOUT``.
    status: int
    #: The name of the code, such as ``"ESALES_TIMEOUT"``.
    name: str
    #: The message, which names the argument or option.
    detail: str
    #: The receipt of the notification. ``None``: the call was not about a notification, or did not reach the library.
    receipt: Optional[Receipt]

    def __init__(self, detail: str, status: int, name: str, receipt: Optional[Receipt] = None) -> None:
        super().__init__(f"{name}: {detail}")
        self.detail = detail
        self.status = status
        self.name = name
        self.receipt = receipt

    def __reduce__(self) -> Tuple[Type[NotifyError], Tuple[Any, ...]]:
        # The inherited method would pass only the message to the class.
        return type(self), (self.detail, self.status, self.name, self.receipt)
