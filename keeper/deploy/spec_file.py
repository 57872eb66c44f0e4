"""The file a spec is written in: TOML, where each number's unit stands beside it, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from keeper.deploy.market_spec import ExpirySpec, UnderlyingSpec
from keeper.deploy.spec import CollateralSpec, FeedSpec, HouseSpec, TimelockSpec
from keeper.deploy.units import unit_of
from keeper.domain import codec
from keeper.domain.nested import json_of, toml_of
from keeper.errors import BadInput

#: Refused by `keeper.deploy.checks` wherever it is left.
SOMEBODY: Final = "0x" + "11" * 20
_HEAD: Final = """\
# What scripts/deploy.py deploys.  Fill in every 0x1111… and every market; each number's unit stands beside it.
# A key that is left out has its default.  breaker = "none" deploys a house without one.
#
# publisher, liquidator, guardian, timelock.proposers and the deployer's key must be different addresses:
#   publisher   a hot key that publishes parameters inside the fences; with [quorum] publishes = true it holds no role:
#               k of quorum.keepers publish together, and any key carries what they signed
#   liquidator  a hot key that flags and bids; its first account must be funded (scripts/fund.py)
#   guardian    a Safe or a cold key that may pause
#   proposers   a Governor or a Safe: it governs the house through the timelock
"""
_NOTES: Final = {
    ("FeedSpec", "primary"): "address of a Chainlink-shaped feed",
    ("FeedSpec", "asset"): "ticker",
    ("CollateralSpec", "asset"): "ticker of its feed; ignored for the first, the settlement token",
    ("CollateralSpec", "token"): "address",
    ("UnderlyingSpec", "asset"): "ticker of its feed",
    ("TimelockSpec", "address"): "an existing TimelockController; empty: a new one",
    ("TimelockSpec", "executors"): "of a new one; empty: anyone",
}


def example() -> HouseSpec:
    """A spec with every key, to be filled in."""
    return HouseSpec(
        feeds=(FeedSpec(asset="ETH", primary=SOMEBODY),),
        collaterals=(
            CollateralSpec(symbol="USDC", token=SOMEBODY, decimals=6, asset="USD"),
            CollateralSpec(symbol="WETH", token=SOMEBODY, decimals=18, asset="ETH", haircut_ppm=100_000),
        ),
        underlyings=(
            UnderlyingSpec(
                asset="ETH",
                psr_ppm=100_000,
                expiries=(ExpirySpec(expiry=1_800_000_000, strikes=(3_000 * 10**8,), sigma_atm_ppm=700_000),),
            ),
        ),
        publisher=SOMEBODY,
        liquidator=SOMEBODY,
        guardian=SOMEBODY,
        timelock=TimelockSpec(proposers=(SOMEBODY,)),
    )


def read_spec(path: Path) -> HouseSpec:
    """A spec from a TOML or JSON file.

    Raises: `BadInput` naming the path of what is wrong; `OSError` if the file cannot be read.
    """
    hint = "scripts/deploy.py --example prints every key with its unit"
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        tree = json_of(text) if text.lstrip().startswith("{") else toml_of(text)
        if tree.get("breaker") == "none":
            tree["breaker"] = None
        return codec.loads(HouseSpec, json.dumps(tree).encode())
    except BadInput as error:
        raise BadInput(f"{path}: {error.message}", hint=hint, **error.fields) from None
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path} is neither TOML nor JSON: {error}", hint=hint) from None


def write_toml(spec: HouseSpec) -> str:
    """A spec as TOML, with the unit beside each number; reads back to the same spec."""
    return _HEAD + "\n".join(_table(spec, "")) + "\n"


def _table(record: Any, path: str) -> Iterator[str]:
    """Plain values first, as TOML wants it, then the tables below."""
    below: list[tuple[str, Any]] = []
    for field in fields(record):
        value = getattr(record, field.name)
        full = f"{path}.{field.name}" if path else field.name
        if is_dataclass(value) or (isinstance(value, tuple) and value and is_dataclass(value[0])):
            below.append((full, value))
        elif value is not None:
            unit = unit_of(type(record), field.name) or _NOTES.get((type(record).__name__, field.name), "")
            yield f"{field.name} = {_text(value)}" + (f"  # {unit}" if unit else "")
        elif field.name == "breaker":
            yield 'breaker = "none"'
    for full, value in below:
        for one in value if isinstance(value, tuple) else (value,):
            yield from ("", f"[[{full}]]" if isinstance(value, tuple) else f"[{full}]")
            yield from _table(one, full)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_text(one) for one in value)}]"
    if isinstance(value, bool) or not isinstance(value, int):
        return json.dumps(value)
    return f"{value:_}"
