"""Who is in the market: kinds of accounts, what each holds, and who takes the other side.

Everything is drawn from one seed.  Nothing here knows a chain: legs name instruments and signed sizes, and
`keeper.demo.funding` works out what each account must bring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from keeper.demo.listings import RUNGS, Plan
from keeper.domain.snapshot import Instrument, Kind, Listing
from keeper.errors import BadInput

WAD = 10**18
#: Sizes are whole thousandths of a contract, so that terminal and reports show them exactly.
LOT = 10**15
#: Fewer accounts than this cannot hold one of each kind and their counterparties.
MIN_ACCOUNTS = 20
#: One account in this many is a market maker.
ONE_MAKER_IN = 6
#: A maker quotes this many instruments at most: every trade checks both accounts, and a check costs by position.
MAKER_INSTRUMENTS = 9
#: Median notional of a customer's main leg, USD, and the log-normal spread around it.
NOTIONAL_USD, NOTIONAL_SPREAD = 40_000.0, 0.7


class Profile(StrEnum):
    """A kind of account."""

    HEDGED = "hedged"
    """Long perp under a long put."""
    COVERED_CALL = "covered call"
    """Holds the coin itself as collateral, short calls against it."""
    SHORT_CALL = "naked short call"
    SHORT_PUT = "naked short put"
    PERP_LONG = "perp long"
    PERP_SHORT = "perp short"
    SPREAD = "vertical spread"
    BOX = "box"
    FLY = "butterfly"
    SHORT_FLY = "short one-day butterfly"
    MAKER = "market maker"
    """Takes the other side."""


#: Shares of the customers, and the range of opening equity over IM of each kind.  Leveraged kinds stand close to the
#: edge, as they do in real books; hedged kinds and makers far from it.
MIX: dict[Profile, tuple[float, tuple[float, float]]] = {
    Profile.HEDGED: (0.18, (1.8, 5.0)),
    Profile.COVERED_CALL: (0.12, (1.8, 4.0)),
    Profile.SHORT_CALL: (0.09, (1.2, 2.5)),
    Profile.SHORT_PUT: (0.13, (1.3, 6.5)),
    Profile.PERP_LONG: (0.16, (1.2, 8.0)),
    Profile.PERP_SHORT: (0.08, (1.2, 3.0)),
    Profile.SPREAD: (0.10, (1.3, 4.0)),
    Profile.BOX: (0.04, (1.5, 3.0)),
    Profile.FLY: (0.05, (1.3, 2.5)),
    Profile.SHORT_FLY: (0.05, (1.2, 2.0)),
}
MAKER_CUSHION = (2.0, 6.0)


@dataclass(frozen=True)
class Leg:
    """One position, as it is traded."""

    instrument: Instrument
    size: int
    """Signed, wad contracts."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One account before it exists."""

    name: str
    """Profile and number, unique."""
    profile: Profile
    legs: tuple[Leg, ...]
    """In trading order: what is bought comes before what is sold against it."""
    cushion: float
    """Opening equity over IM."""
    in_coin: float
    """Part of the deposit made in the coin of its underlying rather than in the settlement token."""


