"""All accounts of a block in columns: a million positions take a few arrays, not a million objects.

A roster is a sequence of `AccountState`, ascending by account, of which only those looked at are ever built.  What is
variable in length (collateral, positions, perps) lies end to end; account i owns `start[i]` … `start[i + 1]` − 1.

The columns hold what the contracts can store: numbers of 128 bits with their sign, and lists in ascending order.  An
account that does not fit (a reader of another protocol, a balance beyond 2**127) is kept whole beside them: its row
holds the id, whether it is in auction, and nothing else, and it reads back as it was.  `keeper.domain.roster_splice` changes some accounts of a
roster, `keeper.domain.roster_bytes` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain, pairwise
from typing import Any, ClassVar, Final, overload

import numpy as np
import numpy.typing as npt

from keeper.domain.account import AccountState, Instrument, Kind, PerpState, Position
from keeper.domain.words import Words, fits
from keeper.errors import LawBroken

Ints = npt.NDArray[np.int64]
Ids = npt.NDArray[np.bytes_]
"""Account ids, 32 bytes each, big-endian, so that they sort as the numbers do."""

#: The contract's order of the instruments of one strike.
_KINDS: Final = (Kind.PERP, Kind.CALL, Kind.PUT)
#: Underlyings and collaterals are numbered below this.
_NUMBERS: Final = 1 << 31


def id_column(accounts: Iterable[int]) -> Ids:
    """Account ids as a column.  Raises: `LawBroken` if one is not a uint256."""
    try:
        return np.frombuffer(b"".join([account.to_bytes(32, "big") for account in accounts]), dtype="S32")
    except OverflowError:
        raise LawBroken("an account id is not a uint256") from None


def contract_order(instrument: Instrument) -> tuple[int, int, int, int]:
    """Where an instrument stands among an account's positions: by underlying, expiry, strike; perp, call, put."""
    return instrument.underlying, instrument.expiry, instrument.strike, _KINDS.index(instrument.kind)


