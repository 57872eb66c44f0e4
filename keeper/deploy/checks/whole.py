"""All checks of a spec, and the refusal that names every mistake."""

from __future__ import annotations

from keeper.deploy.checks.addresses import of_addresses, of_roles, of_timelock
from keeper.deploy.checks.complaint import Complaint
from keeper.deploy.checks.live import of_chain
from keeper.deploy.checks.markets import of_markets
from keeper.deploy.checks.numbers import of_numbers
from keeper.deploy.hand import Hand
from keeper.deploy.spec import HouseSpec
from keeper.errors import BadInput


def complaints_of(spec: HouseSpec, *, deployer: str, now_s: int) -> tuple[Complaint, ...]:
    """What is wrong whatever the chain says, but for its clock."""
    return (
        *of_addresses(spec),
        *of_roles(spec, deployer),
        *of_timelock(spec),
        *of_numbers(spec),
        *of_markets(spec, now_s),
    )


def check_spec(spec: HouseSpec, hand: Hand) -> None:
    """Look at a spec; nothing is sent.

    Raises: `BadInput` with every mistake and its path; `Retry` if the node cannot be asked.
    """
    now_s = hand.now_s()
    found: dict[str, Complaint] = {}  # of each value the first thing only: the others follow from it
    for one in (*complaints_of(spec, deployer=hand.address, now_s=now_s), *of_chain(spec, hand, now_s)):
        found.setdefault(one.path, one)
    if not found:
        return
    lines = "\n  ".join(str(one) for one in found.values())
    raise BadInput(
        f"the spec has {len(found)} mistake{'s' if len(found) > 1 else ''}:\n  {lines}",
        hint="nothing was sent; correct the spec and run the same command again",
        mistakes=[str(one) for one in found.values()],
    )