@dataclass(frozen=True)
class Trade:
    """Two members and a size."""

    instrument: Instrument
    buyer: str
    seller: str
    amount: int
    """wad contracts, positive."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """Everybody, and all trades in the order in which they happen."""

    members: tuple[Member, ...]
    trades: tuple[Trade, ...]


def populate(plan: Plan, *, accounts: int, seed: int) -> Population:
    """Draw a population.  The same arguments give the same one.

    Args:
        plan: what can be traded.
        accounts: customers and makers together.
        seed: of everything drawn.

    Raises: `BadInput` below `MIN_ACCOUNTS`.
    """
    if accounts < MIN_ACCOUNTS:
        raise BadInput(f"--accounts {accounts} is too few", hint=f"the market needs at least {MIN_ACCOUNTS}")
    chance = np.random.default_rng([seed, 1])
    makers = max(4, accounts // ONE_MAKER_IN)
    customers = [
        _customer(plan, profile, number, chance)
        for profile, count in _counts(accounts - makers).items()
        for number in range(1, count + 1)
    ]
    order = [customers[i] for i in chance.permutation(len(customers))]
    members, trades = _match(order, makers, chance)
    return Population(members=members, trades=trades)


def _counts(customers: int) -> dict[Profile, int]:
    """How many of each kind: at least one, in proportion, summing to `customers`."""
    counts = {profile: max(1, int(share * customers)) for profile, (share, _) in MIX.items()}
    by_share = sorted(MIX, key=lambda profile: -MIX[profile][0])
    for i in range(customers - sum(counts.values())):
        counts[by_share[i % len(by_share)]] += 1
    return counts


def _customer(plan: Plan, profile: Profile, number: int, chance: np.random.Generator) -> Member:
    underlying = int(chance.random() < 0.4)
    spot = plan.spots[underlying] / WAD
    notional = NOTIONAL_USD * float(np.exp(NOTIONAL_SPREAD * chance.standard_normal()))
    size = max(LOT, int(notional / spot * 1000) * LOT)
    shelf = _Shelf(underlying, plan.listings[underlying])
    legs = _LEGS[profile](shelf, size, chance)
    if profile is Profile.SHORT_CALL and number == 1:  # somebody holds the expiry that settles during the run
        legs = [Leg(shelf.option(Kind.CALL, 0, RUNGS // 2), -size)]
    covered = profile is Profile.COVERED_CALL
    return Member(
        name=f"{profile} {number}",
        profile=profile,
        legs=tuple(leg for leg in legs if leg.size > 0) + tuple(leg for leg in legs if leg.size < 0),
        cushion=float(chance.uniform(*MIX[profile][1])),
        in_coin=0.9 if covered else float(chance.choice([0.0, 0.0, 0.0, 0.35])),
    )


class _Shelf:
    """Instruments of one underlying by tenor (0 = shortest) and rung (0 = lowest strike)."""

    def __init__(self, underlying: int, listings: Sequence[Listing]) -> None:
        self.underlying = underlying
        self.listings = listings

    @property
    def perp(self) -> Instrument:
        return Instrument(self.underlying, 0, 0, Kind.PERP)

    def option(self, kind: Kind, tenor: int, rung: int) -> Instrument:
        listing = self.listings[tenor]
        return Instrument(self.underlying, listing.expiry, listing.strikes[rung], kind)


def _hedged(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    put = shelf.option(Kind.PUT, int(chance.integers(2, 4)), int(chance.integers(0, 2)))
    return [Leg(put, size), Leg(shelf.perp, size)]


def _covered_call(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    return [Leg(shelf.option(Kind.CALL, int(chance.integers(1, 4)), 2), -size)]


def _short_call(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    return [Leg(shelf.option(Kind.CALL, int(chance.integers(0, 4)), int(chance.integers(1, 3))), -size)]


def _short_put(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    return [Leg(shelf.option(Kind.PUT, int(chance.integers(1, 4)), int(chance.integers(0, 2))), -size)]


def _perp_long(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:  # noqa: ARG001 - one shape for all
    return [Leg(shelf.perp, size)]


def _perp_short(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:  # noqa: ARG001 - one shape for all
    return [Leg(shelf.perp, -size)]


def _spread(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    kind = Kind.CALL if chance.random() < 0.4 else Kind.PUT
    tenor, rung = int(chance.integers(1, 4)), int(chance.integers(0, 2))
    low, high = shelf.option(kind, tenor, rung), shelf.option(kind, tenor, rung + 1)
    sign = 1 if chance.random() < 0.5 else -1
    return [Leg(low, sign * size), Leg(high, -sign * size)]


def _box(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    tenor, low = int(chance.integers(2, 4)), int(chance.integers(0, 2))
    high = int(chance.integers(low + 1, RUNGS))
    sign = 1 if chance.random() < 0.5 else -1
    return [
        Leg(shelf.option(Kind.CALL, tenor, low), sign * size),
        Leg(shelf.option(Kind.PUT, tenor, high), sign * size),
        Leg(shelf.option(Kind.CALL, tenor, high), -sign * size),
        Leg(shelf.option(Kind.PUT, tenor, low), -sign * size),
    ]


def _fly(
    shelf: _Shelf, size: int, chance: np.random.Generator, *, tenor: int | None = None, sign: int = 1
) -> list[Leg]:
    kind = Kind.CALL if chance.random() < 0.5 else Kind.PUT
    tenor = int(chance.integers(1, 4)) if tenor is None else tenor
    low, middle, high = (shelf.option(kind, tenor, rung) for rung in range(RUNGS))
    return [Leg(low, sign * size), Leg(middle, -2 * sign * size), Leg(high, sign * size)]


def _short_fly(shelf: _Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    return _fly(shelf, size, chance, tenor=1, sign=-1)


_LEGS: dict[Profile, Callable[[_Shelf, int, np.random.Generator], list[Leg]]] = {
    Profile.HEDGED: _hedged,
    Profile.COVERED_CALL: _covered_call,
    Profile.SHORT_CALL: _short_call,
    Profile.SHORT_PUT: _short_put,
    Profile.PERP_LONG: _perp_long,
    Profile.PERP_SHORT: _perp_short,
    Profile.SPREAD: _spread,
    Profile.BOX: _box,
    Profile.FLY: _fly,
    Profile.SHORT_FLY: _short_fly,
}


def _match(
    customers: Sequence[Member], makers: int, chance: np.random.Generator
) -> tuple[tuple[Member, ...], tuple[Trade, ...]]:
    """Give every leg a maker: one whose position it flattens, else one who quotes it, else the one with most room."""
    names = [f"{Profile.MAKER} {i}" for i in range(1, makers + 1)]
    books: dict[str, dict[Instrument, int]] = {name: {} for name in names}
    trades: list[Trade] = []
    for member in customers:
        for leg in member.legs:
            maker = min(names, key=lambda name, leg=leg: _reluctance(books[name], leg))  # type: ignore[misc]
            book = books[maker]
            book[leg.instrument] = book.get(leg.instrument, 0) - leg.size
            buyer, seller = (member.name, maker) if leg.size > 0 else (maker, member.name)
            trades.append(Trade(leg.instrument, buyer, seller, abs(leg.size)))
    quoting = [
        Member(
            name=name,
            profile=Profile.MAKER,
            # Zeros stay out: a book that flattened needs no margin.
            legs=tuple(Leg(instrument, size) for instrument, size in sorted(books[name].items()) if size),
            cushion=float(chance.uniform(*MAKER_CUSHION)),
            in_coin=0.0,
        )
        for name in names
    ]
    return (*customers, *quoting), tuple(trades)


def _reluctance(book: dict[Instrument, int], leg: Leg) -> tuple[int, int, int]:
    """Order in which makers are asked; lower first."""
    held = book.get(leg.instrument)
    if held is not None:
        return (0 if held * leg.size > 0 else 2, abs(held) // LOT, len(book))
    if len(book) >= MAKER_INSTRUMENTS:
        return (3, len(book), 0)
    # A fresh maker is asked before one who would pile up on the same side.
    return (1, len(book), 0)
