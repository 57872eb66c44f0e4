"""What acting in the house costs, and what it really brought: `keeper.ports.Economy`.

A profit is measured where it lands.  A flag credits its fee inside the house to the account named in the call; a bid
moves a slice and its price between two accounts of the house.  The sender's balance sees only the gas leave, so it
calls every profit a loss; and an account that somebody else tops up in the same block would call a loss a profit.
So: the receipt's own logs say what was credited, to whom, and the gas is what the receipt says was paid.

    flag   fee of `Flagged`, if the same transaction wrote the beneficiary's cash
    bid    slice taken at its mark in the block before, less the price of `Bid` (negative: we were paid)

The mark is read in the state before the block, since after it the slice is gone; a price that moves within one block is
the error.  What cannot be read any more is unknown, with a note, and never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from keeper.domain.block import BlockRef
from keeper.domain.snapshot import Usable
from keeper.domain.tx import TxRecord, TxState
from keeper.domain.worth import Realised
from keeper.errors import Refused, Retry
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.consumer import RawLog
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.protocols.clearinghouse.encoder import GAS_EXPECTED
from keeper.protocols.clearinghouse.views import Views

WAD: Final = 10**18
#: `FileVersion.Live` of the contracts.
LIVE: Final = 0
#: Blocks after which what a node does not answer stays unknown: most keep the state of the last 128.
GIVE_UP_BLOCKS: Final = 120


class Paid(Protocol):
    """A receipt as far as it is needed here."""

    @property
    def cost_wei(self) -> int:
        """Everything the sender paid."""

    @property
    def logs(self) -> Sequence[RawLog]:
        """What the contracts said."""


class Chain(Protocol):
    """What is asked beside the contracts' views."""

    def receipt(self, tx_hash: str) -> Paid | None:
        """A mined transaction's receipt.  Raises: `Retry`."""

    def block_by_hash(self, block_hash: str) -> BlockRef:
        """A block.  Raises: `Retry`."""

    def gas_price_wei(self, head: BlockRef) -> int | None:
        """Wei per gas of the block after `head`, tip included; None if it could not be asked."""


