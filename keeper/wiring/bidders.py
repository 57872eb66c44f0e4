"""`keeper bidders` as the settings describe it: the same outbox as the daemon's, on the same store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from eth_utils import is_address, to_checksum_address

from keeper.chain.asking.reads import BlockReads
from keeper.chain.clock import SystemClock
from keeper.chain.following.log_search import LogSearch
from keeper.domain.tx import SignerRole, TxIntent, TxRecord
from keeper.errors import BadInput
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.bidders import AUCTION, Bidders, approved
from keeper.protocols.clearinghouse.ids import owner_of
from keeper.protocols.clearinghouse.views import Views
from keeper.settings import Settings
from keeper.store import open_store
from keeper.wiring import deployment_of
from keeper.wiring.keys import signers
from keeper.wiring.nodes import rpc_of
from keeper.wiring.sender import outbox_of

#: An approval writes one slot.
GAS: Final = 100_000


class BidderDesk:
    """`keeper.ops.bidders.Desk`.

    Args:
        settings: validated.
        environ: where keys named by variable are looked up.
        send: whether `send` will be asked for.

    Raises: `BadInput` for an unusable deployment file, key or store, or if no liquidator account is named; `Retry` if
    no node answers; `Halt` if it is to send and another process sends from this store.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], *, send: bool = False) -> None:
        deployment = deployment_of(settings)
        if deployment.liquidator_account is None:
            raise BadInput(
                "the deployment file names no liquidator account, so nobody bids",
                hint="set liquidator_account in the file of protocol.deployment_file",
            )
        self.account = deployment.liquidator_account
        self.owner = to_checksum_address(owner_of(self.account))
        self._signers = signers(settings, environ)
        self._rpc, self._ttl_s, self._sends = rpc_of(settings), settings.policy.intent_ttl_s, send
        self._head = self._rpc.block()
        self._views, self._since = Views(BlockReads(self._rpc), deployment), deployment.block
        with ExitStack() as undo:
            if send:
                store = open_store(settings.store.url.reveal())
                undo.callback(store.close)
                store.lock_sending(at_s=SystemClock().now_s())
                self._outbox = outbox_of(
                    settings,
                    self._rpc,
                    store,
                    self._signers,
                    decode_revert=lambda data: explain_revert(data, self._views.abis.values()),
                )
                self._outbox.recover(self._head)
            self._undo = undo.pop_all()

    def liquidators(self) -> Sequence[str]:
        """See `Desk.liquidators`."""
        return [key.address for key in self._signers.get(SignerRole.LIQUIDATOR, ())]

    def approved(self) -> Sequence[str]:
        """See `Desk.approved`."""
        search = LogSearch(self._rpc, self._views.address(AUCTION))
        return approved(self._views, self.account, search, since=self._since, block=self._head)

    def may_bid(self, key: str) -> bool:
        """See `Desk.may_bid`.  Raises: `BadInput` if it is no address."""
        if not is_address(key):
            raise BadInput(f"{key} is no address", hint="an address has 0x and 40 hexadecimal digits")
        return bool(Bidders(self._views, self.account, [key]).allowed(self._head))

    def call(self, key: str, *, approved: bool, by: str) -> TxIntent:
        """See `Desk.call`."""
        key = to_checksum_address(key)
        what = "approve" if approved else "revoke"
        return TxIntent(
            key=f"{self._rpc.chain_id}:{self._head.hash}:bidder:{what}:{key}",
            kind="bidder",
            subject=f"{what}:{key}",
            role=SignerRole.LIQUIDATOR,
            to=self._views.address(AUCTION),
            data=self._views.abis[AUCTION].call("approveBidder", self.account, key, approved),
            gas_limit=GAS,
            decided_at=self._head,
            deadline_s=self._head.timestamp + self._ttl_s,
            why=f"{what} {key} for bids of account {self.account:#066x}",
            sender=to_checksum_address(by),
        )

    def send(self, intent: TxIntent) -> TxRecord:
        """See `Desk.send`."""
        assert self._sends, "two keepers would sign the same nonces: the desk was not opened to send"
        return self._outbox.submit(intent)

    def close(self) -> None:
        """Release the store, if it was opened."""
        self._undo.close()
