"""What rows of a random publication are made of: spot, the ranges in force and their slew, strikes close together.

Most smiles of other pairs have a number that some fence refuses before rows are asked about.  Here all numbers of an
expiry are at rest, its strikes lie near the spot, and volatilities lie where the verdict on their marks turns.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from keeper.domain.market import ExpiryTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import ExpiryFence, FileState, SlewState, SmileFence
from keeper.risk.exact.riskfile import butterfly_breach, call_mark

HOUR, BACK = 3_600, 25
#: Larger than fences let a discount factor be in any state that can be reached: only so do rows exceed their bits.
HUGE_DF_PPB = 85_000_000_000, 1_099_000_000_000

Given = tuple[ExpiryFence, ExpiryTarget, tuple[int, ...]]


def a_spot(c: Any) -> int:
    """The oracle's, wad USD: mostly around the strikes, 0 where it has no price, or one too large for a header."""
    if c.is_so(0.03):
        return c.one(0, 0, 1 << 96, (1 << 96) - 1, 10**14)
    return int(c.rng.uniform(600, 4_000) * 10**18)


def a_slew(c: Any, target: Ranges, now: int) -> SlewState:
    """Just moved, or long ago; at any rate that governance may set."""
    ago = c.one(0, 59, 60, 61, c.to(60, HOUR), HOUR, HOUR + 1, c.to(HOUR, 10**6))
    return SlewState(target=target, rate_ppm_per_hour=c.one(c.to(100, 10**6), 250_000), time_s=now - ago)


def a_ground(live: FileState | None, slew: SlewState, spot: int) -> tuple[Any, ...]:
    """The same as the contract's tuple."""
    if live is None:
        return spot, (0, 0, 0, 0, 0, 0, 0), slew.rate_ppm_per_hour, slew.time_s
    r = live.ranges
    header = (live.ref_spot, live.time, live.epoch, r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm, 0)
    return spot, header, slew.rate_ppm_per_hour, slew.time_s


def tightened(c: Any, given: Given, spot: int, now: int) -> Given:
    """The expiry at rest, with two to five strikes near each other, the smile anything from flat to torn."""
    fence, wanted, _ = given
    smile, slots, sigmas = [], [], []
    atm, step = fence.sigma_ppm, 10 ** c.rng.uniform(-3.5, -0.3)
    centre, count, wild = c.rng.uniform(0.6, 1.6) * min(max(spot, 10**15), 10**26) / 10**10, c.to(2, 5), c.is_so(0.3)
    for k in range(count):
        ratio = int(10**6 * c.rng.uniform(*((0.72, 1.48) if wild else (0.97, 1.03))))
        new = c.is_so(0.15)
        smile.append(_resting(int(centre * (1 + step) ** (k - count // 2)) + k, 0 if new else ratio))
        sigmas.append(0 if new and c.is_so(0.5) else ratio * atm // 10**6)
    df = int(np.exp(c.rng.uniform(*np.log(HUGE_DF_PPB)))) if c.is_so(0.06) else fence.df_ppb
    params = replace(wanted.params, phi_ppb=fence.phi_ppb, df_ppb=df, sigma_atm_ppm=atm)
    wanted = ExpiryTarget(params=params, sigmas_ppm=tuple(sigmas))
    if c.is_so(0.5):
        wanted = _at_the_edge(c, wanted, [s.strike for s in smile], spot, now)
        smile = [  # as if the edge were in force
            _resting(one.strike, s * 10**6 // atm if one.ratio_ppm else 0)
            for one, s in zip(smile, wanted.sigmas_ppm, strict=True)
        ]
    slots = tuple(_slot(one.ratio_ppm, now) for one in smile)
    rested = replace(
        fence, sigma_anchor_ppm=atm, sigma_later=(atm,) * BACK, phi_anchor_ppb=fence.phi_ppb,
        phi_later=(fence.phi_ppb,) * BACK, df_ppb=df, df_anchor_ppb=df, df_later=(df,) * BACK, smile=tuple(smile),
    )  # fmt: skip
    return rested, wanted, slots


def _resting(strike: int, ratio: int) -> SmileFence:
    return SmileFence(strike=strike, ratio_ppm=ratio, anchor_ppm=ratio, later=(ratio,) * BACK if ratio else ())


def _slot(ratio: int, now: int) -> int:
    """Published so long ago that the anchor is the ratio itself."""
    return (ratio << 224 | (now // HOUR - BACK) << 200) if ratio else 0


def _at_the_edge(c: Any, one: ExpiryTarget, strikes: list[int], spot: int, now: int) -> ExpiryTarget:
    """One strike's volatility where the verdict on it turns, or one unit beside."""
    place, sigmas = c.to(0, len(strikes) - 1), list(one.sigmas_ppm)
    if not sigmas[place] or not 0 < spot < 1 << 96:
        return one

    def refused(sigma: int) -> bool:
        tried = [*sigmas[:place], sigma, *sigmas[place + 1 :]]
        chain = [(k, s) for k, s in zip(strikes, tried, strict=True) if s]
        marks = [call_mark(strike=k, sigma_ppm=s, expiry=one.params, ref_spot=spot, now=now) for k, s in chain]
        return butterfly_breach([k for k, _ in chain], marks, one.params) is not None

    low, high = sigmas[place], sigmas[place] * c.one(80, 125) // 100
    if refused(low) != refused(high):
        while abs(high - low) > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if refused(middle) == refused(low) else (low, middle)
    sigmas[place] = max(1, low + c.to(-1, 1))
    return replace(one, sigmas_ppm=tuple(sigmas))
