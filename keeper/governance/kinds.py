"""What a proposal may change: one row for each function that only governance calls.

A row says where in CHANGES.toml its keys stand, which function sets them and which view tells what is in force.  The
keys themselves, their types and their units follow from the exported ABI, so a field that a contract gains is
proposable when the ABI has it: `capPerAccount` is the key `cap_per_account`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from keeper.abis import load, names
from keeper.domain.raw_units import CONTRACTS, FENCE_UNITS, SECONDS, USD, Unit, field_key

#: What stands for a name in a path: an underlying's, a collateral's or an asset's ticker, or the name of a range.
UNDERLYING, COLLATERAL, ASSET, RANGE = "<underlying>", "<collateral>", "<asset>", "<range>"
#: Names of the fenced ranges, as CHANGES.toml and the contract call them.
RANGES: Final = {"psr": "psr", "vsr_up": "vsrUp", "vsr_down": "vsrDown"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A function that sets what a view tells."""

    path: tuple[str, ...]
    """Tables of CHANGES.toml down to the keys."""
    contract: str
    setter: str
    getter: str
    """View of what is in force, with the same leading arguments."""
    within: str = ""
    """Where the getter returns more: the field that holds ours."""
    keys: tuple[str, ...] = ()
    """Which names of the path are leading arguments, in order."""
    says: str
    """What it is; names of the path in braces: {0} is the first of `keys`."""
    units: Mapping[str, Unit] = field(default_factory=dict)
    """Of fields whose name does not tell."""
    aka: Mapping[str, str] = field(default_factory=dict)
    """The getter's name of a field that the setter calls otherwise."""
    fixed: frozenset[str] = frozenset()
    """Fields that go along unchanged and cannot be wanted otherwise."""
    alone: Mapping[str, str] = field(default_factory=dict)
    """Fields that have a view of their own: view by field."""


_AMOUNTS: Final = {
    "maxOpenInterestPerp": CONTRACTS,
    "maxOpenInterestInstrument": CONTRACTS,
    "maxOpenInterestExpiry": CONTRACTS,
    "maxPositionPerAccount": CONTRACTS,
}

KINDS: Final = (
    Kind(
        path=("oracle", ASSET),
        contract="PriceOracle", setter="setFeed", getter="feed", keys=(ASSET,),
        says="price feed of {0}", units={"minPrice": USD, "maxPrice": USD},
    ),
    Kind(
        path=("sequencer",),
        contract="PriceOracle", setter="setSequencer", getter="", says="sequencer uptime feed",
        alone={"feed_": "sequencerFeed", "graceS": "sequencerGraceS"},
    ),
    Kind(
        path=("underlying", UNDERLYING, "config"),
        contract="RiskParameters", setter="setConfig", getter="config", keys=(UNDERLYING,),
        says="margin rules of {0}", fixed=frozenset({"listed"}),
    ),
    Kind(
        path=("underlying", UNDERLYING, "fence", RANGE),
        contract="RiskParameters", setter="setFence", getter="fence", keys=(UNDERLYING, RANGE),
        says="fence of {1} of {0}", units=FENCE_UNITS,
    ),
    Kind(
        path=("underlying", UNDERLYING, "vol_fences"),
        contract="RiskParameters", setter="setVolFences", getter="volFences", keys=(UNDERLYING,),
        says="volatility fences of {0}",
    ),
    Kind(
        path=("underlying", UNDERLYING, "joint_fence"),
        contract="RiskParameters", setter="setJointFence", getter="jointFence", keys=(UNDERLYING,),
        says="joint fence of {0}",
    ),
    Kind(
        path=("underlying", UNDERLYING, "market"),
        contract="ClearingHouse", setter="setMarket", getter="marketState", within="market", keys=(UNDERLYING,),
        says="market of {0}", units=_AMOUNTS, fixed=frozenset({"asset"}),
    ),
    Kind(
        path=("breaker", ASSET),
        contract="CircuitBreaker", setter="setConfig", getter="config", keys=(ASSET,),
        says="circuit breaker of {0}",
    ),
    Kind(
        path=("collateral", COLLATERAL),
        contract="ClearingHouse", setter="setCollateral", getter="collateral", keys=(COLLATERAL,),
        says="collateral {0}",
    ),
    Kind(
        path=("auction",),
        contract="LiquidationAuction", setter="setParams", getter="params", says="liquidation auction",
    ),
    Kind(
        path=("house", "fee"), contract="ClearingHouse", setter="setFee", getter="houseState", says="trading fee",
    ),
    Kind(
        path=("house", "interest"), contract="ClearingHouse", setter="setInterest", getter="houseState",
        says="interest on negative cash", aka={"ratePpmPerYear": "interestPpmPerYear"},
    ),
    Kind(
        path=("house", "min_equity"), contract="ClearingHouse", setter="setMinEquity", getter="houseState",
        says="least equity to open", units={"minEquityToOpen": USD},
    ),
    Kind(
        path=("house", "guardian"), contract="ClearingHouse", setter="setGuardian", getter="",
        says="guardian of the house", alone={"guardian_": "guardian"},
    ),
    Kind(
        path=("house", "breaker"), contract="ClearingHouse", setter="setBreaker", getter="",
        says="circuit breaker of the house", alone={"breaker_": "breaker"},
    ),
    Kind(
        path=("fund",), contract="InsuranceFund", setter="setCap", getter="",
        says="insurance fund", alone={"capPerAuction_": "capPerAuction", "capPerAuction": "capPerAuction"},
        units={"capPerAuction_": USD, "capPerAuction": USD},
    ),
    Kind(
        path=("keepers",), contract="KeeperQuorum", setter="setKeepers", getter="", says="quorum of keepers",
        alone={"keepers_": "keepers", "publishQuorum_": "publishQuorum", "tightenQuorum_": "tightenQuorum"},
    ),
    Kind(
        path=("timelock",), contract="TimelockController", setter="updateDelay", getter="",
        says="timelock", alone={"newDelay": "getMinDelay"}, units={"newDelay": SECONDS},
    ),
)  # fmt: skip

#: Tables whose keys are not a setter's fields; `keeper.governance.items` knows them by name.
APART: Final = (
    "new_feed",
    "new_collateral",
    "new_underlying",
    "new_expiry",
    "new_strikes",
    "frozen",
    "role",
    "call",
)


def keys_of(kind: Kind) -> tuple[str, ...]:
    """Its keys in CHANGES.toml, as the exported ABI has them; none if this version has no such function."""
    entries = load(kind.contract).abi if kind.contract in names() else ()
    inputs: Sequence[Mapping[str, Any]] = next(
        (e["inputs"] for e in entries if e["type"] == "function" and e["name"] == kind.setter), []
    )
    leaves = inputs[len(kind.keys) :]
    if len(leaves) == 1 and leaves[0]["type"] == "tuple":
        leaves = leaves[0]["components"]
    return tuple(field_key(str(leaf["name"])) for leaf in leaves if leaf["name"] not in kind.fixed)
