"""All accounts at once: shock every book, then put each account's margin together.

An account that depends on an unusable price, or holds an option that is not in the file, is `Unpriced` with the reason;
the others go on.  Many accounts are judged in columns by `keeper.risk.swept`, few by its slow twin
`keeper.risk.one_by_one`; both give the same wei.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from keeper.domain.margin import AccountMargin, Band
from keeper.domain.margin_table import MarginTable
from keeper.domain.market import MarketModel
from keeper.domain.report import MarginReport
from keeper.domain.roster import Roster
from keeper.domain.snapshot import Snapshot
from keeper.risk.one_by_one import Shocked, Under, shocked, together

#: Accounts and positions from which columns are used; less is done before a compiler could be imported.
SWEPT_FROM: Final = 5_000
_SHORT: Final = (Band.LIQUIDATABLE, Band.INSOLVENT)


class ScenarioPnl(Protocol):
    """The worst row of every account in every underlying it holds."""

    def margins(self, *, buffer_ppm: int) -> MarginTable:
        """Every account's margin, from what the grid requires of it."""


@dataclass(frozen=True, kw_only=True)
class _OneByOne:
    """The same from the slow twin."""

    roster: Roster
    snapshot: Snapshot
    market: MarketModel
    required: Shocked

    def margins(self, *, buffer_ppm: int) -> MarginTable:
        """See `ScenarioPnl.margins`."""
        return MarginTable.of(
            together(account, self.snapshot, self.market, self.required, buffer_ppm=buffer_ppm)
            for account in self.roster
        )


def shock(snapshot: Snapshot, market: MarketModel) -> ScenarioPnl:
    """Assess every account in every underlying under the live files."""
    return _shock(snapshot.accounts, snapshot, market, Under.LIVE)


def worst(snapshot: Snapshot, market: MarketModel, pnl: ScenarioPnl, *, buffer_ppm: int) -> MarginReport:
    """Put every account's margin together; those that are short, again under the files a flag would be judged by."""
    accounts = pnl.margins(buffer_ppm=buffer_ppm)

    def again(under: Under, concerned: set[int]) -> MarginTable:
        rows = np.flatnonzero(_short_in(accounts, concerned)).astype(np.int64)
        judged = _shock(snapshot.accounts.only(rows), snapshot, market, under)
        return judged.margins(buffer_ppm=buffer_ppm)

    return MarginReport(
        accounts=accounts,
        refreshed=again(Under.REFRESHED, {u.underlying for u in market.underlyings if u.refreshed is not None}),
        previous=again(Under.PREVIOUS, {u.underlying for u in market.underlyings if u.previous is not None}),
    )


def _shock(roster: Roster, snapshot: Snapshot, market: MarketModel, under: Under) -> ScenarioPnl:
    if len(roster) + len(roster.position_size) >= SWEPT_FROM:
        from keeper.risk import compiled, swept  # noqa: PLC0415 - numba takes half a second to import

        found = swept.sweep(roster, snapshot, market, under) if compiled.COMPILED else None
        if found is not None:
            return found
    return _OneByOne(roster=roster, snapshot=snapshot, market=market, required=shocked(roster, snapshot, market, under))


def _short_in(accounts: MarginTable, concerned: set[int]) -> np.typing.NDArray[np.bool_]:
    """Which accounts are short and hold one of some underlyings."""
    if not concerned:
        return np.zeros(len(accounts), dtype=np.bool_)
    held = np.concatenate(([0], np.cumsum(np.isin(accounts.part_underlying, sorted(concerned)))))
    found = accounts.in_bands(*_SHORT) & (held[accounts.part_start[1:]] > held[accounts.part_start[:-1]])
    for account, margin in accounts.whole.items():
        if isinstance(margin, AccountMargin) and margin.band in _SHORT:
            row = accounts.row(account)
            found[row] = any(u.underlying in concerned for u in margin.underlyings)
    return np.asarray(found)
