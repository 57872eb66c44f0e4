"""The price scan range: how far a price may move before an account can be closed out.

    PSR = max(floor, multiplier · ((1 − w)·ES_now + w·ES_stress)), rounded up to the lattice, at most the ceiling

ES is the expected shortfall of the horizon's move in the worse direction.  *now*: returns scaled to current volatility
(FHS), never below what a normal distribution of that volatility gives, because a short sample has no tail.  *stress*:
returns as they happened in the wildest period of `stress_days`, so that a calm month does not forget a crash.  *floor*:
the larger of the operator's own and of `floor_share` of the ES of all returns as they happened.

What is estimated are four shortfalls; they are rounded to parts per billion, and the rest is exact.

Sources: filtered historical simulation, Barone-Adesi et al. (1999); stressed weight and floor, EMIR RTS 153/2013
Art. 28(1)(b) and (c).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from keeper.domain.fitted import Shortfalls
from keeper.domain.knobs import RiskKnobs
from keeper.domain.riskfile import Ranges
from keeper.domain.text import percent
from keeper.risk import lattice
from keeper.risk.tail import expected_shortfall
from keeper.risk.timeseries.volatility import DAY_S, Series
from keeper.risk.timeseries.windows import STEPS_PER_HORIZON, Windows, windows_of_rounds

Floats = npt.NDArray[np.float64]


class Binding(StrEnum):
    """Which term decided."""

    FLOOR = "floor"
    """The operator's lowest scan range."""
    CEILING = "ceiling"
    """The operator's highest scan range."""
    HISTORY = "whole history"
    """`floor_share` of the ES of all returns as they happened."""
    FILTERED = "filtered history"
    """The blend, its current part from returns scaled to current volatility."""
    NORMAL = "normal tail at current volatility"
    """The blend, its current part from a normal distribution."""


@dataclass(frozen=True, kw_only=True)
class ScanRange:
    """A price scan range and what made it."""

    psr_ppm: int
    """On the lattice."""
    now: float
    """Expected shortfall at current volatility, fraction of spot."""
    stress: float
    """Expected shortfall of the stressed period's returns as they happened, fraction of spot."""
    history: float
    """Expected shortfall of all returns as they happened, fraction of spot."""
    blend: float
    """What current and stressed markets ask for together, fraction of spot."""
    sample: int
    """Overlapping horizon returns it rests on."""
    binding: Binding
    """Which term decided."""
    reason: str
    """Which term binds, and from how much data."""


def scan_range(series: Series, knobs: RiskKnobs) -> ScanRange:
    """Target price scan range of one underlying, from its oracle rounds."""
    return scan_range_from(shortfalls(windows_of_rounds(series, horizon_s=knobs.horizon_hours * 3600.0), knobs), knobs)


def scan_range_of(windows: Windows, knobs: RiskKnobs) -> ScanRange:
    """Target price scan range from horizon moves, of whatever they are."""
    return scan_range_from(shortfalls(windows, knobs), knobs, days=days_of(windows))


def shortfalls(windows: Windows, knobs: RiskKnobs) -> Shortfalls:
    """What is estimated, on its lattice."""
    level = knobs.es_level
    stressed = windows.some(stressed_period(windows, knobs.stress_days))
    return Shortfalls(
        filtered_ppb=lattice.to_ppb(worse_side(windows.filtered(), level)),
        normal_ppb=lattice.to_ppb(normal_shortfall(windows.variance_now, days=windows.horizon_s / DAY_S, level=level)),
        history_ppb=lattice.to_ppb(worse_side(windows.log_return, level)),
        stress_ppb=lattice.to_ppb(worse_side(stressed.log_return, level)),
        windows=len(windows),
    )


