"""What a block says about everybody, and what is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np

from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.margin_table import BANDS, CODES, MarginTable
from keeper.errors import BadInput

#: Accounts of which a stored report keeps every figure: those with the lowest health, and as many that are unknown.
LISTED: Final = 32
_SUMMED: Final = ("equity", "mm", "im")


@dataclass(frozen=True, kw_only=True)
class BandSum:
    """The accounts of one band.  wad USD; amounts of unknown accounts are zero."""

    accounts: int
    equity: int
    mm: int
    im: int


@dataclass(frozen=True, kw_only=True)
class ReportSummary:
    """What is kept of a report: how everybody stood, and proof that a replay found the same for each."""

    accounts: int
    digest: str
    """SHA-256 over every figure of every account, and over the accounts judged again."""
    bands: Mapping[Band, BandSum]
    """Every band."""
    listed: tuple[AccountMargin | Unpriced, ...]
    """Unknown accounts, then those with the lowest health; the others are had by replaying the block."""


class MarginReport:
    """All accounts at one block.

    It is written as its summary.  One that was read back has that and nothing else: asking it for an account is
    `BadInput`, since the answer is to replay the block.

    Args:
        accounts: every account.
        refreshed: accounts below MM under a stale file again, as a refresh of it would judge them.
        previous: accounts below MM again under the file before the live one, where a notice window asks for it.
    """

    #: How `keeper.domain.codec` writes it.
    canonical: ClassVar[Any] = ReportSummary

    def __init__(
        self,
        *,
        accounts: Iterable[AccountMargin | Unpriced],
        refreshed: Iterable[AccountMargin | Unpriced] = (),
        previous: Iterable[AccountMargin | Unpriced] = (),
    ) -> None:
        self._tables: tuple[MarginTable, ...] | None = tuple(
            table if isinstance(table, MarginTable) else MarginTable.of(table)
            for table in (accounts, refreshed, previous)
        )

    @classmethod
    def from_canonical(cls, summary: ReportSummary) -> MarginReport:
        """The report of which only a summary was stored."""
        made = cls(accounts=())
        made._tables = None
        made.__dict__["summary"] = summary
        return made

    def to_canonical(self) -> ReportSummary:
        """What is stored of it."""
        return self.summary

    @property
    def accounts(self) -> MarginTable:
        """Every account.  Raises: `BadInput` if only the summary was stored."""
        return self._known()[0]

    @property
    def refreshed(self) -> MarginTable:
        """Accounts below MM under a stale file again, as a refresh of it would judge them."""
        return self._known()[1]

    @property
    def previous(self) -> MarginTable:
        """Accounts below MM again under the file before the live one, where a notice window asks for it."""
        return self._known()[2]

    def _known(self) -> tuple[MarginTable, ...]:
        if self._tables is None:
            raise BadInput(
                "only a summary of this report was stored", hint="replay the block: the inputs give it again"
            )
        return self._tables

    @cached_property
    def summary(self) -> ReportSummary:
        """What is kept of it."""
        tables = self._known()
        whole = hashlib.sha256("".join(table.digest() for table in tables).encode("ascii"))
        return ReportSummary(
            accounts=len(tables[0]),
            digest=whole.hexdigest(),
            bands={band: _sum(tables[0], band) for band in BANDS},
            listed=(*_unknown(tables[0]), *_beside(tables[0]), *_lowest(tables[0])),
        )

    def __eq__(self, other: object) -> bool:
        return self.summary == other.summary if isinstance(other, MarginReport) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.summary.digest)

    def __repr__(self) -> str:
        return f"MarginReport({self.summary.accounts} accounts)"


def _sum(table: MarginTable, band: Band) -> BandSum:
    rows = table.band == CODES[band]
    beside = [a for a in table.whole.values() if isinstance(a, AccountMargin) and a.band is band]
    sums = {
        name: getattr(table, name).total(rows) + sum(getattr(a, name) for a in beside)
        for name in ("equity", "mm", "im")
    }
    return BandSum(accounts=int(rows.sum()), **sums)


def _unknown(table: MarginTable) -> MarginTable:
    return table.only(np.flatnonzero(table.band == CODES[Band.UNKNOWN])[:LISTED].astype(np.int64))


def _beside(table: MarginTable) -> list[AccountMargin | Unpriced]:
    """Accounts with numbers beyond the columns, which no order of theirs covers."""
    return [table.whole[account] for account in sorted(table.whole)][:LISTED]


def _lowest(table: MarginTable) -> list[AccountMargin | Unpriced]:
    """Priced accounts that owe something or have less than nothing, lowest health (to float64's precision) first."""
    equity, mm = table.equity.floats(), table.mm.floats()
    health = np.divide(equity, mm, out=np.where(equity < 0, -np.inf, np.inf), where=mm > 0)
    near = np.flatnonzero(health < np.inf)
    if len(near) > LISTED:  # those beyond the last that is listed need no order
        near = near[health[near] <= np.partition(health[near], LISTED - 1)[LISTED - 1]]
    # By health, then by equity, then by account.
    first = near[np.lexsort((near, equity[near], health[near]))][:LISTED]
    found = {a.account: a for a in table.only(np.sort(first).astype(np.int64))}
    return [found[account] for account in table.accounts_at(first)]
