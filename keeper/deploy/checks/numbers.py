"""Numbers of a spec: each fits the contract's type, which the exported ABI says, and the contract's fixed bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from keeper.abis import load
from keeper.deploy import structs
from keeper.deploy.checks.complaint import Complaint
from keeper.deploy.market_spec import ExpirySpec
from keeper.deploy.spec import WAD, HouseSpec
from keeper.deploy.units import unit_of

DAY: Final = 86_400
PPM: Final = 10**6
PPB: Final = 10**9
#: Beyond the types: smallest and largest value, as the contract that takes it says.
BOUNDS: Final[dict[str, dict[str, tuple[int, int | None]]]] = {
    "feeds": {"max_age_s": (1, None), "max_deviation_ppm": (1, PPM), "min_price": (1, None)},
    "collaterals": {"decimals": (0, 18), "haircut_ppm": (0, PPM)},
    "underlyings": {
        "tail_ppm": (1, PPM),
        "short_min_ppm": (0, 200_000),
        "kappa_ppm": (100_000, PPM),
        "stale_add_on_ppm": (0, PPM),
        "im_add_on_ppm": (0, PPM),
        "vol_floor_ppm": (0, 10 * PPM),
        "max_age_s": (60, 7 * DAY),
        "notice_blocks": (0, 86_400),
        "slew_ppm_per_hour": (250, 5 * PPM // 2),
        "breaker_add_on_ppm": (0, PPM),
        "price_band_ppm": (0, 500_000),
        "max_funding_ppm_per_day": (0, 50_000),
        "max_position_per_account": (0, 2**88),
    },
    "psr_fence": {"min": (1, None), "max": (1, 500_000)},
    "vsr_up_fence": {"min": (1, None), "max": (1, 5_000_000)},
    "vsr_down_fence": {"min": (1, None), "max": (1, 950_000)},
    "joint_fence": {"step_ppm": (1, None), "budget_ppm": (1, None)},
    "vol_fences": {
        "sigma_min_ppm": (1, None),
        "sigma_max_ppm": (1, 50 * PPM),
        "smile_min_ppm": (1, PPM),
        "smile_max_ppm": (PPM, 2_088_959),
        "phi_min_ppb": (PPB // 2, PPB),
        "phi_max_ppb": (PPB, 2 * PPB),
        "df_min_ppb": (PPB // 10, PPB),
    },
    "auction": {
        "fast_s": (1, DAY),
        "slow_s": (1, 7 * DAY),
        "start_ppm": (PPM // 2, PPM),
        "insolvent_s": (1, 7 * DAY),
        "buffer_ppm": (0, PPM // 2),
        "cool_off_s": (0, 7 * DAY),
        "dust_usd": (0, 10_000 * WAD),
    },
    "breaker": {
        "hold_s": (60, 900),
        "window_s": (120, 3_600),
        "min_move_ppm": (5_000, PPM),
        "max_rounds": (2, None),
    },
    "timelock": {"min_delay_s": (1, 365 * DAY)},
    "": {
        "fee_ppm": (0, 10_000),
        "interest_ppm_per_year": (0, PPM),
        "min_equity_to_open": (0, 100_000 * WAD),
        "fund_seed": (0, 2**256 - 1),
        "valid_for_s": (60, 7 * DAY),
    },
}
#: Money in wad below a millionth of a dollar, and sizes below a billionth of a contract, were meant in whole ones.
_LEAST_USD: Final = WAD // 10**6
_LEAST_CONTRACTS: Final = WAD // 10**9
_USD: Final = ("fund_cap_per_auction", "min_equity_to_open", "auction.dust_usd", "auction.min_gate_usd")
_SIZES: Final = (
    "max_open_interest_perp",
    "max_open_interest_instrument",
    "max_open_interest_expiry",
    "max_position_per_account",
)


@dataclass(frozen=True)
class _Passed:
    """A value as a contract takes it."""

    path: str
    contract: str
    function: str
    argument: int
    value: Any
    named: bool = False
    """Whether the path ends before the argument's own name."""


def of_numbers(spec: HouseSpec) -> Iterator[Complaint]:
    """Types first; a value that fits is held against the bounds."""
    wrong: set[str] = set()
    for passed in _passed(spec):
        entry = _parameters(passed.contract, passed.function)[passed.argument]
        path = _join(passed.path, _snake(entry["name"])) if passed.named else passed.path
        for complaint in _fits(entry, passed.value, path):
            wrong.add(complaint.path)
            yield complaint
    for path, section, record in _records(spec):
        for name, (low, high) in BOUNDS.get(section, {}).items():
            value, full = getattr(record, name), _join(path, name)
            if full not in wrong and (value < low or (high is not None and value > high)):
                bound = f"at least {low:,}" if high is None else f"between {low:,} and {high:,}"
                yield Complaint(path=full, said=f"{value:,} must be {bound} ({unit_of(type(record), name)})")
    yield from _meant_whole(spec)