def scan_range_from(found: Shortfalls, knobs: RiskKnobs, *, days: float | None = None) -> ScanRange:
    """Target price scan range from what was estimated, by integers and fractions alone.

    Args:
        found: what was estimated.
        knobs: the operator's choices.
        days: what the windows cover, for the words; None: as many as windows of oracle rounds that leave no gap.
    """
    if days is None:
        days = (max(found.windows - 1, 0) / STEPS_PER_HORIZON + 1) * knobs.horizon_hours / 24
    now = max(found.filtered_ppb, found.normal_ppb)
    floor = max(Fraction(knobs.psr_floor_ppm * 1_000), lattice.exact(knobs.floor_share) * found.history_ppb)
    weight = lattice.exact(knobs.stress_weight)
    blend = lattice.exact(knobs.psr_multiplier) * (
        (1 - weight) * now + weight * max(found.stress_ppb, found.normal_ppb)
    )
    wanted_ppm = lattice.rounded(max(floor, blend) / 1_000)

    psr = lattice.up(wanted_ppm, knobs.psr_lattice_ppm)
    # A ceiling off the lattice is met from below: above it the file would be refused.
    top = knobs.psr_ceiling_ppm // knobs.psr_lattice_ppm * knobs.psr_lattice_ppm or knobs.psr_ceiling_ppm
    if psr > top:
        binding = Binding.CEILING
    elif wanted_ppm <= knobs.psr_floor_ppm:
        binding = Binding.FLOOR
    elif blend <= floor:
        binding = Binding.HISTORY
    else:
        binding = Binding.FILTERED if found.filtered_ppb >= found.normal_ppb else Binding.NORMAL
    psr = min(psr, top)
    bound = {Binding.FLOOR: f" {knobs.psr_floor_ppm / 1e4:.2f} %", Binding.CEILING: f" {top / 1e4:.2f} %"}
    reason = (
        f"scan range {psr / 1e4:.2f} %: {binding}{bound.get(binding, '')} binds; ES {percent(knobs.es_level)} over "
        f"{knobs.horizon_hours:g} h is {percent(found.filtered_ppb / 1e9)} filtered, "
        f"{percent(found.normal_ppb / 1e9)} normal, {percent(found.history_ppb / 1e9)} as it happened, "
        f"{percent(found.stress_ppb / 1e9)} in {wildest(days, knobs)}, from {found.windows} overlapping returns"
    )
    return ScanRange(
        psr_ppm=psr,
        now=now / 1e9,
        stress=found.stress_ppb / 1e9,
        history=found.history_ppb / 1e9,
        blend=float(blend / 10**9),
        sample=found.windows,
        binding=binding,
        reason=reason,
    )


def ranges(scan: ScanRange, knobs: RiskKnobs) -> Ranges:
    """All scan ranges; those of volatility are constants of the knobs."""
    return Ranges(psr_ppm=scan.psr_ppm, vsr_up_ppm=knobs.vsr_up_ppm, vsr_down_ppm=knobs.vsr_down_ppm)


def floor_of(history: float, knobs: RiskKnobs) -> float:
    """The lowest scan range, given the ES of the whole history."""
    return max(knobs.psr_floor_ppm / 1e6, knobs.floor_share * history)


def blend_of(now: float, stress: float, knobs: RiskKnobs) -> float:
    """What current and stressed markets ask for together."""
    return knobs.psr_multiplier * ((1.0 - knobs.stress_weight) * now + knobs.stress_weight * stress)


def days_of(windows: Windows) -> float:
    """From the first window's start to the last one's end, in days; 0 without windows."""
    return float(windows.start_s[-1] - windows.start_s[0] + windows.horizon_s) / DAY_S if len(windows) else 0.0


def wildest(days: float, knobs: RiskKnobs) -> str:
    """What the stressed period is of a sample that covers so many days, in words."""
    return f"the wildest {knobs.stress_days} days" if days > knobs.stress_days else f"the {days:.1f} days there are"


def stressed_period(windows: Windows, days: float) -> slice:
    """The windows that start within the `days` whose squared returns sum highest; the earliest on ties.

    A sample that is shorter is stressed as a whole.
    """
    n = len(windows)
    if n == 0 or windows.start_s[-1] - windows.start_s[0] < days * DAY_S:
        return slice(0, n)
    ends = np.searchsorted(windows.start_s, windows.start_s + days * DAY_S, side="left")
    total = np.concatenate(([0.0], np.cumsum(windows.log_return**2)))
    first = int(np.argmax(total[ends] - total[:-1]))
    return slice(first, int(ends[first]))


def normal_shortfall(variance_per_day: float, *, days: float, level: float) -> float:
    """Expected shortfall of a driftless normal return over `days`, fraction of spot."""
    density = float(np.exp(-0.5 * ndtri(level) ** 2) / np.sqrt(2.0 * np.pi))
    return float(np.sqrt(variance_per_day * days)) * density / (1.0 - level)


def worse_side(log_returns: Floats, level: float) -> float:
    """Expected shortfall of a long or a short unit, whichever is worse; zero at least, and for no returns."""
    if not len(log_returns):
        return 0.0
    moves = np.expm1(log_returns)
    return max(expected_shortfall(-moves, level), expected_shortfall(moves, level), 0.0)
