"""What seven standard portfolios require under a triple of scan ranges, in the contract's integers.

Mirrors contracts/src/libraries/Probes.sol: how strict the three scan ranges are together, with tenor, moneyness and
volatility held still.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.risk.exact.riskfile import DAY, PPB, PPM, WAD, call_mark, levels, strike_array, weights

#: Volatility of every straddle, ppm.
SIGMA_PPM: Final = 800_000
#: Tenors of the straddles, days.
TENORS_DAYS: Final = (1, 7, 30)
#: Of each portfolio, in the contract's order.
NAMES: Final = (
    "perp",
    *(f"short straddle {days} d" for days in TENORS_DAYS),
    *(f"long straddle {days} d" for days in TENORS_DAYS),
)
#: Rows that a short straddle can lose most in: the ends of the scan range with volatility up, and the outer rows.  Its
#: value is convex in spot and rises with volatility, so no other row is worse, but by a ppm of rounding.
SHORT_ROWS: Final = (10, 12, *range(14, 24))
#: Likewise a long one: at the money and below with volatility down.
LONG_ROWS: Final = (1, 5, 9, 13)
#: One, in the 1e-8 USD of strikes.
STRIKE: Final = 10**8


@lru_cache(maxsize=4096)
def requirements(ranges: Ranges, *, tail_ppm: int, vol_floor_ppm: int) -> tuple[int, ...]:
    """Worst weighted loss of each portfolio, ppm of spot, rounded down, at least 0.

    Args:
        ranges: scan ranges.
        tail_ppm: c of the tail law.
        vol_floor_ppm: floor of the shocked-up volatility.

    Returns:
        Seven numbers, in the order of `NAMES`.
    """
    at, weighted = levels(ranges.psr_ppm), weights(ranges.psr_ppm, tail_ppm)
    perp = max(abs(level - PPM) * w // PPM for level, w in zip(at, weighted, strict=True))
    shorts, longs = [], []
    for days in TENORS_DAYS:
        expiry = ExpiryParams(expiry=days * DAY, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=SIGMA_PPM)
        array = strike_array(
            strike=STRIKE,
            sigma_ppm=SIGMA_PPM,
            expiry=expiry,
            ranges=ranges,
            vol_floor_ppm=vol_floor_ppm,
            ref_spot=WAD,
            now=0,
        )
        mark = 2 * call_mark(strike=STRIKE, sigma_ppm=SIGMA_PPM, expiry=expiry, ref_spot=WAD, now=0)
        gains = [2 * value - level + PPM - mark for value, level in zip(array.values, at, strict=True)]
        shorts.append(max(0, *(gains[row] * weighted[row] // PPM for row in SHORT_ROWS)))
        longs.append(max(0, *(-gains[row] for row in LONG_ROWS)))
    return (perp, *shorts, *longs)
