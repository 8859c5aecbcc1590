"""Keys and tokens."""

from __future__ import annotations

import ctypes
from typing import Optional

from ._library import LibraryPath, load
from ._text import encode


def customer_key(customer_id: str, *, library: Optional[LibraryPath] = None) -> str:
    """Returns the customer key of a signed-in visitor: the SHA-256 of the visitor's id, as 64 lower-case hex digits.

    ``customer_id``: the visitor's id in the shop, 1 to 4096 bytes of UTF-8 without control characters. Raises :class:`InvalidArgumentError`.
    May be called from any thread.
    """
    c = load(library)
    out = ctypes.create_string_buffer(65)
    c.check(c.esales_customer_key(encode("customer_id", customer_id), out))
    return out.value.decode("ascii")


def customer_token(private_key: str, customer_key: str, *, library: Optional[LibraryPath] = None) -> str:
    """Returns the token of a signed-in visitor: the HMAC-SHA256 of the customer key under the shop's private key, as 64
    lower-case hex digits.

    ``private_key``: the shop's private key, which the vendor issued: 1 to 4096 bytes of UTF-8 without control
    characters. A line break at the end of a key file is not part of the key. ``customer_key``: from
    :func:`customer_key`. Raises :class:`InvalidArgumentError`.
    May be called from any thread.
    """
    c = load(library)
    out = ctypes.create_string_buffer(65)
    c.check(c.esales_customer_token(encode("private_key", private_key), encode("customer_key", customer_key), out))
    return out.value.decode("ascii")


def new_key(*, library: Optional[LibraryPath] = None) -> str:
    """Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id.

    Raises :class:`InternalError` if the system provides no random bytes. May be called from any thread.
    """
    c = load(library)
    out = ctypes.create_string_buffer(37)
    c.check(c.esales_new_key(out))
    return out.value.decode("ascii")


def version(*, library: Optional[LibraryPath] = None) -> str:
    """Returns the version of libesales_notify, such as ``"0.1.0"``. ``__version__`` is the version of this package."""
    return load(library).version()
