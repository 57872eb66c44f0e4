"""The scenario table of each source of rows, laid over a market and one account.

A table is None where the market lacks what it needs and the preset can do without: no history, nothing to depeg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from keeper.risk.charges.concentration import open_interest_fraction
from keeper.risk.generate.basis import basis
from keeper.risk.generate.depeg import depeg
from keeper.risk.generate.grid import Scan, grid, tail_weights
from keeper.risk.generate.skew import skew
from keeper.risk.generate.stress import stress
from keeper.risk.generate.stress_days import StressDay
from keeper.risk.kernel import rows as source
from keeper.risk.kernel.legs import NONE, Kind, Legs
from keeper.risk.kernel.market import Market, ScanRange, Underlying
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.kernel.scenarios import Generator, NoRows, Scenarios, unmoved

Floats = npt.NDArray[np.float64]


def table(rows: source.Rows, market: Market, legs: Legs) -> Scenarios | NoRows | Unpriced | None:
    """The rows of one block.

    Returns:
        None if they do not apply, `NoRows` if what they are made from is there and cannot be used, `Unpriced` if there
        is no requirement without them.
    """
    match rows:
        case source.Listed():
            return _listed(rows, market)
        case source.Scanned():
            return _scanned(rows, market, legs)
        case source.Linear():
            return _linear(rows, market, legs)
        case source.Thresholds():
            return _thresholds(rows, market)
        case source.Historical() | source.Simulated():
            return _past(rows, market, legs)
        case source.Stressed():
            return _stressed(rows, market, legs)
        case _:
            return _moved(rows, market)


def still(market: Market) -> Scenarios:
    """No row at all: what revaluation needs to value everything as it stands."""
    return Scenarios(**_blank(Generator.GRID, market, ()))


def scan_of(underlying: Underlying, rows: source.Scanned) -> ScanRange | None:
    """The ranges that a grid uses for one underlying: the venue's own, else the calibrated, else the fallback."""
    return rows.fixed or underlying.scan or rows.fallback


def rate_of(rate: source.Rate, *, size: float, open_interest_usd: float | None) -> float:
    """A linear margin fraction of `size` units, at most 1."""
    held = abs(size)
    fraction = max(rate.base, rate.root_share * rate.base + rate.root * held**0.5 if rate.root else rate.base)
    fraction = min(1.0, (fraction + rate.per_unit * held) * rate.scale)
    if rate.ramp_lower_usd is None or rate.ramp_upper_usd is None or open_interest_usd is None:
        return fraction
    return float(
        open_interest_fraction(
            fraction, notional=open_interest_usd, lower=rate.ramp_lower_usd, upper=rate.ramp_upper_usd
        )
    )


def _blank(generator: Generator, market: Market, tags: Sequence[str]) -> dict[str, Any]:
    names, tokens = _names(market)
    return unmoved(generator, underlyings=names, collaterals=tokens, tags=tuple(tags))


def _listed(rows: source.Listed, market: Market) -> Scenarios:
    columns = _blank(rows.generator, market, [row.tag for row in rows.rows])
    for name in ("spot", "vol", "skew", "smile", "basis", "collateral"):
        each = np.array([getattr(row, name) for row in rows.rows], dtype=np.float64)
        columns[name] = np.broadcast_to(each[:, None], columns[name].shape)
    columns["weight"] = np.array([row.weight for row in rows.rows], dtype=np.float64)
    return Scenarios(**columns)


def _scanned(rows: source.Scanned, market: Market, legs: Legs) -> Scenarios | Unpriced | None:
    scans = {}
    for i in sorted({int(i) for i in legs.underlying if i != NONE}):
        underlying = market.underlyings[i]
        ranges = scan_of(underlying, rows)
        if ranges is None:
            return Unpriced(reason=f"{underlying.symbol} has no scan range, and the preset none of its own")
        scans[underlying.symbol] = Scan(psr=ranges.price, vsr_up=ranges.vol_up, vsr_down=ranges.vol_down)
    if not scans:
        return None
    names, tokens = _names(market)
    joint, *each = (
        grid(
            rows.rows,
            scans=some,
            underlyings=names,
            collaterals=tokens,
            tail_weight=rows.tail_weight,
            min_level=rows.min_level,
        )
        for some in (scans, *({symbol: scan} for symbol, scan in scans.items()))
    )
    # The joint rows weigh a tail by the widest range; each underlying's part is brought back to its own.
    own = np.ones(joint.spot.shape)
    for symbol, alone in zip(scans, each, strict=True):
        np.divide(alone.weight, joint.weight, out=own[:, names.index(symbol)], where=joint.weight > 0.0)
    return replace(joint, own_weight=own)


