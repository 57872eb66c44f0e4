"""All accounts of a block in columns: a million positions take a few arrays, not a million objects.

A roster is a sequence of `AccountState`, ascending by account, of which only those looked at are ever built.

The columns hold what the contracts can store: numbers of 128 bits with their sign, and lists in ascending order.  An
account that does not fit (a reader of another protocol, a balance beyond 2**127) is kept whole beside them: its row
holds the id, whether it is in auction, and nothing else, and it reads back as it was.

`keeper.domain.roster_bytes` writes a roster, and what changed from one to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain, pairwise
from typing import Any, ClassVar, Final, overload

import numpy as np
import numpy.typing as npt

from keeper.domain import columns
from keeper.domain.account import AccountState, Instrument, Kind, PerpState, Position
from keeper.domain.columns import Ids, Ints, ascending, find_one, id_column, id_numbers, starts
from keeper.domain.words import Words, fits
from keeper.errors import LawBroken

#: The contract's order of the instruments of one strike.
_KINDS: Final = (Kind.PERP, Kind.CALL, Kind.PUT)
#: Underlyings and collaterals are numbered below this.
_NUMBERS: Final = 1 << 31
#: Changes that a roster remembers.
MOST_STEPS: Final = 8


def contract_order(instrument: Instrument) -> tuple[int, int, int, int]:
    """Where an instrument stands among an account's positions: by underlying, expiry, strike; perp, call, put."""
    return instrument.underlying, instrument.expiry, instrument.strike, _KINDS.index(instrument.kind)


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
    token: object = field(default_factory=object, repr=False)
    """Tells this roster's content from any other's in this process, without a look at it."""
    steps: tuple[tuple[object, Roster, Ids], ...] = field(default=(), repr=False)
    """The last changes that made it: what the roster was before each (its token), accounts put in, accounts gone."""

    PLAIN: ClassVar[tuple[str, ...]] = ("ids", "cash", "interest_entry", "keep_entry", "in_auction")
    RUNS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "collateral_start": ("collateral_id", "collateral_units"),
        "position_start": ("position_instrument", "position_size"),
        "perp_start": ("perp_underlying", "perp_notional", "perp_entry"),
    }
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
    def from_columns(cls, **named: Any) -> Roster:
        """Take columns as they are, by the names of the fields, after checking what everybody relies on.

        Raises: `LawBroken` if they differ in length, or something that must ascend does not.
        """
        made = cls(**named)
        columns.check(made)
        if not ascending(map(contract_order, made.instruments)):
            raise LawBroken("instruments of a roster are not distinct and ascending")
        held = made.position_instrument
        if len(held) and not 0 <= int(held.min()) <= int(held.max()) < len(made.instruments):
            raise LawBroken("a position of a roster names no instrument", instruments=len(made.instruments))
        return made

    @classmethod
    def from_canonical(cls, accounts: tuple[AccountState, ...]) -> Roster:
        """See `of`."""
        return cls.of(accounts)

    def to_canonical(self) -> tuple[AccountState, ...]:
        """Every account."""
        return tuple(self)

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
        return a.instruments == b.instruments and a.whole == b.whole and columns.same(a, b)

    def __hash__(self) -> int:
        return hash((len(self), self.ids.tobytes()))

    def __repr__(self) -> str:
        return f"Roster({len(self)} accounts, {len(self.position_size)} positions)"

    # --- finding ------------------------------------------------------------------------------------------------------

    def accounts(self) -> list[int]:
        """The ids as Python ints, ascending."""
        return id_numbers(self.ids)

    def auctioned(self) -> tuple[int, ...]:
        """Accounts in auction, ascending."""
        return tuple(id_numbers(self.ids[self.in_auction]))

    def row(self, account: int) -> int | None:
        """Where an account stands; None if it does not."""
        return find_one(self.ids, account)

    def get(self, account: int) -> AccountState | None:
        """One account by its id."""
        row = self.row(account)
        return None if row is None else self[row]

    def held(self) -> set[Instrument]:
        """Instruments that somebody holds."""
        beside = {p.instrument for a in self.whole.values() for p in a.positions}
        return {*self.trimmed().instruments, *beside}

    def holding(self, wanted: Callable[[Instrument], bool]) -> npt.NDArray[np.bool_]:
        """Which accounts hold an instrument that a test picks."""
        flags = np.array([wanted(i) for i in self.instruments], dtype=np.bool_)
        if flags.any():
            counted = starts(flags[self.position_instrument].astype(np.int64))
            found = counted[self.position_start[1:]] > counted[self.position_start[:-1]]
        else:
            found = np.zeros(len(self), dtype=np.bool_)
        beside = [a.account for a in self.whole.values() if any(wanted(p.instrument) for p in a.positions)]
        return np.asarray(found | np.isin(self.ids, id_column(beside)) if beside else found)

    def only(self, rows: Ints) -> Roster:
        """The roster of some rows, which must ascend."""
        found = columns.taken(self, rows)
        kept = self.whole.keys() & id_numbers(found["ids"]) if self.whole else ()
        return Roster(**found, instruments=self.instruments, whole={account: self.whole[account] for account in kept})

    # --- changing -----------------------------------------------------------------------------------------------------

    def replaced(self, changed: Mapping[int, AccountState | None]) -> Roster:
        """The roster after some accounts became what `changed` says; None: the account is gone.

        Raises: `LawBroken` if an account is filed under another's id.
        """
        if any(a is not None and a.account != account for account, a in changed.items()):
            raise LawBroken("an account is filed under another's id")
        fresh = Roster.of(a for a in changed.values() if a is not None)
        return self.spliced(fresh, gone=id_column(account for account, a in changed.items() if a is None))

    def spliced(self, fresh: Roster, *, gone: Ids) -> Roster:
        """The roster with the accounts of `fresh` in place of theirs or among them, and without those in `gone`."""
        if not len(fresh) and not len(gone):
            return self
        old, fresh = _one_table(self, fresh)
        whole = {**old.whole}
        if whole:
            for account in (*id_numbers(gone), *fresh.accounts()):
                whole.pop(account, None)
        found = columns.spliced(old, fresh, gone=gone)
        return Roster(
            **found,
            instruments=old.instruments,
            whole={**whole, **fresh.whole},
            steps=(*old.steps[1 - MOST_STEPS :], (old.token, fresh, gone)),
        )

    def trimmed(self) -> Roster:
        """The same without instruments that nobody holds."""
        used = np.bincount(self.position_instrument, minlength=len(self.instruments)) > 0
        if used.all():
            return self
        table = tuple(i for i, held in zip(self.instruments, used.tolist(), strict=True) if held)
        return self.numbered(table, (np.cumsum(used) - 1).astype(np.int32))

    def numbered(self, table: tuple[Instrument, ...], number: npt.NDArray[np.int32]) -> Roster:
        """The same over another table of instruments; `number` is where each of ours stands in it."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        held = number[self.position_instrument] if len(number) else self.position_instrument
        return Roster(**{**named, "position_instrument": held, "instruments": table})


def _one_table(old: Roster, fresh: Roster) -> tuple[Roster, Roster]:
    """Both over the same instruments."""
    if old.instruments == fresh.instruments:
        return old, fresh
    if not set(fresh.instruments) <= set(old.instruments):
        old = old.trimmed()
        table = tuple(sorted({*old.instruments, *fresh.instruments}, key=contract_order))
        old = _over(old, table)
    return old, _over(fresh, old.instruments)


def _over(roster: Roster, table: tuple[Instrument, ...]) -> Roster:
    number = {instrument: i for i, instrument in enumerate(table)}
    return roster.numbered(table, np.array([number[i] for i in roster.instruments], dtype=np.int32))


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
        and all(0 <= x < _NUMBERS for x in (*collateral, *perps))
        and ascending(number[p.instrument] for p in a.positions)
        and ascending(collateral)
        and ascending(perps)
    )
