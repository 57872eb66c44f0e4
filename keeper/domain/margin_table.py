"""Margins of many accounts in columns; one is built when it is looked at.

What the columns cannot hold (a number beyond 128 bits) is kept whole beside them, as in a roster.  The table is
canonical: the same margins give the same columns, however they were computed, so that a digest of them can be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import ClassVar, Final, overload

import numpy as np
import numpy.typing as npt

from keeper.domain import codec, columns
from keeper.domain.columns import Ids, Ints, ascending, find, find_one, id_column, id_numbers, starts
from keeper.domain.margin import AccountMargin, Band, UnderlyingMargin, Unpriced, health_ppm
from keeper.domain.words import Words, fits
from keeper.errors import LawBroken

Bools = npt.NDArray[np.bool_]

#: Codes of the `band` column are places in this tuple.
BANDS: Final = tuple(Band)
CODES: Final = {band: code for code, band in enumerate(BANDS)}
_MONEY: Final = ("equity", "mm", "im", "cash", "collateral_value", "haircut", "pending_loss")
_FLAGS: Final = ("band", "in_auction", "stale", "unsettled")
_PARTS: Final = ("option_mark", "expired_value", "perp_value", "grid", "short_minimum")
_BYTE: Final = 256


@dataclass(frozen=True, kw_only=True)
class _Odd:
    """What the columns cannot say, for the digest."""

    reasons: tuple[str, ...]
    whole: tuple[AccountMargin | Unpriced, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class MarginTable(Sequence[AccountMargin | Unpriced]):
    """Margins ascending by account; see `AccountMargin` for what the numbers mean.  An unpriced row holds zeros."""

    ids: Ids
    band: npt.NDArray[np.uint8]
    in_auction: Bools
    stale: Bools
    unsettled: Bools
    reason: npt.NDArray[np.int32]
    """Index into `reasons` of an account that could not be priced, else −1."""
    equity: Words
    mm: Words
    im: Words
    cash: Words
    collateral_value: Words
    haircut: Words
    pending_loss: Words
    part_start: Ints
    part_underlying: npt.NDArray[np.int32]
    option_mark: Words
    expired_value: Words
    perp_value: Words
    grid: Words
    short_minimum: Words
    worst_row: npt.NDArray[np.uint8]
    reasons: tuple[str, ...]
    """Distinct, ascending, none that no account has."""
    whole: Mapping[int, AccountMargin | Unpriced] = field(default_factory=dict)
    """Margins that the columns cannot hold, by account; their rows hold the band and whether it is in auction."""

    PLAIN: ClassVar[tuple[str, ...]] = ("ids", "band", "in_auction", "stale", "unsettled", "reason", *_MONEY)
    RUNS: ClassVar[Mapping[str, tuple[str, ...]]] = {"part_start": ("part_underlying", *_PARTS, "worst_row")}

    @classmethod
    def of(cls, margins: Iterable[AccountMargin | Unpriced]) -> MarginTable:
        """Lay out margins, in any order.  Raises: `LawBroken` if two are of one account."""
        rows = sorted(margins, key=lambda a: a.account)
        if not ascending(a.account for a in rows):
            raise LawBroken("an account has two margins in one table", accounts=len(rows))
        whole = {a.account: a for a in rows if isinstance(a, AccountMargin) and not _fits(a)}
        lines = [_blank(a) if isinstance(a, Unpriced) or a.account in whole else a for a in rows]
        reasons = tuple(sorted({a.reason for a in rows if isinstance(a, Unpriced)}))
        number = {reason: i for i, reason in enumerate(reasons)}
        parts = [part for a in lines for part in a.underlyings]
        return cls(
            ids=id_column(a.account for a in rows),
            band=np.array([CODES[_band(a)] for a in rows], dtype=np.uint8),
            in_auction=np.array([a.in_auction for a in rows], dtype=np.bool_),
            stale=np.array([a.stale for a in lines], dtype=np.bool_),
            unsettled=np.array([a.unsettled for a in lines], dtype=np.bool_),
            reason=np.array([number[a.reason] if isinstance(a, Unpriced) else -1 for a in rows], dtype=np.int32),
            **{name: Words.of([getattr(a, name) for a in lines]) for name in _MONEY},
            part_start=starts([len(a.underlyings) for a in lines]),
            part_underlying=np.array([part.underlying for part in parts], dtype=np.int32),
            **{name: Words.of([getattr(part, name) for part in parts]) for name in _PARTS},
            worst_row=np.array([part.worst_row for part in parts], dtype=np.uint8),
            reasons=reasons,
            whole=whole,
        )

    def spliced(self, fresh: MarginTable) -> MarginTable:
        """The table with the margins of `fresh` in place of theirs or among them."""
        if not len(fresh):
            return self
        reasons = tuple(sorted({*self.reasons, *fresh.reasons}))
        old, new = self._with_reasons(reasons), fresh._with_reasons(reasons)
        named = set(fresh.accounts()) if self.whole else set()
        whole = {account: one for account, one in self.whole.items() if account not in named}
        found = MarginTable(
            **columns.spliced(old, new, gone=id_column(())), reasons=reasons, whole={**whole, **fresh.whole}
        )
        used = np.unique(found.reason[found.reason >= 0])
        return found._with_reasons(tuple(reasons[i] for i in used.tolist()))

    def _with_reasons(self, reasons: tuple[str, ...]) -> MarginTable:
        if reasons == self.reasons:
            return self
        number = {reason: i for i, reason in enumerate(reasons)}
        places = np.array([*(number.get(reason, -1) for reason in self.reasons), -1], dtype=np.int32)
        return replace(self, reason=places[self.reason], reasons=reasons)

    # --- a sequence ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> AccountMargin | Unpriced: ...

    @overload
    def __getitem__(self, index: slice) -> MarginTable: ...

    def __getitem__(self, index: int | slice) -> AccountMargin | Unpriced | MarginTable:
        if isinstance(index, slice):
            return self.only(np.arange(len(self))[index])
        row = range(len(self))[index]
        return next(iter(self.only(np.array([row], dtype=np.int64))))

    def __iter__(self) -> Iterator[AccountMargin | Unpriced]:
        """Build every margin: seconds for many.  Ask `only` for those that matter."""
        money = zip(*(getattr(self, name).ints() for name in _MONEY), strict=True)
        flags = zip(
            self.band.tolist(), self.in_auction.tolist(), self.stale.tolist(), self.unsettled.tolist(), strict=True
        )
        parts = [
            UnderlyingMargin(
                underlying=underlying,
                option_mark=mark,
                expired_value=expired,
                perp_value=perp,
                grid=grid,
                short_minimum=short,
                worst_row=row,
            )
            for underlying, mark, expired, perp, grid, short, row in zip(
                self.part_underlying.tolist(),
                *(getattr(self, name).ints() for name in _PARTS),
                self.worst_row.tolist(),
                strict=True,
            )
        ]
        spans = pairwise(self.part_start.tolist())
        rows = zip(self.accounts(), flags, self.reason.tolist(), money, spans, strict=True)
        for account, (band, in_auction, stale, unsettled), reason, (
            equity,
            mm,
            im,
            cash,
            value,
            cut,
            loss,
        ), own in rows:
            if account in self.whole:
                yield self.whole[account]
            elif reason >= 0:
                yield Unpriced(account=account, reason=self.reasons[reason], in_auction=in_auction)
            else:
                yield AccountMargin(
                    account=account,
                    equity=equity,
                    mm=mm,
                    im=im,
                    health_ppm=health_ppm(equity, mm),
                    band=BANDS[band],
                    cash=cash,
                    collateral_value=value,
                    haircut=cut,
                    pending_loss=loss,
                    underlyings=tuple(parts[slice(*own)]),
                    stale=stale,
                    unsettled=unsettled,
                    in_auction=in_auction,
                )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MarginTable):
            return NotImplemented
        return self.reasons == other.reasons and self.whole == other.whole and columns.same(self, other)

    def __hash__(self) -> int:
        return hash((len(self), self.ids.tobytes()))

    def __repr__(self) -> str:
        return f"MarginTable({len(self)} accounts)"

    # --- finding ------------------------------------------------------------------------------------------------------

    def accounts(self) -> list[int]:
        """The ids as Python ints, ascending."""
        return id_numbers(self.ids)

    def row(self, account: int) -> int | None:
        """Where an account stands; None if it does not."""
        return find_one(self.ids, account)

    def accounts_at(self, rows: Ints) -> list[int]:
        """The ids of some rows, in the order asked for."""
        return id_numbers(self.ids[rows])

    def get(self, account: int) -> AccountMargin | Unpriced | None:
        """One account by its id."""
        row = self.row(account)
        return None if row is None else self[row]

    def priced(self, account: int) -> AccountMargin | None:
        """One account by its id, if it is there and could be priced."""
        found = self.get(account)
        return found if isinstance(found, AccountMargin) else None

    def only(self, rows: Ints) -> MarginTable:
        """The table of some rows, which must ascend."""
        found = columns.taken(self, rows)
        kept = self.whole.keys() & id_numbers(found["ids"]) if self.whole else ()
        return MarginTable(**found, reasons=self.reasons, whole={account: self.whole[account] for account in kept})

    def where(self, mask: Bools) -> MarginTable:
        """The table of the rows that a mask names."""
        return self.only(np.flatnonzero(mask).astype(np.int64))

    def in_bands(self, *bands: Band) -> Bools:
        """Which rows stand in one of these bands."""
        return np.isin(self.band, [CODES[band] for band in bands])

    def select(self, pick: Callable[[MarginTable], Bools]) -> Iterator[AccountMargin]:
        """Priced accounts that a test on the columns picks, and those kept whole: the caller looks at each again."""
        rows = pick(self)
        if self.whole:
            rows = rows | np.isin(self.ids, id_column(sorted(self.whole)))
        return (a for a in self.where(rows) if isinstance(a, AccountMargin))

    def outside(self, accounts: Sequence[int], *bands: Band) -> tuple[int, ...]:
        """Which of some accounts are here and stand in none of these bands, in the order given."""
        place, known = find(self.ids, id_column(accounts))
        inside = self.in_bands(*bands)
        rows = zip(accounts, place.tolist(), known.tolist(), strict=True)
        return tuple(account for account, row, there in rows if there and not inside[row])

    def digest(self) -> str:
        """SHA-256 of everything in the table, hex."""
        odd = _Odd(reasons=self.reasons, whole=tuple(self.whole[account] for account in sorted(self.whole)))
        found = hashlib.sha256(codec.dumps(odd))
        for column in columns.arrays(self).values():
            found.update(np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<")).data)
        return found.hexdigest()


def _band(a: AccountMargin | Unpriced) -> Band:
    return a.band if isinstance(a, AccountMargin) else Band.UNKNOWN


def _blank(a: AccountMargin | Unpriced) -> AccountMargin:
    money = dict.fromkeys(_MONEY, 0)
    return AccountMargin(
        account=a.account, **money, health_ppm=0, band=_band(a), underlyings=(), stale=False, unsettled=False,
        in_auction=a.in_auction,
    )  # fmt: skip


def _fits(a: AccountMargin) -> bool:
    """Whether the columns hold a margin and give it back as it is."""
    numbers = [getattr(a, name) for name in _MONEY]
    numbers += [getattr(part, name) for part in a.underlyings for name in _PARTS]
    return (
        all(map(fits, numbers))
        and a.health_ppm == health_ppm(a.equity, a.mm)
        and ascending(part.underlying for part in a.underlyings)
        and all(0 <= part.underlying < 1 << 31 and 0 <= part.worst_row < _BYTE for part in a.underlyings)
    )
