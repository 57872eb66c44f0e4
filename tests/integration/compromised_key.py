"""The worst day of a stolen publisher's key: what it can move, whom it can hurt, and what stops it.

    python -m tests.integration.compromised_key

prints the same figures every time: path, crowd and keys come from one seed, and time is the chain's.
In every slot that the contract allows the thief publishes all numbers as far as the guard's mirror lets them go in one
direction, sets the funding rate and the add-on to IM as far as they go, and in the same block an accomplice tries to
put in auction whoever is weakest.  An honest keeper liquidates and settles and publishes nothing.  Prices stand still.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from keeper import logs
from keeper.chain.signers import from_key
from keeper.cycle import cycle
from keeper.demo.control import never_publish
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.tally import Tally
from keeper.demo.venue import DemoVenue
from keeper.demo.world import World, open_world
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Snapshot, UnderlyingState, Usable
from keeper.domain.tx import SignerRole
from keeper.policy.guard import allow, current
from keeper.policy.impact import file_after, margins_under
from keeper.policy.smile import straighten
from keeper.risk.exact.probes import requirements
from keeper.testing.anvil import AnvilChain
from keeper.testing.embedded import LocalChain
from keeper.testing.evm import GENESIS_TIMESTAMP
from keeper.testing.house import house_outbox, rpc_to
from keeper.testing.memory_store import MemoryStore
from keeper.wiring import assemble
from tests.integration.publisher import OUTSIDER, Publisher
from tests.slews import slow_down

HOUR, PPM = 3_600, 10**6
#: Accounts of the market, oracle rounds before it opens, and its seed.
ACCOUNTS, WARMUP, SEED = 40, 40, 1
#: Accounts that the accomplice tries in the block of a publication: the weakest.
TRIED = 8
#: Account of the chain that the honest keeper sends from, besides the liquidator's.
HONEST = 5
#: Beyond every fence.
FAR = 10**8


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Where a thief wants the numbers."""

    name: str
    ranges: int
    """+1: as wide as they go, −1: as narrow; 0: untouched."""
    vols: int
    """Volatilities, smiles, forwards and discounts."""
    funding: int
    add_on: bool = True


#: Each hurts somebody else; the last one publishes nothing.
AIMS = (
    Aim(name="squeeze shorts", ranges=1, vols=1, funding=-1),
    Aim(name="squeeze longs", ranges=1, vols=-1, funding=1),
    Aim(name="strip the fund", ranges=-1, vols=-1, funding=1, add_on=False),
)
NOBODY = Aim(name="nobody publishes", ranges=0, vols=0, funding=0, add_on=False)


@dataclass
class Day:
    """What a day came to."""

    aim: Aim
    first: Snapshot
    last: Snapshot
    seen: list[Snapshot] = field(default_factory=list)
    """After each publication."""
    publications: int = 0
    refused: int = 0
    """Publications that did not land, or items refused in them."""
    in_notice: set[int] = field(default_factory=set)
    """Put in auction in the block of a publication."""
    wronged: set[int] = field(default_factory=set)
    """Of those, healthy under the file before it."""
    held_off: set[int] = field(default_factory=set)
    """Tried in that block without success, and to be had in the next."""
    flagged: set[int] = field(default_factory=set)
    """Put in auction all day."""
    fund_paid: int = 0
    """Paid by the fund for insolvent accounts, wad USD."""
    socialised: int = 0


def young_anvil() -> AnvilChain:
    """An anvil whose time is before the market's."""
    return AnvilChain(accounts=6, extra=("--timestamp", str(GENESIS_TIMESTAMP)))


def opened(chain: LocalChain, *, accounts: int = ACCOUNTS) -> World:
    """The demo's market with its crowd, at its first prices; blocks are mined when told."""
    path = stylised_crash(seed=SEED, blocks=300)
    world = open_world(replace(path, warmup=path.warmup[-WARMUP:]), accounts=accounts, seed=SEED, chain=chain)
    for underlying in range(len(world.deployment.symbols)):
        slow_down(world, underlying)
    world.reach(world.path.points[0])
    return world


