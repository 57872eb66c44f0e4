"""What an answer says of its documents: what a preset does not see, what stands in, what looks like a slip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from keeper.documents.fit import OF_HISTORY, involved_in
from keeper.documents.market import MarketDocument, Underlying
from keeper.documents.names import InstrumentName
from keeper.documents.portfolio import PortfolioDocument
from keeper.risk.kernel.charges import Haircut
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.preset import Preset
from keeper.risk.kernel.rows import Depegs, Scanned, Stressed, Thresholds

#: A price of the same thing that is further from spot than this factor is named: it may be right, and is used.
FAR: Final = 2.0


def remarks(
    preset: Preset, market: MarketDocument, portfolio: PortfolioDocument, names: Iterable[InstrumentName]
) -> tuple[str, ...]:
    """Notes on documents that fit their preset.

    Args:
        preset: the rule.
        market: with its quotes.
        portfolio: as written.
        names: instruments of the portfolio and of orders.
    """
    involved = involved_in(names, market, portfolio)
    return (
        *_left_out(preset, market),
        *_stand_ins(preset, market, involved),
        *_in_full(preset, market, portfolio),
        *_pegs(preset, market),
        *(note for symbol, one in market.underlyings.items() for note in _far(symbol, one)),
        *_far_tokens(market),
    )


def _left_out(preset: Preset, market: MarketDocument) -> Iterator[str]:
    """What a preset would look at and cannot, since the market names no history: what that would require, is not."""
    absent = [block.name for block in preset.blocks if isinstance(block.rows, OF_HISTORY)]
    if absent and not any(one.history is not None for one in market.underlyings.values()):
        yield f"without {', '.join(absent)}: no underlying of the market names a history"


def _stand_ins(preset: Preset, market: MarketDocument, involved: Iterable[str]) -> Iterator[str]:
    """Ranges that nobody calibrated."""
    absent = [symbol for symbol in involved if market.underlyings[symbol].scan_range is None]
    for block in preset.blocks:
        rows = block.rows
        fallback = rows.fallback if isinstance(rows, Scanned | Stressed) else None
        fixed = rows.fixed if isinstance(rows, Scanned) else None
        if absent and fallback is not None and fixed is None:
            yield f"{', '.join(absent)}: no scan_range in the market, {preset.name} takes its own: {_range(fallback)}"
            return


def _range(one: ScanRange) -> str:
    return f"price ±{one.price:.4g}, vol +{one.vol_up:.4g} −{one.vol_down:.4g}"


def _in_full(preset: Preset, market: MarketDocument, portfolio: PortfolioDocument) -> Iterator[str]:
    """Haircuts of the market that a preset has no use for."""
    if any(isinstance(one, Haircut) for one in preset.charges):
        return
    if any(isinstance(block.rows, Thresholds) for block in preset.blocks):
        return
    cut = [
        symbol
        for symbol, amount in portfolio.collateral.items()
        if amount > 0.0 and symbol in market.collaterals and _has_haircut(market, symbol)
    ]
    if cut:
        yield f"{', '.join(cut)} at full value: {preset.name} does not count the market's haircuts"


def _has_haircut(market: MarketDocument, symbol: str) -> bool:
    token = market.collaterals[symbol]
    return token.haircut_mm > 0.0 or bool(token.haircut_im)


def _pegs(preset: Preset, market: MarketDocument) -> Iterator[str]:
    for block in preset.blocks:
        if isinstance(block.rows, Depegs) and market.settlement is not None:
            known = [fall.symbol for fall in block.rows.falls]
            if market.settlement not in known:
                yield f"settlement: nothing is known of {market.settlement} losing its peg, only of {', '.join(known)}"


def _far(symbol: str, one: Underlying) -> Iterator[str]:
    """Prices of one underlying beside its spot."""
    at = f"underlyings.{symbol}"
    prices = [(f"expiry {each.expiry} forward", each.forward) for each in one.expiries]
    prices.append(("perp.price", one.perp.price))
    prices += [(f"book.{side}", levels[0][0]) for side, levels in _best(one) if levels]
    for where, price in prices:
        if price is not None and _is_far(price, one.spot):
            yield f"{at}: {where} {price:g} beside spot {one.spot:g}: used as written, is it a slip?"


def _best(one: Underlying) -> tuple[tuple[str, tuple[tuple[float, float], ...]], ...]:
    return ("bids", one.book.bids), ("asks", one.book.asks)


def _far_tokens(market: MarketDocument) -> Iterator[str]:
    """A token that follows an underlying at quite another price; wrappers that hold many units are such."""
    for symbol, token in market.collaterals.items():
        if token.price is not None and token.underlying is not None:
            spot = market.underlyings[token.underlying].spot
            if _is_far(token.price, spot):
                yield (
                    f"collaterals.{symbol}: price {token.price:g} beside spot {spot:g} of {token.underlying}: "
                    "used as written, is it a slip?"
                )


def _is_far(price: float, spot: float) -> bool:
    return not spot / FAR <= price <= spot * FAR
