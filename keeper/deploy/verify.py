"""A deployment as the chain has it: code, wiring, owners, guardian, keepers and every role, each with who holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from eth_utils import to_checksum_address

from keeper.deploy.bytecode import compare
from keeper.deploy.hand import Hand
from keeper.deploy.handover import TIMELOCK, ZERO, administered, owned
from keeper.deploy.spec import HouseSpec
from keeper.protocols.clearinghouse.deployment import BREAKER, CONTRACTS, QUORUM, Deployment

#: View that must name another contract of the deployment: contract, view, the other.
WIRING: Final = (
    ("ClearingHouse", "oracle", "PriceOracle"),
    ("ClearingHouse", "riskFile", "RiskFile"),
    ("ClearingHouse", "parameters", "RiskParameters"),
    ("ClearingHouse", "auction", "LiquidationAuction"),
    ("ClearingHouse", "fund", "InsuranceFund"),
    ("ClearingHouse", "breaker", "CircuitBreaker"),
    ("RiskParameters", "file", "RiskFile"),
    ("RiskFile", "oracle", "PriceOracle"),
    ("RiskFile", "parameters", "RiskParameters"),
    ("LiquidationAuction", "house", "ClearingHouse"),
    ("LiquidationAuction", "oracle", "PriceOracle"),
    ("LiquidationAuction", "file", "RiskFile"),
    ("LiquidationAuction", "parameters", "RiskParameters"),
    ("InsuranceFund", "house", "ClearingHouse"),
    ("CircuitBreaker", "house", "ClearingHouse"),
    ("CircuitBreaker", "oracle", "PriceOracle"),
    ("CircuitBreaker", "file", "RiskFile"),
    ("CircuitBreaker", "parameters", "RiskParameters"),
    ("KeeperQuorum", "parameters", "RiskParameters"),
)
#: Who pays for the deployment keeps none of these.
_LISTER: Final = "LISTER_ROLE"
PUBLISHER: Final = "PUBLISHER_ROLE"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    holds: bool
    said: str


def verify(deployment: Deployment, hand: Hand, spec: HouseSpec | None = None) -> tuple[Finding, ...]:
    """Look at everything.

    Args:
        deployment: as its file says; with a TimelockController it must own everything, without one the deployer does.
        hand: who deployed, and where.
        spec: what was deployed; without it keys of publisher, guardian and keepers are told, and held against the
            deployer's and each other alone.
    """
    return (
        *_code(deployment, hand, spec),
        *_wiring(deployment, hand),
        *_owners(deployment, hand),
        *_guardian(deployment, hand, spec),
        *_roles(deployment, hand, spec),
        *_keepers(deployment, hand, spec),
        *_timelock(deployment, hand, spec),
    )


def _code(deployment: Deployment, hand: Hand, spec: HouseSpec | None) -> Iterator[Finding]:
    """Against what was deployed, and against what this version's sources compile to, libraries too."""
    fresh = spec is not None and spec.timelock is not None and not spec.timelock.address
    ours = {*CONTRACTS, BREAKER, QUORUM, *((TIMELOCK,) if fresh else ())}
    looked: set[tuple[str, str]] = set()
    for name, at in deployment.addresses.items():
        if not hand.has_code(at):
            yield Finding(what=f"code of {name}", holds=False, said=f"no contract at {at}")
        elif name in deployment.code and hand.code_hash(at) != deployment.code[name]:
            yield Finding(what=f"code of {name}", holds=False, said=f"other code than deployed at {at}")
        elif name in ours:
            for one in compare(name, at, hand.code):
                if (one.name, one.address) in looked:
                    continue
                looked.add((one.name, one.address))
                said = f"at {one.address}: {one.wrong}" if one.wrong else "as compiled"
                yield Finding(what=f"code of {one.name}", holds=not one.wrong, said=said)


def _wiring(deployment: Deployment, hand: Hand) -> Iterator[Finding]:
    for contract, view, other in WIRING:
        if contract not in deployment.addresses:
            continue
        told = to_checksum_address(hand.view(contract, deployment.addresses[contract], view))
        wanted = to_checksum_address(deployment.addresses.get(other, ZERO))
        meant = f"the {other} is {wanted}" if wanted != ZERO else f"the deployment has no {other}"
        yield Finding(what=f"{contract}.{view}", holds=told == wanted, said=f"is {told}, {meant}")


def _owners(deployment: Deployment, hand: Hand) -> Iterator[Finding]:
    wanted = _owner(deployment, hand)
    for name, at in owned(deployment).items():
        owner, pending = (to_checksum_address(hand.view(name, at, view)) for view in ("owner", "pendingOwner"))
        said = f"belongs to {owner}" + (f", offered to {pending}" if pending != ZERO else "")
        yield Finding(what=f"owner of {name}", holds=owner == wanted and pending == ZERO, said=said)


def _guardian(deployment: Deployment, hand: Hand, spec: HouseSpec | None) -> Iterator[Finding]:
    """Who may pause trading: the house keeps it apart from the roles of the parameters."""
    told = to_checksum_address(hand.view("ClearingHouse", deployment.addresses["ClearingHouse"], "guardian"))
    good = told != ZERO and (told != hand.address or _owner(deployment, hand) == hand.address)
    said = f"is {told}" if told != ZERO else "is nobody: no market can be paused"
    if spec is not None:
        wanted = to_checksum_address(spec.guardian)
        good, said = told == wanted, f"{said}, the spec says {wanted}"
    yield Finding(what="guardian of ClearingHouse", holds=good, said=said)


