"""Converts Python strings for C."""

from __future__ import annotations

from ._outcomes import InvalidArgumentError
from ._status import ESALES_INVALID_ARGUMENT


def require_text(name: str, value: object) -> None:
    """Raises a ``TypeError`` that names the argument, unless the value is a ``str``."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")


def encode(name: str, value: str) -> bytes:
    """Returns the string as UTF-8. Refuses a string that C cannot get completely."""
    if not isinstance(value, str):
        require_text(name, value)
    # C would cut the string at the NUL.
    if "\0" in value:
        raise refusal(f"{name} contains a NUL character")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise refusal(f"{name} is not valid Unicode: {error.reason} at character {error.start}") from None


def refusal(detail: str) -> InvalidArgumentError:
    """The error for an argument that is refused before it reaches the library."""
    return InvalidArgumentError(detail, ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT")
