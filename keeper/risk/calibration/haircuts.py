"""Collateral haircuts: what part of a token's price is not counted, and how much of it is counted at all.

    h = 1 − (1 − ES) · peg,   ES = max(floor, multiplier · ((1 − w)·ES_now + w·ES_stress), floor_share · ES_history)

The expected shortfalls are those of the price scan range (`scan_range`), of a fall only: a token held gains
when it rises.  `peg` is the worst factor of the depeg rows; it multiplies, because price and peg go together, as those
of staked ETH did in June 2022.  Rounded up to the lattice, so that daily noise does not move it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.knobs import RiskKnobs
from keeper.domain.text import percent
from keeper.errors import LawBroken
from keeper.risk import lattice
from keeper.risk.calibration.scan_range import blend_of, normal_shortfall, stressed_period
from keeper.risk.finite import not_negative
from keeper.risk.tail import expected_shortfall
from keeper.risk.timeseries.volatility import DAY_S, Unestimated
from keeper.risk.timeseries.windows import Windows

Floats = npt.NDArray[np.float64]

_PPM: Final = 1_000_000
#: Fewer overlapping moves say nothing about a tail.
MIN_WINDOWS: Final = 100
#: Part of a market's volume that can be sold without being the market.  Ours, to be judged by the backtest lab.
VOLUME_SHARE: Final = 0.1
#: Caps are whole multiples of this, USD.
CAP_STEP_USD: Final = 1_000


class Binding(StrEnum):
    """Which term of the shortfall decided."""

    FLOOR = "floor"
    """The operator's lowest."""
    HISTORY = "whole history"
    """`floor_share` of the ES of all falls as they happened."""
    BLEND = "current and stressed falls"
    """The blend."""


@dataclass(frozen=True, kw_only=True)
class Haircut:
    """What is not counted of a token, and why."""

    haircut_ppm: int
    """Part of the price that is not counted; on the lattice."""
    shortfall: float
    """Expected shortfall that went in, fraction of the price."""
    peg: float
    """Worst factor on the peg; 1 where there is none."""
    binding: Binding
    """Which term of the shortfall decided."""
    reason: str
    """In words."""


def haircut(windows: Windows, knobs: RiskKnobs, *, peg: float = 1.0, floor: float = 0.0) -> Haircut | Unestimated:
    """Haircut of one token.

    Args:
        windows: moves of the token's price over the liquidation horizon.
        knobs: the operator's choices: level, stressed weight, multiplier, share of the whole history, lattice.
        peg: worst factor on its peg, above 0 and at most 1 (`generate.depeg`).
        floor: lowest shortfall, fraction of the price.

    Returns:
        `Unestimated` if there are too few moves.

    Raises:
        LawBroken: `peg` or `floor` is out of range.
    """
    if not (0.0 < peg <= 1.0 and 0.0 <= floor <= 1.0):
        raise LawBroken(f"a haircut with peg {peg} and floor {floor} is none", peg=peg, floor=floor)
    if len(windows) < MIN_WINDOWS:
        return Unestimated(reason=f"{len(windows)} moves over the horizon, {MIN_WINDOWS} needed for a haircut")
    level = knobs.es_level
    normal = normal_shortfall(windows.variance_now, days=windows.horizon_s / DAY_S, level=level)
    least = min(normal, 1.0)  # a short sample has no tail: neither term is below a normal one, as in the scan range
    now = max(fall_shortfall(windows.filtered(), level), least)
    stressed = windows.some(stressed_period(windows, knobs.stress_days))
    history = knobs.floor_share * fall_shortfall(windows.log_return, level)
    blend = blend_of(now, max(fall_shortfall(stressed.log_return, level), least), knobs)
    shortfall, binding = max((floor, Binding.FLOOR), (history, Binding.HISTORY), (blend, Binding.BLEND), key=_size)
    lost = 1.0 - (1.0 - min(shortfall, 1.0)) * peg
    ppm = min(_PPM, lattice.up(lattice.to_ppm(lost), knobs.psr_lattice_ppm))
    reason = (
        f"haircut {ppm / 1e4:.2f} %: {binding} binds at an ES {percent(level)} of {percent(shortfall)} over "
        f"{knobs.horizon_hours:g} h, from {len(windows)} overlapping moves"
    )
    reason += f"; a lost peg leaves {percent(peg)} of it" if peg < 1.0 else ""
    return Haircut(haircut_ppm=ppm, shortfall=shortfall, peg=peg, binding=binding, reason=reason)


def fall_shortfall(log_returns: Floats, level: float) -> float:
    """Expected shortfall of one unit held, fraction of its price; never negative."""
    return max(0.0, expected_shortfall(-np.expm1(log_returns), level)) if len(log_returns) else 0.0


def cap_usd(daily_volume_usd: float, *, horizon_hours: float, share: float = VOLUME_SHARE) -> int:
    """Most of a token that counts for one account, whole USD: what `share` of its volume buys within the horizon."""
    (volume, hours, part) = not_negative(volume=daily_volume_usd, horizon=horizon_hours, share=share)
    return int(float(volume * part * hours) / 24.0 // CAP_STEP_USD) * CAP_STEP_USD


def counted_usd(value_usd: npt.ArrayLike, *, haircut_ppm: int, cap_usd: float) -> Floats:
    """What counts of holdings of one token, shape as given: nothing above the cap, and what the haircut leaves."""
    (values,) = not_negative(value=value_usd)
    (cap,) = not_negative(cap=cap_usd)
    if not 0 <= haircut_ppm <= _PPM:
        raise LawBroken(f"a haircut of {haircut_ppm} ppm is none", haircut=haircut_ppm)
    return np.asarray(np.minimum(values, cap) * ((_PPM - haircut_ppm) / _PPM), dtype=np.float64)


def _size(term: tuple[float, Binding]) -> float:
    return term[0]
