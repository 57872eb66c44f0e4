"""Items that list what is new: price feeds, collateral, underlyings, their expiries and strikes.

    [[new_feed]]         keeper.deploy.FeedSpec
    [[new_collateral]]   keeper.deploy.CollateralSpec
    [[new_underlying]]   keeper.deploy.UnderlyingSpec, its expiries among it
    [[new_expiry]]       underlying, and keeper.deploy.ExpirySpec
    [[new_strikes]]      underlying, expiry, strikes

Listing needs the lister's role, which nobody holds for long: where the executor has it not, the proposal gives it to
the executor before and takes it away after, in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Final

from eth_utils import keccak

from keeper.deploy import structs
from keeper.deploy.market_spec import ExpirySpec, UnderlyingSpec
from keeper.deploy.spec import CollateralSpec, FeedSpec
from keeper.domain import codec
from keeper.domain.raw_units import (
    ADDRESS,
    COUNT,
    DISCOUNT,
    FLAG,
    FORWARD,
    NAME,
    PPM,
    STRIKE,
    Scale,
    Unit,
    field_key,
    moment,
)
from keeper.errors import BadInput
from keeper.governance.chain import ChainView
from keeper.governance.changes import Changes
from keeper.governance.items import Call, Difference, Item, difference, make_call, placed
from keeper.governance.units import parse

LISTER: Final = "LISTER_ROLE"


def listing_items(changes: Changes, chain: ChainView, *, executor: str) -> Iterator[Item]:
    """Items of what is new.

    Args:
        changes: what is wanted.
        chain: where it is wanted.
        executor: who will make the calls: the timelock, or a Safe that owns directly.

    Raises: `BadInput` naming entry and key.
    """
    for at, table in enumerate(changes.apart("new_feed")):
        yield _feed(_spec(FeedSpec, table, f"new_feed[{at}]"), chain)
    for at, table in enumerate(changes.apart("new_collateral")):
        yield _collateral(_spec(CollateralSpec, table, f"new_collateral[{at}]"), chain, place=at)
    listings = [
        *(
            _underlying(one, f"new_underlying[{at}]", chain, at)
            for at, one in enumerate(changes.apart("new_underlying"))
        ),
        *(_expiry(one, f"new_expiry[{at}]", chain) for at, one in enumerate(changes.apart("new_expiry"))),
        *(_strikes(one, f"new_strikes[{at}]", chain) for at, one in enumerate(changes.apart("new_strikes"))),
    ]
    if any("listExpiry" in c.signature or "listStrikes" in c.signature for item in listings for c in item.calls):
        listings = _as_lister(listings, chain, executor)
    yield from listings


def _spec(cls: Any, table: Mapping[str, Any], where: str) -> Any:
    """A spec of `keeper.deploy` from TOML, which has the same types as JSON."""
    try:
        return codec.loads(cls, json.dumps(_raw(table, where)).encode())
    except BadInput as error:
        raise BadInput(f"[[{where}]]: {error.message}", hint=f"its keys are {_keys_of(cls)}") from None
    except TypeError as error:
        raise BadInput(f"[[{where}]]: {error}", hint="numbers, texts and lists only") from None


def _keys_of(cls: Any) -> str:
    """Keys of an entry, those without which there is none first."""
    needed = [one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING]
    others = [one.name for one in fields(cls) if one.name not in needed]
    return ", ".join(needed) + (f"; and, if need be, {', '.join(others)}" if others else "")


def _raw(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Strikes may be written as dollars, wherever they stand."""
    found = {k: [_raw(one, where) if isinstance(one, dict) else one for one in v] if isinstance(v, list) else v
             for k, v in table.items()}  # fmt: skip
    if isinstance(found.get("strikes"), list):
        found["strikes"] = [parse(one, STRIKE, key=f"{where}.strikes") for one in found["strikes"]]
    return found


