"""Skew: the smile turns (linear) or its wings rise and fall together (absolute); spot, forwards and the middle stay.

How large a full shock is at each strike is the preset's; a row says only what share of it comes, and which way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from keeper.risk.generate.basis import columns_of
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved


@dataclass(frozen=True, kw_only=True)
class SkewRow:
    """One row."""

    linear: float = 0.0
    """Share of the full linear shock: +1 lifts high strikes and lowers low ones."""
    absolute: float = 0.0
    """Share of the full absolute shock: +1 lifts both wings."""


#: Each shock in full, both ways.
STANDARD: Final = (SkewRow(linear=1.0), SkewRow(linear=-1.0), SkewRow(absolute=1.0), SkewRow(absolute=-1.0))


def skew(
    rows: Sequence[SkewRow] = STANDARD,
    *,
    underlyings: tuple[str, ...],
    collaterals: tuple[str, ...] = (),
    moved: Sequence[str] | None = None,
) -> Scenarios:
    """One scenario per row; arguments as for `basis`."""
    at = columns_of(underlyings, moved)
    columns: dict[str, Any] = unmoved(
        Generator.SKEW, underlyings=underlyings, collaterals=collaterals, tags=tuple(_tag(row) for row in rows)
    )
    linear, absolute = np.zeros((len(rows), len(underlyings))), np.zeros((len(rows), len(underlyings)))
    linear[:, at] = np.array([row.linear for row in rows]).reshape(-1, 1)
    absolute[:, at] = np.array([row.absolute for row in rows]).reshape(-1, 1)
    return Scenarios(**columns | {"skew": linear, "smile": absolute})


def _tag(row: SkewRow) -> str:
    named = (("skew", row.linear), ("smile", row.absolute))
    return ", ".join(f"{name} {share:+.4g}" for name, share in named if share) or "smile as it is"
