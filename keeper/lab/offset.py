"""What an offset between two underlyings would save, and how much of it recorded days carry, year by year.

The contract adds: each underlying's worst row, whatever the others' is.  The alternative reads both in the same row,

    loss(row) = Σ losses − o · Σ gains        requirement = max over rows, zero at least

so that an account that is long one and short the other is asked for the dearer leg, less the share o of what the other
gains.  Here accounts of one dollar a leg are asked both ways, and the days on which either would not have sufficed are
counted: ranges are those known when a year began, days are joint and as they happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from keeper.domain.bars import Floats
from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.errors import BadInput
from keeper.risk.calibration.offset import check_offset
from keeper.risk.calibration.scan_range import scan_range_of
from keeper.risk.generate.grid import STANDARD_16, TAILS, Scan, grid
from keeper.risk.presets.keeper import DECAY, KAPPA, TAIL_WEIGHT
from keeper.risk.pricing import black76
from keeper.risk.timeseries.panel import Panel, panel
from keeper.risk.timeseries.windows import windows_of_history

#: Volatility and tenor of every straddle, at the money; recorded days leave both as they are.
VOL, YEARS = 0.7, 30 / 365
#: What the reference margin model gives volatility: one full rise and fall of 30 days'.
VSR_UP, VSR_DOWN = 0.45, 0.3
#: Where α of the expected shortfall lies.
LEVEL: Final = 0.99
DAY_S: Final = 86_400
#: A shorter window says nothing of its tail.
FEWEST_DAYS: Final = 100
#: Days of a block of the bootstrap: crashes come in weeks.
BLOCK_DAYS: Final = 10

#: P&L of one leg in USD: (factor of its price, relative shock of its volatility) → P&L, elementwise.
Leg = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, kw_only=True)
class Account:
    """A position of one dollar's notional in each of two underlyings."""

    name: str
    legs: tuple[Leg, Leg]
    by_risk: bool = False
    """Whether each leg is one dollar of scan range instead of one of notional."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """One account over one window."""

    account: str
    added: float
    """Requirement where each underlying's worst row counts, USD."""
    joint: float
    """Requirement at the offset, USD."""
    largest_share: float | None
    """Largest o whose requirement covers the window's expected shortfall; None where none does."""
    low: float
    """5th percentile of that over resampled blocks of days; −1 where more than a twentieth of them carry none."""
    high: float
    """95th percentile, likewise."""
    days: int
    beyond_added: int
    """Days that lost more than maintenance, as the contract asks for it."""
    beyond_joint: int
    """Days that lost more than maintenance at the offset."""

    @property
    def saved(self) -> float:
        """What the offset takes off the requirement, as a part of it."""
        return 1.0 - self.joint / self.added if self.added else 0.0


def perp(size: float) -> Leg:
    """A perpetual of `size` dollars."""
    return lambda spot, _vol: size * (spot - 1.0)


def straddle(size: float) -> Leg:
    """`size` call and put of 30 days, struck at spot."""
    now = float(black76.call(1.0, 1.0, VOL, YEARS) + black76.put(1.0, 1.0, VOL, YEARS))

    def pnl(spot: Floats, vol: Floats) -> Floats:
        sigma = VOL * (1.0 + vol)
        return size * (black76.call(spot, 1.0, sigma, YEARS) + black76.put(spot, 1.0, sigma, YEARS) - now)

    return pnl


#: What hedged accounts usually look like.
TYPICAL: Final = (
    Account(name="long first, short second", legs=(perp(1.0), perp(-1.0))),
    Account(name="short first, long second", legs=(perp(-1.0), perp(1.0))),
    Account(name="long first, short second, equal risk", legs=(perp(1.0), perp(-1.0)), by_risk=True),
    Account(name="short first, long second, equal risk", legs=(perp(-1.0), perp(1.0)), by_risk=True),
    Account(name="short straddles in both", legs=(straddle(-1.0), straddle(-1.0))),
    Account(name="short straddle first, long second", legs=(straddle(-1.0), straddle(1.0))),
    Account(name="long straddle first, short second", legs=(straddle(1.0), straddle(-1.0))),
    Account(name="long first, short straddle second", legs=(perp(1.0), straddle(-1.0))),
    Account(name="long both", legs=(perp(1.0), perp(1.0))),
)


