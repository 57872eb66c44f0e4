"""Joint daily moves from the price histories that a market document names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from keeper.documents.market import MarketDocument
from keeper.domain.prices import PriceHistory
from keeper.errors import BadInput
from keeper.risk.kernel.market import History
from keeper.risk.timeseries.panel import panel
from keeper.risk.timeseries.volatility import Unestimated

#: Length of a return: the horizon over which positions are taken to be closed.
PERIOD_S: Final = 86_400
#: Fewer joint returns than this say nothing about a tail.
LEAST_RETURNS: Final = 60
#: EWMA decay per day of the volatility that is read from a history.  Source: METHODOLOGY, λ.
DECAY: Final = 0.97


def joint_history(document: MarketDocument, folder: Path) -> History | None:
    """Daily log returns of every underlying that names a history, at the same moments, oldest first.

    Nothing after `as_of` is used.  A day in which one of them has a gap is left out for all.

    Returns: None if no underlying names a history.
    Raises: `BadInput` if a file cannot be used, or they have too few days in common.
    """
    prices = _prices(document, folder)
    if not prices:
        return None
    found = panel(prices, horizon_s=PERIOD_S)
    if isinstance(found, Unestimated):
        raise BadInput(f"the histories cannot be used: {found.reason}", hint="name others in underlyings.….history")
    joint = found.complete()
    if len(joint) < LEAST_RETURNS:
        raise BadInput(
            f"the histories of {', '.join(joint.symbols)} have {len(joint)} days in common before as_of, "
            f"{LEAST_RETURNS} are needed",
            hint="name longer files in underlyings.….history, or leave all of them out",
        )
    vols = _vols(document, folder)
    if not vols:
        return joint.past()
    implied = panel(vols, horizon_s=PERIOD_S, until_s=int(joint.time_s[-1]))
    if isinstance(implied, Unestimated):
        raise BadInput(f"a vol_history cannot be used: {implied.reason}", hint="name others, or leave them out")
    return joint.past(implied)


def daily_volatility(history: History, symbol: str) -> float:
    """Standard deviation of a day's return, the newest days counting most."""
    returns = history.returns[:, history.underlyings.index(symbol)]
    weights = DECAY ** np.arange(len(returns) - 1, -1, -1)
    return float(np.sqrt(np.average(returns**2, weights=weights)))


def _prices(document: MarketDocument, folder: Path) -> list[PriceHistory]:
    """What was known of each price history at `as_of`."""
    from keeper.marketdata.prices_file import load_prices  # noqa: PLC0415 - only where a history is named

    named = {symbol: one.history for symbol, one in document.underlyings.items() if one.history is not None}
    return [_known(load_prices(folder / name, name=symbol), folder / name, document) for symbol, name in named.items()]


def _vols(document: MarketDocument, folder: Path) -> list[PriceHistory]:
    """What was known of each 30-day volatility at `as_of`."""
    from keeper.marketdata.vols_file import load_vols  # noqa: PLC0415 - only where a history is named

    found = []
    for symbol, one in document.underlyings.items():
        if one.vol_history is None:
            continue
        path = folder / one.vol_history
        of = load_vols(path)
        index = of.get(symbol) or (next(iter(of.values())) if len(of) == 1 else None)
        if index is None or index.expiry_s.any():
            raise BadInput(
                f"market: underlyings.{symbol}.vol_history: {path} holds no 30-day index of {symbol}",
                hint="name a CSV with a time and a vol at one constant tenor of 30 days",
            )
        found.append(_known(PriceHistory(name=symbol, time_s=index.time_s, close=index.vol), path, document))
    return found


def _known(whole: PriceHistory, path: Path, document: MarketDocument) -> PriceHistory:
    if whole.time_s[0] > document.as_of_s:
        raise BadInput(f"{path}: begins after as_of", hint="a valuation must not know the future: correct as_of")
    return whole.between(float(whole.time_s[0]), document.as_of_s)
