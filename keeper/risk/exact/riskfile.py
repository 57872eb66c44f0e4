"""Risk arrays: what a publication means for every strike, in the contract's integers.

Mirrors contracts/src/libraries/Scenarios.sol, Rows.sol and RiskFile.sol.  A *row* is one scenario; the array of a
strike holds the unweighted value of one call under each row, in ppm of the reference spot.  Puts follow by parity when
summing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keeper.domain.riskfile import ExpiryParams, Ranges, StrikeArray
from keeper.risk.exact import black76, q64

PPM: Final = 1_000_000
PPB: Final = 1_000_000_000
WAD: Final = 10**18
ROWS: Final = 24
#: Rows 0 … 13 move with live spot and are interpolated; 14, 15 are the extreme moves; 16 … 23 the tails.
INNER: Final = 14
#: Rows 14 … 23 are fixed price levels of the file.
DAY: Final = 86_400
#: The −3 row's spot is never below 5 % of the reference.
MIN_LEVEL_PPM: Final = 50_000
#: Weight of the two extreme rows.  Source: SPAN's 33 % "extreme move" cover fraction.
EXTREME_WEIGHT_PPM: Final = 330_000
#: Tail moves in ppm of spot, rows 16 … 23.
TAILS_PPM: Final = (-660_000, -330_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000)
#: Inner moves in thirds of the price scan range; each appears with volatility up (even row) and down (odd row).
THIRDS: Final = (0, 1, -1, 2, -2, 3, -3)
#: Tolerance of the butterfly fence, ppm of the reference spot.
BUTTERFLY_PPM: Final = 2
#: Volatility is never shocked below 5 % of itself.
MAX_VOL_DOWN_PPM: Final = 950_000


def levels(psr_ppm: int) -> tuple[int, ...]:
    """Spot level of each row, ppm of the reference spot, length 24."""
    inner: list[int] = []
    for t in THIRDS:
        move = psr_ppm * abs(t) // 3
        level = PPM + move if t >= 0 else PPM - move
        inner += [level, level]
    extreme = [PPM + 3 * psr_ppm, max(MIN_LEVEL_PPM, PPM - 3 * psr_ppm)]
    return (*inner, *extreme, *(PPM + t for t in TAILS_PPM))


def weights(psr_ppm: int, tail_ppm: int) -> tuple[int, ...]:
    """Weight of each row, ppm, length 24.  Tail law w(s) = min(1, c·PSR/|s|), rounded up, with c = `tail_ppm`."""
    tails = (min(PPM, -(-tail_ppm * psr_ppm // abs(s))) for s in TAILS_PPM)
    return (*[PPM] * INNER, EXTREME_WEIGHT_PPM, EXTREME_WEIGHT_PPM, *tails)


def term_factor(seconds: int) -> int:
    """m = (30 d / max(t, 1 d)) ** (0.3 within 30 days, else 0.13), Q64: how much a vol of this tenor moves."""
    t = max(seconds, DAY)
    power = 300_000 if t <= 30 * DAY else 130_000
    return q64.exp(q64.ln((30 * DAY << 64) // t) * power // PPM)


def vol_up(sigma_ppm: int, vsr_up_ppm: int, m: int, floor_ppm: int) -> int:
    """Shocked-up volatility, ppm, never below `floor_ppm`."""
    return max(sigma_ppm + (sigma_ppm * (vsr_up_ppm * m >> 64) // PPM), floor_ppm)


def vol_down(sigma_ppm: int, vsr_down_ppm: int, m: int) -> int:
    """Shocked-down volatility, ppm."""
    return sigma_ppm - sigma_ppm * min(vsr_down_ppm * m >> 64, MAX_VOL_DOWN_PPM) // PPM


def strike_array(
    *,
    strike: int,
    sigma_ppm: int,
    expiry: ExpiryParams,
    ranges: Ranges,
    vol_floor_ppm: int,
    ref_spot: int,
    now: int,
) -> StrikeArray:
    """Compute the risk array of one strike.

    Args:
        strike: 1e-8 USD.
        sigma_ppm: the strike's volatility.
        expiry: the expiry's published numbers; `expiry.expiry` must be after `now`.
        ranges: scan ranges of the underlying.
        vol_floor_ppm: floor of the shocked-up volatility.
        ref_spot: reference spot, wad USD.
        now: unix seconds.
    """
    tau = expiry.expiry - now
    sqrt_t = black76.sqrt_years(tau)
    m = term_factor(tau)
    v_up = black76.deviation(vol_up(sigma_ppm, ranges.vsr_up_ppm, m, vol_floor_ppm), sqrt_t)
    v_down = black76.deviation(vol_down(sigma_ppm, ranges.vsr_down_ppm, m), sqrt_t)
    v_mid = black76.deviation(sigma_ppm, sqrt_t)

    kappa = (strike * 10**10 << 64) // ref_spot
    log_kappa = q64.ln(kappa)
    phi = (expiry.phi_ppb << 64) // PPB
    log_phi = q64.ln(phi)
    df = (expiry.df_ppb << 64) // PPB

    values = []
    for row, level in enumerate(levels(ranges.psr_ppm)):
        s = (level << 64) // PPM
        forward = phi * s >> 64
        v = v_mid if row in (14, 15) else (v_down if row < INNER and row % 2 else v_up)
        value = black76.call(forward, kappa, q64.ln(s) + log_phi - log_kappa, v)
        values.append(((value * df >> 64) * PPM + (1 << 63)) >> 64)
    return StrikeArray(strike=strike, sigma_ppm=sigma_ppm, values=tuple(values))


def forward_rows(expiry: ExpiryParams, ranges: Ranges) -> tuple[int, ...]:
    """Discounted forward under each row, ppm of the reference spot, rounded down: the A of put = call − A + B."""
    carry = expiry.phi_ppb * expiry.df_ppb
    return tuple(level * carry // (PPB * PPB) for level in levels(ranges.psr_ppm))


def strike_ppm(strike: int, expiry: ExpiryParams, ref_spot: int) -> int:
    """Discounted strike, ppm of the reference spot, rounded down: the B of put = call − A + B."""
    return strike * 10**10 * expiry.df_ppb * PPM // (PPB * ref_spot)


def live_call(*, strike: int, sigma_ppm: int, expiry: ExpiryParams, spot: int, now: int) -> int:
    """Mark of one call at live spot and time, wad USD, rounded down."""
    kappa = (strike * 10**10 << 64) // spot
    phi = (expiry.phi_ppb << 64) // PPB
    df = (expiry.df_ppb << 64) // PPB
    v = black76.deviation(sigma_ppm, black76.sqrt_years(expiry.expiry - now))
    value = black76.call(phi, kappa, q64.ln(phi) - q64.ln(kappa), v)
    return (value * df >> 64) * spot >> 64


def live_put(call_mark: int, *, strike: int, expiry: ExpiryParams, spot: int) -> int:
    """Mark of one put from the call's by parity, wad USD.  May be a few wei below zero: boxes stay exact."""
    forward = spot * expiry.phi_ppb * expiry.df_ppb // (PPB * PPB)
    return call_mark - forward + strike * 10**10 * expiry.df_ppb // PPB


