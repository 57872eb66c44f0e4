"""A whole keeper of an open market on a real anvil: put together from settings, living in a thread of its own."""

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from eth_utils import keccak

from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import World, open_world
from keeper.domain.tx import TxState
from keeper.domain.updates import SignOff
from keeper.protocols.clearinghouse.standing import LIVE
from keeper.protocols.clearinghouse.views import Views
from keeper.risk.version import MODEL_VERSION
from keeper.settings import Settings
from keeper.settings.keys import Keys, KeySource
from keeper.settings.secret import Secret
from keeper.settings.sections import Chain, Fees, Protocol, StoreSection
from keeper.testing.anvil import AnvilChain
from keeper.testing.evm import GENESIS_TIMESTAMP
from keeper.testing.house import feed_abi
from keeper.wiring import build, daemon
from tests.onlooker import onlooker

SEED = 5
#: Longest wait for a thread or a process; a test that passes never waits so long.
PATIENCE_S = 90.0
#: The longest that the settings allow, and longer than any test: whoever lives a block was told of it.
NEVER_S = 600.0
#: anvil's own limit is too small for a block of deployments.
GENEROUS = ("--gas-limit", "200000000")
#: Prices of the market that opens below its opening: most traders are under water.
CRASH = 6


@dataclass(frozen=True)
class Market:
    """A market that is open, saved."""

    world: World
    saved: Path

    @contextmanager
    def on_anvil(self, *, block_time_s=None):
        """The market on an anvil of its own."""
        with AnvilChain.loaded(self.saved, accounts=6, block_time_s=block_time_s, extra=GENEROUS) as chain:
            rpc = Rpc([Endpoint("test", chain.provider)], chain_id=chain.chain_id)
            yield replace(self.world, chain=chain, rpc=rpc)


def open_market(folder: Path) -> Market:
    path = stylised_crash(seed=SEED, blocks=12)
    genesis = ("--timestamp", str(GENESIS_TIMESTAMP))
    with AnvilChain(accounts=6, extra=(*GENEROUS, *genesis)) as chain:
        world = open_world(replace(path, warmup=path.warmup[-40:]), accounts=24, seed=SEED, chain=chain)
        chain.save(folder / "market.json")
    return Market(world, folder / "market.json")


def push_prices(world: World, point: int) -> None:
    """Send a point's prices to the pool, for whoever mines."""
    for symbol, feed in world.feeds.items():
        data = feed_abi().call("push", round(world.path.points[point].prices[symbol] * 10**8))
        world.chain.send(sender=world.chain.accounts[3], to=feed, data=data, gas=300_000)