def _linear(rows: source.Linear, market: Market, legs: Legs) -> Scenarios:
    """Two rows, spot up and spot down by each market's fraction."""
    columns = _blank(Generator.GRID, market, ("up by the margin fraction", "down by the margin fraction"))
    own = dict(rows.by_symbol)
    for i, underlying in enumerate(market.underlyings):
        held = float(legs.size[(legs.underlying == i) & (legs.kind != Kind.COLLATERAL)].sum())
        interest = underlying.liquidity.open_interest_usd if underlying.liquidity else None
        fraction = rate_of(own.get(underlying.symbol, rows.default), size=held, open_interest_usd=interest)
        columns["spot"][:, i] = (1.0 + fraction, 1.0 - fraction)
    return Scenarios(**columns)


def _thresholds(rows: source.Thresholds, market: Market) -> Scenarios | None:
    if not market.collaterals:
        return None
    columns = _blank(Generator.GRID, market, (f"collateral at its {rows.counted}",))
    to_value = rows.counted is source.Counted.LOAN_TO_VALUE
    left_out = [one.mm_haircut + (one.im_haircut if to_value else 0.0) for one in market.collaterals]
    columns["collateral"] = np.maximum(1.0 - np.array([left_out], dtype=np.float64), 0.0)
    return Scenarios(**columns)


def _moved(rows: source.Based | source.Skewed | source.Depegs, market: Market) -> Scenarios | None:
    names, tokens = _names(market)
    match rows:
        case source.Based():
            return basis(rows.rows, underlyings=names, collaterals=tokens)
        case source.Skewed():
            return skew(rows.rows, underlyings=names, collaterals=tokens)
        case source.Depegs():
            found = depeg(rows.falls, underlyings=names, collaterals=tokens, settlement=market.settlement)
            return found if len(found) else None


def _stressed(rows: source.Stressed, market: Market, legs: Legs) -> Scenarios | None:
    held = sorted({int(i) for i in legs.underlying if i != NONE})
    if not held:
        return None
    names, tokens = _names(market)
    found = stress(
        rows.days, underlyings=names, collaterals=tokens, proxy=rows.proxy, unrecorded_vol=rows.unrecorded_vol
    )
    own = np.ones(found.spot.shape)
    for i in held:
        psr = (market.underlyings[i].scan or rows.fallback).price
        own[:, i] = tail_weights(found.spot[:, i] - 1.0, psr=psr, tail_weight=rows.tail_weight)
    symbols = [market.underlyings[i].symbol for i in held]
    optional = [market.underlyings[i].symbol for i in held if (legs.is_option & (legs.underlying == i)).any()]
    return replace(found, own_weight=own, tags=tuple(_as_told(day, rows, symbols, optional) for day in rows.days))


def _as_told(day: StressDay, rows: source.Stressed, held: Sequence[str], optional: Sequence[str]) -> str:
    """A day's tag, and what of it was not recorded for what is held, or for the options that are."""
    stand_ins = [symbol for symbol in held if symbol not in day.moves]
    assumed = [symbol for symbol in optional if symbol not in day.vols]
    said = [f"{', '.join(stand_ins)} as {rows.proxy}"] if stand_ins else []
    said += [f"{', '.join(assumed)} vol {rows.unrecorded_vol * 100:+.4g} % assumed"] if assumed else []
    return f"{day.tag} ({'; '.join(said)})" if said else day.tag


def _past(rows: source.Historical | source.Simulated, market: Market, legs: Legs) -> Scenarios | NoRows | None:
    if market.history is None:
        return None
    # Only accounts with a history pay for loading what estimates from one.
    from keeper.risk.kernel.past import rows_of_past  # noqa: PLC0415 - only for a history

    held = [one.symbol for i, one in enumerate(market.underlyings) if (legs.underlying == i).any()]
    return rows_of_past(rows, market, held)


def _names(market: Market) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(one.symbol for one in market.underlyings), tuple(one.symbol for one in market.collaterals)
