"""Who is in the market: kinds of accounts, what each holds, and who takes the other side.

Everything is drawn from one seed.  Nothing here knows a chain: legs name instruments and signed sizes, and
`keeper.demo.funding` works out what each account must bring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from keeper.demo import shapes
from keeper.demo.listings import RUNGS, Plan
from keeper.demo.shapes import Leg, Shelf
from keeper.domain.snapshot import Instrument, Kind
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

_LEGS: dict[Profile, Callable[[Shelf, int, np.random.Generator], list[Leg]]] = {
    Profile.HEDGED: shapes.hedged,
    Profile.COVERED_CALL: shapes.covered_call,
    Profile.SHORT_CALL: shapes.short_call,
    Profile.SHORT_PUT: shapes.short_put,
    Profile.PERP_LONG: shapes.perp_long,
    Profile.PERP_SHORT: shapes.perp_short,
    Profile.SPREAD: shapes.spread,
    Profile.BOX: shapes.box,
    Profile.FLY: shapes.fly,
    Profile.SHORT_FLY: shapes.short_fly,
}


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
    shelf = Shelf(underlying, plan.listings[underlying])
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
