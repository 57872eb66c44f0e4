"""A key's nonces for a person: what the chain has, what we hold, and what would bring both together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keeper.domain.tx import SignerRole


@dataclass(frozen=True, kw_only=True)
class HeldNonce:
    """A nonce that an open record has."""

    nonce: int
    key: str
    """Intent key."""
    kind: str
    subject: str
    state: str
    attempts: int
    waited_blocks: int
    """Since its first attempt could have mined."""


@dataclass(frozen=True, kw_only=True)
class KeyNonces:
    """One key at one block."""

    address: str
    role: SignerRole
    latest: int
    """The first nonce that no mined transaction has, at the head."""
    pending: int | None
    """The node's opinion of the first nonce neither mined nor in its pool; None if it has none.  Never decided from."""
    held: tuple[HeldNonce, ...]
    """Open records from `latest` on, ascending."""
    gaps: tuple[int, ...]
    """Nonces below the highest held that nobody holds; the first few."""
    gap_count: int
    """How many of them there are."""
    stuck_since: int | None
    """Block since which the record whose turn it is waits, where that is longer than a key may."""
    mined: tuple[int, ...]
    """Nonces of open records of which an attempt is in a block: a keeper ends them once that is final."""
    overtaken: tuple[int, ...]
    """Nonces of open records that something else used; whether it stays so is known once that is final."""
    foreign_pending: int
    """Transactions that the node holds beyond ours, if its opinion is right."""
    abandoned: tuple[int, ...]
    """Nonces of records given up that are not final yet; the next one there must outbid them."""

    @property
    def sound(self) -> bool:
        """Whether nothing needs to be done."""
        return not (self.gap_count or self.stuck_since is not None or self.overtaken)


class RepairKind(StrEnum):
    """What brings a key's nonces in order."""

    FILL = "fill"
    """Use up a nonce that nobody holds by a transfer of nothing."""
    CANCEL = "cancel"
    """Replace what is stuck by a transfer of nothing."""
    ABANDON = "abandon"
    """Give up what is too far ahead of the chain to be reached."""
    SETTLE = "settle"
    """Look at the chain: the nonce is used, and once that is final the record ends by itself."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """One step."""

    address: str
    nonce: int
    kind: RepairKind
    what: str
    """The record it is about, or why it is needed."""
    done: bool = False
    """Whether it was carried out."""
    said: str = ""
    """What came of it."""
