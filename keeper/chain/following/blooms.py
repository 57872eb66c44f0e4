"""What a block's header says about its logs: whether a contract may have emitted some, or surely has not.

A header's bloom never denies a log that is there.  It may suggest one that is not: in a crowded block (300 logs with
four items each) an address that emitted nothing seems present every other time.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_hash.auto import keccak

#: Bits of the filter, and bits that an item sets.  Source: Ethereum yellow paper, section 4.3.1.
BITS, PER_ITEM = 2048, 3


def bits_of(item: bytes) -> int:
    """The bits that an address or topic sets."""
    digest = keccak(item)
    pairs = (int.from_bytes(digest[at : at + 2], "big") for at in range(0, 2 * PER_ITEM, 2))
    return sum({1 << (pair & BITS - 1) for pair in pairs})


class Interest:
    """The logs that somebody wants, as a header can answer for them.

    Args:
        addresses: contracts, 0x-hex.
        topics: hashes of events, any of which matters; none: all do.
    """

    def __init__(self, addresses: Sequence[str], topics: Sequence[bytes]) -> None:
        self._addresses = [bits_of(bytes.fromhex(address.removeprefix("0x"))) for address in addresses]
        self._topics = [bits_of(topic) for topic in topics]

    def suspects(self, bloom: int) -> bool:
        """Whether a block with this bloom may hold such a log.  A bloom of zero says nothing: some chains fill none."""
        if bloom == 0:
            return False
        return any(bits & bloom == bits for bits in self._addresses) and (
            not self._topics or any(bits & bloom == bits for bits in self._topics)
        )

    def chance(self, bloom: int) -> float:
        """At most how probable `suspects` is for a block that holds no such log."""
        full = (bloom.bit_count() / BITS) ** PER_ITEM
        by_topic = min(1.0, full * len(self._topics)) if self._topics else 1.0
        return min(1.0, full * len(self._addresses)) * by_topic
