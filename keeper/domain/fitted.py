"""What a fit says of one underlying, in integers on a stated lattice.

A fit is floating-point arithmetic, in whose last digits two processors may differ.  Its results are rounded to these
units before anything is made of them; what follows is integer arithmetic, the same on every machine.  A fit that is run
again, there or with another engine, lies within the slack.

    number                        unit              slack of a fit run again
    vol_ppm, mean_vol_ppm         1e-6 a year       1 unit
    es_*_ppb                      1e-9 of spot      1 unit
    phi_ppb                       1e-9 of spot      1 unit
    atm_ppm, vols_ppm             1e-6 a year       `VOL_SLACK_PPM` units: a surface is found by steps that stop early
    counts, times, reasons        exact             0; digits quoted within a reason are not compared
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: By how much a volatility read off a surface may differ when the surface is fitted again: 0.01 points, the lattice on
#: which a strike's volatility is published.
VOL_SLACK_PPM: Final = 100


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
class FittedNumbers:
    """Everything that is estimated for one underlying at one block."""

    rounds: int
    """Oracle rounds of distinct times that were looked at."""
    first_s: int
    """Unix seconds of the oldest."""
    last_s: int
    """Unix seconds of the newest."""
    windows: int
    """Overlapping moves over the horizon."""
    vol_ppm: int
    """EWMA volatility at the newest round, annual, ppm, at least 1."""
    mean_vol_ppm: int
    """Volatility over all rounds, annual, ppm, at least 1."""
    es_filtered_ppb: int
    """Expected shortfall of moves scaled to current volatility, of the worse side, parts per billion of spot."""
    es_normal_ppb: int
    """The same of a normal distribution of current volatility."""
    es_history_ppb: int
    """The same of all moves as they happened."""
    es_stress_ppb: int
    """The same of the moves of the wildest period."""
    quotes_used: bool
    """Whether a venue's quotes were believed."""
    quotes_said: str
    """Their source, age and fit, or why they were not used; empty if no source is configured."""
    smiles: tuple[FittedSmile | NoSmile, ...]
    """One per unexpired listed expiry; empty if no source is configured."""
    left_out: tuple[tuple[int, str], ...]
    """(quoted expiry, why) that the surface does without."""
