"""Whether an address runs what the compiler made of our sources.

Run-time code on a chain is the compiler's, with three kinds of gaps filled in when it was created: immutables, which
the compiler leaves as PUSH32 of nothing, addresses of libraries, which it leaves as `__$…$__`, and at the head of a
library the library's own address, PUSH20 of nothing.  Everything else must be the same byte by byte; so must be the
code of each library that was filled in, and of those that it calls.  What immutables name, the contract's views tell.

Source: Solidity's documentation, "Library Linking", "Call Protection For Libraries".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from eth_utils import keccak, to_checksum_address

from keeper.abis import load

#: Code at an address, as the chain has it.
CodeAt = Callable[[str], bytes]

_PUSH1, _PUSH20, _PUSH32 = 0x60, 0x73, 0x7F
_LINK: Final = re.compile(r"__\$([0-9a-f]{34})\$__")
_ADDRESS_BYTES, _WORD_BYTES = 20, 32


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One contract or library against the compiler's own."""

    name: str
    address: str
    wrong: str
    """What differs; empty if nothing does."""


def compare(name: str, address: str, code_at: CodeAt) -> Iterator[Compared]:
    """A contract, then every library it was linked with, each once.

    Args:
        name: of an exported contract.
        address: where it lives.
        code_at: how the chain is asked.

    Raises: `BadInput` if there is no export of that name.
    """
    waiting, seen = [(name, address)], set()
    while waiting:
        what, at = waiting.pop(0)
        if (what, at) in seen:
            continue
        seen.add((what, at))
        wrong, linked = _held(what, at, code_at(at))
        yield Compared(name=what, address=at, wrong=wrong)
        waiting += linked


def _held(name: str, address: str, code: bytes) -> tuple[str, list[tuple[str, str]]]:
    """What differs, and the libraries that the code calls with their addresses."""
    artifact = load(name)
    text = artifact.deployed_bytecode.removeprefix("0x")
    links = [(match.start() // 2, match[1]) for match in _LINK.finditer(text)]
    bare = bytes.fromhex(_LINK.sub("00" * _ADDRESS_BYTES, text))
    if len(code) != len(bare):
        return f"{len(code):,} bytes of code, compiled it has {len(bare):,}", []
    gaps = dict(immutables(bare)) | {start: _ADDRESS_BYTES for start, _ in links}
    own = _own_address(bare)
    if own:
        gaps[own] = _ADDRESS_BYTES
        if code[own : own + _ADDRESS_BYTES] != bytes.fromhex(address.removeprefix("0x")):
            return "it was made for another address", []
    at = first_difference(code, bare, gaps)
    if at is not None:
        return f"byte {at:,} of {len(bare):,} is {code[at]:#04x}, compiled it is {bare[at]:#04x}", []
    return _libraries(artifact.link_references, links, code)


def _libraries(
    references: dict[str, dict[str, list[dict[str, int]]]], links: list[tuple[int, str]], code: bytes
) -> tuple[str, list[tuple[str, str]]]:
    names = {
        keccak(text=f"{source}:{library}").hex()[:34]: library
        for source, found in references.items()
        for library in found
    }
    at: dict[str, str] = {}
    for start, hashed in links:
        library = names[hashed]
        address = to_checksum_address(code[start : start + _ADDRESS_BYTES])
        if at.setdefault(library, address) != address:
            return f"it calls {library} at {at[library]} and at {address}", []
    return "", list(at.items())


def first_difference(code: bytes, bare: bytes, gaps: dict[int, int]) -> int | None:
    """Place of the first byte that differs outside the gaps; None if there is none."""
    place = 0
    for start, length in sorted(gaps.items()):
        if code[place:start] != bare[place:start]:
            break
        place = max(place, start + length)
    else:
        if code[place:] == bare[place:]:
            return None
    return next(i for i in range(place, len(bare)) if code[i] != bare[i])


def immutables(bare: bytes) -> Iterator[tuple[int, int]]:
    """Start and length of every operand of PUSH32 that is nothing: no compiler pushes zero at that price."""
    place = 0
    while place < len(bare):
        op = bare[place]
        length = op - _PUSH1 + 1 if _PUSH1 <= op <= _PUSH32 else 0
        operand = bare[place + 1 : place + 1 + length]
        if op == _PUSH32 and operand == bytes(_WORD_BYTES):
            yield place + 1, _WORD_BYTES
        place += 1 + length


def _own_address(bare: bytes) -> int:
    """Where a library keeps its own address; 0 for a contract."""
    return 1 if bare[:1] == bytes([_PUSH20]) and bare[1 : 1 + _ADDRESS_BYTES] == bytes(_ADDRESS_BYTES) else 0
