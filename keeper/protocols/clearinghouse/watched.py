"""What of a deployment is watched from block to block: who names whom, what stands where, and how that changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eth_utils import keccak

from keeper.protocols.clearinghouse.deployment import BREAKER, QUORUM


def _slot(name: str, *, less: int) -> int:
    return int.from_bytes(keccak(text=name), "big") - less


#: Where a proxy keeps its implementation, and where its beacon.  Source: ERC-1967; the third is older OpenZeppelin's.
IMPLEMENTATION: Final = _slot("eip1967.proxy.implementation", less=1)
BEACON_SLOT: Final = _slot("eip1967.proxy.beacon", less=1)
LEGACY: Final = _slot("org.zeppelinos.proxy.implementation", less=0)
SLOTS: Final = (IMPLEMENTATION, LEGACY, BEACON_SLOT)

#: The house's own word on who belongs to it: view, contract.
HOUSE_NAMES: Final = (
    ("oracle", "PriceOracle"),
    ("riskFile", "RiskFile"),
    ("parameters", "RiskParameters"),
    ("auction", "LiquidationAuction"),
    ("fund", "InsuranceFund"),
)
#: What the others hold: contract, view, whom it should name.
OTHERS_NAME: Final = (
    ("LiquidationAuction", "house", "ClearingHouse"),
    ("LiquidationAuction", "file", "RiskFile"),
    ("LiquidationAuction", "parameters", "RiskParameters"),
    ("LiquidationAuction", "oracle", "PriceOracle"),
    ("InsuranceFund", "house", "ClearingHouse"),
    ("RiskParameters", "file", "RiskFile"),
    ("RiskFile", "oracle", "PriceOracle"),
    ("RiskFile", "parameters", "RiskParameters"),
    (BREAKER, "house", "ClearingHouse"),
    (QUORUM, "parameters", "RiskParameters"),
)
#: Contracts that a house may do without.
OPTIONAL: Final = (BREAKER, QUORUM)
NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True)
class Standing:
    """What stands at one address at one block."""

    address: str
    implementation: str = ""
    """Whose code a proxy runs; empty if it is none."""
    beacon: str = ""
    """Who names the implementation; empty if nobody does."""
    code: str = ""
    """Hash of the code that runs, 0x-hex; empty if there is none."""
    aggregator: str = ""
    """Of a feed: whose answers it passes on, where it says so."""


def changes(name: str, before: Standing, now: Standing) -> Iterator[str]:
    """What differs between two looks, the farthest-reaching difference first and alone: the others follow from it."""
    if now.address != before.address:
        yield f"{name} moved from {before.address} to {now.address}"
    elif now.implementation != before.implementation:
        was, now_is = before.implementation or "none", now.implementation or "none"
        yield f"{name} at {now.address}: its implementation was {was}, is {now_is}"
    elif now.code != before.code:
        yield f"{name} at {now.address}: its code was {before.code or 'none'}, is {now.code or 'none'}"
    elif now.aggregator != before.aggregator:
        yield f"{name} at {now.address}: its aggregator was {before.aggregator}, is {now.aggregator or 'unknown'}"
