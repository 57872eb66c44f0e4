"""A few events out of many blocks: what a command looks for that keeps no index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import RangeTooWide
from keeper.chain.following.log_ranges import RangeWidth
from keeper.chain.records import Log
from keeper.domain.block import BlockRef

#: Blocks asked about at once, at most.
WIDEST: Final = 10_000


class LogSearch:
    """Searches one contract's events.

    Args:
        rpc: where to ask.
        address: checksummed address of the contract.
    """

    def __init__(self, rpc: Rpc, address: str) -> None:
        self._rpc = rpc
        self._address = address

    def logs(self, first: int, last: int, topics: Sequence[Any]) -> Iterator[Log]:
        """Events of blocks first..last in order, as narrow at a time as the endpoint wants it.

        Args:
            first: height.
            last: height.
            topics: as of eth_getLogs: 0x-words by position, a list for any of several, None for all.

        Raises: `Retry`; `RangeTooWide` if one block is too much for the endpoint.
        """
        width = RangeWidth(WIDEST)
        while first <= last:
            end = min(last, first + width.blocks - 1)
            try:
                found = self._rpc.logs(first, end, [self._address], topics)
            except RangeTooWide as wide:
                if not width.refused(end - first + 1, wide.message, first=first):
                    raise
                continue
            width.answered()
            yield from found
            first = end + 1

    def head(self) -> BlockRef:
        """The newest block.  Raises: `Retry`."""
        return self._rpc.block("latest")

    def blocks(self, heights: Sequence[int]) -> tuple[BlockRef | None, ...]:
        """Canonical blocks by height.  Raises: `Retry`."""
        return self._rpc.blocks(heights)

    def call(self, tx_hash: str) -> tuple[str, bytes]:
        """Whom a transaction called, 0x, and with what; empty where the node does not know it.  Raises: `Retry`."""
        raw = self._rpc.request("eth_getTransactionByHash", tx_hash)
        if not isinstance(raw, dict):
            return "", b""
        return raw.get("to") or "", bytes.fromhex(str(raw.get("input") or "0x")[2:])

    def transaction(self, tx_hash: str) -> tuple[str, str]:
        """Who sent a transaction and where to, 0x; empty where the node does not know it.  Raises: `Retry`."""
        raw = self._rpc.request("eth_getTransactionByHash", tx_hash)
        return (raw.get("from") or "", raw.get("to") or "") if isinstance(raw, dict) else ("", "")
