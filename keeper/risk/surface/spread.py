"""How fits turn out over many snapshots: errors by life of the expiry, what was refused and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from keeper.risk.surface.quotes import Fit, FittedSurface, Refusal

_DAY_S: Final = 86_400.0
#: Lives of an expiry, in days: up to each of these, and beyond the last.
LIVES: Final = (1.0, 3.0, 8.0, 35.0, 100.0, float("inf"))
#: The largest median miss an expiry should have, vol points.  Source: the aim of `keeper surface`.
AIM: Final = 0.6
#: From this many quotes on an expiry is held to it.
ENOUGH: Final = 10


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One life of expiries over many snapshots."""

    days: tuple[float, float]
    """From, to."""
    expiries: int
    """With enough quotes, used."""
    refused: int
    """Of any number of quotes."""
    repaired: int
    hinged: int
    """Of those used, given hinges."""
    medians: tuple[float, float, float, float]
    """Of the expiries' median misses: median, 90 %, 99 %, largest; vol points."""
    free_median: float
    """Median of the same before repair."""
    missed: int
    """Expiries whose median miss is above `AIM`."""


@dataclass(frozen=True, kw_only=True)
class Miss:
    """One expiry above `AIM`, or refused with enough quotes to be worth a look."""

    underlying: str
    time_s: int
    expiry_s: int
    what: str


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Everything `--all` tells."""

    snapshots: int
    spreads: tuple[Spread, ...]
    refusals: tuple[tuple[str, int], ...]
    """Reasons without their numbers, the most frequent first."""
    misses: tuple[Miss, ...]


def survey(results: Iterable[tuple[str, int, FittedSurface]]) -> Survey:
    """Count up the fits of (underlying, time, surface)."""
    fits: list[tuple[str, int, Fit, bool]] = []
    refused: list[tuple[str, int, Refusal]] = []
    snapshots = 0
    for name, time_s, fitted in results:
        snapshots += 1
        smiles = {one.expiry_s: one.smile for one in fitted.surface.slices} if fitted.surface else {}
        fits += [(name, time_s, one, hasattr(smiles[one.expiry_s], "hinges")) for one in fitted.fits]
        refused += [(name, time_s, one) for one in fitted.refused]
    spreads = []
    low = 0.0
    for high in LIVES:
        here = [f for f in fits if low <= (f[2].expiry_s - f[1]) / _DAY_S < high and f[2].error.quotes >= ENOUGH]
        out = sum(low <= (r.expiry_s - time_s) / _DAY_S < high for _, time_s, r in refused)
        if here or out:
            spreads.append(_spread((low, high), [(fit, hinged) for _, _, fit, hinged in here], out))
        low = high
    misses = [
        Miss(underlying=name, time_s=time_s, expiry_s=fit.expiry_s, what=_why(fit))
        for name, time_s, fit, _ in fits
        if fit.error.quotes >= ENOUGH and fit.error.median > AIM
    ]
    misses += [
        Miss(underlying=name, time_s=time_s, expiry_s=one.expiry_s, what=f"refused: {one.reason}")
        for name, time_s, one in refused
        if "needed" not in one.reason
    ]
    return Survey(
        snapshots=snapshots,
        spreads=tuple(spreads),
        refusals=tuple(Counter(_kind(one.reason) for _, _, one in refused).most_common()),
        misses=tuple(sorted(misses, key=lambda m: (m.time_s, m.underlying, m.expiry_s))),
    )


def _spread(days: tuple[float, float], fits: list[tuple[Fit, bool]], refused: int) -> Spread:
    medians = np.array([fit.error.median for fit, _ in fits] or [0.0])
    quantiles = np.quantile(medians, [0.5, 0.9, 0.99, 1.0])
    return Spread(
        days=days,
        expiries=len(fits),
        refused=refused,
        repaired=sum(fit.repaired for fit, _ in fits),
        hinged=sum(hinged for _, hinged in fits),
        medians=(float(quantiles[0]), float(quantiles[1]), float(quantiles[2]), float(quantiles[3])),
        free_median=float(np.median([fit.error_before.median for fit, _ in fits] or [0.0])),
        missed=int(np.sum(medians > AIM)),
    )


def _why(fit: Fit) -> str:
    free = fit.error_before.median
    miss = f"median miss {fit.error.median:.2f} of {fit.error.quotes} quotes"
    if free > AIM:
        return f"{miss}; {free:.2f} without any law: the quotes are rougher than the model"
    worst = f"{fit.found[0]}" if fit.found else "the expiry before lies above"
    return f"{miss}; {free:.2f} without the laws, but then {worst}"


def _kind(reason: str) -> str:
    """The reason without its numbers, so that like ones count together."""
    head, _, _ = reason.partition(":")
    return " ".join(word for word in head.split() if not any(c.isdigit() for c in word))
