"""The canonical inputs of a publication: everything its numbers follow from, in one file whose hash goes on-chain.

    raw inputs ─fit→ fitted numbers ─integers→ target ─fences, policy→ what is pushed

The file holds the raw inputs, the fitted numbers and the target.  What is pushed is a function of the file alone
(`keeper.policy.publish.permitted`), so whoever has the file can derive every published integer again, on any machine,
and run the fit again from the raw inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.domain import codec
from keeper.domain.block import BlockRef
from keeper.domain.fitted import FittedNumbers
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.domain.quotes import Quoted
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Observation, UnderlyingState

#: Shape of the file.  A change that older files cannot be read by is a new number.
SCHEMA: Final = 1


@dataclass(frozen=True, kw_only=True)
class InputsFile:
    """What a publication of one underlying was made from."""

    schema: int = SCHEMA
    model: int
    """Version of the model that fitted it (`keeper.risk.version`)."""
    protocol: str
    block: BlockRef
    """Where everything was read; its hash names the chain too."""
    state: UnderlyingState
    """The underlying at that block: spot, oracle rounds, listings, the file in force, and the fences."""
    history_sha256: str
    """Digest of the oracle rounds, by which two files are told apart at a glance."""
    quotes: Quoted | None
    """What a venue quoted; None if no source is configured."""
    risk: RiskKnobs
    policy: PolicyKnobs
    fitted: FittedNumbers | None
    """What the fit gave, on its lattice.  None in files of a keeper that did not keep it."""
    target: UnderlyingTarget
    """What follows from the fitted numbers, before fences."""
    overrides: tuple[Override, ...] = ()
    """Floors set by hand that stand at the block, the highest of each parameter."""
    lately: Ranges | None = None
    """The highest scan ranges aimed at in the hours before, each by itself; None if none was to be lowered, or nothing
    is known of then.  On their lattice, as the fitted numbers are."""
    kept_ppm: int = 1_000_000
    """Part of the step that the impact gate kept; it follows from the accounts, which the file does not hold."""


def history_digest(history: Sequence[Observation]) -> str:
    """0x sha-256 of oracle rounds: a line `time price` each, in order."""
    lines = "".join(f"{seen.time} {seen.price}\n" for seen in history)
    return "0x" + hashlib.sha256(lines.encode("ascii")).hexdigest()


def dump(file: InputsFile) -> bytes:
    """The canonical bytes: what is stored, exported and hashed."""
    return codec.dumps(file)


def load(data: bytes) -> InputsFile:
    """Inverse of `dump`.  Raises: `BadInput` naming the path of what cannot be read."""
    return codec.loads(InputsFile, data)


def hash_of(data: bytes) -> str:
    """0x sha-256 of a file's bytes: the `inputsHash` of its publication."""
    return "0x" + hashlib.sha256(data).hexdigest()
