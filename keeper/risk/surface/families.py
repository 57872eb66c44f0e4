"""Families of smiles behind one shape: free slices of every expiry, and a lawful one over whatever came before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.surface.arbitrage import Violation, check
from keeper.risk.surface.hinged_fit import hinged_fit
from keeper.risk.surface.quotes import FitError
from keeper.risk.surface.raw import free_fit, lawful_fit, slice_of, tempered
from keeper.risk.surface.rules import Points
from keeper.risk.surface.sabr_fit import free_sabr, lawful_sabr
from keeper.risk.surface.shock import Shock
from keeper.risk.surface.smile import Slice, SviSmile
from keeper.risk.surface.ssvi_fit import free_ssvi, lawful_ssvi

Floats = npt.NDArray[np.float64]

#: Median miss in vol points above which a lawful raw SVI slice gets hinges, if they come nearer.
REFINE_ABOVE: Final = 0.3


class Family(ABC):
    """All expiries of one surface in one family of smiles."""

    free: list[Slice]
    """The best slices without any law, one per expiry."""

    def __init__(self, points: Sequence[Points], shocks: Sequence[Shock]) -> None:
        self.points, self.shocks = points, shocks

    @abstractmethod
    def lawful(self, i: int, before: Slice | None) -> Slice | str:
        """The slice of expiry i that breaks no law, alone or against the one before it; or why there is none."""

    def breaks(self, one: Slice, before: Slice | None) -> tuple[Violation, ...]:
        """The laws that a slice breaks, as it is and after each shock."""
        found = check((before, one) if before else (one,), self.shocks)
        return tuple(v for v in found if v.expiry_s == one.expiry_s)


class SviFamily(Family):
    """Raw SVI; with hinges where one hyperbola is lawless, or lawful and far from the quotes."""

    def __init__(self, points: Sequence[Points], shocks: Sequence[Shock]) -> None:
        super().__init__(points, shocks)
        self._params = [free_fit(one) for one in points]
        self.free = [slice_of(one, svi) for one, svi in zip(points, self._params, strict=True)]

    def lawful(self, i: int, before: Slice | None) -> Slice | str:
        """See `Family`."""
        points, svi = self.points[i], self._params[i]
        outcome: Slice | str = self.free[i]
        if self.breaks(self.free[i], before):
            outcome = lawful_fit(points, svi, before=before, shocks=self.shocks)
        best = _median(outcome, points)
        smile = outcome.smile if isinstance(outcome, Slice) else None
        near = smile.svi if isinstance(smile, SviSmile) else svi
        for start in (near, tempered(points, before=before, shocks=self.shocks)):
            if best <= REFINE_ABOVE:
                break
            hinged = hinged_fit(points, start, before=before, shocks=self.shocks)
            if _median(hinged, points) < best:
                outcome, best = hinged, _median(hinged, points)
        return outcome


def _median(outcome: Slice | str, points: Points) -> float:
    """Median miss of a slice; infinite if it is none."""
    return error_of(outcome, points.k, points.vol).median if isinstance(outcome, Slice) else np.inf


class SsviFamily(Family):
    """One power law for all expiries: if a free slice breaks a law, all of them are fitted within the theorems."""

    def __init__(self, points: Sequence[Points], shocks: Sequence[Shock]) -> None:
        super().__init__(points, shocks)
        self.free = free_ssvi(points)
        self._used = lawful_ssvi(points, shocks) if check(self.free, shocks) else self.free

    def lawful(self, i: int, before: Slice | None) -> Slice | str:
        """See `Family`."""
        broken = self.breaks(self._used[i], before)
        return str(broken[0]) if broken else self._used[i]


class SabrFamily(Family):
    """Hagan's SABR, expiry by expiry."""

    def __init__(self, points: Sequence[Points], shocks: Sequence[Shock]) -> None:
        super().__init__(points, shocks)
        self.free = [free_sabr(one) for one in points]

    def lawful(self, i: int, before: Slice | None) -> Slice | str:
        """See `Family`."""
        if not self.breaks(self.free[i], before):
            return self.free[i]
        return lawful_sabr(self.points[i], self.free[i], before=before, shocks=self.shocks)


def error_of(slice_: Slice, k: Floats, vol: Floats) -> FitError:
    """How far a slice is from volatilities at log-moneyness k."""
    w, _, _ = slice_.smile.shape_at(k, slice_.years)
    miss = np.abs(np.sqrt(np.maximum(w, 0.0) / slice_.years) - vol) * 100.0
    return FitError(
        median=float(np.median(miss)), rms=float(np.sqrt(np.mean(miss**2))), max=float(miss.max()), quotes=len(miss)
    )
