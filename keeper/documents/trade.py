"""What orders would do to an account: each is taken as filled, at its price or at the mark, and pays its fee."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.documents.names import InstrumentName, Kind, parse
from keeper.documents.portfolio import Order, OrdersDocument, PortfolioDocument, Position
from keeper.documents.priced import Priced
from keeper.risk.kernel.requirement import Unpriced


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One order, filled."""

    instrument: str
    """Its canonical name."""
    amount: float
    """Added to the position; a sale is negative."""
    price: float
    """USD per unit."""
    at_mark: bool
    """Whether the order named no price."""
    premium: float
    """Cash received for an option, in the account's currency; what is paid is negative."""
    fee: float
    """Cash paid, in the account's currency."""


@dataclass(frozen=True, kw_only=True)
class Traded:
    """An account after its orders."""

    portfolio: PortfolioDocument
    fills: tuple[Fill, ...]
    """One per order, in order."""


def traded(written: PortfolioDocument, orders: OrdersDocument, priced: Priced) -> Traded | Unpriced:
    """The account after every order is filled.  `Unpriced` names the first instrument that has no price."""
    reason = next((why for order in orders.orders if (why := priced.unpriceable(parse(order.instrument)))), "")
    if reason:
        return Unpriced(reason=reason)
    fills = tuple(_filled(order, priced) for order in orders.orders)
    lots = tuple(
        Position(
            instrument=fill.instrument,
            size=fill.amount,
            entry_price=fill.price if parse(fill.instrument).kind in {Kind.PERP, Kind.FUTURE} else None,
        )
        for fill in fills
    )
    cash = written.cash + sum(fill.premium - fill.fee for fill in fills)
    after = written.model_copy(update={"cash": cash, "positions": (*written.positions, *lots)})
    return Traded(portfolio=after, fills=fills)


def _filled(order: Order, priced: Priced) -> Fill:
    name = parse(order.instrument)
    price = priced.mark(name) if order.price is None else order.price
    is_option = name.kind in {Kind.CALL, Kind.PUT}
    return Fill(
        instrument=str(name),
        amount=order.signed_amount,
        price=price,
        at_mark=order.price is None,
        premium=priced.money(-order.signed_amount * price, name) if is_option else 0.0,
        fee=_fee(name, order.amount, price, priced),
    )


def _fee(name: InstrumentName, amount: float, price: float, priced: Priced) -> float:
    fees = priced.document.fees
    if name.kind in {Kind.CALL, Kind.PUT}:
        spot = priced.document.underlyings[name.symbol].spot
        return priced.money(amount * min(fees.option * spot, fees.option_cap * price), name)
    if priced.is_inverse(name):
        return fees.perp * amount  # its amount is its worth in coin
    return priced.money(fees.perp * amount * price, name)
