"""Where a smile is looked at: dense over its deviations, finer where it bends, and out to where no strike ever was."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.surface.smile import Slice, Smile
from keeper.risk.surface.svi import Svi

Floats = npt.NDArray[np.float64]

#: The ends of the grid: beyond any strike that is ever listed.
FAR: Final = 50.0


def grid_of(one: Slice) -> Floats:
    """Log-moneyness at which a slice is looked at, ascending: in deviations, out to ±`FAR`, and where it bends."""
    deviation = float(np.sqrt(max(float(one.smile.shape_at(np.zeros(1), one.years)[0][0]), 1e-12)))
    near = deviation * _DEVIATIONS
    own = np.concatenate([near, _OUTER])
    corners = bends(one.smile)
    return np.unique(np.clip(np.concatenate([own, *corners]), -FAR, FAR))


def bends(smile: Smile) -> list[Floats]:
    """Points where a smile is known to bend hardest."""
    out: list[Floats] = []
    svi = getattr(smile, "svi", None)
    if isinstance(svi, Svi):
        out.append(svi.m + max(svi.sigma, 1e-9) * _BEND)
    out += [hinge.at + hinge.width * _TURN for hinge in getattr(smile, "hinges", ())]
    out.append(np.asarray(getattr(smile, "k", ()), dtype=np.float64))
    return out


_DEVIATIONS: Final = np.concatenate(
    [np.linspace(-40.0, -12.0, 112, endpoint=False), np.linspace(-12.0, 12.0, 481), np.linspace(12.25, 40.0, 112)]
)
_OUTER: Final = np.concatenate([-np.geomspace(0.01, FAR, 100)[::-1], np.geomspace(0.01, FAR, 100)])
_BEND: Final = np.sinh(np.linspace(-4.0, 4.0, 81))
_TURN: Final = np.linspace(-2.0, 2.0, 17)
