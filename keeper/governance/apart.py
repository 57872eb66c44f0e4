"""Items that are no setter: what is new, roles, freezing, and any other function by its name.

[[new_…]]    see `keeper.governance.listing`
[[role]]     contract (RiskParameters if not said), role, grant or revoke
[[frozen]]   underlying, frozen
[[call]]     contract, function, args: any function, decoded but not compared
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from eth_utils import keccak

from keeper.domain.addresses import address_of
from keeper.domain.raw_units import ADDRESS, FLAG
from keeper.errors import BadInput, Refused
from keeper.governance.chain import ChainView
from keeper.governance.changes import Changes
from keeper.governance.items import Difference, Item, difference, make_call, placed
from keeper.governance.listing import listing_items, underlying_of
from keeper.governance.units import parse

_ADMIN: Final = "DEFAULT_ADMIN_ROLE"


def apart_items(changes: Changes, chain: ChainView, *, executor: str) -> Iterator[Item]:
    """Items of the tables that are known by name.

    Args:
        changes: what is wanted.
        chain: where it is wanted.
        executor: who will make the calls: the timelock, or a Safe that owns directly.

    Raises: `BadInput` naming entry and key.
    """
    yield from listing_items(changes, chain, executor=executor)
    for at, table in enumerate(changes.apart("frozen")):
        yield _frozen(table, f"frozen[{at}]", chain)
    for at, table in enumerate(changes.apart("role")):
        yield _role(table, f"role[{at}]", chain)
    for at, table in enumerate(changes.apart("call")):
        yield _call(table, f"call[{at}]", chain)


def _frozen(table: Mapping[str, Any], where: str, chain: ChainView) -> Item:
    asset, number = underlying_of(table, where, chain)
    wanted = parse(table.get("frozen"), FLAG, key=f"{where}.frozen")
    call = make_call(chain, "RiskParameters", "freeze" if wanted else "thaw", number)
    row = difference(f"parameters of {asset}", "frozen", chain.one("RiskParameters", "frozen", number), wanted, FLAG)
    return Item(says=f"{'freeze' if wanted else 'thaw'} {asset}", calls=(call,), differences=placed([row], "frozen"))


def _role(table: Mapping[str, Any], where: str, chain: ChainView) -> Item:
    contract, name = str(table.get("contract", "RiskParameters")), table.get("role")
    ways = [way for way in ("grant", "revoke") if way in table]
    hint = 'role = "PUBLISHER_ROLE", grant = "0x…"'
    if foreign := set(table) - {"contract", "role", "grant", "revoke"}:
        raise BadInput(f"[[{where}]] takes no {', '.join(sorted(foreign))}", hint=f"write {hint}")
    if len(ways) != 1:
        raise BadInput(f"[[{where}]] needs one of grant and revoke", hint=f"write {hint}")
    way = ways[0]
    address_of(str(table[way]), what=f"{where}.{way}")
    if not isinstance(name, str):
        raise BadInput(f"[[{where}]] says no role to {way}", hint=f"write {hint}")
    who = parse(table[way], ADDRESS, key=f"{where}.{way}")
    role = bytes(32) if name == _ADMIN else keccak(text=name)
    _known_role(contract, name, chain)
    call = make_call(chain, contract, f"{way}Role", role, who)
    held = chain.one(contract, "hasRole", role, who)
    row = difference(f"{name} of {contract}", f"held by {who}", held, way == "grant", FLAG)
    return Item(
        says=f"{way} {name} {'to' if way == 'grant' else 'from'} {who}",
        calls=(call,),
        differences=placed([row], "role"),
    )


def _known_role(contract: str, name: str, chain: ChainView) -> None:
    """A role that no function asks for would be granted to nobody's use: most likely a misspelling."""
    if name not in chain.abi(contract):
        raise BadInput(f"{contract} has no role {name}", hint="its public constants that end in _ROLE are its roles")
    try:
        chain.one(contract, name)
    except Refused as error:
        raise BadInput(f"{contract} at this address has no role {name}: {error.message}") from None


def _call(table: Mapping[str, Any], where: str, chain: ChainView) -> Item:
    contract, function, args = table.get("contract"), table.get("function"), table.get("args", [])
    if not isinstance(contract, str) or not isinstance(function, str) or not isinstance(args, list):
        raise BadInput(f"[[{where}]] needs contract and function, and args as a list", hint="see keeper propose --help")
    if function not in chain.abi(contract):
        raise BadInput(f"{contract} has no function {function}", hint="its ABI is in abis/")
    call = make_call(chain, contract, function, *args, at=str(table.get("address", "")))
    says = f"{contract}.{function}({', '.join(call.arguments)})"
    row = Difference(of=says, name="called", old="not compared", new="once", old_shown="not compared", new_shown="once")
    return Item(says=says, calls=(call,), differences=placed([row], "call"))
