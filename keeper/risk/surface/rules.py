"""Which quotes count, and how much: from a venue's list to the points of each expiry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.pricing.implied_vol import Verdict, implied_vol
from keeper.risk.surface.quotes import Quote, QuoteRules, Refusal
from keeper.risk.surface.smile import YEAR_S

Floats = npt.NDArray[np.float64]

#: Vega enters by this power: the middle counts more, and far strikes still count.
VEGA_POWER: Final = 0.25
#: A spread of this much volatility takes about a third of a quote's weight.
SPREAD_UNIT: Final = 0.2
_INV_SQRT_2PI: Final = 0.3989422804014327


@dataclass(frozen=True, kw_only=True)
class Points:
    """What one expiry is fitted to."""

    expiry_s: int
    years: float
    forward: float
    """The middle one of its quotes' forwards."""
    k: Floats
    """ln(strike / forward), strictly ascending; shape (strikes,)."""
    vol: Floats
    """Annual, shape (strikes,)."""
    weight: Floats
    """Of a difference of volatilities, at most 1, shape (strikes,)."""
    marks_k: Floats
    """The same of every strike with a mark, whether it counts or not; shape (marks,)."""
    marks_vol: Floats

    @property
    def w(self) -> Floats:
        """Total variances, shape (strikes,)."""
        return np.asarray(self.vol**2 * self.years)

    @property
    def w_weight(self) -> Floats:
        """Weight of a difference of total variances, so that it becomes one of volatilities."""
        return np.asarray(self.weight / (2.0 * self.vol * self.years))


def select(quotes: Iterable[Quote], *, now_s: int, rules: QuoteRules) -> tuple[list[Points], list[Refusal]]:
    """The points of each expiry that has enough of them, in order, and the refusals of the others."""
    by_expiry: dict[int, list[Quote]] = defaultdict(list)
    for quote in quotes:
        by_expiry[quote.expiry_s].append(quote)
    points: list[Points] = []
    refused: list[Refusal] = []
    for expiry_s in sorted(by_expiry):
        outcome = _points(by_expiry[expiry_s], now_s=now_s, rules=rules)
        if isinstance(outcome, Points):
            points.append(outcome)
        else:
            refused.append(Refusal(expiry_s=expiry_s, reason=outcome))
    return points, refused


def _points(quotes: Sequence[Quote], *, now_s: int, rules: QuoteRules) -> Points | str:
    """The points of one expiry, or why there are none."""
    expiry_s = quotes[0].expiry_s
    if expiry_s - now_s < rules.min_life_s:
        return "expired" if expiry_s <= now_s else f"expires in {expiry_s - now_s} s, {rules.min_life_s} s needed"
    fresh = [q for q in quotes if -rules.max_ahead_s <= now_s - q.time_s <= rules.max_age_s]
    if not fresh:
        return f"the newest quote is {min(abs(now_s - q.time_s) for q in quotes)} s off, limit {rules.max_age_s} s"
    forwards = [q.forward for q in fresh if np.isfinite(q.forward) and q.forward > 0.0]
    if not forwards:
        return "no quote has a forward"
    return _weighed(fresh, float(np.median(forwards)), years=(expiry_s - now_s) / YEAR_S, rules=rules)


def _weighed(quotes: Sequence[Quote], forward: float, *, years: float, rules: QuoteRules) -> Points | str:
    strike = np.array([q.strike if np.isfinite(q.strike) and q.strike > 0.0 else np.nan for q in quotes])
    # With the forward of its own instant: a stale forward is not a smile.
    own = np.array([q.forward if np.isfinite(q.forward) and q.forward > 0.0 else forward for q in quotes])
    bid, ask, mark = (
        np.array([np.nan if v is None else v for v in column], dtype=np.float64)
        for column in ([q.bid for q in quotes], [q.ask for q in quotes], [q.mark_vol for q in quotes])
    )
    is_call = np.array([q.is_call for q in quotes])
    quoted = (bid > 0.0) & (ask >= bid)
    vol = mark
    if not np.isfinite(mark).all():
        vol = np.where(np.isfinite(mark), mark, _mid_vol(bid, ask, is_call, np.log(strike / own), years))
    fine = np.isfinite(vol) & (vol >= rules.vol_floor) & (vol <= rules.vol_cap) & np.isfinite(strike)
    outside = np.where(is_call, strike >= forward, strike < forward)
    marked = _one_each(strike, fine, outside)
    if not len(marked):
        return "no quote has a usable volatility"
    k = np.log(strike / forward)
    deviations = k / float(np.sqrt(np.interp(0.0, k[marked], vol[marked] ** 2) * years))
    # A venue that shows no bid and no ask at all shows marks alone: then they count.
    usable = fine & quoted if (np.isfinite(bid) | np.isfinite(ask)).any() else fine
    near = (np.abs(deviations) <= 1.0) | (outside & (np.abs(deviations) <= rules.max_deviations))
    counts = _one_each(strike, usable & near, outside)
    if len(counts) < rules.min_quotes:
        return f"{len(counts)} strikes count, {rules.min_quotes} needed: of {len(marked)} marks, {usable.sum()} quoted"
    spread = np.where(quoted, ask - bid, 0.0)
    return Points(
        expiry_s=quotes[0].expiry_s,
        years=years,
        forward=forward,
        k=k[counts],
        vol=vol[counts],
        weight=_weights(k[counts], vol[counts] * years**0.5, spread[counts] / years**0.5),
        marks_k=k[marked],
        marks_vol=vol[marked],
    )


def _one_each(strike: Floats, usable: npt.NDArray[np.bool_], outside: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Indices of one quote per strike, strikes ascending: the one out of the money if it is usable."""
    at = np.flatnonzero(usable)
    at = at[np.lexsort((~outside[at], strike[at]))]
    first = np.ones(len(at), dtype=np.bool_)
    first[1:] = strike[at][1:] != strike[at][:-1]
    return np.asarray(at[first], dtype=np.int64)


def _weights(k: Floats, deviation: Floats, spread: Floats) -> Floats:
    """By vega and by the spread in volatility; `spread` is one of premium over forward and √time."""
    vega = np.exp(-0.5 * (k / deviation - 0.5 * deviation) ** 2)
    spread_vol = spread / np.maximum(_INV_SQRT_2PI * vega, 1e-9)
    shown = np.maximum(vega, 0.02) ** VEGA_POWER
    return np.asarray(shown / np.sqrt(1.0 + np.minimum(spread_vol, 10.0) / SPREAD_UNIT))


def _mid_vol(bid: Floats, ask: Floats, is_call: npt.NDArray[np.bool_], k: Floats, years: float) -> Floats:
    """The volatility of the mid premium over forward, NaN where there is none."""
    found = implied_vol(0.5 * (bid + ask), 1.0, np.exp(k), years, sign=np.where(is_call, 1.0, -1.0))
    return np.where(found.verdict == Verdict.FOUND, found.vol, np.nan)
