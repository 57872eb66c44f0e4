"""What the keeper knows of the house survives restarts, reorgs, silence and lying nodes (RD-1 … RD-5)."""

from dataclasses import replace

import pytest

from keeper.abis import load
from keeper.demo.opening import RISK, policy
from keeper.demo.orders import Owner
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import open_world
from keeper.domain import codec
from keeper.errors import BadInput, Retry
from keeper.protocols.abi import Abi
from keeper.store import open_store
from keeper.testing.memory_store import MemoryStore
from tests.onlooker import onlooker

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

USDC = 0
SEED = 3
#: Blocks that a reorg may replace: few, so that the base moves within a short test.
DEPTH = 4


class House:
    """A small market, and keepers that come and go."""

    def __init__(self):
        path = stylised_crash(seed=SEED, blocks=12)
        self.world = open_world(path, accounts=20, seed=SEED)
        self.chain, self.at = self.world.chain, self.world.deployment.addresses
        self.chain.set_automine(on=False)
        self.abis = {name: Abi(name, load(name).abi) for name in (*self.at, "MockERC20", "MockAggregator")}
        self.visitor = Owner(self.chain.key(5), self.chain.accounts[5])

    def keeper(self, store, rpc=None, **other):
        return onlooker(
            rpc or self.world.rpc,
            replace(self.world.deployment, addresses={**self.at, **other}),
            risk=RISK,
            policy=policy(self.world.path.block_s),
            store=store,
            reorg_depth=DEPTH,
        )

    def act(self, contract, function, *args, to=None):
        """One transaction of the visitor, in a block of its own."""
        data = self.abis[contract].call(function, *args)
        tx_hash = self.chain.send(sender=self.visitor.address, to=to or self.at[contract], data=data)
        self.chain.mine()
        self.chain.receipt(tx_hash)

    def deposit(self, units):
        token = self.world.spec.collaterals[USDC].token
        self.act("MockERC20", "mint", self.visitor.address, units, to=token)
        self.act("MockERC20", "approve", self.at["ClearingHouse"], units, to=token)
        self.act("ClearingHouse", "deposit", self.visitor.account, USDC, units)

    def withdraw(self, units):
        self.act("ClearingHouse", "withdraw", self.visitor.account, USDC, units, self.visitor.address)

    def cash(self, snapshot):
        """The visitor's cash in a snapshot; None if the account is not in it."""
        return next((a.cash for a in snapshot.accounts if a.account == self.visitor.account), None)


@pytest.fixture(scope="module")
def built():
    return House()


@pytest.fixture
def house(built):
    """The market as it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def read(keeper, house):
    return keeper.reader.read(house.chain.block())


def agrees(keeper, snapshot):
    """The contract's own words about every account."""
    return keeper.reader.reconcile(snapshot, sample=len(snapshot.accounts)) == ()


def test_reader__restart_in_the_middle__same_bytes(house, tmp_path):
    """RD-1: a new process over the same database reads a block as the one that never stopped."""
    url = f"sqlite:///{tmp_path / 'keeper.sqlite'}"
    steady, store = house.keeper(MemoryStore()), open_store(url)
    stopped = house.keeper(store)
    read(steady, house)
    read(stopped, house)
    house.deposit(5_000 * 10**6)
    read(steady, house)
    read(stopped, house)
    store.close()
    for _ in range(12):
        house.world.mine()
        read(steady, house)
    house.withdraw(1_000 * 10**6)
    expected = codec.dumps(read(steady, house))
    for _ in range(2):
        store = open_store(url)
        again = house.keeper(store)
        snapshot = read(again, house)
        assert codec.dumps(snapshot) == expected, "RD-1"
        assert agrees(again, snapshot)
        store.close()


