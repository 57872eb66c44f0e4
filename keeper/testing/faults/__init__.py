"""What can go wrong between a keeper and a chain: every fault of the kit, by name.

    from keeper.testing.faults import CATALOGUE
    CATALOGUE["stale_head"].about

A fault is named in a rule of a plan (`keeper.testing.plan`), and a node that has the plan plays it
(`keeper.testing.faulty`).
"""

from __future__ import annotations

from collections.abc import Mapping

from keeper.testing.faults import answers, chain, heads, pool, wire
from keeper.testing.faults.fault import Boundary, Call, Fault, Shot

#: Every fault by name.
CATALOGUE: Mapping[str, Fault] = {
    fault.name: fault for place in (wire, answers, pool, chain, heads) for fault in place.FAULTS
}

__all__ = ["CATALOGUE", "Boundary", "Call", "Fault", "Shot"]
