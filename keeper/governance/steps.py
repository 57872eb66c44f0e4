"""The transactions of a proposal's way, in order, and the ids by which others find it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils import keccak

from keeper.governance import governor, safe, timelock
from keeper.governance.chain import GOVERNOR, TIMELOCK, ChainView
from keeper.governance.items import Call, make_call
from keeper.governance.route import Route, Way


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