class HouseEconomy:
    """`Economy` of the clearing house.

    Args:
        views: the contracts' views.
        chain: receipts, blocks, gas price.
        deployment: which ticker is which asset.
        native_symbol: ticker of the native currency; see `policy.native_symbol`.
    """

    def __init__(self, *, views: Views, chain: Chain, deployment: Deployment, native_symbol: str) -> None:
        self._views, self._chain, self._deployment, self._native = views, chain, deployment, native_symbol

    @property
    def gas(self) -> tuple[tuple[str, int], ...]:
        """See `Economy.gas`."""
        return tuple(sorted(GAS_EXPECTED.items()))

    def gas_price_wei(self, head: BlockRef) -> int | None:
        """See `Economy.gas_price_wei`."""
        return self._chain.gas_price_wei(head)

    def realise(self, record: TxRecord, head: BlockRef) -> Realised:
        """See `Economy.realise`."""
        intent, notes = record.intent, list[str]()
        at = record.mined or intent.decided_at
        old = head.number - at.number > GIVE_UP_BLOCKS
        cost_wei, logs = self._paid(record, notes, old=old)
        beneficiary = self._beneficiary(record)
        gain: int | None = 0
        if beneficiary is not None and record.state is TxState.FINAL:
            try:
                gain = self._gain(record, logs, beneficiary)
            except (Retry, Refused) as problem:
                if isinstance(problem, Retry) and not old:
                    raise
                gain = None
                notes.append(f"what it brought is unknown: {problem.message}")
        if intent.kind == "publish":
            notes += self._refused(logs)
        return Realised(
            key=intent.key,
            kind=intent.kind,
            subject=intent.subject,
            at_s=at.timestamp,
            beneficiary=beneficiary,
            gain_usd=gain,
            gas_wei=cost_wei,
            native_usd=self._native_price(at, head, notes) if cost_wei else 0,
            note="; ".join(notes),
        )

    def _paid(self, record: TxRecord, notes: list[str], *, old: bool) -> tuple[int, Sequence[RawLog]]:
        """What the sender paid, wei, and the logs of what mined."""
        if record.mined_hash is not None:
            hashes = [record.mined_hash]
        else:  # replaced: by our own cancellation, which costs gas, or by something foreign
            hashes = [attempt.tx_hash for attempt in record.attempts if attempt.cancels]
        for tx_hash in hashes:
            receipt = self._chain.receipt(tx_hash)
            if receipt is not None:
                return receipt.cost_wei, receipt.logs
        if record.mined_hash is None:
            return 0, ()
        if not old:
            raise Retry(f"no receipt of {record.mined_hash} yet", tx_hash=record.mined_hash)
        notes.append("the receipt is gone: gas is counted at the dearest attempt")
        dearest = max(attempt.max_fee_wei for attempt in record.attempts)
        return (record.gas_used or record.intent.gas_limit) * dearest, ()

    def _refused(self, logs: Sequence[RawLog]) -> Iterator[str]:
        """Items of a publication that the fences refused, whoever decided them in good faith."""
        for args in self._events(logs, "RiskParameters", "ItemRefused"):
            what = args["what"].rstrip(b"\0").decode("ascii", "replace")
            expiry = f" of expiry {args['expiry']}" if args["expiry"] else ""
            reason = explain_revert(args["reason"], self._views.abis.values())
            yield f"publication {args['id']}: the fences refused {what}{expiry}, which keeps what is in force: {reason}"

    def _arguments(self, record: TxRecord) -> dict[str, Any]:
        return self._views.abis["LiquidationAuction"].arguments(record.intent.kind, record.intent.data)

    def _beneficiary(self, record: TxRecord) -> int | None:
        if record.intent.kind == "flag":
            return int(self._arguments(record)["feeTo"])
        return int(self._arguments(record)["bidder"]) if record.intent.kind == "bid" else None

    def _events(self, logs: Sequence[RawLog], contract: str, name: str) -> list[dict[str, Any]]:
        abi, address = self._views.abis[contract], self._views.address(contract)
        found = [abi.event(log.topics, log.data) for log in logs if log.address == address]
        return [event.args for event in found if event is not None and event.name == name]

    def _gain(self, record: TxRecord, logs: Sequence[RawLog], beneficiary: int) -> int:
        """Credit to the beneficiary, wad USD.  Raises: `Refused` if the logs do not show it; `Retry`."""
        args = self._arguments(record)
        if beneficiary not in {e["account"] for e in self._events(logs, "ClearingHouse", "CashChanged")}:
            if record.intent.kind == "flag" and self._fee(logs, args["account"]) == 0:
                return 0
            raise Refused("the beneficiary's cash was not written by this transaction")
        if record.intent.kind == "flag":
            return self._fee(logs, args["account"])
        bids = [e for e in self._events(logs, "LiquidationAuction", "Bid") if e["account"] == args["account"]]
        if not bids:
            raise Refused("the transaction left no Bid")
        assert record.mined is not None
        before = self._chain.block_by_hash(record.mined.parent_hash)
        slice_ = self._on_offer(before, args["account"]) * bids[0]["fractionWad"] // WAD
        return int(slice_ - bids[0]["cost"])

    def _fee(self, logs: Sequence[RawLog], account: int) -> int:
        flagged = [e for e in self._events(logs, "LiquidationAuction", "Flagged") if e["account"] == account]
        if not flagged:
            raise Refused("the transaction left no Flagged")
        return int(flagged[0]["fee"])

    def _on_offer(self, block: BlockRef, account: int) -> int:
        """Mark to market of what an auction offers, wad USD: without the cash that earlier bidders paid in."""
        detail = self._views.one(block, "ClearingHouse", "marginDetail", account, LIVE)
        reserved = self._views.one(block, "LiquidationAuction", "auction", account)["reserved"]
        mark: int = detail["margin"]["equity"] + detail["haircut"]
        return mark - reserved if detail["margin"]["equity"] >= 0 and mark > reserved else mark

    def _native_price(self, at: BlockRef, head: BlockRef, notes: list[str]) -> int | None:
        """Price of the native currency at a block, wad USD; at `head` where that block's state is gone."""
        for block in (at, head):
            try:
                price = self._price(block)
            except Retry as problem:
                if block == head:
                    raise
                notes.append(f"priced at block {head.number}: {problem.message}")
            except Refused as problem:
                notes.append(f"{self._native} has no price: {problem.message}")
                return None
            else:
                return price
        raise AssertionError("unreachable")  # pragma: no cover

    def _price(self, block: BlockRef) -> int:
        asset = self._asset(block)
        found = self._views.price(block, asset)
        if not isinstance(found, Usable):
            raise Refused(found.reason)
        return found.wad

    def _asset(self, block: BlockRef) -> bytes:
        """The oracle's id of the native currency.  Raises: `Refused` if the deployment lists none."""
        for underlying, symbol in sorted(self._deployment.symbols.items()):
            if symbol == self._native:
                return bytes(self._views.one(block, "RiskFile", "assetOf", underlying))
        for collateral, symbol in sorted(self._deployment.collaterals.items()):
            if symbol == self._native and collateral != 0:
                return bytes(self._views.one(block, "ClearingHouse", "collateral", collateral)["asset"])
        raise Refused("the deployment does not list it (policy.native_symbol)")
