"""From the deployer to the timelock: ownership, roles, and nothing left behind.

What is to be done follows from the chain alone, so a run that was killed is finished by another, and a finished one
does nothing.  The deployer gives up its own last, after the timelock was seen to own everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from eth_utils import keccak, to_checksum_address

from keeper.deploy.hand import Hand
from keeper.deploy.spec import TimelockSpec
from keeper.errors import BadInput, Halt
from keeper.protocols.clearinghouse.deployment import Deployment

TIMELOCK: Final = "TimelockController"
ZERO: Final = "0x" + "00" * 20
ADMIN: Final = bytes(32)
#: Ownable2Step contracts, whichever of them a deployment has.
OWNED: Final = (
    "PriceOracle",
    "ClearingHouse",
    "InsuranceFund",
    "LiquidationAuction",
    "CircuitBreaker",
    "KeeperQuorum",
)
#: Contracts with roles, whose administrator hands over.
ADMINISTERED: Final = ("RiskParameters",)
#: Salt of the batch in which a timelock accepts.
SALT: Final = keccak(text="margin keeper: accept ownership")
_ROLES: Final = ("PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE")

#: Told what was done.
Told = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Accepting:
    """What the timelock has to execute itself: each `acceptOwnership` that is missing."""

    timelock: str
    targets: tuple[str, ...]
    datas: tuple[bytes, ...]
    contracts: tuple[str, ...]


def hand_over(
    deployment: Deployment, hand: Hand, spec: TimelockSpec, *, told: Told = lambda _: None
) -> tuple[Deployment, Accepting | None]:
    """Give everything to the timelock, as far as one key can.

    Args:
        deployment: what is handed over.
        hand: the present owner.
        spec: to whom.
        told: of each step.

    Returns: the deployment with its timelock, and what an existing timelock must still accept by its own proposal; None
        if nothing is left.
    Raises: `BadInput` for a timelock without code or proposers; `Halt` if a transaction reverts.
    """
    possible(spec, hand)
    lock = to_checksum_address(spec.address or hand.create(TIMELOCK, 0, [hand.address], [hand.address], hand.address))
    hand.catch_up()  # from here on the chain says what is done
    told(f"timelock {lock}")
    whole = replace(deployment, addresses={**deployment.addresses, TIMELOCK: lock})
    _offer(whole, hand, lock, told)
    if not spec.address:
        _accept_and_lock(whole, hand, lock, spec, told)
    left = missing(whole, hand)
    if left is None:
        _give_up(whole, hand, lock, told)
    return whole, left


def possible(spec: TimelockSpec, hand: Hand) -> None:
    """Look whether it can be handed over to, before anything is paid for.

    Raises: `BadInput` for a timelock without code or proposers.
    """
    if spec.address and not hand.has_code(spec.address):
        raise BadInput(f"timelock: no contract at {spec.address}", hint="correct the address, or check the chain")
    if not spec.address and not spec.proposers:
        raise BadInput("a new timelock has no proposers", hint="name a Governor or a Safe, else nothing can be changed")


def finish(deployment: Deployment, hand: Hand, *, told: Told = lambda _: None) -> Accepting | None:
    """Go on with a handover to the timelock that the deployment names, from wherever it stands.

    Returns: what the timelock must still accept; None if the handover is complete and the deployer holds nothing.
    """
    lock = _lock_of(deployment)
    _offer(deployment, hand, lock, told)
    left = missing(deployment, hand)
    if left is None:
        _give_up(deployment, hand, lock, told)
    return left


def missing(deployment: Deployment, hand: Hand) -> Accepting | None:
    """What the timelock has been offered and not accepted yet; None if there is nothing.

    Raises: `Halt` if a contract belongs to somebody else and is not on offer.
    """
    lock = _lock_of(deployment)
    found: dict[str, str] = {}
    for name, at in owned(deployment).items():
        owner, pending = (to_checksum_address(hand.view(name, at, f)) for f in ("owner", "pendingOwner"))
        if owner == lock:
            continue
        if pending != lock:
            raise Halt(f"{name} belongs to {owner} and is not offered to the timelock", hint="let its owner offer it")
        found[name] = at
    if not found:
        return None
    return Accepting(
        timelock=lock,
        targets=tuple(found.values()),
        datas=tuple(hand.abi(name).call("acceptOwnership") for name in found),
        contracts=tuple(found),
    )


def todo(deployment: Deployment, hand: Hand) -> tuple[str, ...]:
    """What is left of a handover, in order; nothing is sent."""
    lock, me = _lock_of(deployment), hand.address
    lines: list[str] = []
    for name, at in administered(deployment).items():
        if not hand.view(name, at, "hasRole", ADMIN, lock):
            lines.append(f"{me} makes the timelock administrator of {name}")
    for name, at in owned(deployment).items():
        owner, pending = (to_checksum_address(hand.view(name, at, f)) for f in ("owner", "pendingOwner"))
        if owner != lock:
            lines += [] if pending == lock else [f"{owner} offers {name} to the timelock"]
            lines.append(f"the timelock accepts {name}, by a proposal of its own")
    for name, at in {**administered(deployment), TIMELOCK: lock}.items():
        if hand.view(name, at, "hasRole", ADMIN, me):
            lines.append(f"{me} gives up {name}")
    return tuple(lines)


def acceptance(left: Accepting) -> str:
    """The proposal that the timelock needs: a CHANGES.toml for `keeper propose`."""
    calls = "".join(f'\n[[call]]\ncontract = "{name}"\nfunction = "acceptOwnership"\n' for name in left.contracts)
    return (
        'title = "Accept ownership of the margin house"\n'
        f'summary = "The deployer offers {", ".join(left.contracts)} to the timelock {left.timelock}."\n{calls}'
    )


def owned(deployment: Deployment) -> Mapping[str, str]:
    """Contracts with one owner, by name."""
    return {name: deployment.addresses[name] for name in OWNED if name in deployment.addresses}


def administered(deployment: Deployment) -> Mapping[str, str]:
    """Contracts with roles, by name."""
    return {name: deployment.addresses[name] for name in ADMINISTERED if name in deployment.addresses}


def _lock_of(deployment: Deployment) -> str:
    lock = deployment.addresses.get(TIMELOCK)
    if not lock:
        raise BadInput("the deployment file names no TimelockController", hint="add it under addresses, or --timelock")
    return to_checksum_address(lock)


def _offer(deployment: Deployment, hand: Hand, lock: str, told: Told) -> None:
    for name, at in administered(deployment).items():
        if hand.view(name, at, "hasRole", ADMIN, hand.address) and not hand.view(name, at, "hasRole", ADMIN, lock):
            hand.send(name, at, "grantRole", ADMIN, lock)
            told(f"{name} administered by the timelock")
    for name, at in owned(deployment).items():
        owner, pending = (to_checksum_address(hand.view(name, at, f)) for f in ("owner", "pendingOwner"))
        if owner == hand.address and pending != lock:
            hand.send(name, at, "transferOwnership", lock)
            told(f"{name} offered to the timelock")


def _accept_and_lock(deployment: Deployment, hand: Hand, lock: str, spec: TimelockSpec, told: Told) -> None:
    """A timelock of our own: it accepts without delay, and has its delay from then on."""
    left = missing(deployment, hand)
    if left is not None:
        delay = hand.abi(TIMELOCK).call("updateDelay", spec.min_delay_s)
        targets, datas = [*left.targets, lock], [*left.datas, delay]
        batch = (targets, [0] * len(targets), datas, bytes(32), SALT)
        op = hand.view(TIMELOCK, lock, "hashOperationBatch", *batch)
        if not hand.view(TIMELOCK, lock, "isOperation", op):
            hand.send(TIMELOCK, lock, "scheduleBatch", *batch, 0)
        hand.send(TIMELOCK, lock, "executeBatch", *batch)
        told(f"accepted by the timelock, whose delay is {spec.min_delay_s} s from now on")
    wanted = {
        "PROPOSER_ROLE": spec.proposers,
        "CANCELLER_ROLE": spec.proposers,
        "EXECUTOR_ROLE": spec.executors or (ZERO,),
    }
    for name in _ROLES:
        role = keccak(text=name)
        for who in wanted[name]:
            if not hand.view(TIMELOCK, lock, "hasRole", role, who):
                hand.send(TIMELOCK, lock, "grantRole", role, who)
        told(f"{name} of the timelock given to {', '.join('anyone' if w == ZERO else w for w in wanted[name])}")
        if hand.address not in wanted[name] and hand.view(TIMELOCK, lock, "hasRole", role, hand.address):
            hand.send(TIMELOCK, lock, "renounceRole", role, hand.address)


def _give_up(deployment: Deployment, hand: Hand, lock: str, told: Told) -> None:
    """Last: what the deployer still holds, once the timelock was seen to hold it too."""
    held = {**administered(deployment), TIMELOCK: lock}
    for name, at in held.items():
        heir = lock if hand.view(name, at, "hasRole", ADMIN, lock) else ""
        if heir and hand.view(name, at, "hasRole", ADMIN, hand.address):
            hand.send(name, at, "renounceRole", ADMIN, hand.address)
            told(f"{name}: given up by {hand.address}")
