"""Somebody on the way of a proposal on a fork: who acts, what happened so far; through a timelock, or by a Safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eth_utils import keccak, to_checksum_address

from keeper.errors import Refused
from keeper.governance import safe, timelock
from keeper.governance.chain import SAFE, TIMELOCK, ZERO, ChainView
from keeper.governance.fork import Fork
from keeper.governance.items import Call
from keeper.governance.proposal import Proposal
from keeper.governance.route import safe_view
from keeper.governance.steps import operation_of
from keeper.governance.timelock import OperationState
from keeper.protocols.abi import Abi


@dataclass(frozen=True, kw_only=True)
class Acted:
    """One thing that happened on the fork."""

    what: str
    block: int
    time_s: int
    gas: int = 0
    """0 where time passed and nobody acted."""


@dataclass(kw_only=True)
class Path:
    """A proposal under way on a fork."""

    proposal: Proposal
    fork: Fork
    proposer: str
    """Who proposes or schedules; found on the chain if empty."""
    voters: Sequence[str]
    """Who votes; found on the chain if empty."""
    acted: list[Acted] = field(default_factory=list)

    def act(self, what: str, sender: str, call: Call) -> None:
        """Send one call and write it down.  Raises: `Refused` with the contract's words."""
        gas = self.fork.act(sender, call)
        # Where anybody may act, the house itself does: it is there on every fork, and it has no role.
        anyone = sender == self.fork.view().address("ClearingHouse")
        self.note(f"{what} by {'anyone' if anyone else sender}", gas)

    def note(self, what: str, gas: int = 0) -> None:
        """Write down what happened, at the fork's newest block."""
        head = self.fork.rpc.block()
        self.acted.append(Acted(what=what, block=head.number, time_s=head.timestamp, gas=gas))

    def call(self, name: str) -> Call:
        """The proposal's own transaction of this name."""
        return next(step.call for step in self.proposal.steps if step.name == name)


def by_timelock(path: Path) -> None:
    """Schedule and execute, by whoever holds the timelock's roles.  Raises: `Refused`."""
    route = path.proposal.route
    op = operation_of(route, path.proposal.calls, path.proposal.description)
    chain = path.fork.view()
    if timelock.state_of(chain, route.timelock, op) is OperationState.UNSET:
        path.act("schedule", path.proposer or _holder(chain, route.timelock, "PROPOSER_ROLE"), path.call("schedule"))
    _execute_when_ready(path, op)


def _execute_when_ready(path: Path, op: timelock.Operation) -> None:
    route = path.proposal.route
    chain = path.fork.view()
    if timelock.state_of(chain, route.timelock, op) is OperationState.DONE:
        return
    path.fork.warp(chain.one(TIMELOCK, "getTimestamp", op.id, at=route.timelock))
    path.note("the delay is over")
    execute = timelock.execute(chain, route.timelock, path.proposal.calls, op)
    path.act("execute", _holder(path.fork.view(), route.timelock, "EXECUTOR_ROLE"), execute)


def _holder(chain: ChainView, at: str, role_name: str) -> str:
    """Somebody who holds a role of the timelock; anybody, where it is open to all."""
    role = keccak(text=role_name)
    if chain.one(TIMELOCK, "hasRole", role, ZERO, at=at):
        return chain.address("ClearingHouse")
    granted = [e["account"] for e in chain.events(TIMELOCK, "RoleGranted", at=at) if e["role"] == role]
    for account in reversed(granted):
        if chain.one(TIMELOCK, "hasRole", role, account, at=at):
            return to_checksum_address(account)
    raise Refused(f"nobody holds {role_name} of the timelock {at}")


def by_safe(path: Path) -> None:
    """With the Safe's own check of what its owners approved: the hash is ours, the check is the Safe's."""
    route = path.proposal.route
    if route.direct:
        _safe_sends(path, path.proposal.calls, "execute")
        return
    op = operation_of(route, path.proposal.calls, path.proposal.description)
    chain = path.fork.view()
    if timelock.state_of(chain, route.timelock, op) is OperationState.UNSET:
        plan = timelock.schedule(chain, route.timelock, path.proposal.calls, op, delay_s=route.delay_s)
        _safe_sends(path, [plan], "schedule")
    _execute_when_ready(path, op)


def _safe_sends(path: Path, calls: Sequence[Call], what: str) -> None:
    route, chain = path.proposal.route, path.fork.view()
    tx = safe.safe_tx(calls, nonce=safe_view(chain, route.safe, "nonce"), multi_send=route.multi_send)
    hashed = safe.safe_tx_hash(tx, safe=route.safe, chain_id=path.proposal.chain_id)
    abi = Abi(SAFE, safe.ABI)
    owners = sorted(safe_view(chain, route.safe, "getOwners"), key=lambda owner: int(owner, 16))
    chosen = owners[: safe_view(chain, route.safe, "getThreshold")]
    for owner in chosen:
        gas = path.fork.send(to_checksum_address(owner), route.safe, abi.call("approveHash", hashed), contract=TIMELOCK)
        path.note(f"approve {what} by owner {to_checksum_address(owner)}", gas)
    # A signature with v = 1 says: this owner approved the hash on chain.
    signatures = b"".join(bytes.fromhex(o[2:]).rjust(32, b"\0") + bytes(32) + b"\x01" for o in chosen)
    data = abi.call("execTransaction", *safe.exec_arguments(tx, signatures))
    gas = path.fork.send(to_checksum_address(chosen[0]), route.safe, data, contract=TIMELOCK)
    path.note(f"{what} by the Safe", gas)
