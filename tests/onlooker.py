"""A keeper that looks at a house and sends nothing."""

from __future__ import annotations

from typing import Any

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.dry import DrySender
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.memory_store import MemoryStore
from keeper.wiring import Keeper, assemble


def onlooker(
    rpc: Rpc,
    deployment: Deployment,
    *,
    risk: RiskKnobs | None = None,
    policy: PolicyKnobs | None = None,
    **more: Any,
) -> Keeper:
    """Put a keeper together with the usual knobs and a store of its own; `more` goes to `assemble`."""
    return assemble(
        rpc=rpc,
        deployment=deployment,
        risk=risk or RiskKnobs(),
        policy=policy or PolicyKnobs(),
        sender=lambda decode, _recheck: DrySender(rpc, {}, decode_revert=decode),
        **{"store": MemoryStore()} | more,
    )
