"""Quotes in, a fitted surface or reasons out: the vocabulary of `fit_surface`.

    quotes: Iterable[Quote]  ──▶  fit_surface(quotes, now_s=…, model=Model.SVI)  ──▶  FittedSurface
                                                                                    .surface   Surface | None
                                                                                    .fits      one Fit per expiry used
                                                                                    .refused   one Refusal per other

Every expiry of the quotes is in `fits` or in `refused`, never in both.  What is in `fits` has passed butterfly, Lee
and calendar checks, before shocking and after; a slice that could not be repaired is a `Refusal`, a value with a
reason.  Nothing here raises for bad quotes.

Which quotes count, in this order (`QuoteRules`):

1. They are not older than `max_age_s`, and expire at least `min_life_s` after now.
2. Both sides are quoted, a bid and an ask above it: a mark that nobody bids for is a guess of the venue's.  Where the
   expiry has no bid and no ask at all (a file of marks), every mark counts.
3. They have a volatility: the venue's mark, else that of the mid premium; between `vol_floor` and `vol_cap`.
4. They are out of the money, or within one deviation of it: of a call and a put at one strike the one out of the money
   counts, for it is the liquid one.
5. The ends of the smile beyond `max_deviations` of ATM deviation are left out: they cost less than a tick.

Those that count are weighed by vega and by their spread (`keeper.risk.surface.rules`), and a few wild ones are
outvoted: beyond a third of a vol point the cost of a miss grows linearly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from keeper.risk.surface.arbitrage import Violation
from keeper.risk.surface.smile import Surface


class Model(StrEnum):
    """The family of smiles that is fitted."""

    SVI = "svi"
    """Raw SVI, expiry by expiry, each above the one before."""
    SSVI = "ssvi"
    """Surface SVI: one correlation and one curvature law for all expiries."""
    SABR = "sabr"
    """Hagan's lognormal SABR, expiry by expiry, β = 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """One option as a venue quotes it at one time."""

    expiry_s: int
    """Unix seconds."""
    strike: float
    is_call: bool
    forward: float
    """Of its expiry, in the unit of the strike."""
    time_s: int
    """When it was quoted, unix seconds."""
    mark_vol: float | None = None
    """The venue's mark, annual, as a fraction; None if it publishes none."""
    bid: float | None = None
    """Premium over forward (Deribit's premium in coin); None if nobody bids."""
    ask: float | None = None
    """Premium over forward; None if nobody offers."""
    open_interest: float = 0.0
    """In units of the underlying."""


@dataclass(frozen=True, kw_only=True)
class QuoteSnapshot:
    """What a venue quoted on one underlying at one time."""

    underlying: str
    time_s: int
    """Unix seconds."""
    index: float | None
    """The venue's spot index; None if it tells none."""
    quotes: tuple[Quote, ...]


class QuoteHistory(Protocol):
    """Snapshots of one or more underlyings, such as a file holds."""

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Their names, sorted."""

    def times(self, underlying: str) -> tuple[int, ...]:
        """When it was quoted, ascending, unix seconds.  Raises: `BadInput` if it never was."""

    def at(self, underlying: str, time_s: int) -> QuoteSnapshot:
        """One snapshot, of `times`."""


@dataclass(frozen=True, kw_only=True)
class QuoteRules:
    """Which quotes count; see the head of this module."""

    max_age_s: int = 3_600
    max_ahead_s: int = 60
    """How far a venue's clock may be ahead of ours."""
    min_life_s: int = 3_600
    vol_floor: float = 0.02
    vol_cap: float = 10.0
    max_deviations: float = 8.0
    min_quotes: int = 5
    """An expiry with fewer strikes than a slice has parameters is refused."""
    max_median_miss: float = 5.0
    """Vol points.  A lawful slice further from its quotes than this is refused: it says nothing about them."""


@dataclass(frozen=True, kw_only=True)
class FitError:
    """|model − mark| over some quotes, in vol points (0.01 of annual volatility)."""

    median: float
    rms: float
    max: float
    quotes: int


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What became of one expiry that is used."""

    expiry_s: int
    error: FitError
    """Of the slice that is used, over the strikes that count."""
    error_before: FitError
    """The same of the unconstrained fit, before repair."""
    error_marks: FitError
    """Of the slice that is used, over every mark of the venue, quoted or not."""
    k: tuple[float, ...]
    """ln(strike / forward) of the strikes that count, ascending."""
    vol: tuple[float, ...]
    """Their volatilities, annual."""
    found: tuple[Violation, ...] = ()
    """Arbitrage of the unconstrained fits; the slice that is used has none."""

    @property
    def repaired(self) -> bool:
        """Whether the unconstrained fit was not used as it was."""
        return bool(self.found)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An expiry that is not used."""

    expiry_s: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class FittedSurface:
    """The surface, with its papers."""

    model: Model
    surface: Surface | None
    """Slices of `fits`, free of arbitrage; None if every expiry was refused."""
    fits: tuple[Fit, ...] = field(default=())
    """One per slice, in order of expiry."""
    refused: tuple[Refusal, ...] = field(default=())
    """In order of expiry."""
