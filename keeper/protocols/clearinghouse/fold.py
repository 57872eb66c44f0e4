"""A roster and the writes since, made one roster.

Few accounts are changed one by one (`few`); many by sorting all values of a kind at once and keeping the newest of each
key (`many`).  What 128 bits cannot hold goes the first way always.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.columns import Ints, id_column, starts
from keeper.domain.roster import Roster
from keeper.domain.snapshot import Kind, PerpState
from keeper.domain.words import Words
from keeper.protocols.clearinghouse.accounts import Change, nothing
from keeper.protocols.clearinghouse.ids import pack_instrument, unpack_instrument
from keeper.protocols.clearinghouse.tape import Limbs, Tape, Writes

#: Writes up to which accounts are changed one by one.
FEW: Final = 4_000
_SIGNED: Final = {"CashChanged": (0,), "PositionChanged": (0,), "PerpTouched": (0, 1)}


def folded(base: Roster, tape: Tape) -> Roster:
    """The roster after the tape."""
    if not tape.rows:
        return base
    return few(base, tape) if tape.rows <= FEW else many(base, tape)


def few(base: Roster, tape: Tape, only: Collection[int] | None = None) -> Roster:
    """One account after the other; `only`: some of them, by id."""
    changes = _changes(tape, only)
    rows = {account: base.row(account) for account in changes}
    known = np.array(sorted(row for row in rows.values() if row is not None), dtype=np.int64)
    old = {state.account: state for state in base.only(known)}
    return base.replaced(
        {account: change.on(old.get(account) or nothing(account)) for account, change in changes.items()}
    )


def _changes(tape: Tape, only: Collection[int] | None) -> dict[int, Change]:
    found: dict[int, Change] = {}
    ids = tape.ids()
    wanted = None if only is None else set(only)
    for name in tape.parts:
        writes, names = tape.writes(name), tape.names(name)
        columns = [_ints(column, signed=at in _SIGNED.get(name, ())) for at, column in enumerate(writes.values)]
        for account, key, *values in zip(writes.account.tolist(), writes.key.tolist(), *columns, strict=True):
            if wanted is not None and ids[account] not in wanted:
                continue
            change = found.setdefault(ids[account], Change())
            if name == "CashChanged":
                change.cash = values[0], values[1]
            elif name == "LossPulled":
                change.keep_entry = values[0]
            elif name == "AuctionSet":
                change.in_auction = bool(values[0])
            elif name == "CollateralChanged":
                change.collateral[names[key]] = values[0]
            elif name == "PositionChanged":
                change.positions[names[key]] = values[0]
            else:
                perp = PerpState(underlying=names[key], open_notional=values[0], funding_entry=values[1])
                change.perps[names[key]] = perp
    return found


def _ints(limbs: Limbs, *, signed: bool) -> list[int]:
    octets = limbs.astype(">u8").tobytes()
    return [int.from_bytes(octets[at : at + 32], "big", signed=signed) for at in range(0, len(octets), 32)]


def many(base: Roster, tape: Tape) -> Roster:
    """All at once."""
    ids = tape.ids()
    column = id_column(ids)
    everybody = np.unique(np.concatenate((base.ids, column)))
    # Where the rows of the old roster, and the accounts of the tape, stand among all of them.
    old_row, new_row = np.searchsorted(everybody, base.ids), np.searchsorted(everybody, column)
    odd: set[int] = set(base.whole) & set(ids)

    def narrow(name: str) -> tuple[Writes, list[Words]]:
        writes = tape.writes(name)
        signed = _SIGNED.get(name, ())
        pairs, fits = zip(*(_narrowed(v, signed=at in signed) for at, v in enumerate(writes.values)), strict=True)
        bad = ~np.logical_and.reduce(fits)
        odd.update(ids[account] for account in np.unique(writes.account[bad]).tolist())
        return writes, list(pairs)

    plain: dict[str, Words] = {}
    for field, name, at in (
        ("cash", "CashChanged", 0), ("interest_entry", "CashChanged", 1), ("keep_entry", "LossPulled", 0),
    ):  # fmt: skip
        writes, values = narrow(name)
        pairs = np.zeros((len(everybody), 2), dtype=np.uint64)
        pairs[old_row] = getattr(base, field).pairs
        pairs[new_row[writes.account]] = values[at].pairs  # of several writes to one place the last one stays
        plain[field] = Words(pairs)
    auction = np.zeros(len(everybody), dtype=np.bool_)
    auction[old_row] = base.in_auction
    writes = tape.writes("AuctionSet")
    auction[new_row[writes.account]] = writes.values[0].any(axis=1)

    writes, units = narrow("CollateralChanged")
    numbers = np.array(tape.names("CollateralChanged"), dtype=np.int64)
    collateral_row, collateral_id, collateral_units = _newest(
        np.concatenate((_rows(base.collateral_start, old_row), new_row[writes.account])),
        np.concatenate((base.collateral_id.astype(np.int64), numbers[writes.key] if len(numbers) else writes.key)),
        [_joined(base.collateral_units, units[0])],
    )
    kept = collateral_units[0].nonzero
    collateral_row, collateral_id = collateral_row[kept], collateral_id[kept]

    writes, sizes = narrow("PositionChanged")
    packed = sorted({*map(pack_instrument, base.instruments), *tape.names("PositionChanged")})
    place = {instrument: i for i, instrument in enumerate(packed)}
    instruments = tuple(map(unpack_instrument, packed))
    of_base = np.array([place[pack_instrument(i)] for i in base.instruments], dtype=np.int64)
    of_tape = np.array([place[i] for i in tape.names("PositionChanged")], dtype=np.int64)
    position_row, position, position_size = _newest(
        np.concatenate((_rows(base.position_start, old_row), new_row[writes.account])),
        np.concatenate((_looked_up(of_base, base.position_instrument), _looked_up(of_tape, writes.key))),
        [_joined(base.position_size, sizes[0])],
    )
    held = position_size[0].nonzero
    position_row, position = position_row[held], position[held]

    writes, states = narrow("PerpTouched")
    numbers = np.array(tape.names("PerpTouched"), dtype=np.int64)
    perp_row, perp, perp_states = _newest(
        np.concatenate((_rows(base.perp_start, old_row), new_row[writes.account])),
        np.concatenate((base.perp_underlying.astype(np.int64), _looked_up(numbers, writes.key))),
        [_joined(base.perp_notional, states[0]), _joined(base.perp_entry, states[1])],
    )
    # Only an open position has a perp's state.
    underlyings = np.array([i.underlying if i.kind is Kind.PERP else -1 for i in instruments], dtype=np.int64)
    of_position = _looked_up(underlyings, position)
    span = int(max(underlyings.max(initial=0), perp.max(initial=0))) + 2
    is_perp = of_position >= 0
    open_keys = position_row[is_perp] * span + of_position[is_perp]
    alive = np.isin(perp_row * span + perp, open_keys)

    roster = Roster.from_columns(
        ids=everybody,
        **plain,
        in_auction=auction,
        collateral_start=_starts(collateral_row, len(everybody)),
        collateral_id=collateral_id.astype(np.int32),
        collateral_units=collateral_units[0].at(kept),
        position_start=_starts(position_row, len(everybody)),
        position_instrument=position.astype(np.int32),
        position_size=position_size[0].at(held),
        perp_start=_starts(perp_row[alive], len(everybody)),
        perp_underlying=perp[alive].astype(np.int32),
        perp_notional=perp_states[0].at(alive),
        perp_entry=perp_states[1].at(alive),
        instruments=instruments,
        whole={account: state for account, state in base.whole.items() if account not in odd},
    )
    if not odd:
        return roster
    # What the columns cannot hold: from what the account was before, one by one.
    singly = few(base, tape, odd)
    return roster.replaced({account: singly.get(account) for account in odd})


def _newest(row: Ints, number: Ints, values: list[Words]) -> tuple[Ints, Ints, list[Words]]:
    """Of several writes to one (row, number) the last, sorted by row and number."""
    span = int(number.max(initial=0)) + 1
    keys = row * span + number
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    last = np.ones(len(ordered), dtype=np.bool_)
    last[:-1] = ordered[1:] != ordered[:-1]
    chosen = order[last]
    return row[chosen], number[chosen], [column.at(chosen) for column in values]


def _rows(start: Ints, row: Ints) -> Ints:
    """The row that each value of a run belongs to."""
    return np.repeat(row, np.diff(start))


def _starts(row: Ints, rows: int) -> Ints:
    return starts(np.bincount(row, minlength=rows))


def _joined(old: Words, new: Words) -> Words:
    return Words.joined([old, new])


def _looked_up(table: Ints, index: npt.NDArray[np.integer]) -> Ints:
    return table[index] if len(index) else np.zeros(0, dtype=np.int64)


def _narrowed(limbs: Limbs, *, signed: bool) -> tuple[Words, npt.NDArray[np.bool_]]:
    """The lower 128 bits, and whether they say all: the upper half only repeats their sign."""
    sign = np.where(limbs[:, 2] >> np.uint64(63) != 0, np.uint64(2**64 - 1), np.uint64(0))
    fits = (limbs[:, 0] == sign) & (limbs[:, 1] == sign)
    return Words(np.ascontiguousarray(limbs[:, 2:])), fits if signed else fits & (sign == 0)
