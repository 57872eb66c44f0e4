"""Which key sends.

A role may have several keys, each with a queue of its own, since a chain mines one key's transactions in order: what
one key is stuck with holds up nobody else's.  A new intent goes to the sound key with the fewest open records, of
several to the one that gave up least.  A key is left out while

- the transaction whose turn it is has not mined for n blocks,
- the chain is nonces behind what the key holds, or
- in this very block it could not pay, or its signer did not answer.

So of N keys one that is stuck costs at most 1/N of what they get done together.  A key's trouble is an alert for that
key, at each block that it would be needed in; the keeper goes on.

What a second key needs from the contracts: a publisher the PUBLISHER_ROLE of RiskParameters; a liquidator must not
have that role, and bids only if it owns the bidding account or its owner approved it (`keeper bidders`).  An intent
names the keys that may send it (`TxIntent.only`), and then no other is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from keeper.chain.sending.nonces import Lane
from keeper.chain.signers import Signer
from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole, TxIntent
from keeper.errors import BadInput, Refused, Retry

log = structlog.get_logger(__name__)


class SignerPool:
    """The keys of all roles.

    Args:
        signers: keys by role; all different.
        stuck_after_blocks: blocks without progress after which a key gets nothing new.
        gap_at_most: missing nonces below what a key holds above which it gets nothing new either; fewer are filled.

    Raises: `BadInput` if one key stands twice.
    """

    def __init__(
        self, signers: Mapping[SignerRole, Sequence[Signer]], *, stuck_after_blocks: int, gap_at_most: int
    ) -> None:
        self._signers = {role: tuple(keys) for role, keys in signers.items()}
        everybody = [key.address for keys in self._signers.values() for key in keys]
        if len(set(everybody)) != len(everybody):
            raise BadInput(
                "one key stands twice: two roles share one key, or one role names it twice",
                hint="the publisher and the liquidator need keys of their own, and each key one place",
            )
        self._stuck_after, self.gap_at_most = stuck_after_blocks, gap_at_most
        #: Address → block hash at which it could not pay, or not sign.
        self._poor: dict[str, str] = {}
        self._silent: dict[str, str] = {}

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every key's address."""
        return tuple(key.address for keys in self._signers.values() for key in keys)

    def role_of(self, address: str) -> SignerRole | None:
        """The role of one of our keys; None if it is none (any more)."""
        return next((role for role, keys in self._signers.items() if any(k.address == address for k in keys)), None)

    def signer(self, address: str) -> Signer:
        """The key that signed before.

        Raises: `Refused` if it is configured no more: its open records can only be watched.
        """
        for keys in self._signers.values():
            for key in keys:
                if key.address == address:
                    return key
        raise Refused(f"the key of {address} is not configured", hint="add it back until its records are final")

    def may_send(self, intent: TxIntent) -> tuple[Signer, ...]:
        """Every key that may send an intent, in the configured order.

        Raises: `BadInput` if its role has no key; `Refused` if only another address may.
        """
        keys = self._signers.get(intent.role, ())
        if not keys:
            raise BadInput(f"no key for the role {intent.role}", hint=f"configure a signer for {intent.role}")
        if not intent.only:
            return keys
        allowed = {address.lower() for address in intent.only}
        fitting = tuple(key for key in keys if key.address.lower() in allowed)
        if not fitting:
            who = ", ".join(intent.only)
            raise Refused(
                f"{intent.kind} {intent.subject} may only be sent by {who}, whose key is not configured",
                sender=who,
            )
        return fitting

    def candidates(
        self, intent: TxIntent, lanes: Mapping[str, Lane], head: BlockRef, *, given_up: Mapping[str, int]
    ) -> tuple[Signer, ...]:
        """The keys to try for a new intent, best first.

        Args:
            intent: what is to be sent.
            lanes: of each key that may send it.
            head: the newest block.
            given_up: abandoned records by address whose nonce is not used yet.  Of keys with as many open records the
                one with fewest of these is first, so that what a stuck key swallowed goes to another.

        Raises: `Retry` if every one of them is stuck; as `may_send`.
        """
        keys = self.may_send(intent)
        sound = [key for key in keys if not self._why_not(lanes[key.address], head)]
        if not sound:
            why = "; ".join(f"{key.address}: {self._why_not(lanes[key.address], head)}" for key in keys)
            raise Retry(f"no key of the {intent.role} gets anything new: {why}", role=str(intent.role))
        return tuple(sorted(sound, key=lambda key: (len(lanes[key.address].held), given_up.get(key.address, 0))))

    def _why_not(self, lane: Lane, head: BlockRef) -> str:
        if self._poor.get(lane.sender) == head.hash:
            return "it cannot pay"
        if self._silent.get(lane.sender) == head.hash:
            return "its signer does not answer"
        stuck = lane.stuck_for(head)
        if stuck >= self._stuck_after:
            return f"nonce {min(lane.held)} has not mined for {stuck} blocks"
        if lane.width > self.gap_at_most:
            return f"{lane.width} nonces are missing below what it holds"
        return ""

    def cannot_pay(self, address: str, head: BlockRef, why: str) -> None:
        """Leave a key out for this block, and tell it."""
        if self._poor.get(address) != head.hash:
            log.error("signer.cannot_pay", address=address, role=self.role_of(address), why=why)
        self._poor[address] = head.hash

    def cannot_sign(self, address: str, head: BlockRef, why: str) -> None:
        """Leave a key out for this block."""
        self._silent[address] = head.hash
        log.error("signer.does_not_answer", address=address, role=self.role_of(address), why=why)

    def works(self, address: str) -> None:
        """A node took what a key signed."""
        self._poor.pop(address, None)
        self._silent.pop(address, None)
