"""What is remembered of publications: their inputs, and who let which model push."""

from __future__ import annotations

from dataclasses import dataclass


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
    """Why it was decided to publish."""

    @property
    def name(self) -> str:
        """As a person names the update: `ETH:17`."""
        return f"{self.symbol}:{self.publication}"


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
