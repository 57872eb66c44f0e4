"""Who holds what, before a proposal and after it: owners, guardian, breaker, keepers, and every holder of a role.

What the wanted changes give away is foretold from their calls, generated from the text; whatever else is in other hands
afterwards was left behind: a role that was lent and not taken back, an owner that nobody named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from eth_utils import keccak, to_checksum_address

from keeper.deploy.handover import OWNED
from keeper.governance.chain import TIMELOCK, ZERO, ChainView
from keeper.governance.items import Call
from keeper.governance.route import Route, safe_view

#: By whom something is held, as (contract, what): holders of a role are sorted.
Hands = dict[tuple[str, str], tuple[str, ...]]

#: Views of what is in somebody's hands, and the setters that put it there.
_NAMED: Final = {
    ("ClearingHouse", "guardian"): "setGuardian",
    ("ClearingHouse", "breaker"): "setBreaker",
    ("KeeperQuorum", "keepers"): "setKeepers",
}
_ADMIN: Final = "DEFAULT_ADMIN_ROLE"
_ROLE_SETTERS: Final = ("grantRole", "revokeRole", "renounceRole")
#: Roles of one contract by name, and the accounts that are asked for.
_Asked = tuple[dict[str, bytes], tuple[str, ...]]


def moved(begin: ChainView, after: ChainView, route: Route, wanted: Sequence[Call]) -> Iterator[tuple[str, str]]:
    """Contract, and what of it is in other hands than the wanted calls put it into.

    Args:
        begin: where the way began.
        after: the same chain after execution.
        route: its executor makes the calls; its timelock and its Safe are looked at too.
        wanted: calls of the wanted changes.

    Raises: `Refused` or `Retry` if the node does not answer.
    """
    places = _with_roles(after, route)
    spoken_of = {name: {route.executor, *_called(after, name, at, wanted)} for name, at in places.items()}
    since = begin.block.number + 1
    asked = {name: _asked(after, name, at, spoken_of[name], since) for name, at in places.items()}
    before, now = (_held(chain, route, asked) for chain in (begin, after))
    foretold = _foretold(before, wanted, begin, route.executor)
    for (contract, what), who in now.items():
        if who != foretold[contract, what]:
            yield contract, f"{what}: {_words(who)}, not {_words(foretold[contract, what])}"


def _words(who: Sequence[str]) -> str:
    return ", ".join(who) or "nobody"


def _with_roles(chain: ChainView, route: Route) -> dict[str, str]:
    """Contracts with roles, and where they are."""
    lock = route.timelock or chain.deployment.addresses.get(TIMELOCK, "")
    return {"RiskParameters": chain.address("RiskParameters")} | ({TIMELOCK: lock} if lock else {})


def _called(chain: ChainView, name: str, at: str, wanted: Sequence[Call]) -> Iterator[str]:
    """Accounts that the wanted calls give a role of a contract to, or take one from."""
    for call in wanted:
        function = call.signature.partition("(")[0]
        if call.target.lower() == at.lower() and function in _ROLE_SETTERS:
            yield list(chain.abi(name).arguments(function, call.data).values())[1]


def _asked(chain: ChainView, name: str, at: str, spoken_of: set[str], since: int) -> _Asked:
    """Roles by name and accounts that may hold one: whoever was spoken of since, by a log or by a call."""
    words = (one for one in chain.abi(name).names if one.endswith("_ROLE"))
    roles = {one: bytes(32) if one == _ADMIN else keccak(text=one) for one in words}
    accounts = set(spoken_of)
    for event in ("RoleGranted", "RoleRevoked"):
        for told in chain.events(name, event, at=at, since=since):
            accounts.add(told["account"])
            if told["role"] not in roles.values():
                roles["0x" + told["role"].hex()] = told["role"]
    return roles, tuple(sorted({to_checksum_address(one) for one in accounts}))


def _held(chain: ChainView, route: Route, asked: Mapping[str, _Asked]) -> Hands:
    found: Hands = {}
    known, places = chain.deployment.addresses, _with_roles(chain, route)
    for name in OWNED:
        if name in known:
            for view in ("owner", "pendingOwner"):
                found[name, view] = (to_checksum_address(chain.one(name, view)),)
    for name, view in _NAMED:
        if name in known:
            told = chain.one(name, view)
            found[name, view] = tuple(map(to_checksum_address, (told,) if isinstance(told, str) else told))
    for name, (roles, accounts) in asked.items():
        for role, word in roles.items():
            at = places[name]
            found[name, role] = tuple(who for who in accounts if chain.one(name, "hasRole", word, who, at=at))
            found[name, f"administration of {role}"] = ("0x" + chain.one(name, "getRoleAdmin", word, at=at).hex(),)
    if route.safe:
        owners = sorted(map(to_checksum_address, safe_view(chain, route.safe, "getOwners")))
        found["Safe", "owners"] = (*owners, f"{safe_view(chain, route.safe, 'getThreshold')} of them")
    return found


def _foretold(before: Hands, wanted: Sequence[Call], chain: ChainView, executor: str) -> Hands:
    """What the calls make of it, one after the other."""
    hands = dict(before)
    names = {at.lower(): name for name, at in chain.deployment.addresses.items()}
    for call in wanted:
        name, function = names.get(call.target.lower(), call.contract), call.signature.partition("(")[0]
        given: list[Any] = list(chain.abi(name).arguments(function, call.data).values()) if call.signature else []
        if function in _ROLE_SETTERS:
            _roles_after(hands, name, function, given[0], to_checksum_address(given[1]))
        elif function == "transferOwnership":
            hands[name, "pendingOwner"] = (to_checksum_address(given[0]),)
        elif function in ("acceptOwnership", "renounceOwnership"):
            owner = executor if function == "acceptOwnership" else ZERO
            hands[name, "owner"], hands[name, "pendingOwner"] = (to_checksum_address(owner),), (ZERO,)
        for (contract, view), setter in _NAMED.items():
            if (contract, setter) == (name, function):
                told = (given[0],) if isinstance(given[0], str) else given[0]
                hands[contract, view] = tuple(map(to_checksum_address, told))
    return hands


def _roles_after(hands: Hands, name: str, function: str, word: bytes, who: str) -> None:
    for contract, role in list(hands):
        own = bytes(32) if role == _ADMIN else bytes.fromhex(role[2:]) if role[:2] == "0x" else keccak(text=role)
        if contract == name and own == word:
            others = {one for one in hands[contract, role] if one != who}
            hands[contract, role] = tuple(sorted(others | ({who} if function == "grantRole" else set())))
