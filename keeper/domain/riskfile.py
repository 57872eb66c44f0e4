"""The risk file: what is published per underlying, and the arrays computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """One full shock, per underlying."""

    psr_ppm: int
    """Price scan range, ppm of spot."""
    vsr_up_ppm: int
    """Relative rise of a 30-day volatility, ppm."""
    vsr_down_ppm: int
    """Relative fall of a 30-day volatility, ppm."""


@dataclass(frozen=True, kw_only=True)
class ExpiryParams:
    """What is published per expiry."""

    expiry: int
    """Unix seconds."""
    phi_ppb: int
    """Forward over spot, parts per billion."""
    df_ppb: int
    """Discount factor, parts per billion."""
    sigma_atm_ppm: int
    """At-the-money volatility, annualised, ppm."""


@dataclass(frozen=True, kw_only=True)
class StrikeArray:
    """Risk array of one strike."""

    strike: int
    """Strike price, 1e-8 USD (the unit of the instrument id)."""
    sigma_ppm: int
    """Published volatility."""
    values: tuple[int, ...]
    """Unweighted call values, ppm of the reference spot, one per row, length 24."""


@dataclass(frozen=True, kw_only=True)
class File:
    """The risk file of one underlying, as the contract stores it."""

    ref_spot: int
    """wad USD."""
    ranges: Ranges
    tail_ppm: int
    """c of the tail law."""
    short_min_ppm: int
    """Charge per naked short option, ppm of spot."""
    expiries: Mapping[int, ExpiryParams]
    arrays: Mapping[tuple[int, int], StrikeArray]
    """By (expiry, strike)."""
    im_uplift_ppm: int = 0
    """What initial margin is widened by while the ranges still move up to the published ones."""
