"""What each number of a spec is counted in: for the example that people fill in, and for what is said of a mistake."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from keeper.deploy.market_spec import ExpirySpec, FenceSpec, UnderlyingSpec
from keeper.deploy.spec import (
    AuctionSpec,
    BreakerSpec,
    CollateralSpec,
    FeedSpec,
    HouseSpec,
    QuorumSpec,
)

_PPM: Final = "ppm: 10_000 is 1 %"
_USD: Final = "1e-18 USD: 1 USD is 1_000_000_000_000_000_000"
_CONTRACTS: Final = "1e-18 contracts: 1 contract is 1_000_000_000_000_000_000"
_TOKENS: Final = "token units: of a token with 6 decimals, 1 is 1_000_000"
#: By the end of the name; the first that fits.
_BY_NAME: Final = (
    ("_ppm_per_hour", "ppm an hour"),
    ("_ppm_per_day", "ppm a day"),
    ("_ppm_per_year", "ppm a year"),
    ("_ppm", _PPM),
    ("_ppb", "ppb: 10_000_000 is 1 %"),
    ("_s", "seconds"),
    ("_usd", _USD),
    ("_blocks", "blocks"),
)
#: Whose names do not say it.
_OWN: Final[dict[type, dict[str, str]]] = {
    FeedSpec: {"min_price": _USD, "max_price": _USD},
    CollateralSpec: {"decimals": "decimals, as the token says", "cap_per_account": _TOKENS, "cap_total": _TOKENS},
    ExpirySpec: {"expiry": "Unix seconds", "strikes": "1e-8 USD: 3,000 USD is 300_000_000_000"},
    FenceSpec: {"min": _PPM, "max": _PPM, "step_abs": _PPM, "budget_abs": _PPM},
    UnderlyingSpec: {
        "max_open_interest_perp": _CONTRACTS,
        "max_open_interest_instrument": _CONTRACTS,
        "max_open_interest_expiry": _CONTRACTS,
        "max_position_per_account": _CONTRACTS,
    },
    BreakerSpec: {"max_rounds": "rounds"},
    QuorumSpec: {"to_tighten": "keepers", "to_publish": "keepers"},
    HouseSpec: {"fund_cap_per_auction": _USD, "fund_seed": _TOKENS, "min_equity_to_open": _USD},
    AuctionSpec: {},
}


def unit_of(record: type[Any], name: str) -> str:
    """Unit of a field; empty for what is no number."""
    own = _OWN.get(record, {}).get(name)
    if own is not None:
        return own
    kinds = {field.name: str(field.type) for field in fields(record)}
    if "int" not in kinds[name]:
        return ""
    return next((unit for end, unit in _BY_NAME if name.endswith(end)), "")