def _passed(spec: HouseSpec) -> Iterator[_Passed]:
    for i, f in enumerate(spec.feeds):
        yield _Passed(f"feeds[{i}]", "PriceOracle", "setFeed", 1, structs.feed(f))
    for i, c in enumerate(spec.collaterals):
        yield _Passed(f"collaterals[{i}]", "ClearingHouse", "addCollateral", 0, structs.collateral(c))
    yield from _passed_of_the_house(spec)
    for i, u in enumerate(spec.underlyings):
        path = f"underlyings[{i}]"
        yield _Passed(path, "RiskParameters", "listUnderlying", 2, structs.config(u))
        for name, fence in (("psr", u.psr_fence), ("vsr_up", u.vsr_up_fence), ("vsr_down", u.vsr_down_fence)):
            yield _Passed(f"{path}.{name}_fence", "RiskParameters", "setFence", 2, structs.fence(fence))
        yield _Passed(f"{path}.joint_fence", "RiskParameters", "setJointFence", 1, structs.joint(u))
        yield _Passed(f"{path}.vol_fences", "RiskParameters", "setVolFences", 1, structs.vols(u))
        for k, value in enumerate(structs.ranges(u)):
            yield _Passed(path, "RiskParameters", "listUnderlying", 5 + k, value, named=True)
        yield _Passed(path, "ClearingHouse", "setMarket", 1, structs.market(u))
        for k, e in enumerate(u.expiries):
            yield from _passed_of_an_expiry(e, f"{path}.expiries[{k}]")


def _passed_of_an_expiry(e: ExpirySpec, path: str) -> Iterator[_Passed]:
    for n, number in enumerate((e.expiry, e.strikes, e.sigma_atm_ppm, e.phi_ppb, e.df_ppb)):
        yield _Passed(path, "RiskParameters", "listExpiry", 1 + n, number, named=True)
    for n, sigma in enumerate(e.sigmas_ppm):  # of the same type as the one at the money
        yield _Passed(f"{path}.sigmas_ppm[{n}]", "RiskParameters", "listExpiry", 3, sigma)


def _passed_of_the_house(spec: HouseSpec) -> Iterator[_Passed]:
    yield _Passed("auction", "LiquidationAuction", "setParams", 0, structs.auction(spec))
    if spec.breaker is not None and spec.feeds:
        feed = next((f for f in spec.feeds if f.secondary), spec.feeds[0])
        yield _Passed("breaker", "CircuitBreaker", "setConfig", 1, structs.breaker(spec.breaker, feed, None))
    for function, name in (("setInterest", "interest_ppm_per_year"), ("setFee", "fee_ppm")):
        yield _Passed(name, "ClearingHouse", function, 0, getattr(spec, name))
    yield _Passed("min_equity_to_open", "ClearingHouse", "setMinEquity", 0, spec.min_equity_to_open)
    yield _Passed("fund_cap_per_auction", "InsuranceFund", "", 2, spec.fund_cap_per_auction)


def _records(spec: HouseSpec) -> Iterator[tuple[str, str, Any]]:
    """Path, section of the bounds, record."""
    yield "", "", spec
    yield "auction", "auction", spec.auction
    if spec.breaker is not None:
        yield "breaker", "breaker", spec.breaker
    if spec.timelock is not None and not spec.timelock.address:
        yield "timelock", "timelock", spec.timelock
    for i, f in enumerate(spec.feeds):
        yield f"feeds[{i}]", "feeds", f
    for i, c in enumerate(spec.collaterals):
        yield f"collaterals[{i}]", "collaterals", c
    for i, u in enumerate(spec.underlyings):
        yield f"underlyings[{i}]", "underlyings", u
        for name in ("psr_fence", "vsr_up_fence", "vsr_down_fence", "joint_fence", "vol_fences"):
            yield f"underlyings[{i}].{name}", name, getattr(u, name)


def _meant_whole(spec: HouseSpec) -> Iterator[Complaint]:
    """Numbers with eighteen decimals that were written without them."""
    for path in _USD:
        value = getattr(spec.auction, path.removeprefix("auction.")) if "." in path else getattr(spec, path)
        if 0 < value < _LEAST_USD:
            yield Complaint(path=path, said=f"{value:,} is next to nothing: the unit is 1e-18 USD, 1 USD is {WAD}")
    for i, u in enumerate(spec.underlyings):
        for name in _SIZES:
            value = getattr(u, name)
            if 0 <= value < _LEAST_CONTRACTS:
                said = f"{value:,} is next to nothing: the unit is 1e-18 contracts, 1 contract is {WAD}"
                yield Complaint(path=f"underlyings[{i}].{name}", said=said)
    for i, c in enumerate(spec.collaterals):
        unit = 10 ** min(max(c.decimals, 0), 36)
        for name in ("cap_per_account", "cap_total"):
            value = getattr(c, name)
            if 0 <= value < unit:
                said = f"{value:,} is less than one {c.symbol}: the unit is 1e-{c.decimals} {c.symbol}"
                yield Complaint(path=f"collaterals[{i}].{name}", said=said)


def _parameters(contract: str, function: str) -> list[dict[str, Any]]:
    """Inputs of a function, of the constructor if it has no name."""
    kind = "function" if function else "constructor"
    found = (e for e in load(contract).abi if e["type"] == kind and e.get("name", "") == function)
    return list(next(found)["inputs"])


def _fits(entry: dict[str, Any], value: Any, path: str) -> Iterator[Complaint]:
    kind = str(entry["type"])
    if kind.endswith("[]"):
        for i, one in enumerate(value):
            yield from _fits({**entry, "type": kind[:-2]}, one, f"{path}[{i}]")
    elif kind == "tuple":
        for component, one in zip(entry["components"], value, strict=True):
            yield from _fits(component, one, _join(path, _snake(component["name"])))
    elif kind.startswith("uint"):
        largest = 2 ** int(kind[4:]) - 1
        if not 0 <= value <= largest:
            yield Complaint(path=path, said=f"{value:,} does not fit {kind}, which is 0 … {largest:,}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name.strip("_")).lower()
