"""Wanted changes against the chain at one block: which calls make them, and what they change from what to what.

Each item can be looked at again on another state: that is how a simulation knows that what was wanted has come, and how
a check of an older proposal sees what moved meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eth_abi.exceptions import EncodingError
from eth_utils import to_checksum_address

from keeper import abis
from keeper.domain.raw_units import NAME, RANGE_NAMES, Scale, Unit, field_key, plain, shown, unit_of
from keeper.errors import BadInput
from keeper.governance.chain import ChainView
from keeper.governance.changes import Changes
from keeper.governance.kinds import ASSET, COLLATERAL, RANGE, RANGES, UNDERLYING, Kind
from keeper.governance.units import parse

#: Integers as the ABI calls them.
_INTEGER: Final = re.compile(r"(u?)int([0-9]+)(?:\[\])?")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that whoever governs makes."""

    target: str
    """Checksummed address."""
    value: int
    """Wei that go along."""
    data: bytes
    contract: str
    """Whose ABI."""
    signature: str
    """`name(type,…)`."""
    arguments: tuple[str, ...]
    """`name = value` of each, decoded from the calldata."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One number that moves."""

    of: str
    """What it belongs to."""
    name: str
    """The key of CHANGES.toml."""
    old: str
    """Raw; `none` where there was nothing."""
    new: str
    """Raw."""
    old_shown: str
    """With its unit."""
    new_shown: str
    path: str = ""
    """Its table in CHANGES.toml, such as `underlying.ETH.fence.psr`."""

    @property
    def moves(self) -> bool:
        """Whether it really changes."""
        return self.old != self.new


@dataclass(frozen=True, kw_only=True)
class Item:
    """One wanted change: its calls, and every number it sets."""

    says: str
    calls: tuple[Call, ...]
    differences: tuple[Difference, ...]

    @property
    def moves(self) -> bool:
        """Whether the chain is not as wanted already."""
        return any(one.moves for one in self.differences)


def make_call(chain: ChainView, contract: str, function: str, *args: Any, at: str = "", value: int = 0) -> Call:
    """Encode, and decode again for the words.  Raises: `BadInput` for values that the ABI does not take."""
    abi = chain.abi(contract)
    try:
        data = abi.call(function, *args)
    except (EncodingError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f"{contract}.{function} does not take {plain(args)}: {error}", hint="correct the value"
        ) from error
    decoded = abi.arguments(function, data)
    words = tuple(f"{name} = {words_of(value)}" for name, value in decoded.items())
    return Call(
        target=at or chain.address(contract),
        value=value,
        data=data,
        contract=contract,
        signature=abi.signature(function),
        arguments=words,
    )


