"""Addresses of a spec: well written, filled in, and no two roles in one hand that must be two."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from eth_utils import is_address, is_checksum_address

from keeper.deploy.checks.complaint import Complaint
from keeper.deploy.spec import HouseSpec

#: What each pair of hands could do together.
_APART: Final = {
    ("publisher", "liquidator"): "whoever may publish could liquidate what a publication made liquidatable",
    ("publisher", "deployer"): "publisher, liquidator and deployer must be three keys",
    ("liquidator", "deployer"): "publisher, liquidator and deployer must be three keys",
    ("guardian", "publisher"): "the guardian is the brake on the publisher",
    ("guardian", "liquidator"): "a pause must not be a liquidator's tool",
    ("guardian", "deployer"): "the deployer keeps nothing",
    ("proposer", "publisher"): "a hot key must not govern its own fences",
    ("proposer", "liquidator"): "a hot key must not govern",
    ("proposer", "deployer"): "the deployer keeps nothing",
    ("keeper", "deployer"): "the deployer keeps nothing",
    ("keeper", "liquidator"): "whoever helps to publish could liquidate what a publication made liquidatable",
    ("keeper", "guardian"): "the guardian is the brake on the keepers",
    ("keeper", "proposer"): "a hot key must not govern its own fences",
}


def addresses(spec: HouseSpec) -> Iterator[tuple[str, str]]:
    """Every address of a spec with its path; empty optional ones are left out."""
    for i, feed in enumerate(spec.feeds):
        yield f"feeds[{i}].primary", feed.primary
        if feed.secondary is not None:
            yield f"feeds[{i}].secondary", feed.secondary
    for i, collateral in enumerate(spec.collaterals):
        yield f"collaterals[{i}].token", collateral.token
    for role in ("publisher", "liquidator", "guardian"):
        yield role, getattr(spec, role)
    yield from _governing(spec)


def _governing(spec: HouseSpec) -> Iterator[tuple[str, str]]:
    if spec.timelock is not None:
        if spec.timelock.address:
            yield "timelock.address", spec.timelock.address
        for name in ("proposers", "executors"):
            yield from ((f"timelock.{name}[{i}]", one) for i, one in enumerate(getattr(spec.timelock, name)))
    if spec.quorum is not None:
        yield from ((f"quorum.keepers[{i}]", one) for i, one in enumerate(spec.quorum.keepers))


def of_addresses(spec: HouseSpec) -> Iterator[Complaint]:
    """Malformed ones and those that nobody filled in."""
    for path, address in addresses(spec):
        if not is_address(address) or not address.startswith("0x"):
            yield Complaint(path=path, said=f"{address!r} is no address: 0x and 40 hex digits")
        elif address[2:] not in (address[2:].lower(), address[2:].upper()) and not is_checksum_address(address):
            yield Complaint(path=path, said=f"{address} fails its checksum: a digit is wrong")
        elif _placeholder(address, anyone=path.startswith("timelock.executors")):
            yield Complaint(path=path, said=f"{address} is a placeholder: write the real address")


def _placeholder(address: str, *, anyone: bool) -> bool:
    """One digit or byte forty times over, as examples have it; of executors, zero means anyone."""
    digits = address[2:].lower()
    return len({digits[i : i + 2] for i in range(0, 40, 2)}) == 1 and not (anyone and int(digits, 16) == 0)


def of_roles(spec: HouseSpec, deployer: str) -> Iterator[Complaint]:
    """One address in two roles that must be two."""
    roles = [("publisher", "publisher", spec.publisher), ("liquidator", "liquidator", spec.liquidator)]
    roles += [("guardian", "guardian", spec.guardian), ("deployer", "the deployer's key", deployer)]
    if spec.timelock is not None:
        roles += [("proposer", f"timelock.proposers[{i}]", a) for i, a in enumerate(spec.timelock.proposers)]
    if spec.quorum is not None:
        roles += [("keeper", f"quorum.keepers[{i}]", a) for i, a in enumerate(spec.quorum.keepers)]
    for (role, path, address), (other, elsewhere, second) in combinations(roles, 2):
        why = _APART.get((role, other)) or _APART.get((other, role))
        if why and address.lower() == second.lower():
            where, there = (elsewhere, path) if role == "deployer" else (path, elsewhere)
            yield Complaint(path=where, said=f"{address} is {there} too: {why}")
    if spec.quorum is not None:
        keepers = [one.lower() for one in spec.quorum.keepers]
        for i, one in enumerate(keepers):
            if one in keepers[:i]:
                yield Complaint(path=f"quorum.keepers[{i}]", said=f"{one} is named twice")


def of_timelock(spec: HouseSpec) -> Iterator[Complaint]:
    """A timelock that nobody could ever speak to."""
    lock = spec.timelock
    if lock is None:
        return
    if not lock.address and not lock.proposers:
        said = "a new timelock has no proposers: name a Governor or a Safe, else nothing can be changed"
        yield Complaint(path="timelock.proposers", said=said)
    if lock.address and (lock.proposers or lock.executors):
        said = "an existing timelock has its own proposers and executors: leave them out, or leave the address empty"
        yield Complaint(path="timelock.address", said=said)
