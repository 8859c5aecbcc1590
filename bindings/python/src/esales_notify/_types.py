"""Who did it: a plain value, without the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from ._text import require_text


@dataclass(frozen=True)
class Visitor:
    """Who added the product to the cart.

    Made by :meth:`anonymous` or :meth:`signed_in`. Immutable, so one visitor may be used by any number of threads.
    Wrong types are refused here (``TypeError``); what the strings hold is checked by the call that sends them.
    The token does not show in ``repr``, so that it stays out of logs.
    """

    #: Who the visitor is, 1 to 256 bytes of UTF-8.
    customer_key: str
    #: A UUID for the visit, 1 to 256 bytes of UTF-8.
    session_key: str
    #: Signed in: the token, 1 to 256 bytes of UTF-8. ``None``: anonymous.
    token: Optional[str] = field(default=None, repr=False)
    #: Storefront market, 1 to 128 bytes of UTF-8. ``None``: the client's option ``market``.
    market: Optional[str] = None

    def __post_init__(self) -> None:
        require_text("customer_key", self.customer_key)
        require_text("session_key", self.session_key)
        if self.token is not None:
            require_text("token", self.token)
        if self.market is not None:
            require_text("market", self.market)

    @classmethod
    def anonymous(cls, customer_key: str, session_key: str, market: Optional[str] = None) -> Visitor:
        """A visitor who is not signed in. ``customer_key`` is a UUID that the shop made and keeps (``new_key()``)."""
        return cls(customer_key, session_key, None, market)

    @classmethod
    def signed_in(cls, customer_key: str, session_key: str, token: str, market: Optional[str] = None) -> Visitor:
        """A visitor who is signed in: ``customer_key`` from ``customer_key()``, ``token`` from ``customer_token()``."""
        require_text("token", token)
        return cls(customer_key, session_key, token, market)
