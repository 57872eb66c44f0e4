"""SSVI across expiries with the power law: three numbers for all, one level each, within Theorems 4.1 and 4.2.

Levels start where the quotes are at the money; ρ, η and γ are fitted to all quotes at once, then each level to its own,
twice in turn.  γ ≤ ½ holds the theorem's second condition at every level, so η and |ρ| alone bound the butterfly.  The
laws after a shock scale θ and leave φ: what breaks them makes η smaller, for all expiries, until none does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from keeper.risk.surface.arbitrage import check
from keeper.risk.surface.raw import slice_of
from keeper.risk.surface.rules import Points
from keeper.risk.surface.shock import Shock
from keeper.risk.surface.smile import Slice
from keeper.risk.surface.ssvi import PowerLaw, slice_svi

Floats = npt.NDArray[np.float64]

#: Each level is at least this share above the one before.
_RISE: Final = 1e-3
#: Smaller than η until no law is broken; after this many steps the smiles are flat.
_SHRINK: Final = 0.93
_SHRINKS: Final = 80
_TURNS: Final = 3
#: Weighted misses beyond this volatility count linearly.
SOFT_VOL: Final = 0.003
_LOWEST: Final = np.array([-0.98, np.log(1e-3), 0.01])
_HIGHEST: Final = np.array([0.98, np.log(1e3), 0.99])


def free_ssvi(points: Sequence[Points]) -> list[Slice]:
    """The best surface, lawful or not: γ may be up to 1 and η anything."""
    if not points:
        return []
    at, theta = _fit(points, highest=_HIGHEST)
    return _slices(points, at, theta)


def lawful_ssvi(points: Sequence[Points], shocks: Sequence[Shock]) -> list[Slice]:
    """The best surface within the theorems whose slices break no law before or after a shock."""
    if not points:
        return []
    at, theta = _fit(points, highest=np.array([0.98, np.log(2.0), 0.5]))
    theta = _rising(theta)
    # η(1 + |ρ|) ≤ 2
    at[1] = min(at[1], np.log(2.0 / (1.0 + abs(at[0]))))
    slices = _slices(points, at, theta)
    for _ in range(_SHRINKS):
        if not check(slices, shocks):
            break
        at[1] += np.log(_SHRINK)
        theta = _rising(_levels(points, at, theta))
        slices = _slices(points, at, theta)
    return slices


def _fit(points: Sequence[Points], *, highest: Floats) -> tuple[Floats, Floats]:
    """(ρ, ln η, γ) and the levels."""
    theta = np.array([float(np.interp(0.0, one.k, one.w)) for one in points])
    at = np.array([-0.1, 0.0, 0.4])
    for _ in range(_TURNS):
        at = least_squares(
            _misses,
            np.clip(at, _LOWEST, highest),
            bounds=(_LOWEST, highest),
            loss="soft_l1",
            f_scale=SOFT_VOL,
            x_scale=(0.1, 0.1, 0.1),
            max_nfev=60,
            args=(points, theta),
        ).x
        theta = _levels(points, at, theta)
    return np.asarray(at), theta


def _misses(at: Floats, points: Sequence[Points], theta: Floats) -> Floats:
    return np.concatenate([_miss(one, at, float(t)) for one, t in zip(points, theta, strict=True)])


def _levels(points: Sequence[Points], at: Floats, theta: Floats) -> Floats:
    """Each level fitted to its own quotes, a few Gauss–Newton steps on its logarithm."""
    out = np.array(theta)
    for i, one in enumerate(points):
        for _ in range(4):
            miss = _miss(one, at, out[i])
            slope = (_miss(one, at, out[i] * 1.0001) - miss) / 1e-4
            unit = 1.0 / np.sqrt(1.0 + (miss / SOFT_VOL) ** 2)
            step = float(np.sum(unit * slope * miss) / np.sum(unit * slope * slope))
            out[i] *= np.exp(np.clip(-step, -0.2, 0.2))
    return out


def _miss(points: Points, at: Floats, theta: float) -> Floats:
    rho, phi = float(at[0]), _phi(at, theta)
    x = phi * points.k
    w = 0.5 * theta * (1.0 + rho * x + np.sqrt((x + rho) ** 2 + 1.0 - rho * rho))
    return np.asarray(points.w_weight * (w - points.w))


def _phi(at: Floats, theta: float) -> float:
    return PowerLaw(eta=float(np.exp(at[1])), gamma=float(at[2])).phi(theta)


def _rising(theta: Floats) -> Floats:
    """Levels that rise: one that would not is lifted above its predecessor."""
    out = np.array(theta)
    for i in range(1, len(out)):
        out[i] = max(out[i], out[i - 1] * (1.0 + _RISE))
    return out


def _slices(points: Sequence[Points], at: Floats, theta: Floats) -> list[Slice]:
    return [
        slice_of(one, slice_svi(theta=float(t), rho=float(at[0]), phi=_phi(at, float(t))))
        for one, t in zip(points, theta, strict=True)
    ]
