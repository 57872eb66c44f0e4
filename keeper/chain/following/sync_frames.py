"""The log index as it is stored: a whole state, then the logs and corrections since, each in a frame of its own.

    4 bytes       "MKLS"
    1 byte        version of what is inside
    1 byte        kind: S a whole state, L logs as JSON, A a correction
    8 bytes       length of the content
    4 bytes       CRC-32 of the content
    content

The database writes all or nothing; the checksum is for what happens to files beside databases.  What cannot be read is
refused with a reason, and whoever asked reads the logs again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from keeper.chain.following.log_batch import NO_LOGS
from keeper.errors import BadInput

_MAGIC: Final = b"MKLS"
#: Raise this when an older dump can no longer be read; it is then refused, and the index built again.
VERSION: Final = 2
_HEAD: Final = struct.Struct("<4sBcQI")
_HINT: Final = "nothing is lost: the index is built again from the chain's logs"


class Kind(Enum):
    """What a frame holds."""

    STATE = b"S"
    LOGS = b"L"
    AMENDED = b"A"


@dataclass(frozen=True)
class Piece:
    """One frame."""

    kind: Kind
    content: bytes


@dataclass(frozen=True)
class Frames:
    """What was stored."""

    whole: bytes
    added: tuple[Piece, ...]


def whole(state: bytes) -> bytes:
    """A whole state, framed."""
    return _frame(Kind.STATE, state)


def pieces(blocks: Sequence[tuple[bytes, Iterable[bytes]]]) -> bytes:
    """What some blocks brought, framed to be put behind a state.

    Args:
        blocks: of each its logs, as `LogBatch.dump` writes them, and the corrections that followed them.
    """
    found = []
    for logs, amended in blocks:
        if logs != NO_LOGS:
            found.append(_frame(Kind.LOGS, logs))
        found += [_frame(Kind.AMENDED, word) for word in amended]
    return b"".join(found)


def read(data: bytes) -> Frames:
    """Take apart what `whole` and `pieces` made.

    Raises: `BadInput` if it is damaged, cut off or of another version.
    """
    found: list[Piece] = []
    at = 0
    while at < len(data):
        if data[at : at + len(_MAGIC)] != _MAGIC:
            raise BadInput("the stored log index was written by an older version of the keeper", hint=_HINT)
        if len(data) < at + _HEAD.size:
            raise BadInput("the stored log index is cut off", hint=_HINT, bytes=len(data))
        _, version, kind, length, checksum = _HEAD.unpack_from(data, at)
        if version != VERSION:
            raise BadInput(f"the stored log index has version {version}, this keeper reads {VERSION}", hint=_HINT)
        at += _HEAD.size
        content = data[at : at + length]
        at += length
        if len(content) != length or zlib.crc32(content) != checksum:
            raise BadInput("the stored log index is damaged", hint=_HINT, bytes=len(data))
        found.append(Piece(Kind(kind), content))
    if not found or found[0].kind is not Kind.STATE or any(piece.kind is Kind.STATE for piece in found[1:]):
        raise BadInput("the stored log index does not begin with a whole state", hint=_HINT)
    return Frames(found[0].content, tuple(found[1:]))


def _frame(kind: Kind, content: bytes) -> bytes:
    return _HEAD.pack(_MAGIC, VERSION, kind.value, len(content), zlib.crc32(content)) + content
