"""The way that a proposal takes from here to execution, and its transactions in order.

governor    propose → vote → queue → execute, through Governor and TimelockController
timelock    schedule → execute, by whoever holds the proposer's role
safe        the same, scheduled by a Safe; or the calls themselves, by a Safe that owns the contracts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eth_utils import is_address, keccak, to_checksum_address

from keeper.errors import BadInput
from keeper.governance import governor, safe, timelock
from keeper.governance.chain import GOVERNOR, SAFE, TIMELOCK, ChainView
from keeper.governance.items import Call, make_call
from keeper.governance.safe import MULTI_SEND


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
    def direct(self) -> bool:
        """Whether a Safe makes the calls itself, without a timelock."""
        return not self.timelock


@dataclass(frozen=True, kw_only=True)
class Step:
    """One transaction of the way."""

    name: str
    who: str
    """Who may send it, for a person."""
    call: Call
    safe_tx_hash: str = ""
    """Where a Safe sends it: what its owners sign."""
    safe_message_hash: str = ""
    """Likewise, as hardware wallets show it beside the domain hash."""


@dataclass(frozen=True, kw_only=True)
class Ids:
    """Names by which others find the proposal."""

    proposal: str = ""
    """Decimal, of the Governor."""
    description_hash: str = ""
    operation: str = ""
    """0x, of the timelock."""
    salt: str = ""
    predecessor: str = ""
    safe_domain: str = ""
    """Domain separator of the Safe."""
    safe_text: str = ""
    """Hash that a Safe's owners sign to approve the description off chain."""

    @property
    def name(self) -> str:
        """The one that a person would quote."""
        return self.proposal or self.operation


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
    from keeper.errors import Refused  # noqa: PLC0415 - beside its only use
    from keeper.protocols.abi import Abi  # noqa: PLC0415 - likewise

    abi = Abi(SAFE, safe.ABI)
    try:
        return next(iter(abi.result(function, chain.rpc.call_at(chain.block, at, abi.call(function))).values()))
    except (Refused, ValueError) as error:
        raise BadInput(f"{at} does not answer as a Safe does: {error}", hint="correct the address") from error


def ids_of(route: Route, calls: Sequence[Call], description: str, *, chain_id: int) -> Ids:
    """Every id of the proposal."""
    words = governor.description_hash(description)
    number, domain, text, op = "", "", "", None
    if route.way is Way.GOVERNOR:
        number = str(governor.proposal_id(calls, description))
    if route.timelock:
        op = operation_of(route, calls, description)
    if route.way is Way.SAFE:
        domain = "0x" + safe.domain_separator(route.safe, chain_id).hex()
        text = "0x" + safe.text_hash(description, safe=route.safe, chain_id=chain_id).hex()
    return Ids(
        proposal=number,
        description_hash="0x" + words.hex(),
        operation="0x" + op.id.hex() if op else "0x" + keccak(b"".join(c.data for c in calls) + words).hex(),
        salt="0x" + op.salt.hex() if op else "",
        predecessor="0x" + op.predecessor.hex() if op else "",
        safe_domain=domain,
        safe_text=text,
    )


def operation_of(route: Route, calls: Sequence[Call], description: str) -> timelock.Operation:
    """The batch as the timelock will know it."""
    if route.way is Way.GOVERNOR:
        return timelock.operation(calls, salt=governor.timelock_salt(route.governor, description))
    return timelock.operation(calls, salt=governor.description_hash(description))


def steps_of(chain: ChainView, route: Route, calls: Sequence[Call], description: str) -> tuple[Step, ...]:
    """The transactions, in order."""
    if route.way is Way.GOVERNOR:
        at = route.governor
        return (
            Step(
                name="propose",
                who="any voter above the threshold",
                call=governor.propose(chain, at, calls, description),
            ),
            Step(name="queue", who="anyone, after the vote", call=governor.queue(chain, at, calls, description)),
            Step(name="execute", who="anyone, after the delay", call=governor.execute(chain, at, calls, description)),
        )
    if route.direct:
        return _by_safe(route, chain.rpc.chain_id, [("execute", calls)])
    op = operation_of(route, calls, description)
    plan = timelock.schedule(chain, route.timelock, calls, op, delay_s=route.delay_s)
    done = timelock.execute(chain, route.timelock, calls, op)
    if route.way is Way.SAFE:
        return _by_safe(route, chain.rpc.chain_id, [("schedule", [plan]), ("execute", [done])])
    return (
        Step(name="schedule", who="a proposer of the timelock", call=plan),
        Step(name="execute", who="an executor of the timelock, after the delay", call=done),
    )


def views_of(chain: ChainView, route: Route, calls: Sequence[Call], description: str) -> tuple[Step, ...]:
    """Calls by which anyone sees where it stands: of the governor, and of the timelock."""
    found = []
    if route.way is Way.GOVERNOR:
        number = governor.proposal_id(calls, description)
        found.append(make_call(chain, GOVERNOR, "state", number, at=route.governor))
    if route.timelock:
        op = operation_of(route, calls, description)
        found.append(make_call(chain, TIMELOCK, "getOperationState", op.id, at=route.timelock))
    return tuple(Step(name="state", who="anyone, by eth_call", call=call) for call in found)


def _by_safe(route: Route, chain_id: int, parts: Sequence[tuple[str, Sequence[Call]]]) -> tuple[Step, ...]:
    found = []
    for place, (name, calls) in enumerate(parts):
        tx = safe.safe_tx(calls, nonce=route.safe_nonce + place, multi_send=route.multi_send)
        whole = calls[0] if len(calls) == 1 else Call(
            target=tx.to, value=tx.value, data=tx.data, contract="MultiSendCallOnly", signature="multiSend(bytes)",
            arguments=tuple(f"{c.contract}.{c.signature}" for c in calls),
        )  # fmt: skip
        found.append(
            Step(
                name=name,
                who=f"owners of the Safe, at its nonce {tx.nonce}",
                call=whole,
                safe_tx_hash="0x" + safe.safe_tx_hash(tx, safe=route.safe, chain_id=chain_id).hex(),
                safe_message_hash="0x" + safe.message_hash(tx).hex(),
            )
        )
    return tuple(found)
