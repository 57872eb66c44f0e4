"""Tables of accounts in columns: one value an account, or a run of values an account, end to end.

A table names its columns: `PLAIN` have one value for each account; `RUNS` maps a column of starts to the columns whose
values start[i] … start[i + 1] − 1 belong to account i.  Rows ascend by account id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from keeper.domain.words import Words
from keeper.errors import LawBroken

Ints = npt.NDArray[np.int64]
Ids = npt.NDArray[np.bytes_]
"""Account ids, 32 bytes each, big-endian, so that they sort as the numbers do."""


class Table(Protocol):
    """Columns by the names of the attributes."""

    PLAIN: ClassVar[tuple[str, ...]]
    RUNS: ClassVar[Mapping[str, tuple[str, ...]]]

    @property
    def ids(self) -> Ids:
        """Ascending."""


def id_column(accounts: Iterable[int]) -> Ids:
    """Account ids as a column.  Raises: `LawBroken` if one is not a uint256."""
    try:
        return np.frombuffer(b"".join([account.to_bytes(32, "big") for account in accounts]), dtype="S32")
    except OverflowError:
        raise LawBroken("an account id is not a uint256") from None


def id_numbers(ids: Ids) -> list[int]:
    """The ids as Python ints."""
    # numpy hands out bytes without the zeros at their end.
    return [int.from_bytes(one.ljust(32, b"\0"), "big") for one in ids.tolist()]


def find(ids: Ids, wanted: Ids) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Where ids stand, or would; and whether they are there."""
    if wanted is ids:
        return np.arange(len(ids)), np.ones(len(ids), dtype=np.bool_)
    place = np.searchsorted(ids, wanted)
    if not len(ids):
        return place, np.zeros(len(wanted), dtype=np.bool_)
    return place, (place < len(ids)) & (ids[np.minimum(place, len(ids) - 1)] == wanted)


def find_one(ids: Ids, account: int) -> int | None:
    """Where one account stands; None if it does not."""
    if not 0 <= account < 1 << 256:
        return None
    place, known = find(ids, id_column([account]))
    return int(place[0]) if known[0] else None


def starts(counts: Ints | Sequence[int]) -> Ints:
    """Where each account's run begins, and where the last one ends; shape (accounts + 1,)."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(np.asarray(counts, dtype=np.int64))))


def runs(start: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The runs of some accounts laid end to end: their starts, and which values they take."""
    counts = (start[1:] - start[:-1])[rows]
    found = starts(counts)
    return found, np.arange(found[-1]) + np.repeat(start[rows] - found[:-1], counts)


def taken(table: Table, rows: Ints) -> dict[str, Any]:
    """The columns of some rows, which must ascend."""
    columns = {name: _at(getattr(table, name), rows) for name in table.PLAIN}
    for start, names in table.RUNS.items():
        columns[start], values = runs(getattr(table, start), rows)
        columns |= {name: _at(getattr(table, name), values) for name in names}
    return columns


def spliced(old: Table, fresh: Table, *, gone: Ids) -> dict[str, Any]:
    """The columns of `old` with the rows of `fresh` in place of theirs or among them, and without those in `gone`.

    Runs of rows that stay are copied whole, so that a few changes among many rows cost a copy and no more.
    """
    place, known = find(old.ids, fresh.ids)
    lost, there = find(old.ids, gone)
    replaced = set(place[known].tolist())
    # Up to `stop` the old rows stay, then comes row `new` of `fresh`; a row that is replaced or gone is skipped.
    steps = [(stop, new) for new, stop in enumerate(place.tolist())]
    steps += [(stop, len(fresh.ids)) for stop in set(lost[there].tolist()) - replaced]
    pieces: list[tuple[Table, int, int]] = []
    at = 0
    for stop, new in sorted(steps):
        pieces.append((old, at, stop))
        at = max(at, stop)
        if new < len(fresh.ids):
            pieces.append((fresh, new, new + 1))
        if new == len(fresh.ids) or known[new]:
            at = stop + 1
    pieces.append((old, at, len(old.ids)))
    return _glued([piece for piece in pieces if piece[1] < piece[2]] or [(old, 0, 0)], old)


def _glued(pieces: list[tuple[Table, int, int]], like: Table) -> dict[str, Any]:
    columns = {name: _joined([(getattr(t, name), a, b) for t, a, b in pieces]) for name in like.PLAIN}
    for start, names in like.RUNS.items():
        spans = [(t, int(getattr(t, start)[a]), int(getattr(t, start)[b])) for t, a, b in pieces]
        columns[start] = starts(np.concatenate([np.diff(getattr(t, start)[a : b + 1]) for t, a, b in pieces]))
        columns |= {name: _joined([(getattr(t, name), a, b) for t, a, b in spans]) for name in names}
    return columns


def _joined(parts: list[tuple[Any, int, int]]) -> Any:
    if isinstance(parts[0][0], Words):
        return Words(np.concatenate([column.pairs[a:b] for column, a, b in parts]))
    return np.concatenate([column[a:b] for column, a, b in parts])


def _at(column: Any, rows: Ints) -> Any:
    return column.at(rows) if isinstance(column, Words) else column[rows]


def arrays(table: Table) -> dict[str, npt.NDArray[Any]]:
    """Every column as a plain array, by name."""
    names = [*table.PLAIN, *(name for start, of in table.RUNS.items() for name in (start, *of))]
    columns = {name: getattr(table, name) for name in names}
    return {name: column.pairs if isinstance(column, Words) else column for name, column in columns.items()}


def same(a: Table, b: Table) -> bool:
    """Whether all columns are equal."""
    return all(np.array_equal(x, y) for x, y in zip(arrays(a).values(), arrays(b).values(), strict=True))


def check(table: Table) -> None:
    """What everybody relies on.

    Raises: `LawBroken` if columns differ in length, or ids or the first column of a run do not ascend.
    """
    accounts = len(table.ids)
    if any(len(getattr(table, name)) != accounts for name in table.PLAIN):
        raise LawBroken("columns of a table differ in length", accounts=accounts)
    if not (table.ids[1:] > table.ids[:-1]).all():
        raise LawBroken("accounts of a table are not distinct and ascending", accounts=accounts)
    for name, names in table.RUNS.items():
        start, numbers = getattr(table, name), getattr(table, names[0])
        if len(start) != accounts + 1 or start[0] != 0 or start[-1] != len(numbers) or (np.diff(start) < 0).any():
            raise LawBroken(f"{name} does not cover its values", accounts=accounts, values=len(numbers))
        if any(len(getattr(table, column)) != len(numbers) for column in names):
            raise LawBroken(f"columns of {name} differ in length", values=len(numbers))
        rising = np.diff(numbers) > 0
        seams = start[1:-1]
        rising[seams[(seams > 0) & (seams < len(numbers))] - 1] = True
        if not rising.all():
            raise LawBroken(f"{names[0]} of an account is not distinct and ascending")


def ascending(values: Iterable[Any]) -> bool:
    """Whether each is more than the one before."""
    return all(a < b for a, b in pairwise(values))
