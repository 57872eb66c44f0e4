"""What the keeper decided to do.  Each carries the reason in words."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.market import UnderlyingTarget
from keeper.domain.takeover import TakenOver


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Push new parameters of one underlying."""

    underlying: int
    id: int
    """Publication id, one above the last."""
    valid_until: int
    """Unix seconds."""
    inputs_hash: str
    """0x sha-256 of the canonical inputs."""
    expected_old: str
    """0x digest of the last set target, against which the numbers were computed."""
    params: UnderlyingTarget
    """What is published: the target as far as the fences let it move now."""
    why: str


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """Recompute the file at live spot and time with the last published volatilities."""

    underlying: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Start the liquidation of an account."""

    account: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Unflag:
    """End the liquidation of an account that recovered."""

    account: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Remeasure:
    """Have an auction notice that its account became insolvent: from there its payout grows."""

    account: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Bid:
    """Take a slice of an account in auction."""

    account: int
    bidder: int
    fraction_wad: int
    epochs: tuple[int, ...]
    """Live file epoch per underlying the account holds, ascending by underlying."""
    max_cost: int
    """Most we pay; negative: least we must be paid.  wad USD."""
    why: str
    taken: tuple[TakenOver, ...] = ()
    """Risk that the bid takes over, by underlying, and how to be rid of it."""


@dataclass(frozen=True, kw_only=True)
class SettleExpiry:
    """Fix the settlement price of an expiry."""

    underlying: int
    expiry: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Touch:
    """Bring an account up to date: cash out settled options, pull socialised loss."""

    account: int
    why: str


@dataclass(frozen=True, kw_only=True)
class SetAddOn:
    """Widen initial margin for the state of a market; it lapses by itself."""

    underlying: int
    ppm: int
    valid_until: int
    """Unix seconds; at most a day ahead."""
    why: str


@dataclass(frozen=True, kw_only=True)
class SyncBreaker:
    """Have the contract record that the breaker of a market opened, and widen initial margin for it."""

    underlying: int
    why: str


@dataclass(frozen=True, kw_only=True)
class MarginCall:
    """Tell an account's owner.  Not a transaction."""

    account: int
    health_ppm: int
    equity: int
    mm: int
    why: str


Action = (
    Publish | Refresh | Flag | Unflag | Remeasure | Bid | SettleExpiry | Touch | SetAddOn | SyncBreaker | MarginCall
)


_KINDS: dict[type, str] = {
    Publish: "publish",
    Refresh: "refresh",
    Flag: "flag",
    Unflag: "unflag",
    Remeasure: "remeasure",
    Bid: "bid",
    SettleExpiry: "settle",
    Touch: "touch",
    SetAddOn: "addon",
    SyncBreaker: "sync",
    MarginCall: "margin_call",
}


#: Kinds of action that are transactions.
SENT_KINDS = tuple(name for name in _KINDS.values() if name != "margin_call")


def kind(action: Action) -> str:
    """Short name of an action, as transactions and records carry it."""
    return _KINDS[type(action)]


def subject(action: Action) -> str:
    """What an action acts on; one open transaction per (kind, subject)."""
    match action:
        case Publish() | Refresh() | SetAddOn() | SyncBreaker():
            return f"underlying:{action.underlying}"
        case SettleExpiry():
            return f"underlying:{action.underlying}:expiry:{action.expiry}"
        case Flag() | Unflag() | Remeasure() | Bid() | Touch() | MarginCall():
            return f"account:{action.account:#066x}"
