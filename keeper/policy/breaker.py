"""What an open flash-crash breaker holds up: flags wait for a second round, and IM is widened as soon as it opens.

The contract enforces both against everybody.  The keeper only keeps from paying for flags that would revert, and tells
the contract of an opening, so that IM widens without waiting for somebody's trade.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keeper.domain.action import SyncBreaker
from keeper.domain.snapshot import AccountState, BreakerState, Snapshot


@dataclass(frozen=True, kw_only=True)
class Deferral:
    """Why an account is not flagged yet."""

    symbol: str
    """Ticker of the asset that it depends on."""
    until_s: int
    """Unix seconds at which the breaker releases by itself, at the latest."""
    why: str

    @property
    def said(self) -> str:
        """In words."""
        return f"deferred until {_clock(self.until_s)} at the latest: {self.symbol} {_WORDS.get(self.why, self.why)}"


_WORDS: Mapping[str, str] = {
    "jump": "jumped, and a second round must confirm it",
    "feeds": "has two feeds that disagree",
}


class Deferrals:
    """Which accounts wait at one block.

    Args:
        snapshot: the block's state.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._accounts = snapshot.accounts
        self._underlyings = {u.underlying: _deferral(u.symbol, u.breaker) for u in snapshot.underlyings}
        self._collaterals = {c.collateral: _deferral(c.symbol, c.breaker) for c in snapshot.collaterals}
        self._any = any([*self._underlyings.values(), *self._collaterals.values()])

    def of(self, account: int) -> Deferral | None:
        """The first breaker that an account waits for, in the contract's order; None if it waits for none."""
        state = self._accounts.get(account) if self._any else None
        return None if state is None else next(self._of(state), None)

    def _of(self, state: AccountState) -> Iterator[Deferral]:
        positions = (self._underlyings.get(p.instrument.underlying) for p in state.positions)
        coins = (self._collaterals.get(c) for c, units in state.collateral if units)
        yield from (found for found in (*positions, *coins) if found is not None)


def syncs(snapshot: Snapshot) -> Iterator[SyncBreaker]:
    """Markets whose open breaker the contract has not recorded yet."""
    for u in snapshot.underlyings:
        found = _deferral(u.symbol, u.breaker)
        if found is not None and u.breaker is not None and not u.breaker.told:
            yield SyncBreaker(underlying=u.underlying, why=f"widen IM: {_said(found)}")


def remarks(snapshot: Snapshot) -> Iterator[str]:
    """What a person should know of open breakers."""
    assets = [(u.symbol, u.breaker, True) for u in snapshot.underlyings]
    assets += [(c.symbol, c.breaker, False) for c in snapshot.collaterals]
    for symbol, breaker, market in assets:
        found = _deferral(symbol, breaker)
        if found is not None:
            yield f"{_said(found)}; no flag on it" + (" and trades only reduce" if market else " as collateral")


def _said(found: Deferral) -> str:
    return f"{found.symbol} breaker is open until {_clock(found.until_s)} at the latest: {found.why}"


def _deferral(symbol: str, breaker: BreakerState | None) -> Deferral | None:
    if breaker is None or not breaker.open:
        return None
    return Deferral(symbol=symbol, until_s=breaker.until_s, why=breaker.why)


def _clock(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%H:%M:%S UTC")
