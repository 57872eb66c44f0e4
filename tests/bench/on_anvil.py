"""From a new head, announced over a WebSocket, to a signed liquidation: real contracts on a real anvil.

The market is the demo's, opened by transactions; then everybody else joins in pairs: each deposits, and the two trade a
perp and an option with signed orders.  All of it is mined, some hundred transactions a block, so that the logs are the
contracts' own.  One pair in five has just enough margin for its trade; a jump of the price makes its short side short.
In each block some deposit, so that their accounts change, and the price moves.

    python -m tests.bench.on_anvil ACCOUNTS BLOCKS     prints where the time of a block goes
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import requests
import structlog

from keeper.abis import load
from keeper.chain.asking.endpoint import endpoint_at
from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Rpc
from keeper.chain.following.announcements import head_sources
from keeper.chain.signers import Signer
from keeper.chain.signers.local import from_key
from keeper.cycle import cycle
from keeper.demo.deposits import Quotes
from keeper.demo.opening import SETTLEMENT, first_file, first_targets
from keeper.demo.orders import Owner, Signing
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import World, open_world
from keeper.domain.account import Instrument, Kind
from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.views import Views
from keeper.store import open_store
from keeper.testing.anvil import AnvilChain, find_anvil
from keeper.testing.evm import GENESIS_TIMESTAMP
from tests.bench.hotpath import POLICY, Watched, assembled, watch
from tests.bench.stages import Stages
from tests.bench.timing import Row

#: Least ratio that passes.
FLOORS = {"anvil: new head to liquidation signed": 1.5}
#: Least and most accounts, and how many of the other rows' there are for each here.
LEAST, MOST, ONE_IN = 300, 5_000, 20
#: Most blocks that are timed, those before them, and accounts that change in each.
BLOCKS, WARM, CHANGED = 40, 3, 100
#: Accounts of the demo's market that the others join.
FIRST = 24
#: Accounts whose view calls are timed.
SAMPLED = 100
#: One pair in this many is close to the edge.
THIN = 5
#: What a pair deposits over what its trades require: enough to trade, and plenty.
CUSHIONS = (1.03, 4.0)
#: The price against the opening's, in turn.
MOVES = (1.090, 1.092, 1.089, 1.091)
#: Transactions of one array and block; gas of a deposit and of a trade at most.
AT_ONCE, DEPOSIT_GAS, TRADE_GAS = 200, 400_000, 2_500_000
#: A block takes an array of trades.
GAS_LIMIT = 1_000_000_000
#: Longest wait for an announcement, seconds.
PATIENCE_S = 60.0
SEED = 5
WAD = 10**18


def rows(accounts: int) -> Iterator[Row]:
    """One row; nothing where anvil is absent."""
    if find_anvil() is None:
        return
    with opened(max(LEAST, min(MOST, accounts // ONE_IN))) as market, tempfile.TemporaryDirectory() as folder:
        a_call = market.one_call()
        blocks = min(BLOCKS, market.blocks)
        run = live(market, folder, blocks)
    p50, p99 = (float(np.quantile(run.signed_s, q)) for q in (0.5, 0.99))
    cpu_s, _ = run.stages.total_s()
    assert len(run.signed_s) == blocks, f"{blocks - len(run.signed_s)} blocks ended without a signed liquidation"
    yield Row(
        name="anvil: new head to liquidation signed",
        baseline_s=a_call * run.accounts,
        ours_s=p50,
        note=(
            f"{run.accounts:,} accounts, p50 {p50 * 1e3:.0f} ms (the ratio's), p99 {p99 * 1e3:.0f} ms over {blocks} "
            f"blocks, {np.median(cpu_s) * 1e3:.0f} ms of the processor; baseline: one view call an account"
        ),
    )


@dataclass
class Run:
    """What was measured."""

    signed_s: list[float]
    """From the announcement of a head to the first liquidation signed."""
    stages: Stages
    accounts: int = 0


@dataclass(frozen=True)
class Market:
    """A market on anvil with many accounts."""

    world: World
    chain: AnvilChain
    accounts: tuple[int, ...]
    """Of those that joined."""
    thin: int
    """How many of them a jump makes short."""

    @property
    def blocks(self) -> int:
        """Most blocks that can be timed so that somebody is short in each."""
        return self.thin // (1 + len(self.world.plan.symbols)) - WARM - 1

    def one_call(self) -> float:
        """Seconds to read one account by its view, one after the other."""
        views = Views(BlockReads(self.world.rpc), self.world.deployment)
        head = self.chain.block()
        sample = self.accounts[:: max(1, len(self.accounts) // SAMPLED)]
        started = time.perf_counter()
        for account in sample:
            views.one(head, "ClearingHouse", "accountState", account)
        return (time.perf_counter() - started) / len(sample)

    def mine(self, number: int) -> None:
        """A block in which prices move and some accounts change."""
        world, abi = self.world, Abi("ClearingHouse", load("ClearingHouse").abi)
        feed = Abi("MockAggregator", load("MockAggregator").abi)
        sent = []
        for symbol, address in world.feeds.items():
            price = round(world.path.points[0].prices[symbol] * MOVES[number % len(MOVES)] * 10**8)
            sent.append(self._call(address, feed.call("push", price)))
        for i in range(min(CHANGED, len(self.accounts) // 2)):
            # The long side of the pairs, which nobody liquidates.
            account = self.accounts[2 * ((number * CHANGED + i) % (len(self.accounts) // 2))]
            sent.append(self._call(self._house, abi.call("deposit", account, 0, 1)))
        send(self.chain, sent)
        self.chain.mine()

    @property
    def _house(self) -> str:
        return self.world.deployment.addresses["ClearingHouse"]

    def _call(self, to: str, data: bytes) -> dict[str, str]:
        return call(self.chain.accounts[3], to, data, DEPOSIT_GAS)


def call(sender: str, to: str, data: bytes, gas: int) -> dict[str, str]:
    """A transaction of one of anvil's own accounts."""
    return {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(gas)}


