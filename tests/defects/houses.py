"""Houses on an embedded chain and keepers of them, for the defects that take a whole house to show."""

from __future__ import annotations

from typing import Any

from keeper.chain.sending.dry import DrySender
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.ports import Store
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.wiring import Keeper, assemble

#: Blocks that a reorg may replace; the base of the index moves within a short test.
DEPTH = 4


def watching(house: SmallHouse, store: Store | None = None, **options: Any) -> Keeper:
    """A keeper of a house that reads, decides and sends nothing."""
    given: dict[str, Any] = {"risk": RiskKnobs(), "policy": PolicyKnobs(), "reorg_depth": DEPTH} | options
    return assemble(
        rpc=house.rpc,
        store=store or MemoryStore(),
        deployment=house.deployment,
        sender=lambda decode, _recheck: DrySender(house.rpc, {}, decode_revert=decode),
        **given,
    )
