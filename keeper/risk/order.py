"""Who is to be closed first: accounts below maintenance under one preset, the largest shortfall first.

The same requirement that margin answers is read for every account.  On the chain it is the contract's integers that
decide (`keeper.policy.liquidate`); this is the order for any venue's rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import Market
from keeper.risk.kernel.portfolio import Portfolio
from keeper.risk.kernel.preset import Preset
from keeper.risk.kernel.requirement import Unpriced


@dataclass(frozen=True, kw_only=True)
class Short:
    """One account below maintenance."""

    account: int
    """Its place in the list given."""
    shortfall: float
    """Maintenance less equity, positive, in the preset's currency."""
    insolvent: bool
    """Equity is negative: the fund or everybody pays."""
    rows: tuple[str, ...]
    """Tags of the rows that decide its maintenance; empty where add-ons alone do."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """Everybody below maintenance, and everybody who is unknown."""

    first_to_last: tuple[Short, ...]
    """Largest shortfall first, the lower place on ties."""
    unknown: tuple[tuple[int, str], ...]
    """(place, reason): never safe, never liquidated."""


def liquidation_order(market: Market, portfolios: Sequence[Portfolio], preset: Preset) -> Order:
    """Rank accounts by what they lack of their maintenance requirement.

    Raises: `LawBroken` if a number on the way is not finite.
    """
    short, unknown = [], []
    for place, portfolio in enumerate(portfolios):
        found = margin(market, portfolio, preset)
        if isinstance(found, Unpriced):
            unknown.append((place, found.reason))
        elif found.mm_excess < 0.0 or found.equity < 0.0:
            row = found.maintenance.binding_row
            short.append(
                Short(
                    account=place,
                    shortfall=-min(found.mm_excess, found.equity),
                    insolvent=found.equity < 0.0,
                    rows=row.rows if row else (),
                )
            )
    return Order(
        first_to_last=tuple(sorted(short, key=lambda one: (-one.shortfall, one.account))), unknown=tuple(unknown)
    )
