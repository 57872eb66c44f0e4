"""A keeper over a made-up house: complete, frugal, and mended by the contract's word (IDX-2 … IDX-6)."""

from dataclasses import replace

import pytest

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.demo.opening import RISK, policy
from keeper.errors import Retry
from keeper.testing.memory_store import MemoryStore
from keeper.testing.provider import EmbeddedProvider
from keeper.testing.synthetic import HousePlan, SyntheticNode
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120)]

DEPTH = 8


class Withholding:
    """A node that leaves the logs of some accounts out of its answers."""

    def __init__(self, node):
        self.node, self.hidden = node, set()

    def request(self, method, params):
        answer = self.node.request(method, params)
        if method == "eth_getLogs":
            return [entry for entry in answer if not self.hidden & {int(topic, 16) for topic in entry["topics"][1:2]}]
        return answer


class World:
    def __init__(self, **plan):
        self.node = SyntheticNode(HousePlan(**{"accounts": 200, "positions": 5, "expiries": 2, "strikes": 5} | plan))
        self.line = Withholding(self.node)
        self.store = MemoryStore()
        self.rpc = Rpc([Endpoint("made up", EmbeddedProvider(self.line))], chain_id=self.node.plan.chain_id)

    def keeper(self, **options):
        return assemble(
            rpc=self.rpc,
            store=self.store,
            deployment=self.node.deployment,
            risk=RISK,
            policy=policy(12),
            sender=lambda *_: None,
            reorg_depth=DEPTH,
            **options,
        )

    def truth(self):
        return dict(sorted(self.node.chain.accounts().items()))

    def agrees(self, keeper):
        snapshot = keeper.reader.read(self.node.head())
        return {a.account: a for a in snapshot.accounts} == self.truth()


@pytest.mark.parametrize(
    "plan",
    [
        {"seed": 1},
        {"seed": 2, "log_cap": 100},
        {"seed": 3, "range_cap": 5},
        {"seed": 4, "silent_cap": 1_000, "accounts": 400},
        {"seed": 5, "positions": 1, "accounts": 60},
    ],
    ids=str,
)
def test_index__any_house_any_limits__is_the_chains_set(plan):
    """IDX-2: after the history, after trades, closings and reorgs the index is what the chain holds."""
    world = World(**plan)
    keeper = world.keeper()
    assert world.agrees(keeper), "IDX-2"
    for step in range(12):
        world.node.mine(changed=7, closed=step % 2)
        if step % 4 == 3:
            world.node.reorg(step // 4 + 1, empty=step == 7)
        assert world.agrees(keeper), "IDX-2"
    world.node.mine(changed=3)
    world.node.mine(closed=3)
    assert world.agrees(keeper), "IDX-2"
    assert world.agrees(world.keeper()), "IDX-2"


def test_read__a_block_with_changed_accounts__five_round_trips_and_no_account_view():
    """IDX-3: what changed comes with the logs; nothing is read of an unchanged account, nor of a changed one."""
    world = World(accounts=400)
    keeper = world.keeper()
    head = keeper.heads.follow(None).head
    keeper.reader.read(head)
    for _ in range(5):
        world.node.mine(changed=100)
        world.node.counts.clear()
        world.node.views.counts.clear()
        before = world.rpc.round_trips
        head = keeper.heads.follow(head).head
        snapshot = keeper.reader.read(head)
        assert {a.account: a for a in snapshot.accounts} == world.truth()
        assert world.rpc.round_trips - before <= 5, "IDX-3"
        assert world.node.views.counts["accountState"] == 0, "IDX-3"
        assert world.node.counts["eth_getLogs"] == 1, "IDX-3"


def test_reconcile__scheduled_samples__go_round_and_cost_one_round_trip_each():
    """IDX-4: each sample goes on where the last one ended, until everybody was compared."""
    world = World(accounts=95)
    keeper = world.keeper()
    keeper.reader.read(world.node.head())
    asked = []
    call = world.node.views._account_state
    world.node.views._account_state = lambda account, block: asked.append(account) or call(account, block)
    for _ in range(10):
        snapshot = keeper.reader.read(world.node.mine())
        before = world.rpc.round_trips
        assert keeper.reader.reconcile(snapshot, sample=10) == ()
        assert world.rpc.round_trips - before == 1, "IDX-4"
    assert set(asked) > set(world.truth()), "IDX-4: everybody, closed accounts and the fund's too"
    assert len(asked) == 100
    assert len(set(asked)) == len(set(asked[:90])) + 7 == 97, "IDX-4: nobody twice before everybody once"


def test_reconcile__logs_were_withheld__healed_and_closed_accounts_dropped():
    """IDX-5: an account whose logs never came is read from the contract; one that closed meanwhile disappears (23)."""
    world = World()
    keeper = world.keeper()
    keeper.reader.read(world.node.head())
    one, two, *_ = world.truth().values()
    world.line.hidden = {one.account, two.account}
    closed = world.node.chain.population.closed(two)
    world.node.mine(changed=3, states=[replace(one, cash=one.cash + 1), closed])
    snapshot = keeper.reader.read(world.node.head())
    assert two in snapshot.accounts
    differences = keeper.reader.reconcile(snapshot, sample=1_000)
    assert len(differences) == 2, "IDX-5"
    assert world.agrees(keeper), "IDX-5"
    world.line.hidden = set()
    world.node.mine(changed=5)
    assert world.agrees(keeper), "IDX-5"
    world.node.reorg(1)
    assert world.agrees(keeper), "IDX-5: a rollback above it keeps what was healed"
    for _ in range(3 * DEPTH + 70):
        world.node.mine(changed=1)
        keeper.reader.read(world.node.head())
    assert world.agrees(world.keeper()), "IDX-5: and so does a restart, once the base has passed it"


def test_restart__accounts_closed_while_away__gone():
    """IDX-6: what closed while nobody listened is gone after a restart, from a base that is old or orphaned (23)."""
    world = World()
    keeper = world.keeper()
    for _ in range(4 * DEPTH + 70):
        world.node.mine(changed=1)
        keeper.reader.read(world.node.head())
    before = len(world.truth())
    for _ in range(3):
        world.node.mine(closed=5)
    for _ in range(DEPTH * 4 + 70):
        world.node.mine()
    assert len(world.truth()) == before - 15
    assert world.agrees(world.keeper()), "IDX-6: from an old base"
    cursor, state = world.store.load_sync()
    world.store.save_sync(replace(cursor, hash="0x" + "ab" * 32), state)
    assert world.agrees(world.keeper()), "IDX-6: from an orphaned one"


def test_boot__node_denies_its_logs__retry_and_nothing_stored():
    """IDX-7: no answer, an empty answer or half of one at boot is never a house without accounts (12)."""
    world = World()
    request = world.node.request

    def empty(method, params):
        return [] if method == "eth_getLogs" else request(method, params)

    world.line.request = empty
    keeper = world.keeper()
    for _ in range(2):
        with pytest.raises(Retry):
            keeper.reader.read(world.node.head())
        assert world.store.load_sync() is None, "IDX-7"
    del world.line.request
    assert world.agrees(keeper), "IDX-7"
