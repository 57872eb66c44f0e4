"""The priced accounts of a report as a mapping, of which only those looked at are built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from keeper.domain.columns import Ints, find, id_column
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.margin_table import CODES, Bools, MarginTable

#: Accounts built at a time: whoever asks for the most urgent ones seldom reads on.
_CHUNK: Final = 64


class Priced(Mapping[int, AccountMargin]):
    """Accounts by id, with questions that are answered from the columns."""

    def __init__(self, table: MarginTable) -> None:
        self.table = table
        self._met: dict[int, AccountMargin | None] = {}

    @classmethod
    def of(cls, accounts: Mapping[int, AccountMargin]) -> Priced:
        """The same as any mapping."""
        return accounts if isinstance(accounts, Priced) else cls(MarginTable.of(accounts.values()))

    def meet(self, accounts: Iterable[int]) -> None:
        """Build some accounts at once that will be asked for one by one."""
        wanted = sorted({account for account in accounts if 0 <= account < 1 << 256})
        place, known = find(self.table.ids, id_column(wanted))
        found = {a.account: a for a in self.table.only(place[known]) if isinstance(a, AccountMargin)}
        self._met |= {account: found.get(account) for account in wanted}

    def __getitem__(self, account: int) -> AccountMargin:
        if account not in self._met:
            self._met[account] = self.table.priced(account)
        found = self._met[account]
        if found is None:
            raise KeyError(account)
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self.table.where(self.table.band != CODES[Band.UNKNOWN]).accounts())

    def __len__(self) -> int:
        return int((self.table.band != CODES[Band.UNKNOWN]).sum())

    def within(self, mask: Bools) -> Iterator[AccountMargin]:
        """Those of some rows, ascending by account, built as they are asked for."""
        return self._built(np.flatnonzero(mask).astype(np.int64))

    def by_shortfall(self, *bands: Band) -> Iterator[AccountMargin]:
        """Those of some bands, largest shortfall first, then by account; built as they are asked for."""
        table = self.table
        rows = np.flatnonzero(table.in_bands(*bands)).astype(np.int64)
        beside = set(table.accounts_at(rows)) & table.whole.keys() if table.whole else set()
        if beside:  # no column knows their shortfall
            found = (a for a in table.only(rows) if isinstance(a, AccountMargin))
            return iter(sorted(found, key=lambda a: (a.equity - a.mm, a.account)))
        equity, mm = table.equity.pairs[rows], table.mm.pairs[rows]
        low = equity[:, 1] - mm[:, 1]
        high = equity[:, 0] - mm[:, 0] - (equity[:, 1] < mm[:, 1]).astype(np.uint64)
        return self._built(rows[np.lexsort((rows, low, high.astype(np.int64)))])

    def _built(self, rows: Ints) -> Iterator[AccountMargin]:
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            found = {a.account: a for a in self.table.only(np.sort(chunk)) if isinstance(a, AccountMargin)}
            self._met |= found
            yield from (found[account] for account in self.table.accounts_at(chunk) if account in found)