def call_mark(*, strike: int, sigma_ppm: int, expiry: ExpiryParams, ref_spot: int, now: int) -> int:
    """Mark of one call when a file is computed, ppm of the reference spot: what the butterfly fence compares."""
    kappa = (strike * 10**10 << 64) // ref_spot
    phi = (expiry.phi_ppb << 64) // PPB
    df = (expiry.df_ppb << 64) // PPB
    v = black76.deviation(sigma_ppm, black76.sqrt_years(expiry.expiry - now))
    value = black76.call(phi, kappa, q64.ln(q64.ONE) + q64.ln(phi) - q64.ln(kappa), v)
    return ((value * df >> 64) * PPM + (1 << 63)) >> 64


def butterfly_breach(strikes: Sequence[int], marks: Sequence[int], expiry: ExpiryParams) -> int | None:
    """Find the first strike whose call mark breaks the order of its neighbours.

    Marks fall with the strike and are convex in it, within `BUTTERFLY_PPM`; the chain begins at strike 0, where a call
    is worth the discounted forward.

    Args:
        strikes: ascending, 1e-8 USD.
        marks: `call_mark` of each.
        expiry: their expiry.

    Returns:
        The strike that the contract names in `ButterflyArbitrage`, or None.
    """
    phi, df = (expiry.phi_ppb << 64) // PPB, (expiry.df_ppb << 64) // PPB
    k0, c0 = 0, 0
    k1, c1 = 0, (phi * df >> 64) * PPM >> 64
    for i, (k2, c2) in enumerate(zip(strikes, marks, strict=True)):
        if c2 > c1 + BUTTERFLY_PPM:
            return k2
        if i and c1 * (k2 - k0) > c0 * (k2 - k1) + c2 * (k1 - k0) + BUTTERFLY_PPM * (k2 - k0):
            return k1
        k0, c0, k1, c1 = k1, c1, k2, c2
    return None


def live_marks(
    *,
    strike: int,
    is_call: bool,
    sigma_ppm: int,
    expiry: ExpiryParams,
    ranges: Ranges,
    vol_floor_ppm: int,
    spot: int,
    now: int,
) -> tuple[int, int, int]:
    """Marks of one option at live spot and time with mid, shocked-up and shocked-down volatility, wad USD."""
    m = term_factor(expiry.expiry - now)
    marks = []
    for sigma in (
        sigma_ppm,
        vol_up(sigma_ppm, ranges.vsr_up_ppm, m, vol_floor_ppm),
        vol_down(sigma_ppm, ranges.vsr_down_ppm, m),
    ):
        mark = live_call(strike=strike, sigma_ppm=sigma, expiry=expiry, spot=spot, now=now)
        marks.append(mark if is_call else live_put(mark, strike=strike, expiry=expiry, spot=spot))
    return marks[0], marks[1], marks[2]


def is_stale(*, ref_spot: int, psr_ppm: int, time: int, max_age_s: int, spot: int, now: int) -> bool:
    """Whether a file lies beyond a third of its scan range from live spot, or is older than `max_age_s`."""
    return abs(spot - ref_spot) * 3 * PPM > psr_ppm * ref_spot or now - time > max_age_s
