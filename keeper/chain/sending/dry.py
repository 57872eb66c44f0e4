"""The sender of a keeper that only watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import Reverted
from keeper.chain.sending.dispatch import Decode, selector_only
from keeper.domain.block import BlockRef
from keeper.domain.cycle import REHEARSED
from keeper.domain.tx import SignerRole, TxIntent, TxRecord, TxState
from keeper.errors import KeeperError


class DrySender:
    """`keeper.ports.TxSender` that signs and stores nothing: what `keeper run` uses until it is told to send.

    Records live in memory only, so that a later real run finds a store without them and is not held back by a key
    that a rehearsal used.

    Args:
        rpc: where to simulate.
        senders: an address of each role; of several keys the first.
        decode_revert: a person's words for revert data.
    """

    def __init__(self, rpc: Rpc, senders: Mapping[SignerRole, str], *, decode_revert: Decode = selector_only) -> None:
        self._rpc, self._senders, self._decode = rpc, dict(senders), decode_revert
        self.records: dict[str, TxRecord] = {}
        """What would have been sent, by intent key, in order."""

    def submit(self, intent: TxIntent) -> TxRecord:
        """Simulate `intent` and say what would happen; it ends as DROPPED either way."""
        if intent.key not in self.records:
            self.records[intent.key] = TxRecord(intent=intent, state=TxState.DROPPED, reason=self._rehearse(intent))
        return self.records[intent.key]

    def _rehearse(self, intent: TxIntent) -> str:
        ours = self._senders.get(intent.role)
        sender = ours if not intent.only or ours in intent.only else intent.only[0]
        if sender is None:
            return "dry run: not simulated, no address is configured for this role"
        try:
            self._rpc.simulate(intent.to, intent.data, sender=sender, gas=intent.gas_limit)
        except Reverted as error:
            return f"dry run: would revert: {self._decode(error.data) if error.data else error.message}"
        except KeeperError as error:
            return f"dry run: not simulated: {error.message}"
        return REHEARSED

    def settle(self, head: BlockRef) -> Sequence[TxRecord]:  # noqa: ARG002 - the port's signature
        """Nothing is ever open."""
        return ()

    def recover(self, head: BlockRef) -> Sequence[TxRecord]:  # noqa: ARG002 - the port's signature
        """Nothing is ever open.  What a real run left in the store stays for the next real run."""
        return ()