def starts(counts: Ints | Sequence[int]) -> Ints:
    """Where each account's run begins, and where the last one ends; shape (accounts + 1,)."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(np.asarray(counts, dtype=np.int64))))


def runs(start: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The runs of some accounts laid end to end: their starts, and which values they take."""
    counts = (start[1:] - start[:-1])[rows]
    found = starts(counts)
    return found, np.arange(found[-1]) + np.repeat(start[rows] - found[:-1], counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Roster(Sequence[AccountState]):
    """Every account; see `AccountState` for what the numbers mean."""

    ids: Ids
    cash: Words
    interest_entry: Words
    keep_entry: Words
    in_auction: npt.NDArray[np.bool_]
    collateral_start: Ints
    collateral_id: npt.NDArray[np.int32]
    collateral_units: Words
    position_start: Ints
    position_instrument: npt.NDArray[np.int32]
    """Index into `instruments`, ascending within an account."""
    position_size: Words
    perp_start: Ints
    perp_underlying: npt.NDArray[np.int32]
    perp_notional: Words
    perp_entry: Words
    instruments: tuple[Instrument, ...]
    """Distinct, in the contract's order; some may be held by nobody."""
    whole: Mapping[int, AccountState] = field(default_factory=dict)
    """Accounts that the columns cannot hold, by id; their rows are empty."""

    #: How `keeper.domain.codec` writes it: as the tuple of its accounts.
    canonical: ClassVar[Any] = tuple[AccountState, ...]

    @classmethod
    def of(cls, accounts: Iterable[AccountState]) -> Roster:
        """Lay out accounts, in any order.  Raises: `LawBroken` if two have one id, or an id is not a uint256."""
        rows = sorted(accounts, key=lambda a: a.account)
        if any(a.account == b.account for a, b in pairwise(rows)):
            raise LawBroken("an account stands twice among the accounts", accounts=len(rows))
        held = {p.instrument for a in rows for p in a.positions}
        instruments = tuple(sorted(held, key=contract_order))
        number = {instrument: i for i, instrument in enumerate(instruments)}
        whole = {a.account: a for a in rows if not _fits(a, number)}
        if whole:  # what only they hold stays out of the table
            fitting = [a for a in rows if a.account not in whole]
            instruments = tuple(sorted({p.instrument for a in fitting for p in a.positions}, key=contract_order))
            number = {instrument: i for i, instrument in enumerate(instruments)}
        lines = [_empty(a) if a.account in whole else a for a in rows]
        collateral = [pair for a in lines for pair in a.collateral]
        positions = [p for a in lines for p in a.positions]
        perps = [p for a in lines for p in a.perps]
        return cls(
            ids=id_column(a.account for a in lines),
            cash=Words.of([a.cash for a in lines]),
            interest_entry=Words.of([a.interest_entry for a in lines]),
            keep_entry=Words.of([a.keep_entry for a in lines]),
            in_auction=np.array([a.in_auction for a in lines], dtype=np.bool_),
            collateral_start=starts([len(a.collateral) for a in lines]),
            collateral_id=np.array([c for c, _ in collateral], dtype=np.int32),
            collateral_units=Words.of([units for _, units in collateral]),
            position_start=starts([len(a.positions) for a in lines]),
            position_instrument=np.array([number[p.instrument] for p in positions], dtype=np.int32),
            position_size=Words.of([p.size for p in positions]),
            perp_start=starts([len(a.perps) for a in lines]),
            perp_underlying=np.array([p.underlying for p in perps], dtype=np.int32),
            perp_notional=Words.of([p.open_notional for p in perps]),
            perp_entry=Words.of([p.funding_entry for p in perps]),
            instruments=instruments,
            whole=whole,
        )

    @classmethod
    def from_columns(cls, **columns: Any) -> Roster:
        """Take columns as they are, by the names of the fields, after checking what everybody relies on.

        Raises: `LawBroken` if they differ in length, or something that must ascend does not.
        """
        made = cls(**columns)
        made._check()
        return made

    def _check(self) -> None:
        accounts = len(self.ids)
        ragged = (
            (self.collateral_start, self.collateral_id, self.collateral_units),
            (self.position_start, self.position_instrument, self.position_size),
            (self.perp_start, self.perp_underlying, self.perp_notional, self.perp_entry),
        )
        plain: tuple[Any, ...] = (self.cash, self.interest_entry, self.keep_entry, self.in_auction)
        if any(len(column) != accounts for column in plain):
            raise LawBroken("columns of a roster differ in length", accounts=accounts)
        for start, numbers, *values in ragged:
            if len(start) != accounts + 1 or start[0] != 0 or start[-1] != len(numbers) or (np.diff(start) < 0).any():
                raise LawBroken("a roster's runs do not cover its values", accounts=accounts, values=len(numbers))
            if any(len(column) != len(numbers) for column in values):
                raise LawBroken("columns of a roster differ in length", values=len(numbers))
            rising = np.diff(numbers) > 0
            seams = start[1:-1]
            rising[seams[(seams > 0) & (seams < len(numbers))] - 1] = True
            if not rising.all():
                raise LawBroken("what an account of a roster holds is not distinct and ascending")
        if not (self.ids[1:] > self.ids[:-1]).all():
            raise LawBroken("accounts of a roster are not distinct and ascending", accounts=accounts)
        if any(contract_order(a) >= contract_order(b) for a, b in pairwise(self.instruments)):
            raise LawBroken("instruments of a roster are not distinct and ascending")
        held = self.position_instrument
        if len(held) and not 0 <= int(held.min()) <= int(held.max()) < len(self.instruments):
            raise LawBroken("a position of a roster names no instrument", instruments=len(self.instruments))

    # --- a sequence ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> AccountState: ...

    @overload
    def __getitem__(self, index: slice) -> Roster: ...

    def __getitem__(self, index: int | slice) -> AccountState | Roster:
        if isinstance(index, slice):
            return self.only(np.arange(len(self))[index])
        row = range(len(self))[index]
        return next(iter(self.only(np.array([row], dtype=np.int64))))

    def __iter__(self) -> Iterator[AccountState]:
        """Build every account: seconds for many.  Ask `only` for those that matter."""
        columns = zip(
            self.accounts(),
            self.cash.ints(),
            self.interest_entry.ints(),
            self.keep_entry.ints(),
            self.in_auction.tolist(),
            pairwise(self.collateral_start.tolist()),
            pairwise(self.position_start.tolist()),
            pairwise(self.perp_start.tolist()),
            strict=True,
        )
        collateral = list(zip(self.collateral_id.tolist(), self.collateral_units.ints(), strict=True))
        named = [self.instruments[i] for i in self.position_instrument.tolist()]
        positions = [Position(instrument=i, size=s) for i, s in zip(named, self.position_size.ints(), strict=True)]
        states = zip(self.perp_underlying.tolist(), self.perp_notional.ints(), self.perp_entry.ints(), strict=True)
        perps = [PerpState(underlying=u, open_notional=n, funding_entry=e) for u, n, e in states]
        for account, cash, interest, keep, in_auction, (c0, c1), (p0, p1), (f0, f1) in columns:
            if account in self.whole:
                yield self.whole[account]
                continue
            yield AccountState(
                account=account,
                cash=cash,
                interest_entry=interest,
                keep_entry=keep,
                collateral=tuple(collateral[c0:c1]),
                positions=tuple(positions[p0:p1]),
                perps=tuple(perps[f0:f1]),
                in_auction=in_auction,
            )

    def __contains__(self, value: object) -> bool:
        return isinstance(value, AccountState) and self.get(value.account) == value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Roster):
            return NotImplemented
        if self is other:
            return True
        a, b = self.trimmed(), other.trimmed()
        return (
            a.instruments == b.instruments
            and a.whole == b.whole
            and all(np.array_equal(x, y) for x, y in zip(a.arrays().values(), b.arrays().values(), strict=True))
        )

    def __hash__(self) -> int:
        return hash((len(self), self.ids.tobytes()))

    def __repr__(self) -> str:
        return f"Roster({len(self)} accounts, {len(self.position_size)} positions)"

    # --- finding ------------------------------------------------------------------------------------------------------

    def accounts(self) -> list[int]:
        """The ids as Python ints, ascending."""
        return [_number(one) for one in self.ids.tolist()]

    def row(self, account: int) -> int | None:
        """Where an account stands; None if it does not."""
        if not 0 <= account < 1 << 256:
            return None
        wanted = account.to_bytes(32, "big")
        row = int(np.searchsorted(self.ids, np.array([wanted], dtype="S32"))[0])
        return row if row < len(self) and self.ids[row].ljust(32, b"\0") == wanted else None

    def get(self, account: int) -> AccountState | None:
        """One account by its id."""
        row = self.row(account)
        return None if row is None else self[row]

    def auctioned(self) -> tuple[int, ...]:
        """Accounts in auction, ascending."""
        return tuple(_number(one) for one in self.ids[self.in_auction].tolist())

    def only(self, rows: Ints) -> Roster:
        """The roster of some rows, which must ascend."""
        collateral_start, collateral = runs(self.collateral_start, rows)
        position_start, position = runs(self.position_start, rows)
        perp_start, perp = runs(self.perp_start, rows)
        ids = self.ids[rows]
        kept = self.whole and {account for one in ids.tolist() if (account := _number(one)) in self.whole}
        return Roster(
            ids=ids,
            cash=self.cash.at(rows),
            interest_entry=self.interest_entry.at(rows),
            keep_entry=self.keep_entry.at(rows),
            in_auction=self.in_auction[rows],
            collateral_start=collateral_start,
            collateral_id=self.collateral_id[collateral],
            collateral_units=self.collateral_units.at(collateral),
            position_start=position_start,
            position_instrument=self.position_instrument[position],
            position_size=self.position_size.at(position),
            perp_start=perp_start,
            perp_underlying=self.perp_underlying[perp],
            perp_notional=self.perp_notional.at(perp),
            perp_entry=self.perp_entry.at(perp),
            instruments=self.instruments,
            whole={account: self.whole[account] for account in kept},
        )

    def replaced(self, changed: Mapping[int, AccountState | None]) -> Roster:
        """The roster after some accounts became what `changed` says; None: the account is gone.

        Raises: `LawBroken` if an account is filed under another's id.
        """
        from keeper.domain.roster_splice import spliced  # noqa: PLC0415 - it is written in terms of this class

        if any(a is not None and a.account != account for account, a in changed.items()):
            raise LawBroken("an account is filed under another's id")
        fresh = Roster.of(a for a in changed.values() if a is not None)
        return spliced(self, fresh, gone=id_column(account for account, a in changed.items() if a is None))

    # --- for those who write it ---------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Every column as a plain array, by name."""
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("instruments", "whole")}
        return {name: column.pairs if isinstance(column, Words) else column for name, column in columns.items()}

    def trimmed(self) -> Roster:
        """The same without instruments that nobody holds."""
        used = np.bincount(self.position_instrument, minlength=len(self.instruments)) > 0
        if used.all():
            return self
        number = (np.cumsum(used) - 1).astype(np.int32)
        return Roster(
            **{
                **{f.name: getattr(self, f.name) for f in fields(self)},
                "position_instrument": number[self.position_instrument],
                "instruments": tuple(i for i, held in zip(self.instruments, used.tolist(), strict=True) if held),
            }
        )


def _number(one: bytes) -> int:
    return int.from_bytes(one.ljust(32, b"\0"), "big")


def _empty(a: AccountState) -> AccountState:
    return replace(a, cash=0, interest_entry=0, keep_entry=0, collateral=(), positions=(), perps=())


def _fits(a: AccountState, number: Mapping[Instrument, int]) -> bool:
    """Whether the columns hold an account and give it back as it is."""
    collateral, perps = [c for c, _ in a.collateral], [p.underlying for p in a.perps]
    wide = chain(
        (a.cash, a.interest_entry, a.keep_entry),
        (units for _, units in a.collateral),
        (p.size for p in a.positions),
        *((p.open_notional, p.funding_entry) for p in a.perps),
    )
    return (
        all(map(fits, wide))
        and all(x < y for x, y in pairwise(number[p.instrument] for p in a.positions))
        and all(0 <= x < _NUMBERS for x in (*collateral, *perps))
        and all(x < y for numbers in (collateral, perps) for x, y in pairwise(numbers))
    )
