"""Many accounts under one table of P&L: worst loss, its row and expected shortfall of each.

An account is a run of positions; the P&L of an instrument under every scenario is computed once for everybody.  The
compiled kernel and its numpy twin both go account by account, or by a few, and never hold accounts x scenarios.

    table = PnlTable(pnl)
    swept = sweep(positions, table, level=0.975)
    resweep(swept, [7], changed_positions, table, level=0.975)   # account 7 alone: a thousandth of a sweep and less
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Accounts of one block of the numpy twin: with 1,000 scenarios its sums take 2 MB.
_BLOCK: Final = 256
#: A sum whose terms together stay below this cannot overflow.
_REACH: Final = 1e300
#: A cumulative weight this close to the tail has reached it; source: keeper.risk.tail.
_TOLERANCE: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Signed sizes of many accounts, one run of positions each."""

    start: Ints
    """Positions of account a are start[a] … start[a + 1] − 1; shape (accounts + 1,)."""
    index: Ints
    """Instrument of each position; shape (positions,)."""
    size: Floats
    """Signed units of the instrument; shape (positions,)."""
    instruments: int
    """How many there are to choose from."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if the runs do not cover the positions, or a position is not finite or names nothing."""
        for name, kind in (("start", np.int64), ("index", np.int64), ("size", np.float64)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=kind))
        start, index, size = self.start, self.index, self.size
        if start.ndim != 1 or index.ndim != 1 or index.shape != size.shape or not len(start):
            raise LawBroken("columns of positions differ in length", index=index.shape, size=size.shape)
        if start[0] != 0 or start[-1] != len(index) or (np.diff(start) < 0).any():
            raise LawBroken("runs of positions do not follow each other", positions=len(index))
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < self.instruments:
            raise LawBroken("a position names no instrument", instruments=self.instruments)
        if not np.isfinite(size).all():
            raise LawBroken("a position's size is not finite", positions=len(size))

    def __len__(self) -> int:
        """Accounts."""
        return len(self.start) - 1

    @cached_property
    def gross(self) -> float:
        """Largest sum of an account's sizes regardless of sign."""
        if not len(self.size):
            return 0.0
        return float(np.diff(self.start).max()) * float(np.abs(self.size).max())

    def take(self, accounts: Sequence[int]) -> Positions:
        """The positions of some accounts, in the order asked for."""
        runs = [slice(int(self.start[a]), int(self.start[a + 1])) for a in accounts]
        lengths = [run.stop - run.start for run in runs]
        none = np.zeros(0, dtype=np.int64)
        return Positions(
            start=np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64))),
            index=np.concatenate([none, *(self.index[run] for run in runs)]),
            size=np.concatenate([none.astype(np.float64), *(self.size[run] for run in runs)]),
            instruments=self.instruments,
        )


