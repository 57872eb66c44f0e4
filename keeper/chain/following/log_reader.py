"""Logs of ranges and of single blocks, believed only as far as the chain's own headers bear them out.

A node without a log index, or with a hole in it, answers 200 and an empty list: to an index of accounts the most
dangerous answer there is.  So an empty list counts only where the bloom of the header agrees; where it does not, the
receipts of the block decide, and where a node serves none, how crowded the bloom is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog

from keeper.chain.asking.rpc import Rpc
from keeper.chain.asking.wire import Pin
from keeper.chain.errors import RangeTooWide, StaleBlock, Unreachable
from keeper.chain.following.blooms import Interest
from keeper.chain.following.log_batch import LogBatch
from keeper.chain.following.log_ranges import looks_cut_off
from keeper.chain.records import checksum
from keeper.domain.block import BlockRef
from keeper.errors import Halt, KeeperError, Refused, Retry

log = structlog.get_logger(__name__)

#: Headers looked at in a range that seems empty.
SAMPLED: Final = 4
#: Longest range that is looked at block by block; a house that logs nothing for longer is a node that lies.
PROVABLE: Final = 512
#: Root of the receipts of a block without transactions.  Source: keccak of RLP's empty string, Ethereum yellow paper.
NO_RECEIPTS: Final = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
#: A bloom that would suggest a log by chance less often than this is believed without receipts.
CHANCE: Final = 1e-3


class LogReader:
    """Asks for the logs of some contracts.

    Args:
        rpc: where to ask.
        addresses: contracts whose logs matter.
        topics: hashes of their events that matter; none: all do.
    """

    def __init__(self, rpc: Rpc, addresses: Sequence[str], topics: Sequence[bytes] = ()) -> None:
        self._rpc = rpc
        self._addresses = {checksum(address) for address in addresses}
        self._events = {"0x" + topic.hex() for topic in topics}
        self._interest = Interest(addresses, topics)
        self._what: dict[str, Any] = {"address": list(addresses)}
        if topics:
            self._what["topics"] = [sorted(self._events)]

    def range(self, first: int, last: int) -> LogBatch:
        """All logs of the canonical blocks first..last.

        Raises: `RangeTooWide` if the endpoint refuses, or its answer looks cut off; `Retry`.
        """
        answer = self._rpc.request("eth_getLogs", {"fromBlock": hex(first), "toBlock": hex(last), **self._what})
        found = self._parsed(answer, first, last)
        if last > first and looks_cut_off(len(found)):
            raise RangeTooWide(f"{len(found)} logs look like a cut-off answer", first=first, last=last)
        if not found:
            self._doubt(first, last)
        return found

    def of(self, blocks: Sequence[BlockRef]) -> tuple[LogBatch, ...]:
        """All logs of each of these blocks, in one round trip where the endpoint takes batches.

        Raises: `StaleBlock` if one is gone; `Retry`.
        """
        asked: list[tuple[str, list[Any]]] = []
        for block in blocks:
            height = hex(block.number)
            by_number = {"fromBlock": height, "toBlock": height, **self._what}
            query = Pin({"blockHash": block.hash, **self._what}, block=block, by_number=by_number)
            asked += [("eth_getLogs", [query]), ("eth_getBlockByHash", [block.hash, False])]
        answers = [_or_raise(answer) for answer in self._rpc.batch(asked)]
        found = []
        for block, logs, header in zip(blocks, answers[::2], answers[1::2], strict=True):
            batch = self._parsed(logs, block.number, block.number)
            if batch.hashes() - {block.hash}:
                raise StaleBlock(f"block {block.number} changed while its logs were read", block=block.number)
            if not batch:
                self._check_empty(block.number, block.hash, header)
            found.append(batch)
        return tuple(found)

    def proves_empty(self, first: int, last: BlockRef) -> bool:
        """Whether the blocks first..last themselves say that none of them has a log of ours.

        Each header hangs on the next, down from `last`.  One says so by a bloom that is there and denies, or by having
        no transactions; of any other the receipts are read, one for each transaction.  What nobody says is not proven.

        Raises: `StaleBlock` if they do not hang together; `Retry`.
        """
        heights = range(first, last.number + 1)
        if len(heights) > PROVABLE:
            return False
        answers = self._rpc.batch([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
        child = last.hash
        for height, answer in zip(reversed(heights), reversed(answers), strict=True):
            header = _or_raise(answer)
            if header is None or header.get("hash") != child:
                raise StaleBlock(f"block {height} changed while its past was read", block=height)
            child = header.get("parentHash")
            if not self._denies(header):
                return False
        return True

    def _denies(self, header: Any) -> bool:
        """Whether a block surely has no log of ours, by its header or else by all of its receipts."""
        try:
            bloom, made = int(header.get("logsBloom") or "0x0", 16), header["transactions"]
            if bloom:
                if not self._interest.suspects(bloom):
                    return True
            elif not made and header.get("receiptsRoot") == NO_RECEIPTS:
                return True
            receipts = self._receipts(header["hash"])
            return receipts is not None and len(receipts) == len(made) > 0 and not self._ours_in(receipts)
        except (KeyError, TypeError, ValueError, AttributeError):
            return False

    def _parsed(self, answer: Any, first: int, last: int) -> LogBatch:
        try:
            found = LogBatch.parse(answer)
            strangers = found.emitters() - self._addresses
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise Unreachable(f"eth_getLogs: unreadable answer ({error!r})", method="eth_getLogs") from error
        if strangers or (found and not first <= found.numbers[0] <= found.numbers[-1] <= last):
            raise Unreachable(f"eth_getLogs: logs nobody asked for in {first} to {last}", first=first, last=last)
        return found

    # Doubt

    def _doubt(self, first: int, last: int) -> None:
        """Look at some headers of a range that seems empty.  Raises: `Retry` if one of them contradicts."""
        count = last - first + 1
        heights = sorted({first + count * at // SAMPLED for at in range(SAMPLED)} | {last})
        answers = self._rpc.batch([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
        for height, answer in zip(heights, answers, strict=True):
            header = _or_raise(answer)
            if header is None:
                raise StaleBlock(f"no block {height}", block=height)
            self._check_empty(height, str(header.get("hash", "")), header)

    def _check_empty(self, number: int, block_hash: str, header: Any) -> None:
        """Raises: `Retry` if a block that is said to have none of our logs has some."""
        if header is None:
            raise StaleBlock(f"no block {block_hash}", block=number)
        try:
            bloom = int(header.get("logsBloom") or "0x0", 16)
        except (ValueError, TypeError, AttributeError) as error:
            raise Unreachable(f"block {number}: unreadable header ({error!r})", block=number) from error
        if not self._interest.suspects(bloom):
            return
        chance = self._interest.chance(bloom)
        held = self._receipts_hold(block_hash)
        if held or (held is None and chance < CHANCE):
            raise Retry(
                f"block {number} is said to have no log of ours, and its {'receipts' if held else 'bloom'} say it has",
                hint="the node's log index has a hole; use another endpoint",
                block=number,
            )
        log.debug("log_sync.bloom_by_chance", block=number, chance=chance, receipts=held is not None)

    def _receipts_hold(self, block_hash: str) -> bool | None:
        """Whether the receipts of a block have a log of ours; None if the node serves none."""
        receipts = self._receipts(block_hash)
        try:
            return None if receipts is None else self._ours_in(receipts)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def _receipts(self, block_hash: str) -> Any:
        """Receipts of a block as the node gives them; None if it serves none."""
        try:
            return self._rpc.request("eth_getBlockReceipts", block_hash)
        except (Halt, Refused, Unreachable):
            return None

    def _ours_in(self, receipts: Any) -> bool:
        return any(
            checksum(entry["address"]) in self._addresses
            and (not self._events or (entry["topics"] and entry["topics"][0].lower() in self._events))
            for receipt in receipts
            for entry in receipt["logs"]
        )


def _or_raise(answer: Any) -> Any:
    if isinstance(answer, KeeperError):
        raise answer
    return answer
