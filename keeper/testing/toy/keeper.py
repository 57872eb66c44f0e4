"""A keeper of the toy house, put together from the real chain edge: heads, log sync, outbox, store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keeper.chain.asking.rpc import Rpc
from keeper.chain.following.heads import ChainHeads
from keeper.chain.following.log_sync import LogSync
from keeper.chain.following.sync_plan import SyncPlan
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.chain.signers import Signer
from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole
from keeper.errors import Refused, Retry
from keeper.ports import Store
from keeper.testing.toy.house import LIQUIDATE, ToyIndex, ToyRecheck, house_abi, liquidation, publication

FEES = FeePolicy(max_fee_wei=100 * 10**9, max_priority_fee_wei=20 * 10**9)
POLICY = OutboxPolicy(confirmations=3, replace_after_blocks=2, daily_cap_wei=10**18)


class ToyKeeper:
    """One life of a keeper: it remembers nothing but its store.

    Args:
        rpc: where to read and send.
        store: what survives it.
        signers: the keys of each role.
        house: the contract's address.
        deployed_at: height of its block.
        publish_every: blocks from one publication to the next; 0: none.
        options: of the outbox, over `FEES` and `POLICY`.
    """

    def __init__(
        self,
        rpc: Rpc,
        store: Store,
        signers: Mapping[SignerRole, Sequence[Signer]],
        *,
        house: str,
        deployed_at: int,
        publish_every: int = 3,
        **options: Any,
    ) -> None:
        self.rpc, self.store, self.house = rpc, store, house
        self.index = ToyIndex()
        self.heads = ChainHeads(rpc, depth=16)
        plan = SyncPlan(addresses=(house,), deployed_at=deployed_at, depth=6, checkpoint_blocks=4)
        self.sync = LogSync(rpc, store, self.index, plan)
        given: dict[str, Any] = {"fees": FEES, "policy": POLICY, "recheck": ToyRecheck(rpc, house)} | options
        self.outbox = Outbox(rpc, store, signers, **given)
        self.last: BlockRef | None = None
        self._publish_every = publish_every
        self._recovered = False

    def live(self) -> str:
        """One look at the chain: settle, read, decide, send.

        Returns: what kept it from finishing; empty if nothing did.
        """
        try:
            return self._live()
        except Retry as trouble:
            return trouble.message

    def _live(self) -> str:
        head = self.heads.follow(self.last).head
        if head is None:
            return ""
        if not self._recovered:
            self.outbox.recover(head)
            self._recovered = True
        self.outbox.settle(head)
        self.sync.sync_to(head)
        trouble = [self._send(intent) for intent in self._wanted(head)]
        self.last = head
        self.sync.tidy()
        return next(filter(None, trouble), "")

    def reconcile(self, accounts: Iterable[int]) -> tuple[int, ...]:
        """Compare accounts with the contract's own view at the last block, and correct those that differ.

        Returns: which did.  Raises: `Retry`.
        """
        assert self.last is not None, "live first"
        known = {account: (collateral, debt) for account, collateral, debt in self.index.state.accounts}
        differ = []
        for account in accounts:
            answer = self.rpc.call_at(self.last, self.house, house_abi().call("accounts", account))
            true = tuple(house_abi().result("accounts", answer).values())
            if true != known.get(account, (0, 0)):
                self.sync.amend(json.dumps([account, *true]).encode())
                differ.append(account)
        return tuple(differ)

    def _wanted(self, head: BlockRef) -> Any:
        busy = {(tx.intent.kind, tx.intent.subject) for tx in self.store.open_txs()}
        for account in self.index.state.unhealthy:
            if (LIQUIDATE, str(account)) not in busy:
                yield liquidation(self.house, account, head)
        if self._publish_every and head.number % self._publish_every == 0:
            yield publication(self.house, head)

    def _send(self, intent: Any) -> str:
        try:
            self.outbox.submit(intent)
        except (Refused, Retry) as trouble:
            return trouble.message
        return ""