def send(chain: AnvilChain, calls: Sequence[dict[str, str]]) -> list[str]:
    """Hand over transactions of one account in one array, in their order; nothing is mined.  Returns: their hashes."""
    first = int(chain.request("eth_getTransactionCount", calls[0]["from"], "pending"), 16)
    asked = [
        {"jsonrpc": "2.0", "id": i, "method": "eth_sendTransaction", "params": [one | {"nonce": hex(first + i)}]}
        for i, one in enumerate(calls)
    ]
    answers: list[dict[str, Any]] = requests.post(chain.url, json=asked, timeout=120).json()
    refused = [answer for answer in answers if "result" not in answer]
    assert not refused, f"{len(refused)} of {len(calls)} transactions refused, the first: {refused[0]}"
    return [str(answer["result"]) for answer in sorted(answers, key=lambda answer: answer["id"])]


@contextmanager
def opened(accounts: int) -> Iterator[Market]:
    """A market with about so many accounts; opening it is not timed."""
    path = stylised_crash(seed=SEED, blocks=12)
    extra = ("--gas-limit", str(GAS_LIMIT), "--timestamp", str(GENESIS_TIMESTAMP))
    with AnvilChain(accounts=6, extra=extra) as chain:
        world = open_world(replace(path, warmup=path.warmup[-40:]), accounts=FIRST, seed=SEED, chain=chain)
        chain.set_block_interval(1)
        chain.set_automine(on=False)
        joined = tuple(Owner.of(SEED, f"pair {i}") for i in range(max(2, accounts - FIRST) // 2 * 2))
        thin = join(world, chain, joined)
        yield Market(world, chain, tuple(owner.account for owner in joined), thin)


def join(world: World, chain: AnvilChain, owners: Sequence[Owner]) -> int:
    """Have pairs deposit and trade with each other.  Returns: how many accounts stand close to the edge."""
    house, now = world.deployment.addresses["ClearingHouse"], chain.block().timestamp
    aims = first_targets(world.path, world.plan, shift_s=world.shift_s, seed=SEED)
    files = [first_file(aim, world.plan, u, now=now) for aim, u in zip(aims, world.spec.underlyings, strict=True)]
    quotes = Quotes(world.plan, files, world.spec.underlyings, now=now)
    abi, token = Abi("ClearingHouse", load("ClearingHouse").abi), Abi("MockERC20", load("MockERC20").abi)
    signing = Signing(chain_id=chain.chain_id, house=house)
    sender, coin = chain.accounts[3], world.spec.collaterals[0].token
    plenty = 10**12 * 10**18
    money = [call(sender, coin, token.call("mint", sender, plenty), DEPOSIT_GAS)]
    money.append(call(sender, coin, token.call("approve", house, plenty), DEPOSIT_GAS))
    trades: list[dict[str, str]] = []
    wanted: dict[tuple[int, bool], int] = {}
    thin = 0
    for number in range(len(owners) // 2):
        pair, u = owners[2 * number : 2 * number + 2], number % len(world.plan.symbols)
        listing = world.plan.listings[u][-1]
        legs = (
            Instrument(kind=Kind.PERP, underlying=u, expiry=0, strike=0),
            Instrument(kind=Kind.CALL, underlying=u, expiry=listing.expiry, strike=listing.strikes[number % 3]),
        )
        amount = 20_000 * WAD // (world.plan.spots[u] // WAD) // 10**15 * 10**15
        is_thin = number % THIN == 0
        thin += is_thin
        for side, owner in enumerate(pair):
            key = (number % 6, side == 1)
            if key not in wanted:
                sign = -1 if side else 1
                wanted[key] = max(
                    quotes.requirement(dict.fromkeys(legs[:1], sign * amount)),
                    quotes.requirement(dict.fromkeys(legs, sign * amount)),
                ) + quotes.price(legs[1]) * amount // WAD * (1 - side)
            dollars = int(wanted[key] * CUSHIONS[0 if is_thin and side else 1]) // WAD + 1
            units = dollars * 10 ** SETTLEMENT[1]
            money.append(call(sender, house, abi.call("deposit", owner.account, 0, units), DEPOSIT_GAS))
        for at, leg in enumerate(legs):
            price = quotes.price(leg)
            orders = [
                value
                for side, owner in enumerate(pair)
                for value in signing.order(
                    owner, leg, is_buy=not side, amount=amount, price=price, nonce=at + 1, expiry=now + 10**7
                )
            ]
            trades.append(call(sender, house, abi.call("trade", *orders, amount, price), TRADE_GAS))
    for calls in (money, trades):
        for start in range(0, len(calls), AT_ONCE):
            hashes = send(chain, calls[start : start + AT_ONCE])
            chain.mine()
            chain.receipt(hashes[0])
            chain.receipt(hashes[-1])
    return thin


def live(market: Market, folder: str, blocks: int) -> Run:
    """Live blocks as the daemon does, woken by their announcements."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    world, run = market.world, Run([], Stages())
    liquidator = Watched(from_key(market.chain.key(2)), run.stages.end)
    keys: dict[SignerRole, Sequence[Signer]] = {
        SignerRole.LIQUIDATOR: (liquidator,), SignerRole.PUBLISHER: (from_key(market.chain.key(1)),)
    }  # fmt: skip
    node = endpoint_at(market.chain.ws_url, timeout_s=60.0)
    rpc = Rpc([node], chain_id=market.chain.chain_id)
    store = open_store(f"sqlite:///{Path(folder) / 'keeper.sqlite'}")
    # As many a block as leave some for the last one; a refresh of each file may come before them.
    most = market.thin // (WARM + blocks + 1)
    policy = replace(POLICY, max_actions_per_block=max(1 + len(world.plan.symbols), most), max_standby_per_block=0)
    keeper = assembled(rpc, store, world.deployment, keys, policy=policy, sources=head_sources([node]))
    watch(run.stages, keeper.ports, keeper.reader)
    heard, at = threading.Event(), [0.0]

    def announced() -> None:
        if not heard.is_set():
            at[0] = time.perf_counter()
            run.stages.begin()
            heard.set()

    previous: BlockRef | None = keeper.heads.head()
    cycle(previous, keeper.ports, keeper.risk, keeper.policy)  # cold: the whole index
    end_listening = keeper.heads.listen(announced)
    try:
        for number in range(WARM + blocks):
            liquidator.at.clear()
            heard.clear()
            market.mine(number)
            assert heard.wait(PATIENCE_S), "no announcement of a block"
            head = keeper.heads.follow(previous).head
            assert head is not None
            record = cycle(head, keeper.ports, keeper.risk, keeper.policy)
            run.stages.end()
            previous, run.accounts = head, record.decision.report.summary.accounts
            if number >= WARM and liquidator.at:
                run.signed_s.append(liquidator.at[0] - at[0])
            if number < WARM or not liquidator.at:
                run.stages.blocks.pop()
    finally:
        end_listening()
        run.stages.stop()
        store.close()
    return run


def main() -> None:
    """Print where the time of a block goes."""
    began = time.perf_counter()
    with opened(int(sys.argv[1])) as market, tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"opened in {time.perf_counter() - began:.0f} s\n")
        run = live(market, folder, int(sys.argv[2]))
    p50, p99 = np.quantile(run.signed_s, (0.5, 0.99)) * 1e3
    sys.stdout.write(f"{run.accounts} accounts, {len(run.signed_s)} signed, p50 {p50:.0f} ms, p99 {p99:.0f} ms\n")
    sys.stdout.write("\n".join(run.stages.lines()) + "\n")


if __name__ == "__main__":
    main()
