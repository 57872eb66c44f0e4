"""From quotes to a surface that holds no arbitrage, with its papers: `fit_surface`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.surface.arbitrage import Violation, check
from keeper.risk.surface.hinged import hinged_fit
from keeper.risk.surface.quotes import Fit, FitError, FittedSurface, Model, Quote, QuoteRules, Refusal
from keeper.risk.surface.raw import free_fit, lawful_fit, slice_of
from keeper.risk.surface.rules import Points, select
from keeper.risk.surface.shock import USUAL, Shock
from keeper.risk.surface.smile import Slice, Surface, SviSmile
from keeper.risk.surface.svi import Svi

Floats = npt.NDArray[np.float64]

#: Median miss in vol points above which a lawful raw SVI slice gets hinges, if they come nearer.
REFINE_ABOVE: Final = 0.3


def fit_surface(
    quotes: Iterable[Quote],
    *,
    now_s: int,
    model: Model = Model.SVI,
    rules: QuoteRules | None = None,
    shocks: Sequence[Shock] = USUAL,
) -> FittedSurface:
    """Fit every expiry, repair or refuse what holds arbitrage, and say how far the model is from the marks.

    Args:
        quotes: of one underlying, in any order.
        now_s: unix seconds; what is old or expired by it is refused.
        model: family of smiles.
        rules: which quotes count.
        shocks: after which the laws hold too.

    Returns:
        Every expiry of the quotes as a `Fit` or a `Refusal`.
    """
    points, refused = select(quotes, now_s=now_s, rules=rules or QuoteRules())
    params = [free_fit(one) for one in points]
    free = [slice_of(one, svi) for one, svi in zip(points, params, strict=True)]
    found = check(free, shocks)
    slices: list[Slice] = []
    fits: list[Fit] = []
    for one, svi, first in zip(points, params, free, strict=True):
        mine = tuple(v for v in found if v.expiry_s == one.expiry_s)
        outcome = _lawful(one, svi, slices, shocks)
        if isinstance(outcome, Slice):
            slices.append(outcome)
            fits.append(_fit(one, first=first, used=outcome, found=mine))
        else:
            refused.append(Refusal(expiry_s=one.expiry_s, reason=outcome))
    return FittedSurface(
        model=model,
        surface=Surface(now_s=now_s, slices=tuple(slices)) if slices else None,
        fits=tuple(fits),
        refused=tuple(sorted(refused, key=lambda r: r.expiry_s)),
    )


def _lawful(points: Points, svi: Svi, used: Sequence[Slice], shocks: Sequence[Shock]) -> Slice | str:
    """The free slice if it breaks no law over the slices before it, else a repaired one, else why not."""
    before, free = used[-1] if used else None, slice_of(points, svi)
    outcome: Slice | str = free
    if any(v.expiry_s == points.expiry_s for v in check((before, free) if before else (free,), shocks)):
        outcome = lawful_fit(points, svi, before=before, shocks=shocks)
    if isinstance(outcome, Slice):
        reached = _error(outcome, points.k, points.vol).median
        if reached <= REFINE_ABOVE:
            return outcome
        start = outcome.smile.svi if isinstance(outcome.smile, SviSmile) else svi
    else:
        start, reached = svi, np.inf
    refined = hinged_fit(points, start, before=before, shocks=shocks)
    if isinstance(refined, Slice) and _error(refined, points.k, points.vol).median < reached:
        return refined
    return outcome


def _fit(points: Points, *, first: Slice, used: Slice, found: tuple[Violation, ...]) -> Fit:
    return Fit(
        expiry_s=points.expiry_s,
        error=_error(used, points.k, points.vol),
        error_before=_error(first, points.k, points.vol),
        error_marks=_error(used, points.marks_k, points.marks_vol),
        k=tuple(points.k.tolist()),
        vol=tuple(points.vol.tolist()),
        found=found,
    )


def _error(slice_: Slice, k: Floats, vol: Floats) -> FitError:
    miss = np.abs(np.sqrt(slice_.total_variance(k) / slice_.years) - vol) * 100.0
    return FitError(
        median=float(np.median(miss)), rms=float(np.sqrt(np.mean(miss**2))), max=float(miss.max()), quotes=len(miss)
    )
