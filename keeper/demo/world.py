"""The market on an embedded chain: deployed, funded, and really traded into being.

Chain time is market time where the chain allows it; a path older than the chain's genesis is moved as a whole by
`shift_s`.  Setting up takes one second of chain time a block, in the minutes before the opening.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from keeper.abis import load
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import LocalSigner, from_key
from keeper.demo.crowd import CALL_GAS, TRADE_GAS, Crowd, Progress
from keeper.demo.deposits import Quotes, deposits
from keeper.demo.listings import Plan, plan_market, to_wad
from keeper.demo.opening import (
    COINS,
    FUND_USD,
    SETTLEMENT,
    first_file,
    first_targets,
    house_spec,
)
from keeper.demo.orders import Owner
from keeper.demo.paths import Point, PricePath
from keeper.demo.population import Population, populate
from keeper.deploy import BreakerSpec, Hand, HouseSpec, deploy_house, structs
from keeper.domain.block import BlockRef
from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.tx import SignerRole
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.embedded import EmbeddedChain, LocalChain
from keeper.testing.evm import GENESIS_TIMESTAMP

#: Seconds of chain time before the opening in which everything is set up.
SETUP_S = 1_800
GWEI = 10**9
#: More than anything costs on a chain of our own.
FEES = FeePolicy(max_fee_wei=10_000 * GWEI, max_priority_fee_wei=GWEI)


@dataclass(frozen=True, kw_only=True)
class World:
    """A market that is open."""

    chain: LocalChain
    rpc: Rpc
    path: PricePath
    plan: Plan
    spec: HouseSpec
    deployment: Deployment
    population: Population
    names: Mapping[int, str]
    """Member name by account."""
    signers: Mapping[SignerRole, LocalSigner]
    feeds: Mapping[str, str]
    """Mock feed by symbol."""
    shift_s: int
    """Chain time less market time."""
    seed: int

    def reach(self, point: Point) -> BlockRef:
        """Set the prices of one point and mine the block that carries them.  Nothing mines by itself from now on."""
        self.chain.advance_to(max(point.time + self.shift_s, self.chain.block().timestamp + 1))
        self.chain.set_automine(on=False)
        for symbol, feed in self.feeds.items():
            self._send("MockAggregator", feed, "push", to_wad(point.prices[symbol]) // 10**10)
        return self.chain.mine()

    def anew(self) -> World:
        """The same market over an edge that remembers nothing: what one knows of a chain that was reverted is wrong."""
        return replace(self, rpc=_edge(self.chain))

    def mine(self) -> BlockRef:
        """The next block of the same moment, one block interval later."""
        return self.chain.mine()

    def publish_ranges(self, ranges: Sequence[Ranges]) -> None:
        """Publish constant scan ranges before the opening, as governance would: fences open, publish, fences back.

        Volatilities stay as they are.  The ranges come into force as fast as the contract can, most of them before the
        opening and the rest within an hour of it: a ramp would widen initial margins for half a day.
        """
        self.chain.set_automine(on=False)
        self.chain.advance_to(self.plan.opening_s - 300)
        fence = b"psr".ljust(32, b"\0")
        for i, (u, wanted) in enumerate(zip(self.spec.underlyings, ranges, strict=True)):
            wide = (u.psr_fence.min, u.psr_fence.max, 10**7, u.psr_fence.max, 10**7, u.psr_fence.max)
            hasty = replace(u, vol_fences=replace(u.vol_fences, min_delay_s=0))
            self.govern("RiskParameters", "setFence", i, fence, wide)
            self.govern("RiskParameters", "setVolFences", i, structs.vols(hasty))
            self.govern("RiskParameters", "setJointFence", i, (10**7, 10**7))
            config = self._view("RiskParameters", "config", i) | {"slewPpmPerHour": 5 * 10**6 // 2}
            self.govern("RiskParameters", "setConfig", i, tuple(config.values()))
            vols = [(e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, list(e.smile)) for e in u.expiries]
            numbers = (wanted.psr_ppm, wanted.vsr_up_ppm, wanted.vsr_down_ppm)
            digest = self._view("RiskParameters", "targetDigest", i)
            publication = (2, self.plan.opening_s + 3_600, b"\0" * 32, digest, *numbers, vols)
            self.govern("RiskParameters", "publish", i, publication, sender=1)
            self.govern("RiskParameters", "setFence", i, fence, structs.fence(u.psr_fence))
            self.govern("RiskParameters", "setVolFences", i, structs.vols(u))
            self.govern("RiskParameters", "setJointFence", i, structs.joint(u))

    def govern(self, contract: str, function: str, *args: object, sender: int = 0) -> None:
        """Do something as the owner (or another of the chain's accounts), mined at once."""
        abi = Abi(contract, load(contract).abi)
        data = abi.call(function, *args)
        tx_hash = self.chain.send(
            sender=self.chain.accounts[sender], to=self.deployment.addresses[contract], data=data, gas=TRADE_GAS
        )
        self.chain.mine()
        self.chain.receipt(tx_hash)

    def _view(self, contract: str, function: str, *args: object) -> Any:
        abi = Abi(contract, load(contract).abi)
        answer = self.rpc.call_at(self.chain.block(), self.deployment.addresses[contract], abi.call(function, *args))
        return next(iter(abi.result(function, answer).values()))

    def _send(self, contract: str, to: str, function: str, *args: object) -> str:
        data = Abi(contract, load(contract).abi).call(function, *args)
        return self.chain.send(sender=self.chain.accounts[3], to=to, data=data, gas=CALL_GAS)


def open_world(
    path: PricePath,
    *,
    accounts: int,
    seed: int,
    progress: Progress = lambda *_: None,
    blocks_per_moment_s: int = 12,
    chain: LocalChain | None = None,
    breaker: BreakerSpec | None = None,
) -> World:
    """Deploy, fund and trade until the market stands as the population says.

    Args:
        path: prices; the market opens at its first point.
        accounts: members, makers included.
        seed: of population and keys.
        progress: told of every step.
        blocks_per_moment_s: chain time between two blocks of one market moment.
        chain: where; a fresh embedded chain by default.  Not younger than `GENESIS_TIMESTAMP`, with six accounts.
        breaker: what trips the flash-crash breaker; by default there is none, since most stories of a test crash the
            price in one round.
    """
    chain = chain or EmbeddedChain(accounts=6)
    chain.set_block_interval(1)
    rpc = _edge(chain)
    opening_s = path.points[0].time
    earliest = GENESIS_TIMESTAMP + 2 * SETUP_S + (opening_s - path.warmup[0].time if path.warmup else 0)
    shift_s = 0 if opening_s >= earliest else -(-(earliest - opening_s) // 3_600) * 3_600
    chain.advance_to(opening_s + shift_s - SETUP_S)
    chain.mine()

    plan = plan_market(path, opening_s=opening_s + shift_s)
    targets = first_targets(path, plan, shift_s=shift_s, seed=seed)
    owner = _signer(chain, 0)
    hand = Hand(rpc, owner, fees=FEES, poll_interval_s=0.0)
    feeds, tokens = _mocks(hand, path, plan, shift_s)
    signers = {SignerRole.PUBLISHER: _signer(chain, 1), SignerRole.LIQUIDATOR: _signer(chain, 2)}
    spec = house_spec(
        path,
        plan,
        targets,
        feeds=feeds,
        tokens=tokens,
        publisher=signers[SignerRole.PUBLISHER].address,
        liquidator=signers[SignerRole.LIQUIDATOR].address,
        guardian=chain.accounts[4],
        breaker=breaker,
    )
    now = chain.block().timestamp
    deployment = deploy_house(spec, hand, now_s=now, multicall=True, progress=progress)

    if breaker is not None:  # the warm-up's last move may have been a jump: nobody trades while that is doubtful
        chain.advance_to(chain.block().timestamp + breaker.hold_s)
    population = populate(plan, accounts=accounts, seed=seed)
    owners = {m.name: Owner.of(seed, m.name) for m in population.members}
    quotes = _quotes(plan, targets, spec, now=chain.block().timestamp)
    crowd = Crowd(chain, deployment, spec, owners, plan)
    crowd.fund(deposits(population, plan, quotes), progress)
    crowd.trade(population.trades, quotes, progress)
    chain.set_block_interval(blocks_per_moment_s)
    return World(
        chain=chain,
        rpc=rpc,
        path=path,
        plan=plan,
        spec=spec,
        deployment=deployment,
        population=population,
        names={owners[m.name].account: m.name for m in population.members},
        signers=signers,
        feeds=feeds,
        shift_s=shift_s,
        seed=seed,
    )


def _edge(chain: LocalChain) -> Rpc:
    return Rpc([Endpoint(name="embedded", provider=chain.provider)], chain_id=chain.chain_id)


def _signer(chain: LocalChain, index: int) -> LocalSigner:
    return from_key(chain.key(index))


def _mocks(hand: Hand, path: PricePath, plan: Plan, shift_s: int) -> tuple[dict[str, str], dict[str, str]]:
    """Feeds with the warm-up's rounds, the opening price last; tokens that anyone mints."""
    feeds = {}
    for symbol in plan.symbols:
        before = [p for p in path.warmup if p.time + shift_s < plan.opening_s - SETUP_S]
        feed = hand.create("MockAggregator", 8, 1)
        for i, point in enumerate(before):
            answer, at = to_wad(point.prices[symbol]) // 10**10, point.time + shift_s
            if i == 0:  # the constructor made round 1 now; it is rewritten as the oldest
                hand.send("MockAggregator", feed, "setRound", 1, answer, at, at, 1)
            else:
                hand.send("MockAggregator", feed, "pushAt", answer, at)
        hand.send("MockAggregator", feed, "push", to_wad(path.points[0].prices[symbol]) // 10**10)
        feeds[symbol] = feed
    listed = (SETTLEMENT, *((name, decimals) for name, decimals, _, _ in COINS))
    tokens = {name: hand.create("MockERC20", f"Demo {name}", name, decimals) for name, decimals in listed}
    hand.send("MockERC20", tokens[SETTLEMENT[0]], "mint", hand.address, FUND_USD * 10 ** SETTLEMENT[1])
    return feeds, tokens


def _quotes(plan: Plan, targets: Sequence[UnderlyingTarget], spec: HouseSpec, *, now: int) -> Quotes:
    files = [first_file(aim, plan, u, now=now) for aim, u in zip(targets, spec.underlyings, strict=True)]
    return Quotes(plan, files, spec.underlyings, now=now)
