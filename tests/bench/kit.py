"""What a life of the toy house costs on the ledger and on py-evm, and what the kit's faults add to it.

A life is 14 blocks with 13 transactions and the real chain edge: heads, log sync, outbox.  A chaos run is that many
thousand times over, so the ledger has to be several times cheaper than the chain it stands in for.
"""

from collections.abc import Iterator

import structlog

from keeper.testing.faulty import FaultyNode
from keeper.testing.memory_store import MemoryStore
from keeper.testing.plan import FaultPlan
from keeper.testing.toy import ToyKeeper, ToyWorld
from tests.bench.timing import Row, best

FLOORS = {"kit: a life, py-evm": 2.5, "kit: a life with faults, py-evm": 2.5}

#: Something on every boundary, seldom enough that the life goes on.
PLAN = "7: timeout%0.02; stale_head@6-9%0.1+2; delayed%0.1; reorg@8; lagging@10-11; ws_drop@7+2"


def live(world: ToyWorld, plan: str) -> None:
    """One life: a fall of the price, liquidations, a recovery."""
    world.reset()
    node = FaultyNode(world.node, FaultPlan.parse(plan))
    keeper = ToyKeeper(
        world.rpc(node), MemoryStore(), world.signers(), house=world.house, deployed_at=world.deployed_at
    )
    for account in range(1, 6):
        world.do("setAccount", account, 1000 * account, 900 * account)
    for block in range(14):
        if block in (3, 6):
            world.do("setPrice", 850 if block == 3 else 1200)
        node.request("evm_mine", [])
        keeper.live()
    node.close()


def rows() -> Iterator[Row]:
    """The same life on both chains, without and with faults."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        fast, real = ToyWorld.fast(), ToyWorld.real()
        for name, plan in (("kit: a life, py-evm", "0:"), ("kit: a life with faults, py-evm", PLAN)):
            yield Row(
                name=name,
                baseline_s=best(5, lambda plan=plan: live(real, plan)),
                ours_s=best(5, lambda plan=plan: live(fast, plan)),
                note="14 blocks, heads, log sync and outbox included",
            )
    finally:
        structlog.configure(**before)
