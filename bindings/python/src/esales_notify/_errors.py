"""The parents of what is raised; `_outcomes` has one class for each code."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple, Type

from ._records import Receipt


class LibraryNotFoundError(ImportError):
    """libesales_notify was not found, cannot be loaded, or is of another version than this package.

    ``path`` is the file that was named, or ``None`` if none was.
    """


class NotifyError(Exception):
    """Parent of everything that a call of the library raises. Can be pickled."""

    #: The status code, such as ``ESALES_TIMEOUT``.
    status: int
    #: The code's name, such as ``"ESALES_TIMEOUT"``.
    name: str
    #: What went wrong, in words that name the argument or option.
    detail: str
    #: What became of the notification; ``None`` if the call was not about one, or it was refused before the library.
    receipt: Optional[Receipt]

    def __init__(self, detail: str, status: int, name: str, receipt: Optional[Receipt] = None) -> None:
        super().__init__(f"{name}: {detail}")
        self.detail = detail
        self.status = status
        self.name = name
        self.receipt = receipt

    def __reduce__(self) -> Tuple[Type[NotifyError], Tuple[Any, ...]]:
        # The inherited one would call the class with the message alone.
        return type(self), (self.detail, self.status, self.name, self.receipt)