@dataclass(frozen=True)
class PnlTable:
    """P&L of one unit of each instrument under each scenario, checked once."""

    values: Floats
    """Shape (instruments, scenarios), a loss is negative; the currency is the caller's."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if there is no scenario, or a value is NaN or infinite."""
        object.__setattr__(self, "values", np.ascontiguousarray(self.values, dtype=np.float64))
        if self.values.ndim != 2 or not self.values.shape[1]:
            raise LawBroken("a table of P&L has instruments and scenarios", shape=self.values.shape)
        if not np.isfinite(self.values).all():
            raise LawBroken("P&L of an instrument is not finite", shape=self.values.shape)

    @cached_property
    def reach(self) -> float:
        """Largest magnitude."""
        return max(float(self.values.max(initial=0.0)), -float(self.values.min(initial=0.0)))


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep says of each account; every array has shape (accounts,)."""

    worst: Floats
    """Largest loss of a scenario; negative where every scenario gains."""
    worst_row: Ints
    """Scenario that attains it; lowest index on ties."""
    es: Floats
    """Rockafellar–Uryasev expected shortfall of the losses, as `keeper.risk.tail.expected_shortfall`."""

    def __len__(self) -> int:
        """Accounts."""
        return len(self.worst)


def sweep(positions: Positions, table: PnlTable, *, level: float, probability: npt.ArrayLike | None = None) -> Swept:
    """Find worst loss, worst row and expected shortfall of every account.

    Args:
        positions: of the accounts.
        table: P&L per unit; its instruments are those of `positions`.
        level: α of the expected shortfall, between 0 and 1.
        probability: of each scenario, shape (scenarios,); all alike if None.

    Raises:
        LawBroken: an amount could overflow, the instruments differ, or there is no tail at this level.
    """
    from keeper.risk import compiled  # noqa: PLC0415 - numba takes half a second to import

    values = table.values
    if positions.instruments != len(values):
        raise LawBroken("positions and P&L are of different instruments", instruments=len(values))
    if positions.gross * table.reach > _REACH:
        raise LawBroken("P&L of an account could overflow", gross=positions.gross, reach=table.reach)
    tail, weights = _tail(level, values.shape[1], probability)
    accounts = len(positions)
    found = Swept(worst=np.empty(accounts), worst_row=np.empty(accounts, dtype=np.int64), es=np.empty(accounts))
    if not compiled.COMPILED:
        _by_numpy(positions, values, tail, weights, found)
        return found

    from keeper.risk.compiled import sweep as kernels  # noqa: PLC0415 - as above

    book, out = (positions.start, positions.index, positions.size), (found.worst, found.worst_row, found.es)
    if accounts <= kernels.PARCEL:
        kernels.sweep_some((0, accounts), book, values, (tail, weights), out)
    else:
        kernels.sweep(book, values, tail, weights, out)
    return found


def resweep(
    swept: Swept,
    changed: Sequence[int],
    positions: Positions,
    table: PnlTable,
    *,
    level: float,
    probability: npt.ArrayLike | None = None,
) -> None:
    """Write the figures of a few changed accounts into those of all, in place.

    In place, because a copy of every account's figures would cost more than the accounts that changed.

    Args:
        swept: figures of all accounts; written at `changed`, and nowhere if anything is raised.
        changed: accounts, indices into `swept`.
        positions: of these accounts alone, in this order (`Positions.take` where they are part of a larger book).
        table: as for `sweep`.
        level: as for `sweep`.
        probability: as for `sweep`.

    Raises:
        LawBroken: as `sweep`; or `positions` are not those of `changed`, or an account is not in `swept`.
    """
    accounts = np.array(changed, dtype=np.int64)
    if accounts.shape != (len(positions),):
        raise LawBroken("positions are not those of the changed accounts", changed=len(accounts), of=len(positions))
    if len(accounts) and not 0 <= int(accounts.min()) <= int(accounts.max()) < len(swept):
        raise LawBroken("a changed account was never swept", accounts=len(swept))
    part = sweep(positions, table, level=level, probability=probability)
    swept.worst[accounts], swept.worst_row[accounts], swept.es[accounts] = part.worst, part.worst_row, part.es


def _tail(level: float, scenarios: int, probability: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """(share of the tail, share of one scenario, scenarios in the tail), and the weights where they differ."""
    if not 0.0 < level < 1.0:
        raise LawBroken(f"no tail at level {level}", level=level)
    share = 1.0 - level
    if probability is None:
        cumulative = np.cumsum(np.full(scenarios, 1.0 / scenarios))
        count = int(np.argmax(cumulative >= share - _TOLERANCE)) + 1
        return np.array([share, 1.0 / scenarios, float(count)]), np.zeros(0)
    weights = np.ascontiguousarray(probability, dtype=np.float64)
    if weights.shape != (scenarios,) or not (np.isfinite(weights) & (weights >= 0.0)).all():
        raise LawBroken("probabilities must be one each and not negative", scenarios=scenarios, of=weights.shape)
    if float(weights.sum()) < share - _TOLERANCE:
        raise LawBroken(f"probabilities sum to {weights.sum()}, less than the tail {share}", level=level)
    return np.array([share, 0.0, 0.0]), weights


def _by_numpy(positions: Positions, values: Floats, tail: Floats, weights: Floats, found: Swept) -> None:
    """The same without a compiler: one sparse product and one partition for each block of accounts."""
    share, each, count = float(tail[0]), float(tail[1]), int(tail[2])
    start = positions.start
    for first in range(0, len(positions), _BLOCK):
        runs = start[first : first + _BLOCK + 1]
        here, held = slice(first, first + len(runs) - 1), slice(int(runs[0]), int(runs[-1]))
        shape = (len(runs) - 1, positions.instruments)
        book = sparse.csr_array((positions.size[held], positions.index[held], runs - runs[0]), shape=shape)
        sums = np.asarray(book @ values)
        row = sums.argmin(axis=1)
        found.worst_row[here] = row
        found.worst[here] = -np.take_along_axis(sums, row[:, None], axis=1)[:, 0]
        if len(weights):
            order = np.argsort(sums, axis=1, kind="stable")
            before = np.cumsum(weights[order], axis=1) - weights[order]
            used = np.clip(share - before, 0.0, weights[order])
            found.es[here] = -(used * np.take_along_axis(sums, order, axis=1)).sum(axis=1) / share
        else:
            sums.partition(count - 1, axis=1)
            body = each * sums[:, : count - 1].sum(axis=1)
            found.es[here] = -(body + (share - each * (count - 1)) * sums[:, count - 1]) / share
