"""Where the contracts are: the file that `keeper.deploy` writes and every command reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keeper.domain.nested import json_of
from keeper.errors import BadInput

#: Optional among the addresses: where many views are asked at once.
MULTICALL = "Multicall3"
#: Optional too: a house can do without a breaker.
BREAKER = "CircuitBreaker"
#: And without keepers that speak as one.
QUORUM = "KeeperQuorum"
CONTRACTS = ("ClearingHouse", "RiskParameters", "RiskFile", "PriceOracle", "LiquidationAuction", "InsuranceFund")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One set of contracts on one chain."""

    chain_id: int
    block: int
    """Block of the first contract: logs are read from here."""
    addresses: dict[str, str]
    """Checksummed address by contract name."""
    symbols: dict[int, str]
    """Ticker by underlying id."""
    collaterals: dict[int, str]
    """Ticker by collateral id; 0 is the settlement token."""
    liquidator_account: int | None
    """The keeper's own account in the house, which bids."""
    code: dict[str, str] = field(default_factory=dict)
    """Hash of the code that each contract is meant to run, 0x-hex, by its name: behind a proxy the implementation's.
    Where a contract is missing here, what the keeper finds first is taken for it."""

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n")


def load_deployment(path: Path) -> Deployment:
    """Read the file.

    Raises:
        BadInput: it is missing, malformed, or names too few contracts; the hint says what to do.
    """
    hint = "write it with `scripts/deploy.py`, or ask the protocol's operators for theirs"
    try:
        raw = json_of(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"deployment file {path} cannot be read: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise BadInput(f"deployment file {path} is not JSON: {error}", hint=hint) from error
    missing = [name for name in CONTRACTS if name not in raw.get("addresses", {})] if isinstance(raw, dict) else ["all"]
    if missing:
        raise BadInput(f"deployment file {path} has no address for {', '.join(missing)}", hint=hint)
    try:
        account = raw.get("liquidator_account")
        return Deployment(
            chain_id=int(raw["chain_id"]),
            block=int(raw["block"]),
            addresses={str(k): str(v) for k, v in raw["addresses"].items()},
            symbols={int(k): str(v) for k, v in raw["symbols"].items()},
            collaterals={int(k): str(v) for k, v in raw["collaterals"].items()},
            liquidator_account=None if account is None else int(account),
            code={str(k): str(v).lower() for k, v in raw.get("code", {}).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"deployment file {path} has a missing or malformed field: {error}", hint=hint) from error
