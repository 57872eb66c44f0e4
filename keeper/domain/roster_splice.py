"""Changing some accounts of a roster: runs of what stays are copied whole between those that are new."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from keeper.domain.roster import Ids, Ints, Roster, contract_order, starts
from keeper.domain.words import Words

#: Values that belong to the account, and those in runs, by the column of their starts.
_PLAIN = ("ids", "cash", "interest_entry", "keep_entry", "in_auction")
_RUNS = {
    "collateral_start": ("collateral_id", "collateral_units"),
    "position_start": ("position_instrument", "position_size"),
    "perp_start": ("perp_underlying", "perp_notional", "perp_entry"),
}


def spliced(old: Roster, fresh: Roster, *, gone: Ids) -> Roster:
    """`old` with the accounts of `fresh` in place of theirs or among them, and without those in `gone`."""
    if not len(fresh) and not len(gone):
        return old
    old, fresh = _one_table(old, fresh)
    place = np.searchsorted(old.ids, fresh.ids)
    known = _known(old.ids, fresh.ids, place)
    lost = np.searchsorted(old.ids, gone)
    dropped = {int(row) for row in lost[_known(old.ids, gone, lost)]}
    replaced = {int(row) for row in place[known]}
    # Rows of `old` up to `stop` stay, then comes row `new` of `fresh`; what is replaced or gone is skipped.
    steps = [(int(row), 0, i) for i, row in enumerate(place.tolist())]
    steps += [(row, 1, -1) for row in dropped - replaced]
    pieces: list[tuple[Roster, int, int]] = []
    at = 0
    for stop, _, new in sorted(steps):
        if stop > at:
            pieces.append((old, at, stop))
            at = stop
        if new >= 0:
            pieces.append((fresh, new, new + 1))
        if new < 0 or stop in replaced:
            at = max(at, stop + 1)
    if at < len(old) or not pieces:
        pieces.append((old, at, len(old)))
    return _glued(old, fresh, pieces, dropped - replaced)


def _known(ids: Ids, wanted: Ids, place: Ints) -> Any:
    """Which of the wanted ids stand at their places."""
    if not len(ids):
        return np.zeros(len(wanted), dtype=np.bool_)
    return (place < len(ids)) & (ids[np.minimum(place, len(ids) - 1)] == wanted)


def _glued(old: Roster, fresh: Roster, pieces: list[tuple[Roster, int, int]], dropped: set[int]) -> Roster:
    columns: dict[str, Any] = {name: _joined([(r, name, a, b) for r, a, b in pieces]) for name in _PLAIN}
    for start, names in _RUNS.items():
        spans = [(r, int(getattr(r, start)[a]), int(getattr(r, start)[b])) for r, a, b in pieces]
        counts = [np.diff(getattr(r, start)[a : b + 1]) for r, a, b in pieces]
        columns[start] = starts(np.concatenate(counts))
        for name in names:
            columns[name] = _joined([(r, name, a, b) for r, a, b in spans])
    whole = dict(old.whole)
    if whole:
        for account in (*fresh.accounts(), *old.only(np.array(sorted(dropped), dtype=np.int64)).accounts()):
            whole.pop(account, None)
    return Roster(**columns, instruments=old.instruments, whole={**whole, **fresh.whole})


def _joined(spans: list[tuple[Roster, str, int, int]]) -> Any:
    parts = [(getattr(roster, name), a, b) for roster, name, a, b in spans]
    if isinstance(parts[0][0], Words):
        return Words(np.concatenate([v.pairs[a:b] for v, a, b in parts]))
    return np.concatenate([v[a:b] for v, a, b in parts])


def _one_table(old: Roster, fresh: Roster) -> tuple[Roster, Roster]:
    """Both with the same instruments."""
    if old.instruments == fresh.instruments:
        return old, fresh
    known = {instrument: i for i, instrument in enumerate(old.instruments)}
    if all(instrument in known for instrument in fresh.instruments):
        table = old.instruments
    else:
        table = tuple(sorted({*old.trimmed().instruments, *fresh.trimmed().instruments}, key=contract_order))
        old = _numbered(old.trimmed(), table)
    return old, _numbered(fresh, table)


def _numbered(roster: Roster, table: tuple[Any, ...]) -> Roster:
    number = {instrument: i for i, instrument in enumerate(table)}
    found = np.array([number[i] for i in roster.instruments], dtype=np.int32)
    columns = {f.name: getattr(roster, f.name) for f in fields(roster)}
    held = found[roster.position_instrument] if len(found) else roster.position_instrument
    return Roster(**{**columns, "position_instrument": held, "instruments": table})
