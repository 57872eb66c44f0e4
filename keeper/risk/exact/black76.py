"""Black-76 in integers: what a call is worth as a fraction of a reference price.

Mirrors contracts/src/libraries/Black76.sol.
"""

from __future__ import annotations

from typing import Final

from keeper.risk.exact import q64

#: Seconds per year of the vol clock (365 days).  Source: contracts/src/libraries/Black76.sol, YEAR.
YEAR: Final = 31_536_000
#: ppm in one.
PPM: Final = 1_000_000


def sqrt_years(seconds: int) -> int:
    """Square root of a time in years, Q64."""
    return q64.sqrt((seconds << 64) // YEAR)


def deviation(sigma_ppm: int, sqrt_t: int) -> int:
    """Standard deviation σ√T of the log price, Q64.

    Args:
        sigma_ppm: annualised volatility, ppm (1_000_000 = 100 %).
        sqrt_t: square root of the time in years, Q64.
    """
    return sigma_ppm * sqrt_t // PPM


def call(forward: int, strike: int, log_moneyness: int, v: int) -> int:
    """Undiscounted value of a call on the forward, Q64.

    Args:
        forward: forward over the reference price, Q64, positive.
        strike: strike over the reference price, Q64, positive.
        log_moneyness: ln(forward / strike), Q64 (taken apart so that one logarithm serves a whole row).
        v: σ√T, Q64; 0 gives intrinsic value.

    Returns:
        Value over the reference price, Q64.  Within 1e-11 of exact; never below max(0, forward − strike) by more
        than one unit, never above forward.

    One exponential serves both normal tails, because forward·n(d1) = strike·n(d2).
    """
    intrinsic = max(0, forward - strike)
    if v == 0:
        return intrinsic
    num = log_moneyness << 64
    # Truncating division, as the contract's sdiv.
    d1 = (num // v if num >= 0 else -(-num // v)) + (v >> 1)
    d2 = d1 - v
    if d1 <= -q64.TAIL_CUT:
        return 0
    if d2 >= q64.TAIL_CUT:
        return intrinsic
    e = forward * q64.exp(-(d1 * d1 >> 65)) >> 64
    upside = _weighted_cdf(forward, d1, e)
    cost = _weighted_cdf(strike, d2, e)
    return max(intrinsic, upside - cost)


def _weighted_cdf(level: int, d: int, e: int) -> int:
    """level·N(d), where e = level·exp(−d²/2)."""
    if d >= q64.TAIL_CUT:
        return level
    if d <= -q64.TAIL_CUT:
        return 0
    return level - (e * q64.mills(d) >> 64) if d >= 0 else e * q64.mills(-d) >> 64
