"""A venue's chain of options as it was fetched, and the part of it that crosses into the pure half.

What is kept is bounded, because it is stored with every block: for each listed expiry the quoted ones around it, of
those the options out of the money within a few deviations, and of those at most so many.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Protocol

from keeper.domain.quotes import ExpiryQuotes, OptionQuote, QuoteSheet, Unquoted
from keeper.risk.surface.quotes import Quote

WAD: Final = 10**18
#: Strikes are held in 1e-8 USD.
STRIKE_ONE: Final = 10**8
PPM, PPB = 10**6, 10**9
#: Options further out than this many at-the-money deviations are worth less than a tick.
WIDEST_DEVIATIONS: Final = 4.0
#: Marks around the money that say how wide a deviation is.
NEAREST: Final = 5
YEAR_S: Final = 31_536_000
#: Prices, strikes and volatilities outside of this are nobody's.
SMALLEST: Final = 1e-7
LARGEST: Final = 1e12


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Everything a venue quotes on one underlying."""

    source: str
    """What the venue is called."""
    taken_s: int
    """Unix seconds: the time of the oldest quote, by the venue's clock."""
    index: float
    """The venue's spot index, USD, positive."""
    quotes: tuple[Quote, ...]


class Venue(Protocol):
    """Where chains come from."""

    @property
    def name(self) -> str:
        """For reasons and alerts."""

    def fetch(self, underlying: str) -> Chain:
        """The chain of one underlying by the venue's name for it.  Raises: `Retry`; `BadInput` if a file is none."""


def sheet(
    chain: Chain, underlying: int, listed: Iterable[int], *, max_per_expiry: int, trouble: str = ""
) -> QuoteSheet | Unquoted:
    """Cut a chain down to what the listed expiries need.

    Args:
        chain: of the venue.
        underlying: our id.
        listed: our expiries, unix seconds.
        max_per_expiry: most quotes kept of one expiry.
        trouble: what the newest attempt ran into.
    """
    by_expiry: dict[int, list[Quote]] = {}
    for quote in chain.quotes:
        if quote.expiry_s > chain.taken_s and _sound(quote):
            by_expiry.setdefault(quote.expiry_s, []).append(quote)
    if not SMALLEST < chain.index < LARGEST:
        return Unquoted(underlying=underlying, reason=f"{chain.source} gives an index of {chain.index:g}")
    wanted = around(sorted(by_expiry), listed)
    if not wanted:
        return Unquoted(underlying=underlying, reason=f"{chain.source} quotes no option near a listed expiry")
    expiries = (_expiry(e, by_expiry[e], chain, max_per_expiry) for e in wanted)
    return QuoteSheet(
        underlying=underlying,
        source=chain.source,
        taken_s=chain.taken_s,
        index=round(chain.index * 10**8) * 10**10,
        trouble=trouble,
        expiries=tuple(e for e in expiries if e.quotes),
    )


def around(quoted: Sequence[int], listed: Iterable[int]) -> list[int]:
    """The quoted expiries that listed ones are read from: each one's neighbours, or itself.  Ascending."""
    found: set[int] = set()
    for expiry in listed:
        at = bisect_left(quoted, expiry)
        if at < len(quoted):
            found.add(quoted[at])
        if at > 0 and (at == len(quoted) or quoted[at] != expiry):
            found.add(quoted[at - 1])
    return sorted(found)


def _sound(quote: Quote) -> bool:
    """Whether a quote says anything: finite, positive, not crossed, with a mark or both sides."""
    numbers = [quote.strike, quote.forward, *(x for x in (quote.mark_vol, quote.bid, quote.ask) if x is not None)]
    if not all(SMALLEST < x < LARGEST for x in numbers):  # false for NaN too
        return False
    if quote.bid is None or quote.ask is None:
        return quote.mark_vol is not None
    return quote.bid <= quote.ask


def _expiry(expiry: int, quotes: Sequence[Quote], chain: Chain, most: int) -> ExpiryQuotes:
    forward = median(q.forward for q in quotes)
    out = {q.strike: q for q in quotes if q.is_call == (q.strike >= forward)}
    near = sorted((abs(math.log(q.strike / forward)), q.mark_vol) for q in out.values() if q.mark_vol)[:NEAREST]
    # The middle one: a single mark that is wrong neither narrows the smile to nothing nor opens it.
    width = median(vol for _, vol in near) * math.sqrt((expiry - chain.taken_s) / YEAR_S) if near else math.inf
    # Where both sides are quoted, only such strikes are fitted: the few that are kept are not spent on others.
    out = {k: q for k, q in out.items() if q.bid is not None and q.ask is not None} or out
    kept = [out[k] for k in sorted(out) if abs(math.log(k / forward)) <= WIDEST_DEVIATIONS * width]
    return ExpiryQuotes(
        expiry=expiry,
        phi_ppb=round(forward / chain.index * PPB),
        quotes=tuple(
            OptionQuote(
                strike=round(q.strike * STRIKE_ONE),
                is_call=q.is_call,
                vol_ppm=round((q.mark_vol or 0.0) * PPM),
                bid_ppb=round((q.bid or 0.0) * PPB),
                ask_ppb=round((q.ask or 0.0) * PPB),
            )
            for q in thinned(kept, most)
        ),
    )


def thinned(quotes: Sequence[Quote], most: int) -> list[Quote]:
    """At most `most` of them, evenly spread, both ends among them."""
    if len(quotes) <= most:
        return list(quotes)
    return [quotes[i * (len(quotes) - 1) // (most - 1)] for i in range(most)]
