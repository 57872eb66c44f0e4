"""Joint returns of several underlyings from price histories that were recorded whenever they were.

One row is one horizon, the same for every underlying.  A return stands between two prices that were really known, each
at most `hold` old, and whose observations lie one horizon apart within `SLACK`: so a gap of 21 days, a missing daily
bar, or a price nobody updated is no return at all, and never a long one under a short name.  What is missing is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.prices import PriceHistory
from keeper.errors import LawBroken
from keeper.risk.kernel.market import History
from keeper.risk.timeseries.volatility import DAY_S, Unestimated

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The two observations of a return lie one horizon apart, give or take this part of it.
SLACK: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Log returns over one horizon, T rows over U things, oldest first."""

    symbols: tuple[str, ...]
    """The order of the second axis."""
    time_s: Ints
    """Unix seconds at which each row ends, strictly ascending, shape (T,)."""
    returns: Floats
    """Shape (T, U); NaN where there is none.  No row is all NaN."""
    horizon_s: int
    """Length of every return."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a shape differs, time does not ascend or a return is infinite."""
        if self.returns.shape != (len(self.time_s), len(self.symbols)) or np.isinf(self.returns).any():
            raise LawBroken(f"returns of shape {self.returns.shape} are no panel of {len(self.symbols)} things")
        if not (np.diff(self.time_s) > 0).all():
            raise LawBroken("the rows of a panel do not ascend in time")

    def __len__(self) -> int:
        """Rows."""
        return len(self.time_s)

    def where(self, rows: npt.ArrayLike) -> Panel:
        """The rows for which `rows`, shape (T,), is true."""
        kept = np.asarray(rows, dtype=np.bool_)
        return Panel(
            symbols=self.symbols, time_s=self.time_s[kept], returns=self.returns[kept], horizon_s=self.horizon_s
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """The end of each row as people write it: a day where a horizon is whole days, else with its minute; UTC."""
        whole_days = self.horizon_s % DAY_S == 0 and not (self.time_s % int(DAY_S)).any()
        form = "%Y-%m-%d" if whole_days else "%Y-%m-%dT%H:%M"
        return tuple(datetime.fromtimestamp(at, UTC).strftime(form) for at in self.time_s.tolist())

    def complete(self) -> Panel:
        """The rows in which nothing is missing: what may be called joint."""
        return self.where(~np.isnan(self.returns).any(axis=1))

    def column(self, symbol: str) -> Floats:
        """Returns of one thing, those it has; shape (≤ T,)."""
        values = self.returns[:, self.symbols.index(symbol)]
        return values[~np.isnan(values)]

    def past(self, vol: Panel | None = None) -> History:
        """The complete rows for the kernel.

        Args:
            vol: the same made of volatilities instead of prices.  Where it has no value a volatility did not move.
        """
        rows = self.complete()
        return History(
            tags=rows.tags,
            underlyings=rows.symbols,
            returns=rows.returns,
            vol_returns=None if vol is None else _aligned(vol, rows),
            period_hours=self.horizon_s / 3600.0,
        )


def panel(
    histories: Sequence[PriceHistory],
    *,
    horizon_s: int,
    step_s: int | None = None,
    hold_s: float | None = None,
    until_s: int | None = None,
) -> Panel | Unestimated:
    """Cut histories into joint returns, backwards from the last moment they all reach.

    Args:
        histories: one per thing, of distinct names.
        horizon_s: length of a return: 86,400 for a day, 14,400 for four hours.
        step_s: distance of rows; the horizon if left out.  A smaller one gives overlapping rows, whose tail is steadier
            and whose breaches are not independent.
        hold_s: how long a price is taken to be known; if left out 1.5 usual steps of its own history.
        until_s: end of the last row, to line a panel up with another; the earliest last observation if left out.

    Returns:
        `Unestimated` if one of them has no return at all.

    Raises:
        LawBroken: no history, two of one name, or a horizon or step that is not positive.
    """
    names = tuple(one.name for one in histories)
    step = horizon_s if step_s is None else step_s
    if not names or len(set(names)) < len(names) or horizon_s <= 0 or step <= 0:
        raise LawBroken(f"no panel of {names} over {horizon_s} s in steps of {step} s")
    last = min(int(one.time_s[-1]) for one in histories) if until_s is None else until_s
    first = min(int(one.time_s[0]) for one in histories) + horizon_s
    ends = last - step * np.arange(max(0, (last - first) // step + 1) - 1, -1, -1, dtype=np.int64)
    returns = np.column_stack([_returns(one, ends, horizon_s, hold_s) for one in histories])
    for name, column in zip(names, returns.T, strict=True):
        if np.isnan(column).all():
            return Unestimated(reason=f"the price history of {name} holds no return over {horizon_s / 3600:g} h")
    found = Panel(symbols=names, time_s=ends, returns=returns, horizon_s=horizon_s)
    return found.where(~np.isnan(returns).all(axis=1))


def _returns(one: PriceHistory, ends: Ints, horizon_s: int, hold_s: float | None) -> Floats:
    end, start = _known(one, ends, hold_s), _known(one, ends - horizon_s, hold_s)
    apart = one.time_s[end] - one.time_s[start]
    good = (start >= 0) & (end >= 0) & (np.abs(apart - horizon_s) <= SLACK * horizon_s)
    log_price = np.log(one.close)
    return np.where(good, log_price[end] - log_price[start], np.nan)


def _known(one: PriceHistory, at_s: Ints, hold_s: float | None) -> Ints:
    if hold_s is None:
        return one.known(at_s)
    index = np.searchsorted(one.time_s, at_s, side="right").astype(np.int64) - 1
    return np.where((index >= 0) & (at_s - one.time_s[np.maximum(index, 0)] <= hold_s), index, -1)


def _aligned(vol: Panel, rows: Panel) -> Floats:
    """Changes of volatility in the rows of `rows`, by symbol and by time; 0 where there is none."""
    if vol.horizon_s != rows.horizon_s:
        raise LawBroken(f"volatilities over {vol.horizon_s} s do not go with returns over {rows.horizon_s} s")
    out = np.zeros(rows.returns.shape)
    _, here, there = np.intersect1d(rows.time_s, vol.time_s, assume_unique=True, return_indices=True)
    for u, symbol in enumerate(rows.symbols):
        if symbol in vol.symbols:
            out[here, u] = np.nan_to_num(vol.returns[there, vol.symbols.index(symbol)], nan=0.0)
    return out
