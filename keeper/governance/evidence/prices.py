"""Evidence from recorded prices: how often they moved further than a margin, a haircut or a bound of either."""

from __future__ import annotations

import numpy as np

from keeper.domain.prices import Floats
from keeper.governance.evidence.records import Answer, Question, Records, held_still, percent
from keeper.risk.calibration.haircuts import Haircut
from keeper.risk.timeseries.volatility import Unestimated

_PPM = 1e6


def scan_range(q: Question, asset: str, records: Records) -> Answer:
    """A scan range, or a bound of it: moves of either side that were larger.

    The calibration's level admits a breach of each side in 1 − α of windows.
    """
    return _larger(q, asset, records, "psr_ppm", old=_share(q.old), new=_share(q.new))


def maintenance(q: Question, asset: str, records: Records) -> Answer:
    """κ and the flag fee: moves larger than the maintenance of one perp, their part of the scan range."""
    psr = records.in_force(asset, "psr")
    if psr is None:
        return "the underlying is not listed yet"
    now, then = records.rules(asset, "config", "config")
    part = ("kappa_ppm", "flag_fee_ppm")
    old, new = (sum(rules[key] for key in part) / _PPM * psr / _PPM for rules in (now, then))
    return _larger(q, asset, records, "", old=old, new=new, asked="larger than a perp's maintenance")


def haircut(q: Question, token: str, records: Records) -> Answer:
    """A haircut: falls that were larger."""
    history = records.prices.get(token)
    if history is None:
        return f"no prices of {token} are at hand; give them with --prices"
    found = records.calibrated(token)
    if isinstance(found, Unestimated):
        return found.reason
    cut = found.haircut
    falls = np.maximum(-_moves(records, token), 0.0)
    return held_still(
        q,
        falls,
        asked=f"falls over {records.knobs.horizon_hours:g} h that were larger",
        history=history,
        old=_share(q.old),
        new=_share(q.new),
        worst=percent(float(falls.max())),
        rate=1.0 - records.knobs.es_level,
        said=f"{cut.haircut_ppm / 1e4:g} %: {cut.reason}" if isinstance(cut, Haircut) else cut.reason,
    )


def price_bound(q: Question, asset: str, records: Records) -> Answer:
    """Lowest or highest price of a feed: recorded prices outside."""
    history = records.prices.get(asset)
    if history is None:
        return f"no prices of {asset} are at hand; give them with --prices"
    low = q.key == "min_price"
    sizes = -history.close if low else history.close
    sign = -1.0 if low else 1.0
    old, new = (None if raw is None else sign * raw / 1e18 for raw in (q.old, q.new))
    worst = f"{float(history.close.min() if low else history.close.max()):,.6g} USD"
    return held_still(
        q, sizes, asked="prices beyond it", history=history, old=old, new=new, worst=worst
    )  # fmt: skip


def feed_age(q: Question, asset: str, records: Records) -> Answer:
    """How old an answer may be: the oracle's own rounds that lay further apart."""
    history = records.rounds.get(asset)
    if history is None:
        return f"no rounds of the oracle for {asset} are stored"
    gaps = np.diff(history.time_s).astype(np.float64)
    return held_still(
        q,
        gaps,
        asked="rounds of the oracle further apart",
        history=history,
        old=None if q.old is None else float(q.old),
        new=None if q.new is None else float(q.new),
        worst=f"{int(gaps.max()):,} s",
    )


def _larger(
    q: Question,
    asset: str,
    records: Records,
    target: str,
    *,
    old: float | None,
    new: float | None,
    asked: str = "larger",
) -> Answer:
    history = records.prices.get(asset)
    if history is None:
        return f"no prices of {asset} are at hand; give them with --prices"
    found = records.calibrated(asset)
    if isinstance(found, Unestimated):
        return found.reason
    sizes = np.abs(_moves(records, asset))
    return held_still(
        q,
        sizes,
        asked=f"moves over {records.knobs.horizon_hours:g} h, up or down, that were {asked}",
        history=history,
        old=old,
        new=new,
        worst=percent(float(sizes.max())),
        rate=2.0 * (1.0 - records.knobs.es_level),
        said=f"{found.scan.psr_ppm / 1e4:g} %: {found.scan.binding} binds" if target else "",
    )


def _moves(records: Records, name: str) -> Floats:
    return np.expm1(records.apart(name).log_return)


def _share(ppm: int | None) -> float | None:
    return None if ppm is None else ppm / _PPM
