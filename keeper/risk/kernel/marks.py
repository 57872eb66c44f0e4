"""What an account is worth now."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.kernel.legs import NONE, Kind, Legs
from keeper.risk.kernel.numeraire import Numeraire
from keeper.risk.kernel.portfolio import Portfolio

Floats = npt.NDArray[np.float64]


def equity(portfolio: Portfolio, legs: Legs, base: Floats) -> float:
    """Cash and every position at today's marks, before haircuts.

    Args:
        portfolio: for what is settled in cash: profits of perpetuals and futures, funding.
        legs: its options and collateral are owned outright.
        base: value of one unit of each leg now, shape (L,).

    Raises:
        LawBroken: it is not finite.
    """
    owned = legs.is_option | (legs.kind == Kind.COLLATERAL)
    parts = [portfolio.cash, *(future.unrealised for future in portfolio.futures)]
    parts += [amount for perp in portfolio.perps for amount in (perp.unrealised, perp.funding)]
    return summed("equity", (*parts, *(legs.size * base)[owned].tolist()))


def summed(what: str, parts: Iterable[float]) -> float:
    """The sum, rounded once.  Raises: `LawBroken` if a part or the sum is not finite."""
    try:
        total = math.fsum(parts)
    except (OverflowError, ValueError):  # what floats cannot hold, and infinity less infinity
        total = math.nan
    if not math.isfinite(total):
        raise LawBroken(f"{what} is beyond what numbers can hold")
    return total


def debt(portfolio: Portfolio, legs: Legs, base: Floats) -> float:
    """Negative cash and balances, as a positive number."""
    owed = (legs.kind == Kind.COLLATERAL) & (legs.size < 0.0)
    return summed("debt", (max(0.0, -portfolio.cash), *(-legs.size * base)[owed].tolist()))


def notionals(legs: Legs, spots: Floats, money: Numeraire) -> Floats:
    """|size| · spot of perpetuals, futures and options, |value| of collateral, in `money`; shape (L,)."""
    follows = legs.underlying != NONE
    unit = np.where(legs.kind == Kind.COLLATERAL, legs.price, 0.0)
    traded = follows & (legs.kind != Kind.COLLATERAL)
    unit[traded] = spots[legs.underlying[traded]]
    return np.asarray(np.abs(legs.size) * unit / money.price)
