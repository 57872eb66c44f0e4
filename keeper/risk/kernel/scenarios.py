"""The scenario table: what may happen, one row each, whoever generated it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]


class Generator(StrEnum):
    """Where rows come from."""

    GRID = "grid"
    """SPAN-type: fractions of the scan ranges, and weighted tails."""
    HISTORY = "history"
    """Filtered historical simulation: joint moves of the past at today's volatility."""
    SIMULATION = "simulation"
    """Joint Student-t moves at GARCH volatilities, seeded."""
    STRESS = "stress"
    """Named days, as they happened."""
    BASIS = "basis"
    """Forwards move and spot does not, or against it."""
    SKEW = "skew"
    """The smile turns or steepens, spot and forwards stay."""
    DEPEG = "depeg"
    """A collateral or the settlement token loses its peg."""


@dataclass(frozen=True, kw_only=True)
class Scenarios:
    """S rows over U underlyings and C collaterals.  A row in which nothing moves has P&L exactly 0 (PNL-1)."""

    generator: Generator
    underlyings: tuple[str, ...]
    """Symbols, the order of the second axis of `spot`, `vol`, `skew`, `smile` and `basis`."""
    collaterals: tuple[str, ...]
    """Symbols, the order of the second axis of `collateral`."""
    tags: tuple[str, ...]
    """One name per row, shown to people: `-1 PSR, vol up`, `2020-03-12`."""
    spot: Floats
    """Factor on spot, shape (S, U); 1 leaves it."""
    vol: Floats
    """Relative shock of a 30-day volatility, shape (S, U): +0.45 is up by 45 %, 0 leaves it.  Revaluation scales it by
    the preset's term structure and applies its floor."""
    skew: Floats
    """Share of the preset's full linear skew shock (±1: the smile turns), shape (S, U)."""
    smile: Floats
    """Share of the preset's full absolute skew shock (±1: the wings rise or fall together), shape (S, U)."""
    basis: Floats
    """Factor on forward over spot, shape (S, U); 1 leaves the basis."""
    collateral: Floats
    """Factor on the price of a collateral over what `spot` does to it, shape (S, C)."""
    weight: Floats
    """Factor on the row's P&L, shape (S,): 0.33 for SPAN's extreme rows, c·PSR/|s| in the tails, else 1."""
    own_weight: Floats | None = None
    """Factor on one underlying's P&L besides `weight`, shape (S, U); None is 1.  A tail law weighs each by its own."""
    probability: Floats | None = None
    """Of each row, shape (S,), summing to 1; None where rows are not probabilistic, or all alike."""
    notes: tuple[str, ...] = ()
    """What had to be taken in place of what was asked for, in words."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a shape differs, a value is not finite, or a factor is negative."""
        rows, assets, tokens = len(self.tags), len(self.underlyings), len(self.collaterals)
        for name in ("spot", "vol", "skew", "smile", "basis"):
            _holds(name, getattr(self, name), (rows, assets))
        _holds("collateral", self.collateral, (rows, tokens))
        _holds("weight", self.weight, (rows,))
        if self.probability is not None:
            _holds("probability", self.probability, (rows,))
        if self.own_weight is not None:
            _holds("own_weight", self.own_weight, (rows, assets))
        for name in ("spot", "basis", "collateral", "weight"):
            if (getattr(self, name) < 0).any():
                raise LawBroken(f"a {self.generator} scenario has a negative {name}", column=name)

    def __len__(self) -> int:
        """Rows."""
        return len(self.tags)


@dataclass(frozen=True, kw_only=True)
class NoRows:
    """A generator that was given what it reads, and could not use it: its part of a requirement is missing."""

    reason: str


def unmoved(
    generator: Generator, *, underlyings: tuple[str, ...], collaterals: tuple[str, ...], tags: tuple[str, ...]
) -> dict[str, object]:
    """Columns of a table in which nothing moves, to be overridden: `Scenarios(**unmoved(...) | {"spot": spot})`.

    Each column is an array of its own, so that one may be written in place.
    """
    rows, assets = len(tags), len(underlyings)
    return {
        "generator": generator,
        "underlyings": underlyings,
        "collaterals": collaterals,
        "tags": tags,
        "spot": np.ones((rows, assets)),
        "vol": np.zeros((rows, assets)),
        "skew": np.zeros((rows, assets)),
        "smile": np.zeros((rows, assets)),
        "basis": np.ones((rows, assets)),
        "collateral": np.ones((rows, len(collaterals))),
        "weight": np.ones(rows),
        "probability": None,
    }


def _holds(name: str, values: Floats, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise LawBroken(f"scenario column {name} has shape {values.shape}, not {shape}", column=name)
    if not np.isfinite(values).all():
        raise LawBroken(f"scenario column {name} holds a value that is not finite", column=name)
