"""Basis: forwards move and spot does not, or against it.

A futures spread, a perpetual against spot and a carry trade lose nothing when only spot moves.  These rows are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from keeper.errors import LawBroken
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved


@dataclass(frozen=True, kw_only=True)
class BasisRow:
    """One row."""

    basis: float
    """Relative move of forward over spot: +0.05 lifts every forward by 5 % of itself; above −1."""
    spot: float = 0.0
    """Move of spot, fraction of itself; above −1."""


#: Forwards 5 % up and down with spot fixed, and against a move of spot of the same size, which they cancel.
#: Perpetuals have been farther from spot for minutes: 17.5 % on 2025-10-10 (public trades of SOL).
STANDARD: Final = (
    BasisRow(basis=0.05),
    BasisRow(basis=-0.05),
    BasisRow(basis=-0.05, spot=0.05),
    BasisRow(basis=0.05, spot=-0.05),
)


def basis(
    rows: Sequence[BasisRow] = STANDARD,
    *,
    underlyings: tuple[str, ...],
    collaterals: tuple[str, ...] = (),
    moved: Sequence[str] | None = None,
) -> Scenarios:
    """One scenario per row.

    Args:
        rows: S of them.
        underlyings: the table's order.
        collaterals: the table's order.
        moved: the underlyings that move, together; all of them if left out.

    Raises:
        LawBroken: an underlying to move is not there, or a figure is not finite or makes a price negative.
    """
    at = columns_of(underlyings, moved)
    columns: dict[str, Any] = unmoved(
        Generator.BASIS, underlyings=underlyings, collaterals=collaterals, tags=tuple(_tag(row) for row in rows)
    )
    spot, forward = np.ones((len(rows), len(underlyings))), np.ones((len(rows), len(underlyings)))
    spot[:, at] = 1.0 + np.array([row.spot for row in rows]).reshape(-1, 1)
    forward[:, at] = 1.0 + np.array([row.basis for row in rows]).reshape(-1, 1)
    return Scenarios(**columns | {"spot": spot, "basis": forward})


def columns_of(underlyings: tuple[str, ...], moved: Sequence[str] | None) -> list[int]:
    """Positions of those that move.  Raises: `LawBroken` if one is not there."""
    names = underlyings if moved is None else moved
    strangers = set(names) - set(underlyings)
    if strangers:
        raise LawBroken(f"{sorted(strangers)} are not among the underlyings {sorted(underlyings)}")
    return [underlyings.index(name) for name in names]


def _tag(row: BasisRow) -> str:
    forward = f"basis {row.basis * 100:+.4g} %"
    return f"{forward}, spot {row.spot * 100:+.4g} %" if row.spot else forward
