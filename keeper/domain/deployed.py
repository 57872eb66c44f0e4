"""Which contracts on which chain: what tells two deployments of one protocol apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """One deployment of a protocol, as it was read from."""

    chain_id: int
    contracts: tuple[tuple[str, str], ...]
    """(name, checksummed address) of each contract that was read, ascending by name."""

    @property
    def addresses(self) -> dict[str, str]:
        """Address by name."""
        return dict(self.contracts)
