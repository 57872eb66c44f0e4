"""In what an account is counted: USD, or the coin of its one underlying."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.risk.kernel.legs import NONE, Legs
from keeper.risk.kernel.market import Market
from keeper.risk.kernel.preset import Currency
from keeper.risk.kernel.requirement import Unpriced


@dataclass(frozen=True, kw_only=True)
class Numeraire:
    """The unit of every amount of one requirement."""

    name: str
    """`USD`, or the coin's symbol."""
    coin: int | None
    """Index of the underlying whose coin it is; None for USD."""
    price: float
    """Of one unit, USD."""


def numeraire(currency: Currency, market: Market, legs: Legs) -> Numeraire | Unpriced:
    """What `currency` means for this account, or why it cannot be counted so."""
    if currency is Currency.USD:
        return Numeraire(name="USD", coin=None, price=1.0)
    held = sorted({int(u) for u in legs.underlying if u != NONE})
    if len(held) > 1:
        names = " and ".join(market.underlyings[u].symbol for u in held)
        return Unpriced(reason=f"an account counted in coin holds one underlying; this one holds {names}")
    if not held and len(market.underlyings) != 1:
        return Unpriced(reason="an account counted in coin needs to know which coin: it holds no underlying")
    coin = held[0] if held else 0
    home = market.underlyings[coin]
    return Numeraire(name=home.symbol, coin=coin, price=home.spot)
