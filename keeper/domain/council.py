"""Keepers that speak as one: who they are, what they are asked to sign, and the paper that goes from hand to hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget

#: The part of a nonce that counts calls.
_CALLS: Final = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True)
class LaneNonce:
    """The next nonce of one lane of one underlying."""

    lane: str
    """`publish`, `add_on`, `funding` or `tighten`."""
    symbol: str
    list_: int
    """How often keepers were named."""
    calls: int
    """How many calls of this lane landed."""


@dataclass(frozen=True, kw_only=True)
class RoleHolder:
    """Somebody who holds a role of the parameters' contract."""

    role: str
    holder: str
    """Checksummed address."""
    name: str
    """What we know it as; empty if we do not."""


@dataclass(frozen=True, kw_only=True)
class Council:
    """A quorum contract at one block."""

    address: str
    keepers: tuple[str, ...]
    """Checksummed, ascending."""
    to_publish: int
    """How many of them publish."""
    to_tighten: int
    """How many of them call an emergency."""
    list_: int
    """How often keepers were named."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a paper has the quorum do."""

    function: str
    what: str
    """Short name: `publish`, `tighten`, …"""
    role: str
    """Of the parameters' contract, without which it reverts."""
    emergency: bool
    """Whether it takes the quorum that calls emergencies."""
    underlying: int
    symbol: str
    nonce: int
    list_: int
    """How often keepers had been named when it was drafted."""
    valid_until: int
    """Unix seconds."""
    arguments: Mapping[str, Any]
    """By name, structs as mappings."""
    target: UnderlyingTarget | None
    """What is published, or opened to be published in steps, with the expiries that come with it; None else."""
    rows: tuple[ExpiryTarget, ...] = ()
    """Expiries that it carries, in order."""
    inputs_hash: str
    """0x sha-256 of what it was made from; empty if nothing is published."""

    @property
    def subject(self) -> str:
        """What it acts on; one open transaction for each, and one order for each nonce."""
        return f"quorum:{self.what}:{self.underlying}:{self.list_}.{self.nonce & _CALLS}"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One keeper's."""

    signer: str
    """Checksummed address."""
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Paper:
    """An order on paper: drafted by one keeper, signed by k of them, sent by anyone."""

    call: bytes
    """Calldata of the quorum's contract, without signatures: all the rest follows from it."""
    typed: Mapping[str, Any]
    """EIP-712 typed data, as wallets take them."""
    why: str
    decoded: Mapping[str, str]
    """The call taken apart, for a person."""
    signatures: tuple[Signature, ...] = ()
    """In the order in which they were given."""
