"""The canonical inputs of a publication: everything its numbers follow from, in one file whose hash goes on-chain.

    raw inputs ─fit→ fitted numbers ─integers→ target ─fences, policy→ what is pushed

The file holds the raw inputs, the fitted numbers and the target.  What is pushed is a function of the file alone
(`keeper.policy.publish.permitted`), so whoever has the file can derive every published integer again, on any machine,
and run the fit again from the raw inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.domain import codec
from keeper.domain.block import BlockRef
from keeper.domain.deployed import Deployed
from keeper.domain.fitted import FittedNumbers
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.domain.quotes import Quoted
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Observation, UnderlyingState
from keeper.errors import BadInput

#: Shape of the file.  A change of what a canonical file holds is a new number: 1 did not say which deployment, 2 not
#: whom the pushes of the day brought down, 3 not that a forward's step is earned by the hour.
SCHEMA: Final = 4
#: From which on it says whom the pushes of the day brought down.
SAYS_BROUGHT: Final = 3
#: From which on a file says that a forward's step is earned; under the contracts of older ones it was not.
SAYS_EARNED: Final = 4
#: Shapes that are read, and written again byte for byte.
SCHEMAS: Final = (1, 2, SAYS_BROUGHT, SCHEMA)


@dataclass(frozen=True, kw_only=True)
class Brought:
    """Whom one push was to bring below maintenance, as the impact gate weighed it."""

    at_s: int
    """Time of the block it was decided at, unix seconds."""
    accounts_ppm: int
    """Share of the holders whom it added to those that were below, or on their way there; ppm, rounded up."""
    requirement_ppm: int
    """Share of all maintenance that they had to hold, ppm, rounded up."""


@dataclass(frozen=True, kw_only=True)
class InputsFile:
    """What a publication of one underlying was made from."""

    schema: int = SCHEMA
    deployed: Deployed | None = None
    """Chain and contracts that it was read from, so that the files of two deployments cannot be taken for one another;
    None in schema 1."""
    model: int
    """Version of the model that fitted it (`keeper.risk.version`)."""
    protocol: str
    block: BlockRef
    """Where everything was read."""
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
    """Floors set by hand that stand at the block, the highest of each parameter; where a range was to be lowered, then
    those that stood in the hours before and do not any more: they count in `lately`."""
    lately: Ranges | None = None
    """The highest scan ranges aimed at in the hours before, each by itself, floors of then included; None if none was
    to be lowered, or nothing is known of then.  On their lattice, as the fitted numbers are."""
    kept_ppm: int = 1_000_000
    """Part of the step that the impact gate kept; it follows from the accounts, which the file does not hold."""
    brought: tuple[Brought, ...] = ()
    """Whom the keeper's pushes of the last day were to bring down, those that bring nobody left out, oldest first; the
    file's own, at its block's time, is the last.  They follow from the accounts too.  Empty before schema 3."""


def history_digest(history: Sequence[Observation]) -> str:
    """0x sha-256 of oracle rounds: a line `time price` each, in order."""
    lines = "".join(f"{seen.time} {seen.price}\n" for seen in history)
    return "0x" + hashlib.sha256(lines.encode("ascii")).hexdigest()


def dump(file: InputsFile) -> bytes:
    """The canonical bytes: what is stored, exported and hashed."""
    data = codec.dumps(file)
    if file.schema >= SCHEMA:
        return data
    tree = json.loads(data)  # older files had no such keys, and their hashes stand on chains
    if file.schema < SAYS_BROUGHT:
        del tree["brought"]
    if file.schema == 1:
        del tree["deployed"]
    fences = tree["state"]["publication"]
    if fences is not None and not fences["vol"]["forward_step_s"]:
        del fences["vol"]["forward_step_s"]
    return json.dumps(tree, separators=(",", ":")).encode("ascii")


def load(data: bytes) -> InputsFile:
    """Inverse of `dump`.  Raises: `BadInput` naming the path of what cannot be read, or the schema if it is another."""
    file = codec.loads(InputsFile, data)
    if file.schema not in SCHEMAS:
        raise BadInput(
            f"the inputs file has schema {file.schema}, this keeper reads {', '.join(map(str, SCHEMAS))}",
            hint="a newer keeper wrote it: verify it with that one",
            schema=file.schema,
        )
    if (file.deployed is None) is not (file.schema == 1):
        said = "does not say" if file.deployed is None else "says"
        raise BadInput(
            f"the inputs file has schema {file.schema} and {said} which deployment it is of (deployed)",
            hint="a file of schema 2 or more names chain and contracts, one of schema 1 cannot: it was altered",
            schema=file.schema,
        )
    if file.brought and file.schema < SAYS_BROUGHT:
        raise BadInput(
            f"the inputs file has schema {file.schema} and says whom the pushes of the day brought down (brought)",
            hint="a file of schema 3 does, an older one cannot: it was altered",
            schema=file.schema,
        )
    return file


def hash_of(data: bytes) -> str:
    """0x sha-256 of a file's bytes: the `inputsHash` of its publication."""
    return "0x" + hashlib.sha256(data).hexdigest()
