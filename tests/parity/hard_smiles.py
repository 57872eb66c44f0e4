"""Smiles that rows may be refused for: at the very edge of convexity, steep beyond it, and far out of the ordinary."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.risk.exact.riskfile import butterfly_breach, call_mark
from keeper.risk.exact.rowfence import Bank

NOW = 1_790_000_000
DAY, YEAR = 86_400, 31_536_000
UNDERLYING = 3


@dataclass(frozen=True, kw_only=True)
class Smile:
    """One expiry, about to be written."""

    bank: Bank
    strikes: tuple[int, ...]
    expiry: ExpiryParams
    sigmas_ppm: tuple[int, ...]

    @property
    def ask(self) -> tuple[tuple[Any, ...], list[int], tuple[Any, ...]]:
        """Bank, strikes and publication as the contract's tuples."""
        b, r, e = self.bank, self.bank.ranges, self.expiry
        bank = (UNDERLYING, b.ref_spot, b.time, r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm, b.vol_floor_ppm)
        return bank, list(self.strikes), (e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, list(self.sigmas_ppm))


def smiles(seed: int, count: int) -> Iterator[Smile]:
    """Any number of them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield _smile(rng)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Every order of magnitude alike likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _smile(rng: np.random.Generator) -> Smile:
    odd = rng.random() < 0.25
    spot_usd = log_uniform(rng, 1e-4, 1e9) if odd else log_uniform(rng, 10, 1e5)
    seconds = int(log_uniform(rng, 1, 3 * YEAR) if odd else log_uniform(rng, 3_600, YEAR))
    df = int(rng.integers(850_000_000, 10**9 + 1))
    if rng.random() < 0.1:  # no fence lets that pass: only so can a row exceed its 29 bits
        df = int(log_uniform(rng, 5e10, 1.09e12))
    expiry = ExpiryParams(
        expiry=NOW + seconds,
        phi_ppb=int(rng.integers(5 * 10**8, 2 * 10**9 + 1)) if odd else int(rng.integers(98 * 10**7, 103 * 10**7)),
        df_ppb=df,
        sigma_atm_ppm=int(log_uniform(rng, 1, 5e7) if odd else log_uniform(rng, 2e5, 2e6)),
    )
    bank = Bank(
        ref_spot=max(1, int(spot_usd * 1e18)),
        time=NOW,
        ranges=Ranges(
            psr_ppm=int(rng.integers(1, 500_001)),
            vsr_up_ppm=int(log_uniform(rng, 1, 5e6)),
            vsr_down_ppm=int(log_uniform(rng, 1, 950_000)),
        ),
        vol_floor_ppm=int(rng.choice([0, 300_000, 10_000_000])),
    )
    strikes = _strikes(rng, spot_usd, odd=odd)
    sigmas = _sigmas(rng, expiry.sigma_atm_ppm, len(strikes))
    if len(strikes) > 2 and rng.random() < 0.4:
        sigmas = _at_the_edge(rng, bank, strikes, expiry, sigmas)
    if rng.random() < 0.3:
        sigmas = [0 if rng.random() < 0.3 else s for s in sigmas]
    return Smile(bank=bank, strikes=tuple(strikes), expiry=expiry, sigmas_ppm=tuple(sigmas))


def _strikes(rng: np.random.Generator, spot_usd: float, *, odd: bool) -> list[int]:
    """One to seven, near each other or far apart, around the spot or away from it."""
    centre = spot_usd * (log_uniform(rng, 1e-6, 1e8) if odd else log_uniform(rng, 0.5, 2))
    step = log_uniform(rng, 1e-4, 0.5)
    count = int(rng.integers(1, 8))
    wanted = (round(centre * 1e8 * (1 + step) ** (k - count // 2)) for k in range(count))
    return sorted({min(2**64 - 1, max(1, w)) for w in wanted})


def _sigmas(rng: np.random.Generator, atm: int, count: int) -> list[int]:
    shape = rng.integers(4)
    if shape == 0:
        return [atm] * count
    if shape == 1:  # a fair smile
        slope, bend = rng.uniform(-0.1, 0.1), rng.uniform(0, 0.05)
        x = np.arange(count) - count // 2
        return [max(1, int(atm * f)) for f in np.clip(1 + slope * x + bend * x * x, 0.3, 3)]
    if shape == 2:
        return [max(1, int(atm * f)) for f in rng.uniform(0.7, 2.0, count)]
    return [max(1, int(log_uniform(rng, 1, 4.2e9))) for _ in range(count)]


def _at_the_edge(
    rng: np.random.Generator, bank: Bank, strikes: list[int], expiry: ExpiryParams, sigmas: list[int]
) -> list[int]:
    """One strike's volatility where the verdict on it turns, or one unit beside."""
    place = int(rng.integers(len(strikes)))

    def refused(sigma: int) -> bool:
        tried = [*sigmas[:place], sigma, *sigmas[place + 1 :]]
        marks = [
            call_mark(strike=k, sigma_ppm=s, expiry=expiry, ref_spot=bank.ref_spot, now=bank.time)
            for k, s in zip(strikes, tried, strict=True)
        ]
        return butterfly_breach(strikes, marks, expiry) is not None

    low, high = sigmas[place], max(1, int(sigmas[place] * rng.choice([0.3, 3])))
    if refused(low) == refused(high):
        return sigmas
    while abs(high - low) > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refused(middle) == refused(low) else (low, middle)
    sigmas[place] = max(1, low + int(rng.integers(-1, 2)))
    return sigmas
