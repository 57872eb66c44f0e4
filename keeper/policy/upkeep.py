"""Chores that keep the protocol honest: refresh files, settle expiries, bring accounts up to date, call for margin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from keeper.domain.action import MarginCall, Refresh, SettleExpiry, Touch
from keeper.domain.columns import find, id_column, id_numbers
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.snapshot import FileState, Snapshot, UnderlyingState, Usable
from keeper.domain.text import usd
from keeper.policy.auction import PPM
from keeper.policy.priced import Priced
from keeper.risk.exact.slew import HOUR

#: Time that nobody used counts for an hour at most, so that a ramp that is refreshed less often loses some.
RAMP_S: Final = HOUR


def refreshes(snapshot: Snapshot, knobs: PolicyKnobs) -> Iterator[Refresh]:
    """Files that are near the distance at which they turn stale, or old, or on their way to published ranges.

    The distance is counted in thirds of the scan range, the limit at which the contract calls a file stale; we come
    earlier by `refresh_distance_ppm`.
    """
    now = snapshot.block.timestamp
    for u in snapshot.underlyings:
        if u.live is None or not isinstance(u.spot, Usable):
            continue
        if _ramps(u, u.live, now):
            yield Refresh(underlying=u.underlying, why=f"{u.symbol} scan ranges move on to the published ones")
            continue
        if not u.live.expiries:
            continue
        moved = abs(u.spot.wad - u.live.ref_spot) * 3 * PPM * PPM
        if moved >= knobs.refresh_distance_ppm * u.live.ranges.psr_ppm * u.live.ref_spot:
            drift = (u.spot.wad - u.live.ref_spot) * 100 / u.live.ref_spot
            yield Refresh(underlying=u.underlying, why=f"{u.symbol} moved {drift:+.2f} % from the file's spot")
        elif snapshot.block.timestamp - u.live.time >= knobs.refresh_age_s:
            yield Refresh(
                underlying=u.underlying, why=f"{u.symbol} file is {snapshot.block.timestamp - u.live.time} s old"
            )


def _ramps(u: UnderlyingState, live: FileState, now: int) -> bool:
    """Whether an hour's move of the ranges in force is due; perps need it as much as options."""
    slew = None if u.publication is None else u.publication.slew
    if slew is None or live.ranges == slew.target:
        return False
    return now >= slew.held_until_s and now - slew.time_s >= RAMP_S


def settlements(snapshot: Snapshot) -> Iterator[SettleExpiry]:
    """Expiries that have passed, are held by somebody, and have no settlement price."""
    due = [
        (u, listing.expiry)
        for u in snapshot.underlyings
        for listing in u.listings
        if 0 < listing.expiry <= snapshot.block.timestamp and listing.expiry not in {expiry for expiry, _ in u.settled}
    ]
    held = {(i.underlying, i.expiry) for i in snapshot.accounts.held()} if due else set()
    for u, expiry in due:
        if (u.underlying, expiry) in held:
            yield SettleExpiry(underlying=u.underlying, expiry=expiry, why=f"{u.symbol} expiry has passed")


def touches(snapshot: Snapshot, accounts: Mapping[int, AccountMargin]) -> Iterator[Touch]:
    """Accounts with settled options to cash out or a socialised loss to pull."""
    settled = {(u.underlying, expiry) for u in snapshot.underlyings for expiry, _ in u.settled}
    roster, book = snapshot.accounts, Priced.of(accounts)
    to_cash_out = roster.holding(lambda i: (i.underlying, i.expiry) in settled)
    losing = book.table.pending_loss.nonzero
    if book.table.whole:
        beside = [a.account for a in book.table.whole.values() if isinstance(a, AccountMargin) and a.pending_loss > 0]
        losing = losing | np.isin(book.table.ids, id_column(sorted(beside)))
    place, known = find(book.table.ids, roster.ids)
    losing_here = np.zeros(len(roster), dtype=np.bool_)
    losing_here[known] = losing[place[known]]
    rows = np.flatnonzero(to_cash_out | losing_here)
    for row, account in zip(rows.tolist(), id_numbers(roster.ids[rows]), strict=True):
        if to_cash_out[row]:
            yield Touch(account=account, why="settled options to cash out")
        else:
            loss = book[account].pending_loss
            yield Touch(account=account, why=f"socialised loss of {usd(loss)} to pull")


def margin_calls(accounts: Mapping[int, AccountMargin], called: AbstractSet[int]) -> Iterator[MarginCall]:
    """Accounts that entered the warning zone since they were last called."""
    book = Priced.of(accounts)
    table = book.table
    told = np.isin(table.ids, id_column(sorted(called))) if called else np.zeros(len(table), dtype=np.bool_)
    for a in book.within(table.in_bands(Band.WARNING) & ~table.in_auction & ~told):
        yield MarginCall(
            account=a.account,
            health_ppm=a.health_ppm,
            equity=a.equity,
            mm=a.mm,
            why=f"health {a.health_ppm / PPM:.3f}",
        )
