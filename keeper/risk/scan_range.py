"""The price scan range: how far a price may move before an account can be closed out.

    PSR = max(floor, multiplier · ((1 − w)·ES_now + w·ES_stress)), rounded up to the lattice, at most the ceiling

ES is the expected shortfall of the horizon's move in the worse direction.  *now*: returns scaled to current volatility
(FHS), never below what a normal distribution of that volatility gives, because a short sample has no tail.  *stress*:
the same returns as they happened, so that a calm month after a crash does not forget it.

Sources: filtered historical simulation, Barone-Adesi et al. (1999); stressed weight and floor, EMIR RTS 153/2013
Art. 28.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from keeper.domain.knobs import RiskKnobs
from keeper.domain.riskfile import Ranges
from keeper.risk import lattice
from keeper.risk.tail import expected_shortfall
from keeper.risk.volatility import DAY_S, Series, filtered, horizon_returns

Floats = npt.NDArray[np.float64]

#: Weight of the stressed period.  Source: EMIR RTS 153/2013 Art. 28(1)(b), 25 %.
STRESS_WEIGHT: Final = 0.25
#: Overlapping windows start this many times per horizon.
STEPS_PER_HORIZON: Final = 24


@dataclass(frozen=True, kw_only=True)
class ScanRange:
    """A price scan range and what made it."""

    psr_ppm: int
    """On the lattice."""
    now: float
    """Expected shortfall at current volatility, fraction of spot."""
    stress: float
    """Expected shortfall of the returns as they happened, fraction of spot."""
    sample: int
    """Overlapping horizon returns it rests on."""
    reason: str
    """Which term binds, and from how much data."""


def scan_range(series: Series, knobs: RiskKnobs) -> ScanRange:
    """Target price scan range of one underlying."""
    horizon_s = knobs.horizon_hours * 3600.0
    returns, variance = horizon_returns(series, horizon_s=horizon_s, step_s=horizon_s / STEPS_PER_HORIZON)
    variance_now = float(series.variance_per_day[-1])
    normal = normal_shortfall(variance_now, days=horizon_s / DAY_S, level=knobs.es_level)
    history = _worse_side(filtered(returns, variance, variance_now), knobs.es_level) if len(returns) else 0.0
    stress = _worse_side(returns, knobs.es_level) if len(returns) else 0.0
    now = max(history, normal)
    blend = knobs.psr_multiplier * ((1.0 - STRESS_WEIGHT) * now + STRESS_WEIGHT * max(stress, normal))

    wanted = lattice.to_ppm(blend)
    psr = lattice.up(max(wanted, knobs.psr_floor_ppm), knobs.psr_lattice_ppm)
    # A ceiling off the lattice is met from below: above it the file would be refused.
    psr = min(psr, knobs.psr_ceiling_ppm // knobs.psr_lattice_ppm * knobs.psr_lattice_ppm or knobs.psr_ceiling_ppm)
    binding = (
        f"floor {knobs.psr_floor_ppm / 1e4:.2f} %"
        if wanted <= knobs.psr_floor_ppm
        else f"ceiling {knobs.psr_ceiling_ppm / 1e4:.2f} %"
        if wanted > psr
        else ("filtered history" if history >= normal else "normal tail at current volatility")
    )
    reason = (
        f"scan range {psr / 1e4:.2f} %: {binding} binds; ES {knobs.es_level:.2%} over {knobs.horizon_hours:g} h is "
        f"{history:.2%} filtered, {normal:.2%} normal, {stress:.2%} as it happened, "
        f"from {len(returns)} overlapping returns"
    )
    return ScanRange(psr_ppm=psr, now=now, stress=stress, sample=len(returns), reason=reason)


def ranges(scan: ScanRange, knobs: RiskKnobs) -> Ranges:
    """All scan ranges; those of volatility are constants of the knobs."""
    return Ranges(psr_ppm=scan.psr_ppm, vsr_up_ppm=knobs.vsr_up_ppm, vsr_down_ppm=knobs.vsr_down_ppm)


def normal_shortfall(variance_per_day: float, *, days: float, level: float) -> float:
    """Expected shortfall of a driftless normal return over `days`, fraction of spot."""
    density = float(np.exp(-0.5 * ndtri(level) ** 2) / np.sqrt(2.0 * np.pi))
    return float(np.sqrt(variance_per_day * days)) * density / (1.0 - level)


def _worse_side(log_returns: Floats, level: float) -> float:
    """Expected shortfall of a long or a short unit, whichever is worse; zero at least."""
    moves = np.expm1(log_returns)
    return max(expected_shortfall(-moves, level), expected_shortfall(moves, level), 0.0)
