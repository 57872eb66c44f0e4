"""The portfolio document: what one account holds; and the orders document: what it thinks of trading."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from keeper.documents.names import InstrumentName, Kind, parse
from keeper.documents.numbers import LEAST_PRICE, NotNegative, Number, Positive, Price
from keeper.documents.read import Document, Part
from keeper.errors import BadInput


def _named(instrument: str) -> InstrumentName:
    try:
        return parse(instrument)
    except BadInput as error:
        raise ValueError(f"{error.message}: {error.hint}") from None


class Position(Part):
    """One instrument and how much of it."""

    instrument: str
    """ETH-PERP, ETH-20260327, ETH-20260327-3000-C, or as Deribit writes them."""
    size: Number
    """In units of the underlying; of an inverse perpetual or future its worth in coin today.  Short is negative."""
    entry_price: Price | None = None
    """Of a perpetual or future: its profit since then counts as equity; left out, it is settled already."""
    funding: Number = 0.0
    """Of a perpetual: accrued and not yet paid, in the currency of cash; what the account receives is positive."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        kind = _named(self.instrument).kind
        if self.entry_price is not None and kind in {Kind.CALL, Kind.PUT}:
            raise ValueError("an option is fully paid: it has no entry_price")
        if self.funding and kind is not Kind.PERP:
            raise ValueError("only a perpetual has funding")
        return self


class PortfolioDocument(Document):
    """One account."""

    currency: str = "USD"
    """In what `cash` and `funding` are counted: USD; or a coin, such as ETH, where the venue settles in it.  Perpetuals
    and futures of a coin account are inverse."""
    cash: Number = 0.0
    """Of the settlement token; a debt is negative."""
    collateral: dict[str, Number] = Field(default_factory=dict)
    """Amount of each token, by the market's symbol; a debt is negative."""
    positions: tuple[Position, ...]
    """In any order; several lots of one instrument add up."""


class Order(Part):
    """One order, taken as filled."""

    instrument: str
    """As in a portfolio."""
    side: Literal["buy", "sell"]
    """Which way."""
    amount: Positive
    """In units of the underlying."""
    price: NotNegative | None = None
    """At which it is filled, USD; the mark if left out."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        costs_nothing = self.price is not None and self.price < LEAST_PRICE
        if _named(self.instrument).kind in {Kind.PERP, Kind.FUTURE} and costs_nothing:
            raise ValueError("only an option can cost nothing")
        return self

    @property
    def signed_amount(self) -> float:
        """What it adds to the position."""
        return self.amount if self.side == "buy" else -self.amount


class OrdersDocument(Document):
    """Orders that are all filled together."""

    orders: Annotated[tuple[Order, ...], Field(min_length=1)]
    """In any order."""
