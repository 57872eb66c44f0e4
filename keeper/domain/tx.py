"""What we ask of the chain and what became of it.

    PLANNED → SIGNED → SENT → MINED → FINAL
                         │       └─ REVERTED (mined, but the contract said no)
                         └─ REPLACED, EXPIRED, DROPPED; ABANDONED → FINAL, REVERTED or REPLACED

A reorg moves MINED back to SENT.  An intent is written to the store before anything is broadcast; every attempt's hash
is kept, because a replaced attempt can still be the one that mines.  Even an abandoned one can: it stops nobody any
more, but is followed until its nonce is final.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keeper.domain.block import BlockRef

#: Gas limit of a transfer of nothing to ourselves.  A plain chain uses 21,000 of it; rollups charge for data as gas.
CANCEL_GAS: Final = 100_000
#: Kind of the intents whose only purpose is to use up a nonce that would block those above it.
FILL: Final = "fill"


class TxState(StrEnum):
    """Where an intent stands."""

    PLANNED = "planned"
    """Written down; nothing signed."""
    SIGNED = "signed"
    """Nonce assigned and signed bytes stored; perhaps broadcast, perhaps not (we may have died in between)."""
    SENT = "sent"
    """A node accepted at least one attempt."""
    MINED = "mined"
    """One attempt is in a block that is not final yet."""
    FINAL = "final"
    """One attempt is in a block that cannot be reorganised away; succeeded."""
    REVERTED = "reverted"
    """Final, but execution failed."""
    REPLACED = "replaced"
    """Its nonce was used by something else that is final (a cancellation or a foreign transaction)."""
    EXPIRED = "expired"
    """Its deadline passed before it was signed."""
    DROPPED = "dropped"
    """Refused (by simulation, or because nobody wants it any more) before it was signed; nothing was sent."""
    ABANDONED = "abandoned"
    """Signed, never mined, given up: its subject is free, its nonce is free for whoever outbids its attempts."""

    @property
    def is_open(self) -> bool:
        """Whether the sender still has work to do."""
        return self in (TxState.PLANNED, TxState.SIGNED, TxState.SENT, TxState.MINED)


class SignerRole(StrEnum):
    """Which key signs.  The publisher and the liquidator are never the same key."""

    PUBLISHER = "publisher"
    LIQUIDATOR = "liquidator"


@dataclass(frozen=True, kw_only=True)
class TxIntent:
    """One call we want executed exactly once."""

    key: str
    """Identity.  Two intents with one key are the same intent; the second submission finds the first."""
    kind: str
    """Action kind, e.g. `flag`, `bid`, `publish`."""
    subject: str
    """What it acts on (account, underlying, expiry).  One open intent per (kind, subject)."""
    role: SignerRole
    to: str
    """Checksummed contract address."""
    data: bytes
    """Calldata."""
    gas_limit: int
    decided_at: BlockRef
    """The block whose state led to the decision."""
    deadline_s: int
    """Unix seconds of block time after which it must not be signed any more."""
    why: str
    """One line for a person."""
    worth_wei: int | None = None
    """The most gas money it is worth; None if unknown, and then only the absolute caps bind."""
    subsidy_wei: int = 0
    """Part of `worth_wei` that the operator's loss budget pays, since the action brings less than it costs."""
    gas_expected: int | None = None
    """Gas it is likely to use, which what it is worth is divided by; None: all of its limit."""
    sender: str | None = None
    """The one address that may send it (what fills a gap of its nonces); None if there is more than one."""
    senders: tuple[str, ...] = ()
    """Where `sender` is None, the only addresses that may send it (a bid: whoever may bid for the account); empty if
    any key of its role may."""

    @property
    def only(self) -> tuple[str, ...]:
        """The addresses that may send it; empty if any key of its role may."""
        return self.senders if self.sender is None else (self.sender,)

    @property
    def gas_to_pay(self) -> int:
        """Gas that its worth must pay for."""
        return self.gas_limit if self.gas_expected is None else min(self.gas_expected, self.gas_limit)


@dataclass(frozen=True, kw_only=True)
class TxAttempt:
    """One signed transaction for an intent; replacements share the nonce."""

    tx_hash: str
    raw: bytes
    """Signed bytes, kept so that recovery re-broadcasts the very same transaction."""
    max_fee_wei: int
    priority_fee_wei: int
    block_number: int
    """Head when it was signed."""
    cancels: bool = False
    """Whether it is a transfer of nothing to ourselves that only uses up the nonce."""


@dataclass(frozen=True, kw_only=True)
class TxRecord:
    """An intent, all its attempts, and its state."""

    intent: TxIntent
    state: TxState
    sender: str | None = None
    """Address of the key that signed, once one was chosen."""
    nonce: int | None = None
    attempts: tuple[TxAttempt, ...] = ()
    mined: BlockRef | None = None
    mined_hash: str | None = None
    """Hash of the attempt that mined."""
    gas_used: int | None = None
    reason: str = ""
    """Why it ended where it did: decoded revert, refusal, expiry; while it is cancelled, why nobody wants it."""

    @property
    def cancelled(self) -> bool:
        """Whether we try to use its nonce up instead."""
        return bool(self.attempts) and self.attempts[-1].cancels

    def attempt(self, tx_hash: str) -> TxAttempt:
        """The attempt with this hash.  Raises: `KeyError`."""
        for attempt in self.attempts:
            if attempt.tx_hash == tx_hash:
                return attempt
        raise KeyError(tx_hash)