def _feed(spec: FeedSpec, chain: ChainView) -> Item:
    asset, wanted = structs.asset_id(spec.asset), structs.feed(spec)
    call = make_call(chain, "PriceOracle", "setFeed", asset, wanted)
    now = chain.one("PriceOracle", "feed", asset)
    there = int(now["primary"], 16) != 0
    units = (ADDRESS, ADDRESS, Unit(scale=Scale.SECONDS), PPM, _USD, _USD)
    rows = _fields(f"price feed of {spec.asset}", now, wanted, units, there=there)
    return Item(
        says=f"new price feed of {spec.asset}", calls=(call,), differences=placed(rows, f"new_feed.{spec.asset}")
    )


_USD: Final = Unit(scale=Scale.USD, decimals=18)


def _collateral(spec: CollateralSpec, chain: ChainView, *, place: int) -> Item:
    wanted = structs.collateral(spec)
    call = make_call(chain, "ClearingHouse", "addCollateral", wanted)
    listed = [chain.one("ClearingHouse", "collateral", i) for i in range(chain.one("ClearingHouse", "collateralCount"))]
    same = [one for one in listed if int(one["token"], 16) == int(spec.token, 16)]
    tokens = Unit(scale=Scale.TOKENS, decimals=spec.decimals, symbol=spec.symbol)
    units = (ADDRESS, COUNT, NAME, PPM, tokens, tokens)
    says = f"new collateral {spec.symbol}"
    rows = _fields(says, same[0] if same else call_shape(chain, "addCollateral"), wanted, units, there=bool(same))
    # Ids are given in order: one that is there keeps its own, a new one gets the next.
    at = listed.index(same[0]) if same else len(listed) + place
    rows = (*rows, difference(says, "id", at if same else None, at, COUNT))
    return Item(says=says, calls=(call,), differences=placed(rows, f"new_collateral.{spec.symbol}"))


def call_shape(chain: ChainView, function: str) -> dict[str, Any]:
    """Names of a struct argument, without values."""
    return {str(one["name"]): None for one in chain.abi("ClearingHouse").inputs(function)[0]["components"]}


def _fields(
    of: str, now: Mapping[str, Any], wanted: Sequence[Any], units: Sequence[Unit], *, there: bool
) -> tuple[Difference, ...]:
    """Each field of a struct, against none where the struct is not there yet."""
    found = []
    for (name, old), new, unit in zip(now.items(), wanted, units, strict=True):
        before = _same_form(old, new) if there else None
        found.append(difference(of, field_key(name), before, new, unit))
    return tuple(found)


def _same_form(old: Any, new: Any) -> Any:
    """Addresses differ in case only where they are the same."""
    return new if isinstance(old, str) and isinstance(new, str) and old.lower() == new.lower() else old


def _underlying(table: Mapping[str, Any], where: str, chain: ChainView, place: int) -> Item:
    spec = _spec(UnderlyingSpec, table, where)
    number = max(chain.underlyings.values(), default=-1) + 1 + place
    calls = [
        make_call(
            chain, "RiskParameters", "listUnderlying", number, structs.asset_id(spec.asset), structs.config(spec),
            structs.fences(spec), structs.vols(spec), *structs.ranges(spec),
        ),
        make_call(chain, "ClearingHouse", "setMarket", number, structs.market(spec)),
    ]  # fmt: skip
    calls += [_list_call(chain, number, expiry) for expiry in spec.expiries]
    listed = chain.one("RiskParameters", "config", number)["listed"]
    of, wanted = f"new underlying {spec.asset}", True
    rows = [
        difference(of, "listed", listed, wanted, FLAG),
        difference(of, "id", number if listed else None, number, COUNT),
    ]
    for name, value in zip(("psr_ppm", "vsr_up_ppm", "vsr_down_ppm"), structs.ranges(spec), strict=True):
        anchor = chain.view("RiskParameters", "inForce", number, 0, _RANGE_NAMES[name])["value"] if listed else None
        rows.append(difference(of, name, anchor, value, PPM))
    rows += [row for expiry in spec.expiries for row in _expiry_rows(chain, number, spec.asset, expiry)]
    return Item(says=of, calls=tuple(calls), differences=placed(rows, f"new_underlying.{spec.asset}"))


_RANGE_NAMES: Final = {
    "psr_ppm": b"psr".ljust(32, b"\0"),
    "vsr_up_ppm": b"vsrUp".ljust(32, b"\0"),
    "vsr_down_ppm": b"vsrDown".ljust(32, b"\0"),
}