class Life:
    """A daemon over anvil's URLs, its database in a folder.

    It announces what it lived; what goes wrong in its thread is raised by the next wait.
    """

    def __init__(self, world, folder, urls, *, fees=None, poll_interval_s=NEVER_S, **chain):
        self.world = world
        world.deployment.save(folder / "deployment.json")
        settings = Settings(
            chain=Chain(
                rpc_urls=tuple(Secret(url) for url in urls),
                chain_id=world.chain.chain_id,
                **{"confirmations": 2, "poll_interval_s": poll_interval_s, "call_deadline_s": 60.0} | chain,
            ),
            protocol=Protocol(deployment_file=folder / "deployment.json"),
            store=StoreSection(url=Secret(f"sqlite:///{folder / 'keeper.sqlite'}")),
            keys=Keys(publisher=KeySource(env="PUBLISHER"), liquidator=KeySource(env="LIQUIDATOR")),
            fees=Fees(**{"max_fee_gwei": Decimal(10_000), "max_spend_eth_per_day": Decimal(100)} | (fees or {})),
            risk=RISK,
            policy=policy(world.path.block_s),
        )
        environ = {"PUBLISHER": world.chain.key(1).hex(), "LIQUIDATOR": world.chain.key(2).hex()}
        self.keeper = build(settings, environ=environ, send=True)
        self.store = self.keeper.ports.store
        word = SignOff(version=MODEL_VERSION, operator="the tests", reason="to be tested", at_s=0, evidence="")
        self.store.sign_off(word)
        self.records, self.problem = [], None
        self._told = threading.Condition()
        self._gate, self._held = threading.Event(), threading.Event()
        self._gate.set()
        self.daemon = daemon(settings, self.keeper, on_cycle=self._note)
        self.thread = threading.Thread(target=self._run, name="daemon")

    def _run(self):
        try:
            self.daemon.run()
        except Exception as problem:  # noqa: BLE001 - raised again by the wait
            self.problem = problem
            with self._told:
                self._told.notify_all()

    def _note(self, record):
        with self._told:
            self.records.append(record)
            self._told.notify_all()
        if not self._gate.is_set():
            self._held.set()
            self._gate.wait(PATIENCE_S)

    def waits_for(self, happened):
        """Wait until something is so after one of its blocks."""
        with self._told:
            came = self._told.wait_for(lambda: self.problem is not None or happened(), PATIENCE_S)
        if self.problem is not None:
            raise self.problem
        return came

    @contextmanager
    def busy(self):
        """A daemon that takes as long over its next block as the block of code takes."""
        self._held.clear()
        self._gate.clear()
        assert self._held.wait(PATIENCE_S)
        try:
            yield self.newest
        finally:
            self._gate.set()

    @property
    def newest(self):
        return self.records[-1].block.number if self.records else -1

    def reaches(self, block):
        """Wait until it lived this very block."""
        return self.waits_for(lambda: any(one.block.hash == block.hash for one in self.records[-8:]))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self._gate.set()
        self.daemon.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        self.keeper.rpc.close()
        self.store.close()

    # What it did

    def of_kind(self, kind, *states):
        return [
            tx for tx in self.store.txs(limit=10_000) if tx.intent.kind == kind and (not states or tx.state in states)
        ]

    def drain(self, *, blocks=60):
        """Mine until nothing is open.  Returns: the last block."""
        head = self.world.chain.block()
        for _ in range(blocks):
            assert self.reaches(head)
            if not self.store.open_txs():
                return head
            head = self.world.chain.mine()
        raise AssertionError(f"still open after {blocks} blocks: {self.store.open_txs()}")


def liquidatable(world, accounts):
    """Those of the accounts below maintenance, by the contracts' own view at the head."""
    views, head = Views(BlockReads(world.rpc), world.deployment), world.chain.block()
    found = []
    for account in accounts:
        margin = views.one(head, "ClearingHouse", "margin", account, LIVE)
        if margin["equity"] < max(margin["mm"], 0):
            found.append(account)
    return found


def in_auction(world, accounts):
    views, head = Views(BlockReads(world.rpc), world.deployment), world.chain.block()
    return [a for a in accounts if views.one(head, "LiquidationAuction", "auction", a)["active"]]


def flagged(world):
    """How often each account was flagged on the canonical chain since the market opened."""
    topic = "0x" + keccak(b"Flagged(uint256,address,int256,uint256,uint256,bool,uint64)").hex()
    query = {"fromBlock": "0x0", "address": world.deployment.addresses["LiquidationAuction"], "topics": [topic]}
    return Counter(int(log["topics"][1], 16) for log in world.chain.request("eth_getLogs", query))


def index_of(world, head):
    """The accounts as somebody finds them who reads every log since the deployment, now."""
    anew = onlooker(world.rpc, world.deployment, risk=RISK, policy=policy(world.path.block_s))
    return tuple(anew.reader.read(head).accounts)


def hold_laws(life, head):
    """What must be so at quiescence, whatever happened before.

    The index is the chain's; nobody liquidatable is left alone; of each nonce one transaction is in a block; no
    intent is there twice; nobody healthy was flagged.
    """
    world, keeper = life.world, life.keeper
    snapshot = keeper.reader.read(head)
    assert keeper.reader.reconcile(snapshot, sample=len(snapshot.accounts)) == ()
    assert index_of(world, head) == tuple(snapshot.accounts), "no log was lost"
    assert set(liquidatable(world, world.names)) <= set(in_auction(world, world.names))
    there = Counter()
    for tx in life.store.txs(limit=10_000):
        mined = [a for a in tx.attempts if world.chain.request("eth_getTransactionReceipt", a.tx_hash) is not None]
        assert len(mined) <= 1, "an intent acts once"
        if tx.state in (TxState.FINAL, TxState.REVERTED):
            there[tx.sender, tx.nonce] += 1
            assert [a.tx_hash for a in mined] == [tx.mined_hash]
    assert set(there.values()) <= {1}
    assert not life.of_kind("flag", TxState.REVERTED), "whoever is healthy is never sent a flag"