class Attack:
    """A day of a thief in a market."""

    def __init__(self, opened_: World, aim: Aim) -> None:
        # An edge of its own: what another one remembers of a chain that was reverted is of no use.
        world = replace(opened_, rpc=rpc_to(opened_.chain))
        self.world, self.chain, self.aim = world, world.chain, aim
        store = MemoryStore()
        signers = {
            SignerRole.PUBLISHER: from_key(world.chain.key(HONEST)),
            SignerRole.LIQUIDATOR: world.signers[SignerRole.LIQUIDATOR],
        }
        self.policy = never_publish(policy(world.path.block_s))
        self.keeper = assemble(
            rpc=world.rpc,
            store=store,
            deployment=world.deployment,
            risk=RISK,
            policy=self.policy,
            sender=lambda decode, recheck: house_outbox(world.rpc, store, signers, decode, recheck),
            quotes=DemoVenue(world.seed),
        )
        self.thief = Publisher(world, self.keeper.ports.reader)
        self.tally = Tally(world.rpc, world.deployment, since=self.chain.block())
        first = self.thief.see()
        self.day = Day(aim=aim, first=first, last=first)

    def through(self, hours: int = 24, *, every_s: int = 0, after: int = 0) -> Day:
        """Live the day.

        Args:
            hours: its length.
            every_s: seconds from slot to slot after the first ones; 0: every slot there is.
            after: how many slots come first.
        """
        ends = self.day.first.block.timestamp + hours * HOUR
        seen = self.day.first
        while (left := ends - seen.block.timestamp) > 0:
            seen = self._slot(min(every_s, left) if len(self.day.seen) > after else 0)
        self.day.last = seen
        self.tally.advance(self.chain.block())
        self.day.flagged = self.tally.flagged
        self.day.fund_paid, self.day.socialised = self.tally.from_fund, self.tally.socialised
        return self.day

    def _slot(self, wait_s: int) -> Snapshot:
        """Wait until a publication may come, send everything, let the keeper do its work."""
        before = self._open(wait_s)
        attempts = [self._publish(u, before.block.timestamp) for u in before.underlyings] if self.aim.ranges else []
        weak = [a.account for a in weakest(self.thief.margins(before))]
        could = {a for a in weak if self._flag(a, ask=True)}
        tries = {account: self._flag(account) for account in weak} if attempts else {}
        self.chain.mine()
        self.day.publications += sum(self.thief.landed(tx) for tx in attempts)
        self.day.refused += sum(not self.thief.landed(tx) for tx in attempts)
        self.day.refused += sum(e.name == "ItemRefused" for e in self.thief.events("RiskParameters"))
        landed = {account for account, tx in tries.items() if self.thief.landed(str(tx))}
        self.day.in_notice |= landed
        self.day.wronged |= landed - could
        self.chain.mine()  # the notice is over
        self.day.held_off |= {account for account in tries if account not in landed and self._flag(account, ask=True)}
        for _ in range(2):
            self._follow()
            self.chain.mine()
        seen = self.thief.see()
        self.day.seen.append(seen)
        return seen

    def _open(self, wait_s: int) -> Snapshot:
        """The block of the next slot, with fresh rounds of the same prices."""
        last, world = self.thief.see(), self.world
        free = max((u.publication.next_allowed_s for u in last.underlyings if u.publication), default=0)
        self.chain.advance_to(max(free, last.block.timestamp + (wait_s if self.aim.ranges else 1_800)) + 1)
        for symbol, feed in world.feeds.items():
            answer = round(world.path.points[0].prices[symbol] * 10**8)
            self.thief.send("MockAggregator", "push", answer, to=feed, sender=OUTSIDER)
        self.chain.mine()
        self._follow()  # what was open is settled and bid on at the slot's prices
        self.chain.mine()
        return self.thief.see()

    def _follow(self) -> None:
        """The honest keeper's cycle on the newest block."""
        cycle(self.chain.block(), self.keeper.ports, RISK, self.policy)

    def _publish(self, u: UnderlyingState, now: int) -> str:
        """Everything that the key may say about one underlying."""
        target = self.worst(u, now)
        if self.aim.add_on and "setStateAddOn" in self.thief.abis["RiskParameters"]:
            self._try("RiskParameters", "setStateAddOn", u.underlying, 500_000, now + 86_000)
        rate = u.funding_rate_ppm_per_day
        market = self.world.spec.underlyings[u.underlying]
        step = self.aim.funding * market.max_funding_step_ppm
        limit = market.max_funding_ppm_per_day
        self._try("ClearingHouse", "setFundingRate", u.underlying, max(-limit, min(limit, rate + step)))
        return self.thief.send(
            "RiskParameters", "publish", u.underlying, self.thief.publication(u, target, now), gas=6_000_000
        )

    def worst(self, u: UnderlyingState, now: int) -> UnderlyingTarget:
        """As far as the guard's mirror lets every number go."""
        assert u.publication is not None
        assert isinstance(u.spot, Usable)
        still = self.thief.in_force(u)
        wide = FAR if self.aim.ranges > 0 else 1
        wish = replace(
            still,
            ranges=Ranges(psr_ppm=wide, vsr_up_ppm=wide, vsr_down_ppm=wide),
            expiries=tuple(self._bent(e) for e in still.expiries),
        )
        legal = allow(wish, u.publication, now, u.rules)
        return straighten(legal, u.listings, spot=u.spot.wad, now=now, latest_s=now + 60, state=u.publication)

    def _bent(self, one: ExpiryTarget) -> ExpiryTarget:
        """Level, wings, forward and discount all one way."""
        up = self.aim.vols > 0
        atm = FAR if up else 1_000
        params = replace(one.params, sigma_atm_ppm=atm, phi_ppb=2 * 10**9 if up else 1, df_ppb=10**9 if up else 1)
        return ExpiryTarget(params=params, sigmas_ppm=tuple(atm * (3 if up else 1) // 2 for _ in one.sigmas_ppm))

    def _try(self, contract: str, function: str, *args: Any) -> None:
        _, error = self.thief.ask(contract, function, *args, sender=1)
        if not error:
            self.thief.send(contract, function, *args, gas=500_000)

    def _flag(self, account: int, *, ask: bool = False) -> bool | str:
        if ask:
            return not self.thief.ask("LiquidationAuction", "flag", account, 0)[1]
        return self.thief.send("LiquidationAuction", "flag", account, 0, sender=OUTSIDER, gas=1_800_000)


def weakest(margins: dict[int, AccountMargin]) -> list[AccountMargin]:
    """Accounts nearest to their maintenance that are not in auction."""
    held = [a for a in margins.values() if a.underlyings and not a.in_auction]
    return sorted(held, key=lambda a: a.health_ppm)[:TRIED]


# --- what it came to --------------------------------------------------------------------------------------------------


def probes(u: UnderlyingState, ranges: Ranges) -> tuple[int, ...]:
    """What the standard portfolios require under some ranges."""
    return requirements(ranges, tail_ppm=u.rules.tail_ppm, vol_floor_ppm=u.rules.vol_floor_ppm)


def dearest(u: UnderlyingState, new: Ranges, old: Ranges) -> float:
    """Largest move of a probe, as a factor away from 1."""
    pairs = zip(probes(u, new), probes(u, old), strict=True)
    return max((max(a, b) + 1_000) / (min(a, b) + 1_000) for a, b in pairs)


def same_accounts(day: Day, thief: Publisher) -> tuple[dict[int, Any], dict[int, Any]]:
    """Everybody of the first block, at its prices and time: under the first file, and under the last numbers."""
    files = {}
    for old, new in zip(day.first.underlyings, day.last.underlyings, strict=True):
        assert new.live is not None
        assert isinstance(old.spot, Usable)
        now = day.first.block.timestamp
        files[old.underlying] = file_after(old, thief.in_force(new), ranges=new.live.ranges, spot=old.spot.wad, now=now)
    before = margins_under(day.first, {u.underlying: u.live for u in day.first.underlyings if u.live})
    after = margins_under(day.first, files)
    # mypy does not count what a generator yields.
    return tuple({a.account: a for a in one if isinstance(a, AccountMargin)} for one in (before, after))  # type: ignore[return-value]


def lines(day: Day, thief: Publisher) -> Iterator[tuple[str, str]]:
    """The table: one figure a line."""
    before, after = same_accounts(day, thief)
    mm, im = ([sum(getattr(a, f) for a in one.values()) / 10**18 for one in (before, after)] for f in ("mm", "im"))
    equity = [abs(after[a].equity - before[a].equity) / 10**18 for a in before if a in after]
    u, v = day.first.underlyings[0], day.last.underlyings[0]
    assert u.live is not None
    assert v.live is not None
    assert u.publication is not None
    assert v.publication is not None
    old, new = u.live.ranges, current(v.publication)
    ours = (Band.LIQUIDATABLE, Band.INSOLVENT)
    yield "publications landed", str(day.publications)
    yield "refused, whole or item", str(day.refused)
    yield "ETH scan range published, %", f"{old.psr_ppm / 1e4:.2f} → {new.psr_ppm / 1e4:.2f}"
    yield "ETH scan range in force, %", f"{old.psr_ppm / 1e4:.2f} → {v.live.ranges.psr_ppm / 1e4:.2f}"
    for was in u.publication.expiries[-1:]:
        now_ = next(e for e in v.publication.expiries if e.expiry == was.expiry)
        yield "last expiry's volatility, %", f"{was.sigma_ppm / 1e4:.1f} → {now_.sigma_ppm / 1e4:.1f}"
        yield "last expiry's forward / spot", f"{was.phi_ppb / 1e9:.4f} → {now_.phi_ppb / 1e9:.4f}"
    yield "funding, % a day", f"{u.funding_rate_ppm_per_day / 1e4:+.2f} → {v.funding_rate_ppm_per_day / 1e4:+.2f}"
    yield "dearest probe moved, published", f"× {dearest(u, new, old):.3f}"
    yield "dearest probe moved, in force", f"× {dearest(u, v.live.ranges, old):.3f}"
    yield "maintenance of all, USD", f"{mm[0]:,.0f} → {mm[1]:,.0f}"
    yield "initial of all, USD", f"{im[0]:,.0f} → {im[1]:,.0f}"
    yield "marks moved, all accounts, USD", f"{sum(equity) / 2:,.0f}"
    yield "marks moved, worst account, USD", f"{max(equity):,.0f}"
    yield "below maintenance at the first block", str(sum(a.band in ours for a in before.values()))
    yield "put in auction all day", str(len(day.flagged))
    yield "of those in a publication's block", str(len(day.in_notice))
    yield "held off by the notice in that block", str(len(day.held_off))
    yield "put in auction in it, healthy under the file before", str(len(day.wronged))
    yield "fund paid, USD", f"{day.fund_paid / 1e18:,.2f}"
    yield "paid by the other accounts, USD", f"{day.socialised / 1e18:,.2f}"


def main(say: Callable[[str], object] = print, hours: int = 24) -> None:
    """Live the day once for each aim, and once with nobody publishing; print the figures."""
    logs.configure(level="error", style="console")
    with young_anvil() as chain:
        world = opened(chain)
        columns = []
        for aim in (NOBODY, *AIMS):
            start = chain.snapshot()
            attack = Attack(world, aim)
            columns.append(list(lines(attack.through(hours), attack.thief)))
            chain.revert(start)
            sys.stderr.write(f"{aim.name}: done\n")
    say(f"A thief with the publisher's key for {hours} hours: {ACCOUNTS} accounts, seed {SEED}, prices stand still.\n")
    names = [a.name for a in (NOBODY, *AIMS)]
    say("| |" + "|".join(names) + "|")
    say("|---|" + "---:|" * len(names))
    for rows in zip(*columns, strict=True):
        say(f"| {rows[0][0]} | " + " | ".join(value for _, value in rows) + " |")


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:  # no anvil here
        sys.exit(str(error))
