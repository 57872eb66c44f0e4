"""An outbox over a chain that mines only when told: its pool can be emptied, its key used by others, its process ended.

world = OutboxWorld(liquidators=3)
world.submit("a")
world.blocks(3, lose=ALL)     # three blocks without anything of ours
world.restart()               # a new process over the same store
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from keeper.chain.sending.outbox import OutboxPolicy
from keeper.chain.signers import from_key
from keeper.domain.tx import SignerRole, TxAttempt, TxRecord, TxState
from keeper.testing.counter_world import COUNTER, an_intent, an_outbox, rpc_of, signers_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.memory_store import MemoryStore

#: Everybody's transactions; see `OutboxWorld.block`.
ALL: Final = "all"

#: Impatient, so that a test takes few blocks.
IMPATIENT: Final = OutboxPolicy(
    confirmations=3,
    replace_after_blocks=2,
    stuck_after_blocks=4,
    abandon_after_blocks=12,
    gap_at_most=8,
    daily_cap_wei=10**18,
)


class OutboxWorld:
    """A chain that mines only when told, and an outbox.

    Args:
        liquidators: how many keys.
        options: of `an_outbox`, for each life.
    """

    def __init__(self, *, liquidators: int = 1, **options: Any) -> None:
        self.chain = EmbeddedChain(accounts=6)
        self.counter = self.chain.deploy_code(COUNTER)
        self.chain.mine(4)
        self.chain.set_automine(on=False)
        self.store, self.rpc = MemoryStore(), rpc_of(self.chain)
        self.signers = signers_of(self.chain, liquidators=liquidators)
        self.options: dict[str, Any] = {"policy": IMPATIENT, "signers": self.signers} | options
        self.restart()

    def restart(self, **options: Any) -> None:
        """End this process and start another over the same store; `options` replace those given before."""
        self.options |= options
        self.outbox = an_outbox(self.chain, self.store, rpc=self.rpc, **self.options)

    def submit(self, key: str = "a", **fields: Any) -> TxRecord:
        """Decide one poke at the head."""
        return self.outbox.submit(an_intent(self.counter, self.chain.block(), key=key, **fields))

    def lose(self, sender: str | None = None) -> None:
        """Drop what waits in the node's pool, of one key or of all."""
        for record in self.store.open_txs():
            if sender in (None, record.sender):
                for attempt in record.attempts:
                    self.chain.request("anvil_dropTransaction", attempt.tx_hash)

    def block(self, *, lose: str | None = None) -> None:
        """One block and its settlement; with `lose`, nothing of that key (or of ALL) is mined."""
        if lose is not None:
            self.lose(None if lose == ALL else lose)
        self.outbox.settle(self.chain.mine())

    def blocks(self, number: int, *, lose: str | None = None) -> None:
        """Several of them."""
        for _ in range(number):
            self.block(lose=lose)

    def one(self, key: str = "a") -> TxRecord:
        """A record by its key."""
        found = self.store.tx(key)
        assert found is not None
        return found

    def foreign(self, nonce: int, *, gwei: int, tip: int = 1) -> str:
        """Somebody else uses the first liquidator's key.  Returns: the hash."""
        fees = {"max_fee_wei": gwei * 10**9, "priority_fee_wei": tip * 10**9}
        theirs = self._poke(nonce, **fees) | {"to": self.chain.accounts[0], "value": 1, "gas": 21_000}
        signed = from_key(self.chain.key(2)).sign(theirs)
        self.chain.request("eth_sendRawTransaction", "0x" + signed.raw.hex())
        return signed.tx_hash

    def plant(self, key: str, nonce: int, *, state: TxState = TxState.SENT) -> TxRecord:
        """A record as another life left it behind: signed, and seen by no node."""
        sender = self.signers[SignerRole.LIQUIDATOR][0]
        record = TxRecord(intent=an_intent(self.counter, self.chain.block(), key=key), state=TxState.PLANNED)
        self.store.put_intent(record)
        signed = sender.sign(self._poke(nonce, max_fee_wei=3 * 10**9, priority_fee_wei=10**9))
        attempt = TxAttempt(
            tx_hash=signed.tx_hash,
            raw=signed.raw,
            max_fee_wei=3 * 10**9,
            priority_fee_wei=10**9,
            block_number=self.chain.block().number,
        )
        kept = replace(record, state=TxState.SIGNED, sender=sender.address, nonce=nonce, attempts=(attempt,))
        self.store.update_tx(kept)
        if state is not TxState.SIGNED:
            self.store.update_tx(replace(kept, state=state))
        return self.one(key)

    def _poke(self, nonce: int, *, max_fee_wei: int, priority_fee_wei: int) -> dict[str, Any]:
        return {
            "type": 2,
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "to": self.counter,
            "data": "0x",
            "value": 0,
            "gas": 200_000,
            "maxFeePerGas": max_fee_wei,
            "maxPriorityFeePerGas": priority_fee_wei,
        }
