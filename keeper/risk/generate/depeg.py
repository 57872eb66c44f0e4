"""Depeg: a token that should be worth something else is worth less.

A token held as collateral loses its own price.  The token in which everything is settled cannot lose against itself:
when it falls, every other token is worth more of it, which hurts whoever owes one.  Positions are settled one for one
against an index in USD and do not notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from keeper.errors import LawBroken
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved


@dataclass(frozen=True, kw_only=True)
class Depeg:
    """How far one token fell below what it stands for."""

    symbol: str
    """The token."""
    factor: float
    """On its price over its peg: above 0, at most 1."""
    source: str = ""
    """When, and who saw it."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` on a factor that is no loss."""
        if not 0.0 < self.factor <= 1.0:
            raise LawBroken(f"a depeg of {self.symbol} to {self.factor} is none", factor=self.factor)


#: The worst that was recorded, against USD or, for stETH, ETH.
KNOWN: Final = (
    Depeg(symbol="USDC", factor=0.878, source="2023-03-11, BTC against USD and USDC on a public exchange"),
    Depeg(symbol="USDT", factor=0.952, source="2022-05-12, public on-chain oracle"),
    Depeg(symbol="stETH", factor=0.935, source="2022-06-18, public on-chain oracle"),
)


def depeg(
    falls: Sequence[Depeg],
    *,
    underlyings: tuple[str, ...],
    collaterals: tuple[str, ...],
    settlement: str | None = None,
) -> Scenarios:
    """One row per token that is there, and one in which all collaterals fall together if there are several.

    Args:
        falls: what may happen; tokens that are neither a collateral nor the settlement token are left out.
        underlyings: the table's order; they stay.
        collaterals: the table's order.
        settlement: the token in which accounts are counted; None if it is none of `falls`.
    """
    held = [fall for fall in falls if fall.symbol in collaterals and fall.symbol != settlement]
    lines, tags = [], []
    for fall in falls:
        line = np.ones(len(collaterals))
        if fall.symbol == settlement:
            others = [i for i, token in enumerate(collaterals) if token != settlement]
            line[others] = 1.0 / fall.factor
        elif fall in held:
            line[collaterals.index(fall.symbol)] = fall.factor
        else:
            continue
        lines.append(line)
        tags.append(f"{fall.symbol} at {fall.factor:.4g}")
    if len(held) > 1:
        together = np.ones(len(collaterals))
        for fall in held:
            at = collaterals.index(fall.symbol)
            together[at] = min(together[at], fall.factor)
        lines.append(together)
        tags.append("all pegs at once")
    columns: dict[str, Any] = unmoved(
        Generator.DEPEG, underlyings=underlyings, collaterals=collaterals, tags=tuple(tags)
    )
    return Scenarios(**columns | {"collateral": np.array(lines).reshape(len(lines), len(collaterals))})