def carried(
    account: Account,
    moves: Floats,
    psr: Floats,
    *,
    share: float,
    kappa: float,
    tail_weight: float,
    resamples: int = 200,
    rng: np.random.Generator,
) -> Carried:
    """Ask one account both ways, and hold both against what happened.

    Args:
        account: whose.
        moves: price factors less one of both underlyings on the window's days, in order, shape (D, 2).
        psr: their scan ranges, shape (2,).
        share: the offset o.
        kappa: maintenance as a part of the requirement.
        tail_weight: c of the tail law.
        resamples: how often the window's blocks of days are drawn anew for the error bars.
        rng: draws them.
    """
    names = ("first", "second")
    scans = {n: Scan(psr=float(p), vsr_up=VSR_UP, vsr_down=VSR_DOWN) for n, p in zip(names, psr, strict=True)}
    rows = grid((*STANDARD_16, *TAILS), scans=scans, underlyings=names, tail_weight=tail_weight)
    size = 1.0 / psr if account.by_risk else np.ones(2)
    own = 1.0 if rows.own_weight is None else rows.own_weight
    asked = size * _pnl(account, rows.spot, rows.vol) * rows.weight[:, None] * own
    happened = size * _pnl(account, 1.0 + moves, np.zeros_like(moves))
    found = check_offset(asked, happened, share=share, level=LEVEL)
    added = float(np.maximum((-asked).max(axis=0), 0.0).sum())
    loss = -happened.sum(axis=1)
    low, high = _error_bars(asked, happened, share=share, resamples=resamples, rng=rng)
    return Carried(
        account=account.name,
        added=added,
        joint=found.requirement,
        largest_share=found.largest_share,
        low=low,
        high=high,
        days=len(loss),
        beyond_added=int((loss > kappa * added).sum()),
        beyond_joint=int((loss > kappa * found.requirement).sum()),
    )


def _pnl(account: Account, spot: Floats, vol: Floats) -> Floats:
    return np.stack([leg(spot[:, i], vol[:, i]) for i, leg in enumerate(account.legs)], axis=1)


def _error_bars(
    asked: Floats, happened: Floats, *, share: float, resamples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Circular blocks: each day is as likely as any other, and weeks stay together."""
    days = len(happened)
    blocks = -(-days // BLOCK_DAYS)
    found = []
    for _ in range(resamples):
        starts = rng.integers(days, size=blocks)
        picked = (starts[:, None] + np.arange(BLOCK_DAYS)).ravel()[:days] % days
        carries = check_offset(asked, happened[picked], share=share, level=LEVEL).largest_share
        found.append(-1.0 if carries is None else carries)
    low, high = np.quantile(found, (0.05, 0.95))
    return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class Year:
    """One window of a study."""

    name: str
    """The year, or "whole": all days under the ranges of the record's end."""
    psr: tuple[float, float]
    """Scan ranges known when it began."""
    accounts: tuple[Carried, ...]


def study(first: PriceHistory, second: PriceHistory, *, share: float, seed: int) -> Iterator[Year]:
    """Every year that begins with a year of record behind it, then the whole record.

    Args:
        first: prices of one underlying.
        second: of the other.
        share: the offset o.
        seed: of the error bars.

    Raises: `BadInput` where the two have no common days.
    """
    both = panel([first, second], horizon_s=DAY_S)
    if not isinstance(both, Panel) or not (days := both.complete()).time_s.size:
        raise BadInput(f"{first.name} and {second.name} have no days in common", hint="name two records that overlap")
    moves, rng = np.expm1(days.returns), np.random.default_rng(seed)
    years = {when: datetime.fromtimestamp(int(when), UTC).year for when in days.time_s}
    for year in sorted(set(years.values())):
        start, end = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) for y in (year, year + 1))
        psr = [_range(one, start) for one in (first, second)]
        inside = (days.time_s > start + DAY_S) & (days.time_s <= end)
        if None in psr or inside.sum() < FEWEST_DAYS:
            continue
        yield _year(str(year), moves[inside], np.array(psr, dtype=np.float64), share, rng)
    now = int(days.time_s[-1]) + DAY_S
    psr = [_range(one, now) for one in (first, second)]
    if None not in psr:
        yield _year("whole", moves, np.array(psr, dtype=np.float64), share, rng)


def _year(name: str, moves: Floats, psr: Floats, share: float, rng: np.random.Generator) -> Year:
    accounts = tuple(
        carried(one, moves, psr, share=share, kappa=KAPPA, tail_weight=TAIL_WEIGHT, rng=rng) for one in TYPICAL
    )
    return Year(name=name, psr=(float(psr[0]), float(psr[1])), accounts=accounts)


def _range(prices: PriceHistory, until_s: int) -> float | None:
    """Scan range from what was known by then; None where that is less than a year."""
    if until_s - prices.time_s[0] < 365 * DAY_S:
        return None
    known = prices.between(float(prices.time_s[0]), until_s)
    return scan_range_of(windows_of_history(known, horizon_s=DAY_S, decay_per_day=DECAY), RiskKnobs()).psr_ppm / 1e6
