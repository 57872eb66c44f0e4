"""Everything a decision reads of one block, in one round trip.

    views       one eth_call through Multicall3 where the chain has one, else one item each of a JSON batch
    storage     one item each
    code        one eth_call for all hashes, by a program that is sent along and never deployed

All items name the block by its hash (`Rpc` falls back to its number and a comparison of hashes where the node does not
know EIP-1898).  A multicall also says in which block it ran, so that a node which ignores what it is asked for, and
answers from its newest state, is caught.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import structlog
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from keeper.chain.asking.rpc import AGGREGATE3, Rpc, pinned
from keeper.chain.errors import Reverted, StaleBlock, Unreachable
from keeper.domain.block import BlockRef
from keeper.domain.reads import Call, CodeHash, Read, Slot
from keeper.errors import KeeperError, Refused

log = structlog.get_logger(__name__)

#: Where Multicall3 lives on most public chains.  Source: github.com/mds1/multicall3.
CANONICAL_MULTICALL: Final = "0xcA11bde05977b3631167028862bE2a173976CA11"
#: Views in one multicall: far below any node's gas cap on calls (50 million at go-ethereum; ours cost 30,000 each).
VIEWS_AT_ONCE: Final = 250
#: Code hashes in one call: their answer counts as the code of a contract, which a chain limits to 24,576 bytes.
HASHES_AT_ONCE: Final = 500

#: What an address without code, or without anything, has as its code hash.
NO_CODE: Final = (b"", bytes(32), keccak(b""))

#: getBlockNumber(), getCurrentBlockTimestamp(), getBlockHash(uint256) of Multicall3.
_BLOCK_NUMBER, _TIMESTAMP = bytes.fromhex("42cbb15c"), bytes.fromhex("0f28c97d")
_BLOCK_HASH = bytes.fromhex("ee82ac5e")

#: A program that takes the addresses after itself and returns a zero word and the code hash of each, assembled by hand.
#: The zero word first, since what it returns counts as code, and code must not begin with 0xEF.
_HASHES = bytes.fromhex(
    "6027"  # 00: its own length
    "380380"  # 02: how many bytes follow it, twice
    "6027602039"  # 05: copy those to memory, after one word
    "602001"  # 0a: where they end
    "6020"  # 0d: where they begin
    "5b"  # 0f: for each
    "818110156022"  # 10: if none is left, go to 22
    "57"  # 16
    "80513f8152"  # 17: its word becomes the code hash of the address in it
    "602001600f56"  # 1c: the next one
    "5b506000f3"  # 22: return everything
)


class BlockReads:
    """Reads of one block, many at a time.

    Args:
        rpc: where to ask.
        multicall: address of a Multicall3; None to look at the usual address, and use it once code is seen there.
    """

    def __init__(self, rpc: Rpc, *, multicall: str | None = None) -> None:
        self._rpc = rpc
        self._multicall = multicall
        self._look_for_one = multicall is None
        #: What the EVM was seen to show of its block as the chain has it.
        self._shown: set[str] = set()

    def call_at(self, block: BlockRef, to: str, data: bytes) -> bytes:
        """One view.  Raises: as `read_at`, and `Reverted`."""
        (answer,) = self.read_at(block, [Call(to, data)])
        if isinstance(answer, Refused):
            raise answer
        return answer

    def read_at(self, block: BlockRef, asked: Sequence[Read]) -> tuple[bytes | Refused, ...]:
        """All of them in the state after `block`.

        Returns: per question its answer, or the contract's refusal.
        Raises: `Retry` if the node could not be asked or `block` is no longer canonical.
        """
        found: dict[Read, bytes | Refused] = {}
        calls = [one for one in dict.fromkeys(asked) if isinstance(one, Call)]
        slots = [one for one in dict.fromkeys(asked) if isinstance(one, Slot)]
        hashes = [one for one in dict.fromkeys(asked) if isinstance(one, CodeHash)]
        probe = CodeHash(CANONICAL_MULTICALL)
        if self._look_for_one and len(calls) > 1 and probe not in hashes:
            hashes.append(probe)
        together = [list(part) for part in _parts(calls, VIEWS_AT_ONCE)] if self._multicall and len(calls) > 1 else []
        alone = [] if together else calls
        programs = [list(part) for part in _parts(hashes, HASHES_AT_ONCE)]

        where = pinned(block)
        answers = iter(
            self._rpc.batch(
                [("eth_call", [_call(self._multicall or "", self._bundle(block, part)), where]) for part in together]
                + [("eth_call", [_call(one.to, one.data), where]) for one in alone]
                + [("eth_getStorageAt", [one.address, hex(one.position), where]) for one in slots]
                + [("eth_call", [{"data": _hex(_program(part))}, where]) for part in programs]
            )
        )
        for part in together:
            found |= self._unbundled(block, part, next(answers))
        found |= {one: _octets(next(answers)) for one in alone}
        found |= {one: _word(next(answers)) for one in slots}
        for hash_part in programs:
            found |= self._hashed(block, hash_part, next(answers))
        if probe in found and self._look_for_one:
            self._look_for_one = False
            self._multicall = CANONICAL_MULTICALL if found[probe] else None
            log.debug("reads.multicall", address=self._multicall or "none")
        return tuple(found[one] for one in asked)

    # Views

    def _bundle(self, block: BlockRef, calls: Sequence[Call]) -> bytes:
        """The calls, and the block that they run in."""
        own = self._multicall
        about = (_BLOCK_NUMBER, _TIMESTAMP, _BLOCK_HASH + max(block.number - 1, 0).to_bytes(32, "big"))
        entries = [(own, True, data) for data in about] + [(one.to, True, one.data) for one in calls]
        return AGGREGATE3 + encode(["(address,bool,bytes)[]"], [entries])

    def _unbundled(self, block: BlockRef, calls: Sequence[Call], answer: Any) -> dict[Read, bytes | Refused]:
        try:
            about, entries = _entries(_octets_of(_or_raise(answer)), len(calls))
        except (Reverted, DecodingError, ValueError) as error:
            # Nothing there, something else there, or too little gas: one by one the views have answers all the same.
            log.warning("reads.multicall_failed", address=self._multicall, error=str(error), block=block.number)
            self._multicall = None
            return dict(zip(calls, self.read_at(block, calls), strict=True))
        number, time, parent = about
        # Some rollups show numbers of the layer below, or other words in place of hashes: what was right once must be.
        right = {"number": number == block.number, "parent": parent == int(block.parent_hash, 16) or not block.number}
        self._shown |= {what for what, holds in right.items() if holds}
        if time != block.timestamp or not all(right[what] for what in self._shown):
            raise StaleBlock(
                f"asked for block {block.number}, the node answered from block {number} of time {time}",
                block=block.number,
                answered=number,
            )
        return {
            one: bytes(data) if done else Reverted("execution reverted", data=bytes(data))
            for one, (done, data) in zip(calls, entries, strict=True)
        }

    # Code

    def _hashed(self, block: BlockRef, hashes: Sequence[CodeHash], answer: Any) -> dict[Read, bytes | Refused]:
        words = b"" if isinstance(answer, KeeperError) else _octets_of(answer)[32:]
        if len(words) != 32 * len(hashes):
            # A node that runs no program without a contract: the code itself then, every time.
            codes = self._rpc.batch([("eth_getCode", [one.address, pinned(block)]) for one in hashes])
            words = b"".join(keccak(_octets_of(code)) for code in map(_or_raise, codes))
        found = (words[at : at + 32] for at in range(0, len(words), 32))
        return {one: b"" if word in NO_CODE else word for one, word in zip(hashes, found, strict=True)}


def _entries(output: bytes, count: int) -> tuple[tuple[int, ...], list[tuple[bool, bytes]]]:
    """Number, time and parent of the block a multicall ran in, and its answers.

    Raises: `DecodingError`, `ValueError` if it is no such answer.
    """
    (entries,) = decode(["(bool,bytes)[]"], output)
    if len(entries) != count + 3 or not all(done and len(data) == 32 for done, data in entries[:3]):
        raise ValueError("it does not answer like a Multicall3")
    return tuple(int.from_bytes(data, "big") for _, data in entries[:3]), list(entries[3:])


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _program(hashes: Sequence[CodeHash]) -> bytes:
    return _HASHES + b"".join(bytes(12) + bytes.fromhex(one.address[2:]) for one in hashes)


def _call(to: str, data: bytes) -> dict[str, str]:
    return {"to": to, "data": _hex(data)}


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _or_raise(answer: Any) -> Any:
    if isinstance(answer, KeeperError):
        raise answer
    return answer


def _octets(answer: Any) -> bytes | Refused:
    return answer if isinstance(answer, Reverted) else _octets_of(_or_raise(answer))


def _word(answer: Any) -> bytes:
    """Nodes differ in how they write a word: with and without leading zeros."""
    return _octets_of(_or_raise(answer), odd=True).rjust(32, b"\0")


def _octets_of(answer: Any, *, odd: bool = False) -> bytes:
    try:
        text = answer.removeprefix("0x")
        return bytes.fromhex("0" + text if odd and len(text) % 2 else text)
    except (AttributeError, ValueError) as error:
        raise Unreachable(f"unreadable answer ({error!r})") from error
