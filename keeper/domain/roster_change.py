"""What changed from one roster to another: far less than a roster, and enough to have it again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.domain import roster_bytes
from keeper.domain.columns import Ids, Ints, find, id_column, runs
from keeper.domain.roster import Roster
from keeper.domain.words import Words
from keeper.errors import BadInput

_ID: Final = 32
_COUNT: Final = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """Accounts that became other than they were."""

    fresh: Roster
    """New ones, and those that are there still, as they are now."""
    gone: Ids
    """Those that are there no more."""

    @classmethod
    def between(cls, old: Roster, new: Roster) -> Change:
        """What makes `new` of `old`: at once where `new` was made of it, else by comparing them."""
        known = cls.remembered(old, new)
        return cls.found(old, new) if known is None else known

    @classmethod
    def remembered(cls, old: Roster, new: Roster) -> Change | None:
        """The same where `new` was made of `old` by a few changes; else None.  It may hold more than it must."""
        if old.token is new.token:
            return cls(fresh=Roster.of(()), gone=id_column(()))
        for i, (token, _, _) in enumerate(new.steps):
            if token is old.token:
                return reduce(cls.then, (cls(fresh=fresh, gone=gone) for _, fresh, gone in new.steps[i:]))
        return None

    @classmethod
    def found(cls, old: Roster, new: Roster) -> Change:
        """The same by comparing every column, whatever the rosters say of how they were made."""
        place, known = find(old.ids, new.ids)
        there = find(new.ids, old.ids)[1]
        rows = np.flatnonzero(known).astype(np.int64)
        changed = ~known
        changed[rows] = _differ(old, place[rows], new, rows)
        return cls(fresh=new.only(np.flatnonzero(changed).astype(np.int64)), gone=old.ids[~there])

    def __len__(self) -> int:
        return len(self.fresh) + len(self.gone)

    def after(self, old: Roster) -> Roster:
        """The roster that this makes of `old`."""
        return old.spliced(self.fresh, gone=self.gone)

    def then(self, later: Change) -> Change:
        """Both changes, one after the other."""
        fresh = later.after(self.fresh)
        gone = np.unique(np.concatenate((self.gone, later.gone)))
        return Change(fresh=fresh, gone=gone[~find(fresh.ids, gone)[1]])

    def dump(self) -> bytes:
        """Canonical bytes."""
        gone = self.gone.tobytes()
        return b"".join([len(self.gone).to_bytes(_COUNT, "little"), gone, roster_bytes.dump(self.fresh)])

    @classmethod
    def load(cls, data: bytes) -> Change:
        """Read what `dump` wrote.  Raises: `BadInput` if it is damaged."""
        split = _COUNT + _ID * int.from_bytes(data[:_COUNT], "little")
        if split > len(data):
            raise BadInput("a change of accounts is cut off", hint="the store is damaged: restore a backup of it")
        gone: Ids = np.frombuffer(bytearray(data[_COUNT:split]), dtype=f"S{_ID}")
        return cls(fresh=roster_bytes.load(data[split:]), gone=gone)


def _differ(old: Roster, place: Ints, new: Roster, rows: Ints) -> npt.NDArray[np.bool_]:
    """Which rows of `new` differ from their places in `old`."""
    found = np.zeros(len(rows), dtype=np.bool_)
    for name in Roster.PLAIN[1:]:
        found |= _unequal(_at(old, name, place), _at(new, name, rows))
    number = _numbers(old, new)
    for start, names in Roster.RUNS.items():
        a, b = getattr(old, start), getattr(new, start)
        found |= (a[1:] - a[:-1])[place] != (b[1:] - b[:-1])[rows]
        alike = np.flatnonzero(~found).astype(np.int64)
        theirs, ours = runs(a, place[alike])[1], (runs(b, rows[alike]))
        for name in names:
            was, now = _at(old, name, theirs), _at(new, name, ours[1])
            if name == "position_instrument" and number is not None:
                was = number[was]
            other = np.flatnonzero(_unequal(was, now))
            found[alike[np.searchsorted(ours[0], other, side="right") - 1]] = True
    if old.whole or new.whole:
        accounts = np.array(sorted({*old.whole, *new.whole}), dtype=object)
        differ = [a for a in accounts.tolist() if old.whole.get(a) != new.whole.get(a)]
        at, there = find(new.ids[rows], id_column(differ))
        found[at[there]] = True
    return found


def _at(roster: Roster, name: str, rows: Ints) -> Any:
    column = getattr(roster, name)
    values = column.pairs if isinstance(column, Words) else column
    # All of them in order: no copy.
    return values if len(rows) == len(values) and (not len(rows) or rows[-1] == len(rows) - 1) else values[rows]


def _unequal(was: Any, now: Any) -> npt.NDArray[np.bool_]:
    differs = was != now
    return np.asarray(differs[:, 0] | differs[:, 1] if differs.ndim > 1 else differs)


def _numbers(old: Roster, new: Roster) -> npt.NDArray[np.int32] | None:
    """Where each instrument of `old` stands in the table of `new`, −1 if nowhere; None if the tables are one."""
    if old.instruments == new.instruments:
        return None
    number = {instrument: i for i, instrument in enumerate(new.instruments)}
    return np.array([number.get(i, -1) for i in old.instruments] or [-1], dtype=np.int32)