def _keepers(deployment: Deployment, hand: Hand, spec: HouseSpec | None) -> Iterator[Finding]:
    """Who the quorum's keepers are and how many of them are enough."""
    at = deployment.addresses.get(QUORUM)
    if at is None:
        return
    keepers = tuple(map(to_checksum_address, hand.view(QUORUM, at, "keepers")))
    others = {"the deployer": hand.address} if _owner(deployment, hand) != hand.address else {}
    others["the guardian"] = hand.view("ClearingHouse", deployment.addresses["ClearingHouse"], "guardian")
    if deployment.liquidator_account is not None:
        others["the liquidator"] = f"0x{deployment.liquidator_account >> 96:040x}"
    said = f"are {', '.join(keepers)}"
    twice = [f"{one} is {who}" for who, one in others.items() if to_checksum_address(one) in keepers]
    wanted = None if spec is None or spec.quorum is None else set(map(to_checksum_address, spec.quorum.keepers))
    if wanted is not None and set(keepers) != wanted:
        twice.append(f"the spec says {', '.join(sorted(wanted, key=lambda one: int(one, 16)))}")
    yield Finding(what=f"keepers of {QUORUM}", holds=not twice, said="; ".join((said, *twice)))
    for view, name in (("publishQuorum", "to_publish"), ("tightenQuorum", "to_tighten")):
        enough = int(hand.view(QUORUM, at, view))
        meant = enough if spec is None or spec.quorum is None else getattr(spec.quorum, name)
        said = f"{enough} of {len(keepers)}" + (f", the spec says {meant}" if enough != meant else "")
        yield Finding(what=f"{QUORUM}.{view}", holds=enough == meant, said=said)


def _owner(deployment: Deployment, hand: Hand) -> str:
    """Whose the house is meant to be: the timelock's, and the deployer's where there is none."""
    return to_checksum_address(deployment.addresses.get(TIMELOCK, hand.address))


def holders(deployment: Deployment, hand: Hand, contract: str, at: str) -> dict[str, tuple[str, ...]]:
    """Everybody who holds a role of a contract now, by the role's name."""
    roles = {name: bytes(hand.view(contract, at, name)) for name in hand.functions(contract) if name.endswith("_ROLE")}
    granted = hand.events(contract, at, "RoleGranted", since=_since(deployment, contract))
    found: dict[str, tuple[str, ...]] = {}
    for name, role in roles.items():
        accounts = dict.fromkeys(to_checksum_address(e["account"]) for e in granted if bytes(e["role"]) == role)
        found[name] = tuple(who for who in accounts if hand.view(contract, at, "hasRole", role, who))
    return found


def _since(deployment: Deployment, contract: str) -> int:
    """A timelock may be older than the house."""
    return 0 if contract == TIMELOCK else deployment.block


def _roles(deployment: Deployment, hand: Hand, spec: HouseSpec | None) -> Iterator[Finding]:
    owner = _owner(deployment, hand)
    contracts = {name: to_checksum_address(at) for name, at in deployment.addresses.items()}
    quorum, breaker = contracts.get(QUORUM), contracts.get("CircuitBreaker")
    may: dict[str, set[str | None]] = {
        "DEFAULT_ADMIN_ROLE": {owner},
        _LISTER: set(),
        "EMERGENCY_ROLE": {quorum},
        "BREAKER_ROLE": {breaker},
    }
    if spec is not None:
        may |= {PUBLISHER: {quorum if spec.by_quorum else to_checksum_address(spec.publisher)}}
        may |= {"GUARDIAN_ROLE": {to_checksum_address(spec.guardian)}}
    must = {"DEFAULT_ADMIN_ROLE", *((PUBLISHER, "GUARDIAN_ROLE") if spec is not None else ())}
    for contract, at in administered(deployment).items():
        for name, who in holders(deployment, hand, contract, at).items():
            good = hand.address not in who or owner == hand.address
            good = good and (name not in may or set(who) <= may[name]) and (name not in must or bool(who))
            said = f"held by {', '.join(who) or 'nobody'}"
            if name == PUBLISHER and (alone := beside_the_quorum(who, quorum)):
                good = False
                said += f": {', '.join(alone)} may publish alone, beside the quorum; {revoking(alone[0])}"
            yield Finding(what=f"{name} of {contract}", holds=good, said=said)


def beside_the_quorum(who: Sequence[str], quorum: str | None) -> tuple[str, ...]:
    """Holders of the publisher's role of whom each alone makes a quorum that holds it too worth nothing."""
    return tuple(one for one in who if one != quorum) if quorum in who else ()


def revoking(key: str) -> str:
    """What to do about one of them."""
    return f"have the owner call RiskParameters.revokeRole(PUBLISHER_ROLE, {key})"


def _timelock(deployment: Deployment, hand: Hand, spec: HouseSpec | None) -> Iterator[Finding]:
    at = deployment.addresses.get(TIMELOCK)
    if at is None:
        return
    delay = hand.view(TIMELOCK, at, "getMinDelay")
    fresh = spec.timelock if spec is not None and spec.timelock is not None and not spec.timelock.address else None
    good = delay > 0 if fresh is None else delay == fresh.min_delay_s
    yield Finding(what="delay of the timelock", holds=good, said=f"{delay} s")
    for name, who in holders(deployment, hand, TIMELOCK, at).items():
        good = hand.address not in who or (fresh is not None and hand.address in (*fresh.proposers, *fresh.executors))
        if name == "PROPOSER_ROLE":
            good = good and bool(who)
        if name == "DEFAULT_ADMIN_ROLE":
            good = set(who) == {to_checksum_address(at)}
        words = ", ".join("anyone" if one == ZERO else one for one in who)
        yield Finding(what=f"{name} of the timelock", holds=good, said=f"held by {words or 'nobody'}")