def test_reader__file_of_no_house__refused_and_the_stored_index_stays(house, tmp_path):
    """A wrong digit in the deployment file must not cost the index that was kept for the right one."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    store = open_store(url)
    good = house.keeper(store)
    read(good, house)
    for _ in range(2 * DEPTH):
        house.chain.mine()
    read(good, house)
    good.reader.tidy()
    kept = store.load_sync()
    assert kept is not None
    for address in ("0x" + "12" * 20, house.at["PriceOracle"]):
        with pytest.raises(BadInput, match="the store is of the house at"):
            house.keeper(store, ClearingHouse=address)
        assert store.load_sync() == kept
    store.close()


def test_reader__from_nothing__same_bytes_as_step_by_step(house):
    """RD-1: it does not matter either when a keeper began to watch."""
    steady = house.keeper(MemoryStore())
    read(steady, house)
    house.deposit(700 * 10**6)
    read(steady, house)
    house.chain.mine(2 * DEPTH)
    assert codec.dumps(read(house.keeper(MemoryStore()), house)) == codec.dumps(read(steady, house)), "RD-1"


def test_reader__several_oracle_rounds_between_reads__none_is_missed(house):
    """RD-5: the history that volatility is estimated from does not depend on how often the keeper looked."""
    steady = house.keeper(MemoryStore())
    before = read(steady, house)
    for step in range(3):
        for feed in house.world.feeds.values():
            house.act("MockAggregator", "push", (3_000 + step) * 10**8, to=feed)
    snapshot = read(steady, house)
    assert len(snapshot.underlyings[0].history) == len(before.underlyings[0].history) + 3, "RD-5"
    assert codec.dumps(snapshot) == codec.dumps(read(house.keeper(MemoryStore()), house)), "RD-1"


def test_reader__reorg__rolled_back_with_the_chain(house):
    """RD-2: what a reorg took away never happened, whatever was read in between."""
    keeper = house.keeper(MemoryStore())
    house.deposit(1_000 * 10**6)
    house.chain.mine(DEPTH)
    assert house.cash(read(keeper, house)) == 1_000 * 10**18
    house.deposit(500 * 10**6)
    assert house.cash(read(keeper, house)) == 1_500 * 10**18
    house.chain.reorg(1)
    snapshot = read(keeper, house)
    assert house.cash(snapshot) == 1_000 * 10**18, "RD-2"
    assert agrees(keeper, snapshot)
    house.chain.mine(2)
    assert agrees(keeper, read(keeper, house))


def test_reader__closed_while_away__gone_after_resync(house):
    """RD-3: an account that was emptied while nobody listened is not in the next snapshot (23)."""
    store = MemoryStore()
    keeper = house.keeper(store)
    house.deposit(1_000 * 10**6)
    house.chain.mine(12 * DEPTH)
    before = read(keeper, house)
    assert house.cash(before) == 1_000 * 10**18
    house.withdraw(1_000 * 10**6)
    house.chain.mine(40 * DEPTH)
    after = read(house.keeper(store), house)
    assert house.cash(after) is None, "RD-3"
    assert len(after.accounts) == len(before.accounts) - 1
    assert codec.dumps(after) == codec.dumps(read(house.keeper(MemoryStore()), house))


@pytest.mark.parametrize("silent", [("fromBlock",), ("blockHash",), ("fromBlock", "blockHash")], ids=str)
def test_reader__node_without_logs__retry_never_empty(house, monkeypatch, silent):
    """RD-4: an empty answer is a node that lies, not a house without accounts or a block without logs (12)."""
    node = house.chain.node
    request = node.request

    def quiet(method, params):
        if method == "eth_getLogs" and any(how in params[0] for how in silent):
            return []
        return request(method, params)

    monkeypatch.setattr(node, "request", quiet)
    keeper = house.keeper(MemoryStore())
    house.deposit(1_000 * 10**6)
    for _ in range(2):
        with pytest.raises(Retry):
            read(keeper, house)
    monkeypatch.undo()
    snapshot = read(keeper, house)
    assert len(snapshot.accounts) > 20, "RD-4"
    assert agrees(keeper, snapshot)
