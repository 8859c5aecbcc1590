"""Who did what: plain values, without the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Iterable, Optional, Tuple, Union

from ._status import Kind
from ._text import refusal, require_text

#: A price: a decimal number as text, a ``Decimal`` or an ``int``.
Price = Union[str, Decimal, int]

#: What C's uint32_t holds.
_LARGEST_UINT32 = 2**32 - 1
#: Digits of a number that are written out. The library allows far fewer; this only bounds the memory.
_MOST_DIGITS = 1000


@dataclass(frozen=True)
class Visitor:
    """The person who did it.

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


@dataclass(frozen=True, init=False)
class Line:
    """One line of an order. Immutable.

    Prices are decimal numbers: a ``str`` such as ``"199.50"``, a ``Decimal`` or an ``int``. They are sent exactly as
    given, with every digit. A ``float`` is refused, because it is rarely the number that was written.

    Raises ``TypeError`` naming an argument of a wrong type, and :class:`InvalidArgumentError` for a ``Decimal`` that is
    not a finite number and for a quantity that is out of range. The call that sends the line checks the rest.
    """

    #: The shop's key of the product, 1 to 256 bytes of UTF-8. ``None``: ``variant_key`` is given.
    product_key: Optional[str]
    #: The shop's key of the variant, 1 to 256 bytes of UTF-8. ``None``: ``product_key`` is given.
    variant_key: Optional[str]
    #: How many were bought, 1 to 2147483647.
    quantity: int
    #: What one of them was sold for, as it is sent.
    selling_price: str
    #: What one of them cost the shop, as it is sent: more than 0 and less than ``selling_price``, in a secure payment
    #: only. ``None``: not known.
    cost: Optional[str]

    def __init__(
        self,
        *,
        product_key: Optional[str] = None,
        variant_key: Optional[str] = None,
        quantity: int,
        selling_price: Price,
        cost: Optional[Price] = None,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "product_key", _optional_text("product_key", product_key))
        set_field(self, "variant_key", _optional_text("variant_key", variant_key))
        set_field(self, "quantity", _quantity(quantity))
        set_field(self, "selling_price", _price("selling_price", selling_price))
        set_field(self, "cost", None if cost is None else _price("cost", cost))