def _list_call(chain: ChainView, number: int, e: ExpirySpec) -> Call:
    return make_call(
        chain, "RiskParameters", "listExpiry", number, e.expiry, list(e.strikes), e.sigma_atm_ppm, e.phi_ppb, e.df_ppb
    )


def _expiry_rows(chain: ChainView, number: int, asset: str, e: ExpirySpec) -> list[Difference]:
    strikes = chain.one("RiskParameters", "listedStrikes", number, e.expiry)
    of = f"new expiry {moment(e.expiry)} of {asset}"
    there = bool(strikes)
    rows = [difference(of, "strikes", tuple(strikes) if there else None, tuple(e.strikes), STRIKE)]
    for name, what, unit, new in (
        ("sigma_atm_ppm", b"sigmaAtm", PPM, e.sigma_atm_ppm),
        ("phi_ppb", b"phi", FORWARD, e.phi_ppb),
    ):
        old = None
        if there:
            old = chain.view("RiskParameters", "inForce", number, e.expiry, what.ljust(32, b"\0"))["value"]
        rows.append(difference(of, name, old, new, unit))
    if not there:
        rows.append(difference(of, "df_ppb", None, e.df_ppb, DISCOUNT))
    return rows


def _expiry(table: Mapping[str, Any], where: str, chain: ChainView) -> Item:
    asset, number = underlying_of(table, where, chain)
    spec = _spec(ExpirySpec, {k: v for k, v in table.items() if k != "underlying"}, where)
    rows = _expiry_rows(chain, number, asset, spec)
    listed = placed(rows, f"new_expiry.{asset}")
    return Item(says=rows[0].of, calls=(_list_call(chain, number, spec),), differences=listed)


def _strikes(table: Mapping[str, Any], where: str, chain: ChainView) -> Item:
    asset, number = underlying_of(table, where, chain)
    expiry, strikes = table.get("expiry"), table.get("strikes")
    if set(table) != {"underlying", "expiry", "strikes"}:
        raise BadInput(f"[[{where}]] needs underlying, expiry and strikes, nothing else", hint="strikes are a list")
    if not isinstance(expiry, int) or isinstance(expiry, bool):
        raise BadInput(
            f"[[{where}]].expiry = {str(expiry)!r} cannot be read",
            hint="give unix seconds: 1795939200 is 2026-11-29 08:00 UTC (date -u -d 2026-11-29T08:00 +%s)",
        )
    if not isinstance(strikes, list):
        raise BadInput(f"[[{where}]].strikes is no list", hint='write strikes = ["3000 USD", "3200 USD"]')
    new = sorted(parse(one, STRIKE, key=f"{where}.strikes") for one in strikes)
    listed = list(chain.one("RiskParameters", "listedStrikes", number, expiry))
    of = f"strikes of {asset} {moment(expiry)}"
    row = difference(of, "strikes", tuple(listed), tuple(sorted({*listed, *new})), STRIKE)
    call = make_call(chain, "RiskParameters", "listStrikes", number, expiry, new)
    return Item(says=f"new {of}", calls=(call,), differences=placed([row], f"new_strikes.{asset}"))


def underlying_of(table: Mapping[str, Any], where: str, chain: ChainView) -> tuple[str, int]:
    """Ticker and id of the underlying that an entry is about.  Raises: `BadInput` if it is not listed."""
    asset = table.get("underlying")
    if asset not in chain.underlyings:
        raise BadInput(
            f"[[{where}]] names no underlying that is listed: {asset!r}",
            hint=f"there are {', '.join(chain.underlyings)}",
        )
    return str(asset), chain.underlyings[str(asset)]


def _as_lister(listings: list[Item], chain: ChainView, executor: str) -> list[Item]:
    role = keccak(text=LISTER)
    if chain.one("RiskParameters", "hasRole", role, executor):
        return listings
    give = make_call(chain, "RiskParameters", "grantRole", role, executor)
    take = make_call(chain, "RiskParameters", "revokeRole", role, executor)
    return [
        Item(says="the executor may list from here", calls=(give,), differences=()),
        *listings,
        Item(says="and no longer", calls=(take,), differences=()),
    ]
