"""What became of signed transactions: read from the chain, by nonce, whatever our own memory says.

All open records are looked at together, so the number of round trips does not grow with them:

1. of each key the nonce at the head and at the final heights, and the blocks in which we saw something mined;
2. the receipts of whatever has a used nonce and is not in such a block any more, and whether the node still has what
   comes next;
3. the blocks that those receipts name, to see that they are canonical;
4. why something failed, for what was not known to have failed before.

Where a nonce is used for good and no attempt of ours has a receipt, the block that used it is looked up and read: a
node may withhold a receipt, but then it shows our own transaction there, and nothing is concluded.  That another
transaction used it is concluded if no other endpoint says that the nonce is free, and the endpoint

- shows the transaction in a block, or
- cannot, and says the same when asked again, and another endpoint says so too, or it was so at two heights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from keeper.chain.asking.rpc import Rpc, pinned
from keeper.chain.errors import Reverted, Unreachable
from keeper.chain.records import Receipt, block_ref
from keeper.chain.sending.finality import Finality
from keeper.domain.block import BlockRef
from keeper.domain.tx import TxRecord, TxState
from keeper.errors import KeeperError, Retry

log = structlog.get_logger(__name__)

#: Records asked for one by one after all together failed: so many failures in a row, and the node is simply away.
AWAY_AFTER = 3
#: How often an endpoint is asked once more for what another transaction used: several nodes sit behind one name.
ASKED_AGAIN = 3
#: Per key, so many transactions are looked for in the node's pool.
LOOKED_FOR = 32

Asked = tuple[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What one look at the chain found."""

    records: Mapping[str, TxRecord]
    """By intent key, as the chain has them; equal to what was given if nothing changed."""
    nonces: Mapping[str, int]
    """The first unused nonce of each key, at the head."""
    gone: frozenset[str]
    """Hashes of newest attempts that the node has neither in a block nor in its pool."""
    failed: Mapping[str, KeeperError]
    """Records that could not be asked about, by intent key; the others could."""


