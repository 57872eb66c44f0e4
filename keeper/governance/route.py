"""Who decides: the way that a proposal takes from here to execution.

governor    propose → vote → queue → execute, through Governor and TimelockController
timelock    schedule → execute, by whoever holds the proposer's role
safe        the same, scheduled by a Safe; or the calls themselves, by a Safe that owns the contracts
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eth_utils import is_address, to_checksum_address

from keeper.errors import BadInput, Refused
from keeper.governance import safe
from keeper.governance.chain import GOVERNOR, SAFE, TIMELOCK, ChainView
from keeper.governance.safe import MULTI_SEND
from keeper.protocols.abi import Abi


class Way(StrEnum):
    """Who decides."""

    GOVERNOR = "governor"
    TIMELOCK = "timelock"
    SAFE = "safe"


@dataclass(frozen=True, kw_only=True)
class Route:
    """Who decides, and through which contracts."""

    way: Way
    executor: str
    """Who makes the calls in the end: the timelock, or a Safe that owns directly."""
    timelock: str = ""
    governor: str = ""
    safe: str = ""
    multi_send: str = MULTI_SEND
    """Where a Safe finds MultiSendCallOnly."""
    delay_s: int = 0
    """Of the timelock; the longer of its own and what was asked for."""
    safe_nonce: int = 0
    """Of the Safe's first transaction."""

    @property
    def contracts(self) -> tuple[str, ...]:
        """Who takes part in it."""
        return tuple(dict.fromkeys(at for at in (self.executor, self.timelock, self.governor, self.safe) if at))

    @property
    def direct(self) -> bool:
        """Whether a Safe makes the calls itself, without a timelock."""
        return not self.timelock


def route_of(chain: ChainView, given: Mapping[str, Any]) -> Route:
    """The route that file, options and deployment together describe.

    Args:
        chain: the present.
        given: governor, timelock, safe, multi_send (addresses), delay_s, safe_nonce; what is missing is looked up in
            the deployment file and on the chain.

    Raises: `BadInput` if nothing says who decides, or an address has no code.
    """
    unknown = set(given) - {"governor", "timelock", "safe", "multi_send", "delay_s", "safe_nonce", "voters", "proposer"}
    if unknown:
        raise BadInput(f"route has no key {', '.join(sorted(unknown))}", hint="governor, timelock, safe, delay_s …")
    known = chain.deployment.addresses
    by_governor = _address(given.get("governor", ""), "governor", chain)
    by_safe = _address(given.get("safe", ""), "safe", chain)
    if not (by_governor or by_safe or given.get("timelock")):
        by_governor, by_safe = (_address(known.get(name, ""), name, chain) for name in (GOVERNOR, SAFE))
    lock = _address(given.get("timelock") or ("" if by_governor else known.get(TIMELOCK, "")), "timelock", chain)
    if by_governor:
        lock = to_checksum_address(chain.one(GOVERNOR, "timelock", at=by_governor))
        way = Way.GOVERNOR
    elif by_safe:
        way = Way.SAFE
    elif lock:
        way = Way.TIMELOCK
    else:
        raise BadInput(
            "nothing says who decides", hint="give --governor, --safe or --timelock, or [route] in the changes"
        )
    delay = max(int(given.get("delay_s", 0)), chain.one(TIMELOCK, "getMinDelay", at=lock) if lock else 0)
    nonce = given.get("safe_nonce")
    if by_safe and nonce is None:
        nonce = safe_view(chain, by_safe, "nonce")
    return Route(
        way=way,
        executor=lock or by_safe,
        timelock=lock,
        governor=by_governor if way is Way.GOVERNOR else "",
        safe=by_safe if way is Way.SAFE else "",
        multi_send=_address(given.get("multi_send", ""), "multi_send", chain) or MULTI_SEND,
        delay_s=delay,
        safe_nonce=int(nonce or 0),
    )


def _address(given: Any, what: str, chain: ChainView) -> str:
    if not given:
        return ""
    if not isinstance(given, str) or not is_address(given):
        raise BadInput(f"{what} = {given!r} is not an address", hint="0x and forty hexadecimal digits")
    if not chain.has_code(to_checksum_address(given)):
        raise BadInput(f"{what}: no contract at {given}", hint="correct the address, or check the chain")
    return to_checksum_address(given)


def safe_view(chain: ChainView, at: str, function: str) -> Any:
    """One of the Safe's views.  Raises: `BadInput` if it is no Safe."""
    abi = Abi(SAFE, safe.ABI)
    try:
        return next(iter(abi.result(function, chain.rpc.call_at(chain.block, at, abi.call(function))).values()))
    except (Refused, ValueError) as error:
        raise BadInput(f"{at} does not answer as a Safe does: {error}", hint="correct the address") from error
