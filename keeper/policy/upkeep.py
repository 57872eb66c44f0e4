"""Chores that keep the protocol honest: refresh files, settle expiries, bring accounts up to date, call for margin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from keeper.domain.action import MarginCall, Refresh, SettleExpiry, Touch
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.snapshot import Snapshot, Usable
from keeper.policy.auction import PPM, WAD


def refreshes(snapshot: Snapshot, knobs: PolicyKnobs) -> Iterator[Refresh]:
    """Files that are near the distance at which they turn stale, or old.

    The distance is counted in thirds of the scan range, the limit at which the contract calls a file stale; we come
    earlier by `refresh_distance_ppm`.
    """
    for u in snapshot.underlyings:
        if u.live is None or not isinstance(u.spot, Usable) or not u.live.expiries:
            continue
        moved = abs(u.spot.wad - u.live.ref_spot) * 3 * PPM * PPM
        if moved >= knobs.refresh_distance_ppm * u.live.ranges.psr_ppm * u.live.ref_spot:
            drift = (u.spot.wad - u.live.ref_spot) * 100 / u.live.ref_spot
            yield Refresh(underlying=u.underlying, why=f"{u.symbol} moved {drift:+.2f} % from the file's spot")
        elif snapshot.block.timestamp - u.live.time >= knobs.refresh_age_s:
            yield Refresh(
                underlying=u.underlying, why=f"{u.symbol} file is {snapshot.block.timestamp - u.live.time} s old"
            )


def settlements(snapshot: Snapshot) -> Iterator[SettleExpiry]:
    """Expiries that have passed, are held by somebody, and have no settlement price."""
    held = {(p.instrument.underlying, p.instrument.expiry) for a in snapshot.accounts for p in a.positions}
    for u in snapshot.underlyings:
        done = {expiry for expiry, _ in u.settled}
        for listing in u.listings:
            due = 0 < listing.expiry <= snapshot.block.timestamp
            if due and listing.expiry not in done and (u.underlying, listing.expiry) in held:
                yield SettleExpiry(underlying=u.underlying, expiry=listing.expiry, why=f"{u.symbol} expiry has passed")


def touches(snapshot: Snapshot, accounts: Mapping[int, AccountMargin]) -> Iterator[Touch]:
    """Accounts with settled options to cash out or a socialised loss to pull."""
    settled = {(u.underlying, expiry) for u in snapshot.underlyings for expiry, _ in u.settled}
    for a in snapshot.accounts:
        margin = accounts.get(a.account)
        if any((p.instrument.underlying, p.instrument.expiry) in settled for p in a.positions):
            yield Touch(account=a.account, why="settled options to cash out")
        elif margin is not None and margin.pending_loss > 0:
            yield Touch(account=a.account, why=f"socialised loss of {margin.pending_loss / WAD:,.2f} to pull")


def margin_calls(accounts: Mapping[int, AccountMargin], called: AbstractSet[int]) -> Iterator[MarginCall]:
    """Accounts that entered the warning zone since they were last called."""
    for a in accounts.values():
        if a.band is Band.WARNING and not a.in_auction and a.account not in called:
            yield MarginCall(
                account=a.account,
                health_ppm=a.health_ppm,
                equity=a.equity,
                mm=a.mm,
                why=f"health {a.health_ppm / PPM:.3f}",
            )