@dataclass(frozen=True)
class Notification:
    """What the visitor did. Made by the method of its kind, such as :meth:`click`. Immutable.

    ``id`` names this one event, 1 to 128 bytes of UTF-8; ``None``: a new UUID. It is the same in every attempt. To send
    the same event again, pass the id of the receipt. The service gets it with clicks and carts only.

    Wrong types are refused here (``TypeError``); the call that sends the notification checks what the strings hold.
    The ticket and the private key do not show in ``repr``, so that they stay out of logs.
    """

    #: The kind, such as ``Kind.CLICK``.
    kind: Kind
    #: Names this one event; ``None``: a new UUID.
    id: Optional[str] = None
    #: Clicks and carts: the string that the service gave with the product.
    ticket: Optional[str] = field(default=None, repr=False)
    #: Non-eSales clicks and carts: the shop's key of the product.
    product_key: Optional[str] = None
    #: Non-eSales clicks and carts: the shop's key of the variant.
    variant_key: Optional[str] = None
    #: Payments: the lines of the order.
    lines: Tuple[Line, ...] = ()
    #: Secure payments: the shop's private key.
    private_key: Optional[str] = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Kind):
            raise TypeError(f"kind must be a Kind such as Kind.CLICK, not {type(self.kind).__name__}")
        for name in ("id", "ticket", "product_key", "variant_key", "private_key"):
            _optional_text(name, getattr(self, name))
        object.__setattr__(self, "lines", _lines(self.lines))

    @classmethod
    def add_to_cart(cls, ticket: str, *, id: Optional[str] = None) -> Notification:
        """The visitor added the product behind the ticket to the cart.

        ``ticket``: the string that the service gave with the product, 1 to 8192 bytes of UTF-8, sent unchanged.
        """
        require_text("ticket", ticket)
        return cls(Kind.ADD_TO_CART, id, ticket=ticket)

    @classmethod
    def click(cls, ticket: str, *, id: Optional[str] = None) -> Notification:
        """The visitor clicked the product behind the ticket.

        ``ticket``: the string that the service gave with the product, 1 to 8192 bytes of UTF-8, sent unchanged.
        """
        require_text("ticket", ticket)
        return cls(Kind.CLICK, id, ticket=ticket)

    @classmethod
    def non_esales_click(
        cls, product_key: Optional[str] = None, variant_key: Optional[str] = None, *, id: Optional[str] = None
    ) -> Notification:
        """The visitor clicked a product for which there is no ticket.

        ``product_key``, ``variant_key``: the shop's keys of the product and the variant, 1 to 256 bytes of UTF-8. One
        of them must be given; the service may refuse a variant without its product.
        """
        return cls(Kind.NON_ESALES_CLICK, id, product_key=product_key, variant_key=variant_key)

    @classmethod
    def non_esales_add_to_cart(
        cls, product_key: Optional[str] = None, variant_key: Optional[str] = None, *, id: Optional[str] = None
    ) -> Notification:
        """The visitor added a product to the cart for which there is no ticket.

        ``product_key``, ``variant_key``: as for :meth:`non_esales_click`.
        """
        return cls(Kind.NON_ESALES_ADD_TO_CART, id, product_key=product_key, variant_key=variant_key)

    @classmethod
    def payment(cls, lines: Iterable[Line], *, id: Optional[str] = None) -> Notification:
        """The visitor paid for an order. Not every cluster accepts payments that are not signed.

        ``lines``: 1 to 10,000 lines.
        """
        return cls(Kind.PAYMENT, id, lines=_lines(lines))

    @classmethod
    def secure_payment(cls, lines: Iterable[Line], private_key: str, *, id: Optional[str] = None) -> Notification:
        """The visitor paid for an order. The private key signs the notification, and its lines may have costs.

        ``lines``: 1 to 10,000 lines.
        ``private_key``: the shop's, 1 to 4096 bytes of UTF-8. The library uses it during the call and does not keep it.
        """
        require_text("private_key", private_key)
        return cls(Kind.SECURE_PAYMENT, id, lines=_lines(lines), private_key=private_key)

    @classmethod
    def end(cls, *, id: Optional[str] = None) -> Notification:
        """The visitor signed out: the session ends."""
        return cls(Kind.END, id)


def _optional_text(name: str, value: Optional[str]) -> Optional[str]:
    if value is not None:
        require_text(name, value)
    return value


def _lines(lines: Iterable[Line]) -> Tuple[Line, ...]:
    # A str can be iterated over, but its characters are no lines.
    if isinstance(lines, str) or not hasattr(lines, "__iter__"):
        raise TypeError(f"lines must be an iterable of Line, not {type(lines).__name__}")
    given = tuple(lines)
    for number, line in enumerate(given):
        if not isinstance(line, Line):
            raise TypeError(f"lines[{number}] must be a Line, not {type(line).__name__}")
    return given


def _quantity(quantity: int) -> int:
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        raise TypeError(f"quantity must be an int, not {type(quantity).__name__}")
    # ctypes would cut it down to 32 bits without an error. The library refuses the rest in the same words.
    if not 0 <= quantity <= _LARGEST_UINT32:
        raise refusal(f"quantity is {quantity}; it must be 1 to 2147483647")
    return int(quantity)


def _price(name: str, price: Price) -> str:
    """The price as it is sent."""
    if isinstance(price, str):
        return price
    if isinstance(price, float):
        raise TypeError(
            f"{name} must be a str, a Decimal or an int, not float: a float such as 0.1 is stored as a binary number "
            f"near it, and prices are sent exactly; pass '199.50' or Decimal('199.50')"
        )
    if isinstance(price, bool) or not isinstance(price, (int, Decimal)):
        raise TypeError(f"{name} must be a str, a Decimal or an int, not {type(price).__name__}")
    if isinstance(price, int):
        if price.bit_length() > _MOST_DIGITS:
            raise refusal(f"{name} has too many digits")
        return str(int(price))
    if not price.is_finite():
        raise refusal(f"{name} is {price}; it must be a finite number")
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int)
    if price.adjusted() > _MOST_DIGITS or exponent < -_MOST_DIGITS:
        raise refusal(f"{name} has too many digits")
    # Plain digits, whatever the exponent, the decimal context and the locale.
    return format(price, "f")
