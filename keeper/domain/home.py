"""Whose memory a store is: everything in it, from the log index to prices and margin calls, is of one house."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Home:
    """One house of accounts.  Its other contracts may be replaced; it stays the same."""

    chain_id: int
    house: str
    """Checksummed address of the contract that holds all accounts."""

    def __str__(self) -> str:
        return f"the house at {self.house} on chain {self.chain_id}"
