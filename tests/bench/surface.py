"""Raw SVI slices of 40 expiries against scipy's least_squares with a plain residual.

Both fit the same points with the same weights to the same sum of squares; ours must reach an error at least as small
on the whole, so that speed is not bought with a worse fit.  The last row adds what the baseline does not do: choosing
quotes, the checks of all laws before and after shocks, and repair.
"""

import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.optimize import least_squares

from keeper.risk.surface.fit import fit_surface
from keeper.risk.surface.quotes import Quote
from keeper.risk.surface.raw import free_fit
from keeper.risk.surface.rules import Points
from keeper.risk.surface.smile import YEAR_S
from keeper.risk.surface.svi import Svi
from tests.bench.timing import Row, best

FIT = "surface: SVI fit of 40 expiries"
WHOLE = "surface: 40 expiries, chosen, checked, repaired"
FLOORS = {FIT: 5.0}

EXPIRIES, STRIKES = 40, 45
NOW_S = 1_700_000_000
FORWARD = 3_000.0


def chains(seed: int) -> list[Points]:
    """Smiles as a large venue shows them, a day to two years out, with the noise of its ticks."""
    rng = np.random.default_rng(seed)
    out = []
    for years in np.geomspace(1.0, 730.0, EXPIRIES) / 365.0:
        atm = 0.55 + 0.1 * np.exp(-8.0 * years)
        theta = atm**2 * years
        phi = 1.1 / np.sqrt(theta)
        rho = -0.2 + 0.1 * rng.random()
        truth = Svi(
            a=0.5 * theta * (1 - rho**2), b=0.5 * theta * phi, rho=rho, m=-rho / phi, sigma=np.sqrt(1 - rho**2) / phi
        )
        k = np.sort(rng.uniform(-3.5, 4.5, STRIKES)) * np.sqrt(theta)
        vol = truth.vol(k, years) + rng.normal(0.0, 0.003, STRIKES)
        out.append(
            Points(
                expiry_s=NOW_S + round(years * YEAR_S),
                years=float(years),
                forward=FORWARD,
                k=k,
                vol=vol,
                weight=np.exp(-0.1 * (k / np.sqrt(theta)) ** 2),
                marks_k=k,
                marks_vol=vol,
            )
        )
    return out


def plain(points: Points) -> Svi:
    """What anyone writes first."""

    def miss(x: np.ndarray) -> np.ndarray:
        a, b, rho, m, sigma = x
        at = points.k - m
        return points.w_weight * (a + b * (rho * at + np.sqrt(at**2 + sigma**2)) - points.w)

    start = [0.5 * points.w.min(), 0.1, -0.1, 0.0, 0.1]
    bounds = ([-1.0, 0.0, -0.999, -2.0, 1e-4], [4.0, 4.0, 0.999, 2.0, 4.0])
    a, b, rho, m, sigma = least_squares(miss, start, bounds=bounds).x
    return Svi(a=a, b=b, rho=rho, m=m, sigma=sigma)


def cost(points: Points, svi: Svi) -> float:
    """Sum of squares of weighted misses."""
    return float(np.sum((points.w_weight * (svi.total_variance(points.k) - points.w)) ** 2))


def as_quotes(points: list[Points]) -> list[Quote]:
    """The same as a venue's list, marks alone."""
    return [
        Quote(
            expiry_s=one.expiry_s,
            strike=float(FORWARD * np.exp(k)),
            is_call=k > 0.0,
            forward=FORWARD,
            time_s=NOW_S,
            mark_vol=float(vol),
        )
        for one in points
        for k, vol in zip(one.k, one.vol, strict=True)
    ]


def rows() -> Iterator[Row]:
    """The fit alone, and all that a surface needs."""
    points = chains(seed=1)
    ours = [free_fit(one, soft_vol=0.0) for one in points]
    theirs = [plain(one) for one in points]
    reached, given = (sum(cost(p, s) for p, s in zip(points, fits, strict=True)) for fits in (ours, theirs))
    if reached > given * (1.0 + 1e-3):
        sys.exit(f"our fit costs {reached:.6g}, scipy's {given:.6g}")
    baseline = best(3, lambda: [plain(one) for one in points])
    yield Row(name=FIT, baseline_s=baseline, ours_s=best(5, lambda: [free_fit(one, soft_vol=0.0) for one in points]))
    whole = partial(fit_surface, as_quotes(points), now_s=NOW_S)
    yield Row(name=WHOLE, baseline_s=baseline, ours_s=best(3, whole))
