"""What can be traded in the demo: a perp and four expiries of options per underlying, strikes around the opening."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keeper.demo.paths import SYMBOLS, PricePath
from keeper.domain.snapshot import Listing

WAD = 10**18
#: Strikes are held in 1e-8 USD.
STRIKE_ONE = 10**8
#: Life of each expiry, seconds, and the distance between its strikes as a part of spot: about a standard deviation at
#: the volatilities before a crash.
TENORS = ((4 * 3600, 0.03), (86_400, 0.06), (7 * 86_400, 0.12), (30 * 86_400, 0.2))
#: Strikes per expiry, the middle one at the money: what a publication costs grows with them.
RUNGS = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The market that is to be opened.  Index = underlying id."""

    symbols: tuple[str, ...]
    spots: tuple[int, ...]
    """At the opening, wad USD."""
    opening_s: int
    """Chain time at which trading begins, unix seconds."""
    listings: tuple[tuple[Listing, ...], ...]
    """Ascending by expiry."""


def plan_market(path: PricePath, *, opening_s: int) -> Plan:
    """Choose expiries and strikes for a path.

    The first two expiries are moved so that the first settles within the first half of the run, whatever its length.
    """
    spots = tuple(to_wad(path.points[0].prices[symbol]) for symbol in SYMBOLS)
    run_s = path.block_s * (len(path.points) - 1)
    first = max(2 * path.block_s, min(TENORS[0][0], run_s // 2 // path.block_s * path.block_s))
    lives = [first, max(TENORS[1][0], 2 * first), *(max(life, 4 * first) for life, _ in TENORS[2:])]
    listings = tuple(
        tuple(
            Listing(expiry=opening_s + life, strikes=_strikes(spot, distance))
            for life, (_, distance) in zip(lives, TENORS, strict=True)
        )
        for spot in spots
    )
    return Plan(symbols=SYMBOLS, spots=spots, opening_s=opening_s, listings=listings)


def to_wad(price: float) -> int:
    """A price in USD to wad, through the eight decimals of a price feed."""
    return round(price * 10**8) * 10**10


def _strikes(spot: int, distance: float) -> tuple[int, ...]:
    """`RUNGS` strikes around spot, at least `distance` apart, on round numbers."""
    dollars = spot / WAD
    step = 10 ** math.floor(math.log10(dollars * distance))
    step *= next(m for m in (1, 2, 2.5, 5, 10) if m * step >= dollars * distance * 0.7)
    middle = round(dollars / step)
    low = max(1, middle - RUNGS // 2)
    return tuple(round((low + i) * step * STRIKE_ONE) for i in range(RUNGS))
