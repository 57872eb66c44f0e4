"""What events do to one account: the slow and obvious way, and the way for a few accounts of a block.

A perp has lazily accrued state as long as its position is open, as in the contract's own view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from keeper.domain.snapshot import AccountState, Kind, PerpState, Position
from keeper.protocols.abi import Event
from keeper.protocols.clearinghouse.ids import pack_instrument, unpack_instrument


def nothing(account: int) -> AccountState:
    """An account before its first event."""
    return AccountState(
        account=account, cash=0, interest_entry=0, keep_entry=0, collateral=(), positions=(), perps=(), in_auction=False
    )


def is_closed(account: AccountState) -> bool:
    """Whether nothing of an account is left."""
    return not (account.cash or account.collateral or account.positions or account.in_auction)


def applied(old: AccountState, event: Event) -> AccountState:
    """The account after one event; the same where the event does not move accounts."""
    take = _TAKEN.get(event.name)
    return old if take is None else take(old, event.args)


def _cash_changed(old: AccountState, args: dict[str, Any]) -> AccountState:
    return replace(old, cash=args["cash"], interest_entry=args["interestEntryRay"])


def _loss_pulled(old: AccountState, args: dict[str, Any]) -> AccountState:
    return replace(old, keep_entry=args["keepEntryRay"])


def _auction_set(old: AccountState, args: dict[str, Any]) -> AccountState:
    return replace(old, in_auction=args["inAuction"])


def _collateral_changed(old: AccountState, args: dict[str, Any]) -> AccountState:
    held = {**dict(old.collateral), args["collateral"]: args["balance"]}
    return replace(old, collateral=tuple(sorted((c, units) for c, units in held.items() if units)))


def _position_changed(old: AccountState, args: dict[str, Any]) -> AccountState:
    return _holding(old, {pack_instrument(p.instrument): p.size for p in old.positions} | {
        args["instrument"]: args["size"]
    }, {p.underlying: p for p in old.perps})  # fmt: skip


def _perp_touched(old: AccountState, args: dict[str, Any]) -> AccountState:
    u = args["underlying"]
    perp = PerpState(underlying=u, open_notional=args["openNotional"], funding_entry=args["fundingEntry"])
    sizes = {pack_instrument(p.instrument): p.size for p in old.positions}
    return _holding(old, sizes, {p.underlying: p for p in old.perps} | {u: perp})


def _holding(old: AccountState, sizes: Mapping[int, int], perps: Mapping[int, PerpState]) -> AccountState:
    """`old` with these sizes by packed instrument, whose numbers stand in the contract's order."""
    positions = tuple(Position(instrument=unpack_instrument(i), size=s) for i, s in sorted(sizes.items()) if s)
    held = {p.instrument.underlying for p in positions if p.instrument.kind is Kind.PERP}
    return replace(old, positions=positions, perps=tuple(perps[u] for u in sorted(perps) if u in held))


_TAKEN: Final = {
    "CashChanged": _cash_changed,
    "LossPulled": _loss_pulled,
    "AuctionSet": _auction_set,
    "CollateralChanged": _collateral_changed,
    "PositionChanged": _position_changed,
    "PerpTouched": _perp_touched,
}


@dataclass
class Change:
    """The newest values of one account, of those fields that were written."""

    cash: tuple[int, int] | None = None
    """Cash and interest entry."""
    keep_entry: int | None = None
    in_auction: bool | None = None
    collateral: dict[int, int] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    """Size by packed instrument."""
    perps: dict[int, PerpState] = field(default_factory=dict)

    def on(self, old: AccountState) -> AccountState:
        """The account after all of it."""
        held = {**dict(old.collateral), **self.collateral}
        new = replace(
            old,
            cash=old.cash if self.cash is None else self.cash[0],
            interest_entry=old.interest_entry if self.cash is None else self.cash[1],
            keep_entry=old.keep_entry if self.keep_entry is None else self.keep_entry,
            in_auction=old.in_auction if self.in_auction is None else self.in_auction,
            collateral=tuple(sorted((c, units) for c, units in held.items() if units)),
        )
        if not self.positions and not self.perps:
            return new
        sizes = {pack_instrument(p.instrument): p.size for p in old.positions} | self.positions
        return _holding(new, sizes, {p.underlying: p for p in old.perps} | self.perps)
