"""Python strings to what C takes."""

from __future__ import annotations

from ._outcomes import InvalidArgumentError
from ._status import ESALES_INVALID_ARGUMENT


def require_text(name: str, value: object) -> None:
    """Raises ``TypeError`` naming the argument unless it is a ``str``."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")


def encode(name: str, value: str) -> bytes:
    """The string as UTF-8, refused if C could not be given all of it."""
    if not isinstance(value, str):
        require_text(name, value)
    # C would stop at a NUL and send the rest of the string to nobody.
    if "\0" in value:
        raise refusal(f"{name} contains a NUL character")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise refusal(f"{name} is not valid Unicode: {error.reason} at character {error.start}") from None


def refusal(detail: str) -> InvalidArgumentError:
    """What an argument that never reaches the library is refused with."""
    return InvalidArgumentError(detail, ESALES_INVALID_ARGUMENT, "ESALES_INVALID_ARGUMENT")
