"""What a fit says of one underlying, in integers on a stated lattice.

A fit is floating-point arithmetic, in whose last digits two processors may differ.  Its results are rounded to these
units before anything is made of them; what follows is integer arithmetic, the same on every machine.  A fit that is run
again, there or with another engine, lies within the slack: a number that falls beside the middle of two units may be
rounded to the other one.

    number                        unit              slack of a fit run again
    vol_ppm, mean_vol_ppm         1e-6 a year       1 unit
    shortfalls.*_ppb              1e-9 of spot      1 unit
    phi_ppb                       1e-9 of spot      1 unit
    atm_ppm, vols_ppm             1e-6 a year       1 unit
    slices                        1e-12             not compared, see `FittedSlice`
    counts, times                 exact             0
    reasons                       words             not compared: they quote digits

A surface is found by steps that stop early, so its volatilities need not agree as well as the rest.  They do: over 308
slices fitted to recorded chains, compiled or not, or with every quote moved by its last bit, they differ by less than
1e-4 units.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FittedSmile:
    """What quotes say of one listed expiry."""

    expiry: int
    """Unix seconds."""
    phi_ppb: int
    """Forward over spot, parts per billion."""
    atm_ppm: int
    """Volatility at the forward, annual, ppm, positive."""
    vols_ppm: tuple[int, ...]
    """One per listed strike, ascending, annual, ppm, positive."""


@dataclass(frozen=True, kw_only=True)
class NoSmile:
    """Quotes say nothing of one listed expiry that can be used."""

    expiry: int
    """Unix seconds."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class FittedHinge:
    """A change of slope of one slice, as `keeper.risk.surface.hinged` has it; in 1e-12."""

    at: int
    width: int
    slope: int
    right: bool


@dataclass(frozen=True, kw_only=True)
class FittedSlice:
    """One quoted expiry of the surface: raw SVI in total variance, and hinges; in 1e-12.

    Quotes do not tell the parameters of a slice apart: two fits of the same quotes may differ in all of them and agree
    in every volatility.  So nothing is derived from them, and smiles are what a fit run again is compared by.
    """

    expiry: int
    """Unix seconds."""
    forward: int
    """Over the venue's index."""
    a: int
    b: int
    rho: int
    m: int
    sigma: int
    hinges: tuple[FittedHinge, ...]


@dataclass(frozen=True, kw_only=True)
class Shortfalls:
    """Expected shortfalls over the horizon, of the worse side, parts per billion of spot."""

    filtered_ppb: int
    """Of moves scaled to current volatility."""
    normal_ppb: int
    """Of a normal distribution of current volatility."""
    history_ppb: int
    """Of all moves as they happened."""
    stress_ppb: int
    """Of the moves of the wildest period as they happened."""
    windows: int
    """Overlapping moves they rest on."""


@dataclass(frozen=True, kw_only=True)
class FittedNumbers:
    """Everything that is estimated for one underlying at one block."""

    rounds: int
    """Oracle rounds of distinct times that were looked at."""
    first_s: int
    """Unix seconds of the oldest."""
    last_s: int
    """Unix seconds of the newest."""
    vol_ppm: int
    """EWMA volatility at the newest round, annual, ppm, at least 1."""
    mean_vol_ppm: int
    """Volatility over all rounds, annual, ppm, at least 1."""
    shortfalls: Shortfalls
    quotes_used: bool
    """Whether a venue's quotes were believed."""
    quotes_said: str
    """Their source, age and fit, or why they were not used; empty if no source is configured."""
    smiles: tuple[FittedSmile | NoSmile, ...]
    """One per unexpired listed expiry; empty if no source is configured."""
    slices: tuple[FittedSlice, ...]
    """The surface that smiles were read off, ascending by quoted expiry; empty if none was used."""
    left_out: tuple[tuple[int, str], ...]
    """(quoted expiry, why) that the surface does without."""
