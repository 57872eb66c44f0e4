"""From a portfolio document to the kernel's account.  A leg that cannot be priced makes the account unknown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from keeper.documents.names import InstrumentName, Kind, expiry_name, parse
from keeper.documents.portfolio import PortfolioDocument, Position
from keeper.documents.priced import Priced
from keeper.documents.volatility import NoVol
from keeper.risk.kernel.portfolio import FuturePosition, Holding, OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.requirement import Unpriced


def portfolio_of(written: PortfolioDocument, priced: Priced) -> Portfolio | Unpriced:
    """The account as the kernel sees it: lots of one instrument are one position; what is closed is cash.

    Returns: `Unpriced` naming the first leg that has no price, and why.
    """
    lots: dict[InstrumentName, list[Position]] = {}
    for lot in written.positions:
        lots.setdefault(parse(lot.instrument), []).append(lot)
    reason = next((why for name in lots if (why := priced.unpriceable(name))), "")
    absent = next((symbol for symbol in written.collateral if symbol not in priced.document.collaterals), None)
    if reason or absent is not None:
        return Unpriced(reason=reason or f"{absent}: the market has no such collateral")
    cash = written.cash
    perps: list[PerpPosition] = []
    futures: list[FuturePosition] = []
    options: list[OptionPosition] = []
    for name, held in lots.items():
        size = total_size(held)
        gain = sum(unrealised(name, lot, priced) for lot in held)
        funding = sum(lot.funding for lot in held)
        if not size:
            cash += gain + funding
        elif name.kind is Kind.PERP:
            perps.append(PerpPosition(underlying=name.symbol, size=size, unrealised=gain, funding=funding))
        elif name.kind is Kind.FUTURE:
            expiry = expiry_name(name.expiry_s or 0)
            futures.append(FuturePosition(underlying=name.symbol, expiry=expiry, size=size, unrealised=gain))
        else:
            options.append(_option(name, size, priced))
    return Portfolio(
        cash=cash,
        collateral=tuple(Holding(symbol=symbol, amount=amount) for symbol, amount in written.collateral.items()),
        perps=tuple(perps),
        futures=tuple(futures),
        options=tuple(options),
    )


def total_size(lots: Sequence[Position]) -> float:
    """What the lots add up to, in the decimals they were written in: 0.1 + 0.2 − 0.3 is nothing."""
    return float(sum((Decimal(repr(lot.size)) for lot in lots), start=Decimal(0)))


def unrealised(name: InstrumentName, lot: Position, priced: Priced) -> float:
    """Profit of a lot since it was entered, in the account's currency; 0 where it is settled already."""
    if lot.entry_price is None:
        return 0.0
    mark = priced.mark(name)
    if priced.is_inverse(name):
        return lot.size * (mark / lot.entry_price - 1.0)  # N USD are size = N/mark coin; they gain N/entry − N/mark
    return priced.money(lot.size * (mark - lot.entry_price), name)


def _option(name: InstrumentName, size: float, priced: Priced) -> OptionPosition:
    vol = priced.vol(name)
    assert not isinstance(vol, NoVol), "asked before"
    return OptionPosition(
        underlying=name.symbol,
        expiry=expiry_name(name.expiry_s or 0),
        strike=float(name.strike or 0),
        is_call=name.kind is Kind.CALL,
        size=size,
        vol=vol,
    )
