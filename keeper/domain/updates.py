"""What is remembered of publications: their inputs, and who let which model push."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: How the reason of a file begins that another keeper decided and this one signed.
CO_SIGNED: Final = "co-signed: "


@dataclass(frozen=True, kw_only=True)
class KeptInputs:
    """A stored inputs file, without the file."""

    hash: str
    """0x sha-256 of its bytes: the `inputsHash` of the publication."""
    underlying: int
    symbol: str
    publication: int
    """Id of the publication that was decided from it.  Only one of several decisions with one id lands."""
    block_number: int
    """Of the state it was decided at."""
    model: int
    """Version of the model."""
    why: str
    """Why it was decided to publish; begins with `CO_SIGNED` if another keeper decided it."""

    @property
    def name(self) -> str:
        """As a person names the update: `ETH:17`."""
        return f"{self.symbol}:{self.publication}"

    @property
    def co_signed(self) -> bool:
        """Whether another keeper decided it."""
        return self.why.startswith(CO_SIGNED)


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """An operator's word that a version of the model may push."""

    version: int
    operator: str
    """Who signed."""
    reason: str
    at_s: int
    """Unix seconds."""
    evidence: str
    """The numbers that were on the table: live and proposed, side by side, one line each."""
    shadowed_blocks: int = 0
    """Over how many blocks the version was held beside the live parameters before; 0 for the first model of a house,
    beside which there was nothing, and where a keeper signed that did not count yet."""
    knobs: str = ""
    """0x digest of the knobs that published numbers follow from (`keeper.policy.choices`), as they were; empty where a
    keeper signed that did not keep it."""


@dataclass(frozen=True, kw_only=True)
class ShadowRun:
    """One run of `keeper shadow`: a model's parameters held beside the live ones over many blocks."""

    number: int
    """Given by the store, ascending; 0 before it is stored."""
    model: int
    """Version of the model that ran in the shadow."""
    symbol: str
    """The one underlying that was looked at; empty for all of them."""
    begun_s: int
    """Wall time, unix seconds."""
    first_block: int
    last_block: int
    last_hash: str
    blocks: int
    """In how many of them every underlying with numbers in force was looked at; some between the first and the last may
    have been missed."""
    numbers: str
    """Live and shadow side by side as they were last, and the worst of the run: one line each."""
    knobs: str = ""
    """0x digest of the knobs it ran with; empty of a run that an older keeper made."""
