"""Live one block: the head as it is now."""

from __future__ import annotations

from keeper.cycle import Ports, cycle
from keeper.domain.cycle import CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.orphans import forget_strays, mark_orphans
from keeper.ports import Heads


def once(heads: Heads, ports: Ports, risk: RiskKnobs, policy: PolicyKnobs) -> CycleRecord:
    """Adopt what an earlier process left open, mark what it decided on blocks that are gone, then live the head.

    Raises: as `keeper.cycle.cycle`.
    """
    head = heads.head()
    mark_orphans(heads, ports.store)
    forget_strays(heads, ports.store)
    ports.sender.recover(head)
    ports.quotes.refresh()
    return cycle(head, ports, risk, policy)
