"""Who may bid for the liquidator account, and the calls that change it.

Only the account's owner approves a key; a key may give up its own approval.  Where that key is configured the call can
be sent from here, through the same outbox as everything else; where it is not, a cold key or a contract, the call is
shown for whoever holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from keeper.domain.addresses import address_of
from keeper.domain.tx import TxIntent, TxRecord
from keeper.errors import BadInput, Refused


class Right(StrEnum):
    """What a key may do about bids."""

    OWNER = "owner"
    """It owns the account: it bids, and approves others."""
    APPROVED = "approved"
    """It bids."""
    NONE = "none"
    """It does not bid."""


@dataclass(frozen=True, kw_only=True)
class Bidder:
    """One liquidator key, or somebody else who was approved."""

    address: str
    right: Right
    configured: bool = True
    """Whether it is one of the configured liquidator keys."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One approval given or taken back."""

    key: str
    approved: bool
    """Whether it may bid afterwards."""
    by: str
    """Who calls: the account's owner, or the key that gives its own approval up."""
    ours: bool
    """Whether the caller's key is configured here."""
    intent: TxIntent
    """The call."""
    record: TxRecord | None = None
    """What became of it; None if it was not sent."""
    refused: str = ""
    """Why it was not, though it was to be."""


class Desk(Protocol):
    """The configured account, its keys and the auction at the head."""

    @property
    def account(self) -> int:
        """The account that bids."""

    @property
    def owner(self) -> str:
        """Who owns it."""

    def liquidators(self) -> Sequence[str]:
        """Addresses of the configured liquidator keys."""

    def approved(self) -> Sequence[str]:
        """Everybody whom the owner approved and who may bid at the head.  Raises: `Retry`."""

    def may_bid(self, key: str) -> bool:
        """Whether a key may bid for the account at the head.  Raises: `Retry`."""

    def call(self, key: str, *, approved: bool, by: str) -> TxIntent:
        """The call that changes it, for one sender."""

    def send(self, intent: TxIntent) -> TxRecord:
        """Hand it to the outbox.  Raises: `Retry`, `Refused`, `Halt`."""


def bidders(desk: Desk) -> tuple[Bidder, ...]:
    """Every configured liquidator key and what it may do, then whoever else may bid.  Raises: `Retry`."""
    mine = desk.liquidators()
    known = {key.lower() for key in mine}
    others = [key for key in desk.approved() if key.lower() not in known]
    return (
        *(Bidder(address=key, right=_right(desk, key)) for key in mine),
        *(Bidder(address=key, right=Right.APPROVED, configured=False) for key in others),
    )


def changes(desk: Desk, *, key: str, approved: bool) -> Iterator[Change]:
    """The calls that make it so; none if it is so already.

    Args:
        desk: the account and its keys.
        key: an address; empty for every configured key (to approve only).
        approved: whether it is to bid.

    Raises: `BadInput` if no key is named to revoke, or the owner is, or it is no address; `Retry`.
    """
    if not key and not approved:
        raise BadInput("name the key to revoke", hint="keeper bidders revoke 0xADDRESS")
    if key:
        # An approval of nobody, given by another program, is taken back like any other.
        key = address_of(key, nobody=not approved)
    if key and key.lower() == desk.owner.lower():
        raise BadInput(f"{key} owns the account and always bids for it", hint="an approval is for another key")
    mine = [one.lower() for one in desk.liquidators()]
    for one in (key,) if key else desk.liquidators():
        if _right(desk, one) is Right.OWNER or desk.may_bid(one) == approved:
            continue
        own = not approved and desk.owner.lower() not in mine and one.lower() in mine
        by = one if own else desk.owner
        intent = desk.call(one, approved=approved, by=by)
        yield Change(key=one, approved=approved, by=by, ours=by.lower() in mine, intent=intent)


def carried_out(desk: Desk, change: Change) -> Change:
    """Send one.  What the chain refuses is told, not raised.  Raises: `Retry`; `Halt` if a spending cap is hit."""
    if not change.ours:
        return replace(change, refused=f"the key of {change.by} is not configured: have its holder send the call")
    try:
        return replace(change, record=desk.send(change.intent))
    except Refused as refusal:
        return replace(change, refused=refusal.message)


def _right(desk: Desk, key: str) -> Right:
    if key.lower() == desk.owner.lower():
        return Right.OWNER
    return Right.APPROVED if desk.may_bid(key) else Right.NONE
