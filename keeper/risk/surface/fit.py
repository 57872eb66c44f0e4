"""From quotes to a surface that holds no arbitrage, with its papers: `fit_surface`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from keeper.risk.surface.arbitrage import Violation, check, crossings
from keeper.risk.surface.families import Family, SabrFamily, SsviFamily, SviFamily, error_of
from keeper.risk.surface.quotes import Fit, FittedSurface, Model, Quote, QuoteRules, Refusal
from keeper.risk.surface.rules import Points, select
from keeper.risk.surface.shock import USUAL, Shock
from keeper.risk.surface.smile import Slice, Surface


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
    rules = rules or QuoteRules()
    points, refused = select(quotes, now_s=now_s, rules=rules)
    family = _FAMILIES[model](points, shocks)
    found = check(family.free, shocks) + crossings(family.free, shocks)
    slices: list[Slice] = []
    fits: list[Fit] = []
    for i, (one, first) in enumerate(zip(points, family.free, strict=True)):
        outcome = family.lawful(i, slices[-1] if slices else None)
        if isinstance(outcome, str):
            refused.append(Refusal(expiry_s=one.expiry_s, reason=outcome))
            continue
        fit = _fit(one, first=first, used=outcome, found=tuple(v for v in found if v.expiry_s == one.expiry_s))
        if fit.error.median > rules.max_median_miss:
            reason = f"the nearest lawful slice misses by {fit.error.median:.1f} vol points"
            refused.append(Refusal(expiry_s=one.expiry_s, reason=reason))
            continue
        slices.append(outcome)
        fits.append(fit)
    return FittedSurface(
        model=model,
        surface=Surface(now_s=now_s, slices=tuple(slices)) if slices else None,
        fits=tuple(fits),
        refused=tuple(sorted(refused, key=lambda r: r.expiry_s)),
    )


_FAMILIES: Final[dict[Model, type[Family]]] = {Model.SVI: SviFamily, Model.SSVI: SsviFamily, Model.SABR: SabrFamily}


def _fit(points: Points, *, first: Slice, used: Slice, found: tuple[Violation, ...]) -> Fit:
    return Fit(
        expiry_s=points.expiry_s,
        error=error_of(used, points.k, points.vol),
        error_before=error_of(first, points.k, points.vol),
        error_marks=error_of(used, points.marks_k, points.marks_vol),
        k=tuple(points.k.tolist()),
        vol=tuple(points.vol.tolist()),
        found=found,
    )