class Settlement:
    """Moves records between SENT, MINED and the ends.

    Args:
        rpc: where to ask.
        finality: from when on a block is final.
        decode_revert: a person's words for revert data.
    """

    def __init__(self, rpc: Rpc, *, finality: Finality, decode_revert: Callable[[bytes], str]) -> None:
        self._rpc, self._finality, self._decode = rpc, finality, decode_revert
        #: Intent key → the final height at which its nonce was first said to be used by nobody knows what.
        self._suspected: dict[str, int] = {}

    def look(self, records: Sequence[TxRecord], head: BlockRef, *, keys: Collection[str] = ()) -> Looked:
        """The records as the chain up to `head` has them.

        Args:
            records: signed ones, open or abandoned.
            head: the newest block.
            keys: addresses whose nonces are wanted as well.

        Raises: `Retry` if the node cannot be asked at all.
        """
        try:
            return self._look(records, head, keys)
        except Retry:
            if len(records) < 2:
                raise
        # One answer that never comes must not hold up the others.
        nonces: dict[str, int] = {}
        found: dict[str, TxRecord] = {}
        failed: dict[str, KeeperError] = {}
        gone: set[str] = set()
        in_a_row = 0
        nonces |= self._look([], head, keys).nonces
        for record in records:
            try:
                one = self._look([record], head, ())
            except Retry as error:
                failed[record.intent.key] = error
                in_a_row += 1
                if in_a_row >= AWAY_AFTER and not found:
                    raise
                continue
            in_a_row = 0
            found |= one.records
            nonces |= one.nonces
            gone |= one.gone
        return Looked(records=found, nonces=nonces, gone=frozenset(gone), failed=failed)

    def _look(self, records: Sequence[TxRecord], head: BlockRef, keys: Iterable[str]) -> Looked:
        final = {record.intent.kind: self._finality.final_height(record.intent.kind, head) for record in records}
        nonces, final_nonces, blocks = self._nonces(records, head, keys, final)
        # What is still in the block where we saw it needs no receipt, and what cannot be in any block has none.
        settled = {r.intent.key for r in records if _still_in(r, blocks, final[r.intent.kind])}
        used = [
            record
            for record in records
            if record.intent.key not in settled and (record.nonce or 0) < nonces[record.sender or ""]
        ]
        waiting = _next_in_turn([r for r in records if (r.nonce or 0) >= nonces[r.sender or ""]])
        hashes = [attempt.tx_hash for record in used for attempt in record.attempts]
        asked: list[Asked] = [("eth_getTransactionReceipt", [tx_hash]) for tx_hash in hashes]
        asked += [("eth_getTransactionByHash", [tx_hash]) for tx_hash in waiting]
        answers = iter(self._rpc.batch(asked))
        receipts = {tx_hash: receipt for tx_hash in hashes if (receipt := _receipt(next(answers))) is not None}
        gone = frozenset(tx_hash for tx_hash in waiting if next(answers) is None)
        mined = {tx_hash: receipt for tx_hash, receipt in receipts.items() if receipt.block_number <= head.number}
        heights = sorted({receipt.block_number for receipt in mined.values()} - set(blocks))
        blocks |= dict(zip(heights, self._rpc.blocks(heights), strict=True)) if heights else {}
        found: dict[str, TxRecord] = {}
        failed: dict[str, KeeperError] = {}
        for record in records:
            key, height = record.intent.key, final[record.intent.kind]
            if key in settled:
                found[key] = record
                continue
            gone_for_good = final_nonces.get((record.sender or "", height), 0) > (record.nonce or 0)
            try:
                found[key] = self._judge(record, mined, blocks, height, used_for_good=gone_for_good)
            except Retry as error:
                failed[key] = error
        return Looked(records=self._reasons(found, records), nonces=nonces, gone=gone, failed=failed)

    def _nonces(
        self, records: Sequence[TxRecord], head: BlockRef, keys: Iterable[str], final: Mapping[str, int]
    ) -> tuple[dict[str, int], dict[tuple[str, int], int], dict[int, BlockRef | None]]:
        """In one round trip: each key's nonce at the head and at its final heights, and the blocks we saw ours in."""
        senders = sorted({*keys, *(record.sender for record in records if record.sender)})
        slots = sorted({(record.sender or "", final[record.intent.kind]) for record in records})
        slots = [slot for slot in slots if slot[1] >= 0]
        heights = sorted({record.mined.number for record in records if record.mined is not None})
        asked: list[Asked] = [("eth_getTransactionCount", [sender, pinned(head)]) for sender in senders]
        # Blocks at final heights do not change, so the number names them; never above the head we look from.
        asked += [("eth_getTransactionCount", [who, hex(min(height, head.number))]) for who, height in slots]
        asked += [("eth_getBlockByNumber", [hex(height), False]) for height in heights]
        answers = iter(self._rpc.batch(asked))
        nonces = {sender: _number(next(answers)) for sender in senders}
        final_nonces = {slot: _number(next(answers)) for slot in slots}
        blocks = {height: _block(next(answers)) for height in heights if height <= head.number}
        return nonces, final_nonces, blocks

    def _judge(
        self,
        record: TxRecord,
        receipts: Mapping[str, Receipt],
        blocks: Mapping[int, BlockRef | None],
        final_height: int,
        *,
        used_for_good: bool,
    ) -> TxRecord:
        for attempt in reversed(record.attempts):
            receipt = receipts.get(attempt.tx_hash)
            if receipt is None:
                continue
            block = blocks[receipt.block_number]
            if block is None or block.hash != receipt.block_hash:
                raise Retry(f"the receipt of {attempt.tx_hash} and its block disagree", tx_hash=attempt.tx_hash)
            return _mined(record, receipt, block, final=block.number <= final_height)
        if used_for_good:
            return self._used(record, final_height)
        self._suspected.pop(record.intent.key, None)
        if record.state is TxState.MINED:
            log.warning("settlement.reorg", key=record.intent.key, block=record.mined and record.mined.number)
            reason = record.reason if record.cancelled else "its block was reorganised away"
            return _unmined(replace(record, state=TxState.SENT, reason=reason))
        return record

    def _used(self, record: TxRecord, final_height: int) -> TxRecord:
        """A record whose nonce is used for good, and not by an attempt that has a receipt."""
        user = self._user(record, final_height)
        if user in {attempt.tx_hash for attempt in record.attempts}:
            raise Retry(f"{user} is in a block, but its receipt is withheld", tx_hash=user)
        self._make_sure(record, final_height, shown=bool(user))
        self._suspected.pop(record.intent.key, None)
        reason = f"nonce {record.nonce} of {record.sender} was used by another transaction"
        reason += f", {user}" if user else ""
        log.error("outbox.nonce_taken", key=record.intent.key, nonce=record.nonce, sender=record.sender, by=user)
        return _unmined(replace(record, state=TxState.REPLACED, reason=reason))

    def _make_sure(self, record: TxRecord, final_height: int, *, shown: bool) -> None:
        """Let nothing be concluded from one endpoint's word for a nonce.

        Args:
            record: whose nonce is said to be used.
            final_height: up to which block.
            shown: whether the endpoint showed what used it.

        Raises: `Retry` if anybody says otherwise, or it was seen only once.
        """
        sender, nonce, key = record.sender or "", record.nonce or 0, record.intent.key
        others = [
            _number(one) for one in self._rpc.second_opinions("eth_getTransactionCount", sender, hex(final_height))
        ]
        again = [] if shown else [self._count(sender, final_height) for _ in range(ASKED_AGAIN)]
        if any(count <= nonce for count in (*others, *again)):
            self._suspected.pop(key, None)
            raise Retry(f"endpoints disagree whether nonce {nonce} of {sender} is used for good", sender=sender)
        first = self._suspected.setdefault(key, final_height)
        if not shown and len(others) < 2 and final_height <= first:
            raise Retry(f"one endpoint says that nonce {nonce} of {sender} is used, and shows nothing", sender=sender)

    def _user(self, record: TxRecord, final_height: int) -> str:
        """The hash of the transaction that used the record's nonce; empty if the node cannot show it.

        Raises: `Retry` if one of ours still waits in the node's own pool: a used nonce is in no pool.
        """
        sender, nonce = record.sender or "", record.nonce or 0
        low, high = max(0, record.attempts[0].block_number - 1), final_height
        try:
            if low > 0 and self._count(sender, low) > nonce:
                low = 0
            while low < high:  # the first height at which the nonce is used
                middle = (low + high) // 2
                low, high = (low, middle) if self._count(sender, middle) > nonce else (middle + 1, high)
            block = self._rpc.request("eth_getBlockByNumber", hex(high), True)  # noqa: FBT003 - the wire's flag
            for entry in block["transactions"]:
                if entry["from"].lower() == sender.lower() and int(entry["nonce"], 16) == nonce:
                    return str(entry["hash"]).lower()
        except (KeyError, ValueError, TypeError, KeeperError) as error:
            log.warning("settlement.no_history", key=record.intent.key, error=str(error))
        ours = [attempt.tx_hash for attempt in record.attempts]
        shown = self._rpc.batch([("eth_getTransactionByHash", [tx_hash]) for tx_hash in ours])
        for tx_hash, entry in zip(ours, shown, strict=True):
            if isinstance(entry, dict) and entry.get("blockHash"):
                return tx_hash
            if isinstance(entry, dict):
                raise Retry(f"{tx_hash} waits in the pool, and its nonce is said to be used", tx_hash=tx_hash)
        return ""

    def _count(self, sender: str, height: int) -> int:
        return int(self._rpc.request("eth_getTransactionCount", sender, hex(height)), 16)

    def _reasons(self, found: dict[str, TxRecord], before: Sequence[TxRecord]) -> Mapping[str, TxRecord]:
        """Each new failure's likely reason: the same call on the block before.  Earlier transactions may differ."""
        known = {record.intent.key: record for record in before}
        failed = [one for key, one in found.items() if one.reason == _ASK and known[key].mined_hash != one.mined_hash]
        for key, one in found.items():
            if one.reason == _ASK and known[key].mined_hash == one.mined_hash:
                found[key] = replace(one, reason=known[key].reason)
        if not failed:
            return found
        calls: list[Asked] = []
        for one in failed:
            assert one.mined is not None
            call = {"to": one.intent.to, "data": "0x" + one.intent.data.hex(), "from": one.sender}
            parent = replace(one.mined, number=one.mined.number - 1, hash=one.mined.parent_hash, parent_hash="")
            calls.append(("eth_call", [call | {"gas": hex(one.intent.gas_limit)}, pinned(parent)]))
        try:
            answers: Sequence[Any] = self._rpc.batch(calls)
        except Retry as error:
            answers = [error] * len(calls)
        for one, answer in zip(failed, answers, strict=True):
            found[one.intent.key] = replace(one, reason=self._why(answer))
        return found

    def _why(self, answer: object) -> str:
        if isinstance(answer, Reverted):
            return f"reverted: {self._decode(answer.data) if answer.data else answer.message}"
        if isinstance(answer, KeeperError):
            return "reverted: the reason could not be asked"
        return "reverted: the state changed within its block"


