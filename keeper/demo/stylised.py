"""A stylised crash: made up, seeded, and always labelled so.

Jump-diffusion with volatility clustering: log-volatility is a mean-reverting walk that a crash phase lifts, jumps come
more often and point down while the crash lasts, and a common factor moves both underlyings.  Depth of the fall and of
the partial recovery are drawn, then the drift is set so that the path really gets there.  It resembles the crashes of
2020-03-12 and 2025-10-10 in shape, and estimates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keeper.demo.paths import BLOCK_S, BLOCKS, SYMBOLS, WARMUP_BLOCKS, Point, PricePath

#: First block's time of a made-up path: 2026-03-02 08:00 UTC, a Monday, options' usual hour.
OPENING_S = 1_772_438_400
SECONDS_PER_YEAR = 31_536_000


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one underlying does, before chance."""

    opening: float
    """USD."""
    calm_vol: float
    """Annualised."""
    fall: tuple[float, float]
    """Range of the fall from the opening to the trough."""
    recovered: tuple[float, float]
    """Range of the part of the fall that is made good at the end."""
    common: float
    """Correlation with the common factor."""


SHAPES: Mapping[str, Shape] = {
    "ETH": Shape(opening=3_200.0, calm_vol=0.62, fall=(0.35, 0.45), recovered=(0.2, 0.4), common=0.93),
    "BTC": Shape(opening=64_000.0, calm_vol=0.46, fall=(0.24, 0.32), recovered=(0.2, 0.4), common=0.93),
}
#: Where the crash begins and where its trough lies, parts of the run.
CRASH_BEGINS, TROUGH = 0.35, 0.58
#: Volatility during the crash over calm volatility.
CRASH_VOL = 3.5
#: Standard deviation of a block's innovation of log-volatility, and what stays of a deviation after a block.
VOL_OF_VOL, VOL_MEMORY = 0.12, 0.94
#: Jumps per block in calm and crash, and the size of one in block standard deviations.
JUMP_RATE_CALM, JUMP_RATE_CRASH, JUMP_SIZE = 0.01, 0.12, 3.5


def stylised_crash(*, seed: int, blocks: int = BLOCKS, block_s: int = BLOCK_S) -> PricePath:
    """Make up a crash and a partial recovery.  The same arguments give the same path."""
    chance = np.random.default_rng(seed)
    n = WARMUP_BLOCKS + blocks
    first, trough = WARMUP_BLOCKS + int(blocks * CRASH_BEGINS), WARMUP_BLOCKS + max(1, int(blocks * TROUGH))
    crash = (np.arange(n) > first) & (np.arange(n) <= trough)

    log_vol = np.zeros(n)
    for i in range(1, n):
        target = np.log(CRASH_VOL) if crash[i] else 0.0
        log_vol[i] = target + VOL_MEMORY * (log_vol[i - 1] - target) + VOL_OF_VOL * chance.standard_normal()
        if crash[i] and not crash[i - 1]:
            log_vol[i] = target  # it breaks in one block
    scale = np.exp(log_vol)
    shock = chance.standard_normal(n)
    jump = np.where(crash, -1.0, chance.choice([-1.0, 1.0], size=n)) * JUMP_SIZE
    jump *= chance.random(n) < np.where(crash, JUMP_RATE_CRASH, JUMP_RATE_CALM)

    series = {
        symbol: _prices(SHAPES[symbol], scale, shock + jump, chance, trough=trough, block_s=block_s)
        for symbol in SYMBOLS
    }
    opening_s = OPENING_S - WARMUP_BLOCKS * block_s
    points = tuple(Point(opening_s + i * block_s, {s: float(series[s][i]) for s in SYMBOLS}) for i in range(n))
    return PricePath(
        label=f"stylised crash (made up), seed {seed}",
        stylised=True,
        block_s=block_s,
        warmup=points[:WARMUP_BLOCKS],
        points=points[WARMUP_BLOCKS:],
    )


def _prices(
    shape: Shape,
    scale: np.ndarray[tuple[int], np.dtype[np.float64]],
    factor: np.ndarray[tuple[int], np.dtype[np.float64]],
    chance: np.random.Generator,
    *,
    trough: int,
    block_s: int,
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Prices of one underlying: noise of the given scale, bent so that fall and recovery are what was drawn."""
    n = len(scale)
    own = chance.standard_normal(n)
    step = shape.calm_vol * np.sqrt(block_s / SECONDS_PER_YEAR)
    returns = step * scale * (shape.common * factor + np.sqrt(1 - shape.common**2) * own)
    fall = chance.uniform(*shape.fall)
    end = 1 - fall * (1 - chance.uniform(*shape.recovered))
    returns[: WARMUP_BLOCKS + 1] -= returns[: WARMUP_BLOCKS + 1].mean()
    # The drift is spread over a phase in proportion to its volatility: most of the fall happens where it is wild.
    for begin, stop, target in (
        (WARMUP_BLOCKS + 1, trough + 1, np.log(1 - fall)),
        (trough + 1, n, np.log(end / (1 - fall))),
    ):
        part = scale[begin:stop] ** 2
        if part.size:
            returns[begin:stop] += (target - returns[begin:stop].sum()) * part / part.sum()
    path = np.exp(np.cumsum(returns))
    result: np.ndarray[tuple[int], np.dtype[np.float64]] = shape.opening * path / path[WARMUP_BLOCKS]
    return result
