"""Stress: named days as they happened, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from keeper.errors import LawBroken
from keeper.risk.generate.stress_days import STRESS_DAYS, StressDay
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved

#: The underlying whose move stands for one that has no figure of its own.  Every day has one of it.
PROXY: Final = "ETH"


def stress(
    days: Sequence[StressDay] = STRESS_DAYS,
    *,
    underlyings: tuple[str, ...],
    collaterals: tuple[str, ...] = (),
    proxy: str = PROXY,
    unrecorded_vol: float = 0.0,
) -> Scenarios:
    """One row per day.

    Args:
        days: S of them.
        underlyings: the table's order.  One that a day does not list moves as `proxy` did: it was not traded or not
            recorded, which does not mean that it stood still.
        collaterals: the table's order; they move with their underlyings only.
        proxy: a symbol that every day lists.
        unrecorded_vol: relative rise of a 30-day volatility on a day on which that of the underlying was not recorded.

    Raises:
        LawBroken: a day does not list the proxy although an underlying needs it, or a figure is not finite.
    """
    columns: dict[str, Any] = unmoved(
        Generator.STRESS, underlyings=underlyings, collaterals=collaterals, tags=tuple(day.tag for day in days)
    )
    shape = (len(days), len(underlyings))
    spot, vol = np.ones(shape), np.zeros(shape)
    for row, day in enumerate(days):
        for column, name in enumerate(underlyings):
            move = day.moves.get(name, day.moves.get(proxy))
            if move is None:
                raise LawBroken(f"{day.tag} lists neither {name} nor {proxy}", tag=day.tag)
            spot[row, column] = 1.0 + move
            vol[row, column] = day.vols.get(name, unrecorded_vol)
    return Scenarios(**columns | {"spot": spot, "vol": vol})
