"""Risk files and portfolios that look for trouble: ties, extremes, the last minutes of an option, every size of size.

Everything is drawn from a generator that the caller seeds.  Used to hold the fast and the slow twin, and Python and the
contract, equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np

from keeper.domain.riskfile import ExpiryParams, File, Ranges, StrikeArray
from keeper.risk.exact.grid import Leg
from keeper.risk.exact.riskfile import DAY, PPB, ROWS, WAD, strike_array

#: Block time of every case.
NOW: Final = 1_774_000_000
REF_SPOT: Final = 3_000 * WAD
#: Scan ranges in ppm.  At 11 and 22 % extreme rows fall on tail rows; at 32.5 % the −3 row is floored.
PSRS: Final = (100_000, 110_000, 150_000, 220_000, 325_000)
#: Seconds to each expiry; the first two lie inside an hour.
TENORS_S: Final = (1, 1_800, DAY, 7 * DAY, 180 * DAY)
STRIKES_USD: Final = (500, 2_400, 2_850, 3_000, 3_150, 3_600, 12_000)
MAX_POSITIONS: Final = 64
UINT32_MAX: Final = 2**32 - 1
INT32_MAX: Final = 2**31 - 1


class Style(StrEnum):
    """What kind of portfolio is drawn."""

    MIXED = "mixed"
    """A few options and perhaps a perp, in micro-contracts."""
    WEI = "wei"
    """The same with all 18 digits."""
    HUGE = "huge"
    """Sizes up to the contract's bound."""
    FULL = "full"
    """As many positions as an account may have."""
    SHORT = "short"
    """Only short options."""
    BOX = "box"
    """A box, flat in every row: ties."""
    BUTTERFLY = "butterfly"
    """A short butterfly that the grid may not see."""
    PERP = "perp"
    """A perp alone: volatility rows tie."""


@dataclass(frozen=True)
class Portfolio:
    """Unexpired options and a perp in one underlying."""

    legs: tuple[Leg, ...]
    """Ascending by expiry, strike, call before put; no zeros."""
    perp_size: int


@cache
def a_file(psr_ppm: int = 150_000, *, age_s: int = 60, tail_ppm: int = 750_000) -> File:
    """A file that the contract could have computed `age_s` before `NOW`."""
    ranges = Ranges(psr_ppm=psr_ppm, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    expiries = {
        NOW + tenor: ExpiryParams(
            expiry=NOW + tenor,
            phi_ppb=PPB + i * 3_000_001,
            df_ppb=PPB - i * 2_000_003,
            sigma_atm_ppm=700_000 + 20_000 * i,
        )
        for i, tenor in enumerate(TENORS_S)
    }
    arrays = {
        (expiry, usd * 10**8): strike_array(
            strike=usd * 10**8,
            sigma_ppm=params.sigma_atm_ppm,
            expiry=params,
            ranges=ranges,
            vol_floor_ppm=250_000,
            ref_spot=REF_SPOT,
            now=NOW - age_s,
        )
        for expiry, params in expiries.items()
        for usd in STRIKES_USD
    }
    return File(
        ref_spot=REF_SPOT, ranges=ranges, tail_ppm=tail_ppm, short_min_ppm=10_000, expiries=expiries, arrays=arrays
    )


def an_extreme_file(rng: np.random.Generator, psr_ppm: int = 150_000) -> File:
    """A file with rows no market makes: zeros, and the ends of int32 and uint32."""
    file = a_file(psr_ppm)
    corners = (0, 1, INT32_MAX, INT32_MAX + 1, UINT32_MAX)
    return File(
        ref_spot=file.ref_spot,
        ranges=file.ranges,
        tail_ppm=file.tail_ppm,
        short_min_ppm=file.short_min_ppm,
        expiries=file.expiries,
        arrays={
            key: StrikeArray(
                strike=array.strike,
                sigma_ppm=array.sigma_ppm,
                values=tuple(corners[i] for i in rng.integers(0, len(corners), ROWS)),
            )
            for key, array in file.arrays.items()
        },
    )


def a_portfolio(rng: np.random.Generator, file: File, style: Style) -> Portfolio:
    """Draw one portfolio over the strikes of `file`."""
    keys = sorted(file.arrays)
    options = [(expiry, strike, is_call) for expiry, strike in keys for is_call in (True, False)]
    if style is Style.PERP:
        return Portfolio((), _size(rng, style) or WAD)
    if style in (Style.BOX, Style.BUTTERFLY):
        expiry = keys[int(rng.integers(0, len(keys)))][0]
        strikes = [strike for e, strike in keys if e == expiry]
        first = int(rng.integers(0, len(strikes) - 2))
        low, middle, high = strikes[first : first + 3]
        size = abs(_size(rng, style)) or WAD
        wings = (
            ((low, True, 1), (low, False, -1), (high, True, -1), (high, False, 1))
            if style is Style.BOX
            else ((low, True, -1), (middle, True, 2), (high, True, -1))
        )
        return Portfolio(tuple(Leg(expiry=expiry, strike=k, is_call=c, size=n * size) for k, c, n in wings), 0)
    count = min(MAX_POSITIONS, len(options)) if style is Style.FULL else int(rng.integers(1, 11))
    chosen = sorted(rng.permutation(len(options))[:count].tolist())
    sizes = [_size(rng, style) or 1 for _ in chosen]
    legs = tuple(
        Leg(expiry=options[i][0], strike=options[i][1], is_call=options[i][2], size=size)
        for i, size in zip(chosen, sizes, strict=True)
    )
    return Portfolio(legs, _size(rng, style) if rng.integers(0, 2) else 0)


def _size(rng: np.random.Generator, style: Style) -> int:
    """A signed wad size in the manner of `style`; may be zero."""
    if style is Style.WEI:
        return int(rng.integers(-(10**9), 10**9)) * 10**12 + int(rng.integers(0, 10**12))
    if style is Style.HUGE:
        high = int(rng.integers(0, 2**44))
        return int(rng.choice((-1, 1))) * (high << 44 | int(rng.integers(0, 2**44)))
    size = int(rng.integers(-(10**8), 10**8)) * 10**12
    return -abs(size) if style is Style.SHORT else size