#: Stands for a reason that is still to be asked.
_ASK = "\0"


def _still_in(record: TxRecord, blocks: Mapping[int, BlockRef | None], final_height: int) -> bool:
    """Whether a record is where we saw it, and that is not final yet: its end is taken from the receipt once more."""
    mined = record.mined
    return mined is not None and mined.number > final_height and mined == blocks.get(mined.number)


def _next_in_turn(waiting: Sequence[TxRecord]) -> list[str]:
    """The newest attempts of what comes next, per key: what waits far behind is looked for when it comes closer."""
    mine: dict[str, list[TxRecord]] = {}
    for record in sorted(waiting, key=lambda record: record.nonce or 0):
        if record.state in (TxState.SIGNED, TxState.SENT):
            mine.setdefault(record.sender or "", []).append(record)
    return [record.attempts[-1].tx_hash for queue in mine.values() for record in queue[:LOOKED_FOR]]


def _mined(record: TxRecord, receipt: Receipt, block: BlockRef, *, final: bool) -> TxRecord:
    cancelled = record.attempt(receipt.tx_hash).cancels
    same = record.mined == block and record.mined_hash == receipt.tx_hash
    if record.state is TxState.ABANDONED and not final:
        return record
    state = TxState.MINED
    if final:
        state = TxState.REPLACED if cancelled else TxState.FINAL if receipt.succeeded else TxState.REVERTED
    reason = record.reason
    if not cancelled and not same:
        reason = "" if receipt.succeeded else _ASK
    return replace(
        record, state=state, mined=block, mined_hash=receipt.tx_hash, gas_used=receipt.gas_used, reason=reason
    )


def _unmined(record: TxRecord) -> TxRecord:
    return replace(record, mined=None, mined_hash=None, gas_used=None)


def _number(answer: Any) -> int:
    if isinstance(answer, KeeperError):
        raise answer
    try:
        return int(answer, 16)
    except (ValueError, TypeError) as error:
        raise Unreachable(f"unreadable nonce {answer!r}") from error


def _block(answer: Any) -> BlockRef | None:
    if isinstance(answer, KeeperError):
        raise answer
    try:
        return None if answer is None else block_ref(answer)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unreachable(f"unreadable block ({error!r})") from error


def _receipt(answer: Any) -> Receipt | None:
    if isinstance(answer, KeeperError):
        raise answer
    try:
        return None if answer is None or answer.get("blockHash") is None else Receipt.parse(answer)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unreachable(f"unreadable receipt ({error!r})") from error