def words_of(value: Any) -> str:
    """A decoded argument as text: raw, but for a word of letters such as `psr`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {words_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(words_of, value)) + "]"
    if isinstance(value, bytes) and len(value) == 32:
        return shown(value, NAME)
    return plain(value)


def setter_items(changes: Changes, chain: ChainView) -> Iterator[Item]:
    """Items of the kinds with a setter.

    Raises: `BadInput` naming the key that is unknown, the name that is not listed or the value that does not fit.
    """
    for kind, names, table in changes.wanted():
        yield _setter_item(kind, names, table, chain)


def _setter_item(kind: Kind, names: tuple[str, ...], table: Mapping[str, Any], chain: ChainView) -> Item:
    where = _place(kind, names)
    abi, keys = chain.abi(kind.contract) if _exported(kind) else None, _keys(kind, names, chain)
    if abi is None or kind.setter not in abi:
        raise BadInput(f"[{where}]: this version's {kind.contract} has no {kind.setter}", hint="use another version")
    inputs = abi.inputs(kind.setter)[len(keys) :]
    struct = len(inputs) == 1 and inputs[0]["type"] == "tuple"
    leaves: Sequence[Mapping[str, Any]] = inputs[0]["components"] if struct else inputs
    now = _now(kind, keys, leaves, chain)
    of = kind.says.format(*(RANGE_NAMES[RANGES[n]] if k == RANGE else n for k, n in zip(kind.keys, names, strict=True)))
    wanted, differences = dict(now), []
    by_key = {field_key(str(leaf["name"])): leaf for leaf in leaves if leaf["name"] not in kind.fixed}
    for key, given in table.items():
        leaf = by_key.get(key)
        if leaf is None:
            raise BadInput(f"[{where}] has no key {key}", hint=f"its keys are {', '.join(by_key)}")
        name = str(leaf["name"])
        unit = _unit(kind, leaf, names, chain)
        wanted[name] = _parsed(given, unit, str(leaf["type"]), key=f"{where}.{key}")
        _fits(wanted[name], str(leaf["type"]), unit, key=f"{where}.{key}")
        differences.append(difference(of, key, now[name], wanted[name], unit, path=where))
    values = tuple(wanted[str(leaf["name"])] for leaf in leaves)
    call = make_call(chain, kind.contract, kind.setter, *keys, *((values,) if struct else values))
    return Item(says=of, calls=(call,), differences=tuple(differences))


def _place(kind: Kind, names: tuple[str, ...]) -> str:
    """The table as it stands in the file: names in the place of their placeholders."""
    given = iter(names)
    return ".".join(next(given) if part.startswith("<") else part for part in kind.path)


def placed(rows: Sequence[Difference], path: str) -> tuple[Difference, ...]:
    """Numbers of a table."""
    return tuple(replace(one, path=path) for one in rows)


def _exported(kind: Kind) -> bool:
    """Whether this version has the contract at all."""
    return kind.contract in abis.names()


def difference(of: str, name: str, old: Any, new: Any, unit: Unit, *, path: str = "") -> Difference:
    """A number that moves, raw and for a person."""
    return Difference(
        of=of,
        name=name,
        old="none" if old is None else plain(old),
        new=plain(new),
        old_shown=shown(old, unit),
        new_shown=shown(new, unit),
        path=path,
    )


def _keys(kind: Kind, names: tuple[str, ...], chain: ChainView) -> tuple[Any, ...]:
    found: list[Any] = []
    for key, name in zip(kind.keys, names, strict=True):
        if key == UNDERLYING:
            found.append(_listed(chain.underlyings, name, "underlying"))
        elif key == COLLATERAL:
            found.append(_listed(chain.collaterals, name, "collateral"))
        elif key == RANGE:
            found.append(_listed(RANGES, name, "range").encode().ljust(32, b"\0"))
        elif key == ASSET:
            found.append(name.encode().ljust(32, b"\0"))
    return tuple(found)


def _listed(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise BadInput(f"there is no {what} {name}", hint=f"there are {', '.join(known)}")
    return known[name]


def _now(kind: Kind, keys: tuple[Any, ...], leaves: Sequence[Mapping[str, Any]], chain: ChainView) -> dict[str, Any]:
    """What is in force of each field of the setter."""
    told: dict[str, Any] = {}
    if kind.getter:
        told = chain.view(kind.contract, kind.getter, *keys)
        if len(told) == 1 and isinstance(next(iter(told.values())), Mapping):
            told = next(iter(told.values()))
        if kind.within:
            told = told[kind.within]
    found = {}
    for leaf in leaves:
        name = str(leaf["name"])
        if name in kind.alone:
            found[name] = chain.one(kind.contract, kind.alone[name])
        else:
            found[name] = told[kind.aka.get(name, name)]
        if leaf["type"] == "address":
            found[name] = to_checksum_address(found[name])
        elif leaf["type"] == "address[]":
            found[name] = [to_checksum_address(one) for one in found[name]]
    return found


def _parsed(given: Any, unit: Unit, kind: str, *, key: str) -> Any:
    """One value, or a list of them; addresses in lists ascend, as contracts want them."""
    if not kind.endswith("[]"):
        return parse(given, unit, key=key)
    if not isinstance(given, list):
        raise BadInput(f"{key} = {given!r} cannot be read", hint="give a list")
    found = [parse(one, unit, key=key) for one in given]
    return sorted(found, key=lambda one: int(one, 16)) if kind == "address[]" else found


def _fits(value: Any, kind: str, unit: Unit, *, key: str) -> None:
    """Raises: `BadInput` if an integer is none of the contract's type."""
    found = _INTEGER.fullmatch(kind)
    if found is None:
        return
    bits = int(found[2])
    least, most = (0, 2**bits - 1) if found[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, int) and not least <= one <= most:
            raise BadInput(
                f"{key} = {one} is beyond what the contract can hold, a {kind.removesuffix('[]')}",
                hint=f"at most {most} ({shown(most, unit)})" if one > most else f"at least {least}",
            )


def _unit(kind: Kind, leaf: Mapping[str, Any], names: tuple[str, ...], chain: ChainView) -> Unit:
    name = str(leaf["name"])
    if kind.path[0] == "collateral" and name in ("capPerAccount", "capTotal"):
        decimals = chain.view("ClearingHouse", "collateral", chain.collaterals[names[0]])
        config = next(iter(decimals.values()))
        return Unit(scale=Scale.TOKENS, decimals=config["decimals"], symbol=names[0])
    return kind.units.get(name) or unit_of(name, str(leaf["type"]).removesuffix("[]"))
