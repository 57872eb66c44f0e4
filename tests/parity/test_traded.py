"""A market that was really traded: what the keeper computes from events is what the contracts say (PAR-5 … PAR-8)."""

from collections import Counter
from dataclasses import replace

import pytest

from keeper.abis import load
from keeper.cycle import think
from keeper.demo.opening import RISK, policy
from keeper.demo.orders import Owner, Signing
from keeper.demo.paths import Point
from keeper.demo.stylised import stylised_crash
from keeper.demo.venue import DemoVenue
from keeper.demo.world import open_world
from keeper.domain.action import Publish, kind
from keeper.domain.cycle import CycleInputs
from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.snapshot import Instrument, Kind
from keeper.domain.tx import SignerRole
from keeper.errors import Refused
from keeper.policy.auction import discount_ppm, offer
from keeper.policy.guard import allow
from keeper.policy.smile import straighten
from keeper.protocols.abi import Abi
from keeper.risk.model import file_of, is_stale, model
from keeper.risk.report import shock, worst
from tests.onlooker import onlooker

pytestmark = [pytest.mark.chain, pytest.mark.timeout(900)]

WAD, PPM = 10**18, 10**6
ETH, BTC = 0, 1
USDC, WETH, WBTC = 0, 1, 2
LIVE, PREVIOUS = 0, 1
HOUR = 3_600
SEED = 11
ACCOUNTS = 54
#: Everything that must have been true of somebody at some block, and of how many.
WANTED = {
    "traded": 50,
    "holds both underlyings": 2,
    "perp with funding to pay or receive": 20,
    "negative cash with interest": 1,
    "haircut": 5,
    "cap on collateral binds": 1,
    "naked short": 10,
    "expired and settled, not paid out": 3,
    "expired, not settled": 3,
    "expiry inside an hour": 5,
    "stale file": 5,
    "differs under the file before": 10,
    "liquidatable": 3,
    "insolvent": 2,
    "in auction": 3,
    "socialised loss pending": 20,
    "unknown for want of a price": 5,
    "strikes compared": 200,
    "smiles published": 50,
    "forwards off spot": 50,
    "flag tried on a stale file": 4,
    "bid for a solvent account": 2,
    "bid for an insolvent account": 2,
}


class Story:
    """A market, a keeper that watches it, and what was seen so far."""

    def __init__(self):
        path = stylised_crash(seed=SEED, blocks=20)
        self.world = open_world(path, accounts=ACCOUNTS, seed=SEED)
        self.chain, self.at = self.world.chain, self.world.deployment.addresses
        self.abis = {name: Abi(name, load(name).abi) for name in (*self.at, "MockERC20", "MockAggregator")}
        self.policy = policy(path.block_s)
        self.keeper = onlooker(
            self.world.rpc, self.world.deployment, risk=RISK, policy=self.policy, quotes=DemoVenue(SEED)
        )
        self.seen = Counter()
        #: Accounts of which something was true, by what it was.
        self.who = {}
        self.chain.set_automine(on=False)
        self.nonce = 10**6
        named = {name for t in self.world.population.trades for name in (t.buyer, t.seller)}
        self.traders = {account for account, name in self.world.names.items() if name in named}

    # --- acting -------------------------------------------------------------------------------------------------------

    def send(self, data, to, *, sender):
        """One transaction in a block of its own; it must succeed."""
        tx_hash = self.chain.send(sender=self.chain.accounts[sender], to=to, data=data)
        self.chain.mine()
        return self.chain.receipt(tx_hash)

    def act(self, contract, function, *args, sender=0, to=None):
        return self.send(self.abis[contract].call(function, *args), to or self.at[contract], sender=sender)

    def view(self, contract, function, *args):
        return self.keeper.views.one(self.chain.block(), contract, function, *args)

    def move(self, *, to=None, wait_s=600, **moves):
        """Let time pass, then set prices: `eth=0.98` is two per cent down."""
        prices = {"ETH": self.spot(ETH), "BTC": self.spot(BTC)}
        for name, factor in moves.items():
            prices[name.upper()] *= factor
        until = to or self.chain.block().timestamp + wait_s
        self.world.reach(Point(time=until - self.world.shift_s, prices=prices))

    def spot(self, underlying):
        feed = self.world.feeds[("ETH", "BTC")[underlying]]
        at = self.chain.block()
        return self.keeper.views.at(at, "AggregatorV3Interface", "latestRoundData", address=feed)["answer"] / 10**8

    def keep(self, *kinds, but=()):
        """What the keeper would do about this block, of these kinds and not about `but`, done.  Returns: how many."""
        block = self.chain.block()
        done = 0
        for action in self.decide(block).actions:
            if kind(action) in kinds and getattr(action, "account", None) not in but:
                intent = self.keeper.ports.encoder.encode(action, block=block)
                sender = {SignerRole.PUBLISHER: 1, SignerRole.LIQUIDATOR: 2}[intent.role]
                self.send(intent.data, intent.to, sender=sender)
                done += 1
        return done

    def decide(self, block):
        snapshot = self.keeper.reader.read(block)
        quotes = self.keeper.ports.quotes.read(snapshot)
        return think(
            CycleInputs(snapshot=snapshot, quotes=quotes, in_flight=(), called=(), risk=RISK, policy=self.policy)
        )

    def deposit(self, account, collateral, amount, *, sender):
        token = self.world.spec.collaterals[collateral].token
        self.act("MockERC20", "mint", self.chain.accounts[sender], amount, sender=sender, to=token)
        self.act("MockERC20", "approve", self.at["ClearingHouse"], amount, sender=sender, to=token)
        self.act("ClearingHouse", "deposit", account, collateral, amount, sender=sender)

    def trade(self, buyer, seller, instrument, contracts):
        """At the mark, both orders signed."""
        spot = round(self.spot(instrument.underlying) * 10**8) * 10**10
        price = spot
        if instrument.kind is not Kind.PERP:
            args = (instrument.underlying, instrument.expiry, instrument.strike, instrument.kind is Kind.CALL, spot)
            price = self.keeper.views.at(self.chain.block(), "RiskFile", "marks", *args)["mid"]
        self.nonce += 1
        amount = int(contracts * WAD)
        signing = Signing(chain_id=self.chain.chain_id, house=self.at["ClearingHouse"])
        orders = []
        for owner, is_buy in ((buyer, True), (seller, False)):
            orders += signing.order(
                owner, instrument, is_buy=is_buy, amount=amount, price=price, nonce=self.nonce, expiry=2**40
            )
        self.act("ClearingHouse", "trade", *orders, amount, price, sender=3)

    # --- comparing ----------------------------------------------------------------------------------------------------

    def met(self, what, accounts):
        self.who.setdefault(what, set()).update(accounts)
        self.seen[what] = len(self.who[what])

    def check(self, chapter):
        """Everything at this block: index, margins, rows."""
        block = self.chain.block()
        snapshot = self.keeper.reader.read(block)
        assert self.keeper.reader.reconcile(snapshot, sample=len(snapshot.accounts)) == (), f"PAR-6: {chapter}"
        market = model(snapshot, RISK)
        report = self.decide(block).report
        self.margins(chapter, block, report.accounts, LIVE)
        if any(u.previous for u in market.underlyings):
            before = worst(
                snapshot, earlier(snapshot, market), shock(snapshot, earlier(snapshot, market)), buffer_ppm=0
            )
            self.margins(chapter, block, before.accounts, PREVIOUS)
            self.margins(f"{chapter}, looked at again", block, report.previous, PREVIOUS, grid_only=True)
            self.met(
                "differs under the file before",
                {a.account for a, b in zip(report.accounts, before.accounts, strict=True) if a.mm != b.mm},
            )
        self.files(chapter, block, snapshot)
        self.note(snapshot, report)
        return report

    def margins(self, chapter, block, accounts, version, *, grid_only=False):
        for ours in accounts:
            where = f"PAR-5: {chapter}, {self.world.names.get(ours.account, hex(ours.account))}, file {version}"
            try:
                theirs = self.keeper.views.one(block, "ClearingHouse", "marginDetail", ours.account, version)
            except Refused:
                assert isinstance(ours, Unpriced), where
                self.met("unknown for want of a price", {ours.account})
                continue
            assert isinstance(ours, AccountMargin), f"{where}: {ours}"
            margin = theirs["margin"]
            figures = {
                "equity": (ours.equity, margin["equity"]),
                "mm": (ours.mm, margin["mm"]),
                "grid": (sum(u.grid + u.short_minimum for u in ours.underlyings), margin["grid"]),
                "haircut": (ours.haircut, theirs["haircut"]),
                "pendingLoss": (ours.pending_loss, theirs["pendingLoss"]),
                "im": (ours.im, margin["im"]),
                "stale": (ours.stale, margin["stale"]),
            }
            if grid_only:  # staleness of the earlier file widens an initial margin that nobody asks for
                figures = {name: figures[name] for name in ("equity", "mm", "grid")}
            assert {name: pair for name, pair in figures.items() if pair[0] != pair[1]} == {}, where

    def files(self, chapter, block, snapshot):
        """Every published number and every row of both banks."""
        for u in snapshot.underlyings:
            banks = [(LIVE, u.live)]
            if u.publication.in_notice and u.previous is not None:
                banks.append((PREVIOUS, u.previous))
            for version, state in banks:
                where = f"PAR-7: {chapter}, {u.symbol}, file {version}"
                header = self.keeper.views.one(block, "RiskFile", "header", u.underlying, version)
                r = state.ranges
                ours = (state.epoch, state.ref_spot, state.time, r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm)
                names = ("epoch", "refSpot", "time", "psrPpm", "vsrUpPpm", "vsrDownPpm")
                assert ours == tuple(header[name] for name in names), where
                for _, vols in state.strikes:
                    self.seen["smiles published"] += len({vol.sigma_ppm for vol in vols}) > 1
                self.seen["forwards off spot"] += sum(e.phi_ppb != 10**9 for e in state.expiries)
                for (expiry, strike), array in file_of(state, u.rules).arrays.items():
                    if expiry <= block.timestamp:
                        continue
                    theirs = self.keeper.views.at(
                        block, "RiskFile", "strikeArray", u.underlying, expiry, strike, version
                    )
                    assert (theirs["sigmaPpm"], theirs["epoch"]) == (array.sigma_ppm, state.epoch), where
                    assert tuple(theirs["values"]) == array.values, f"{where}, {expiry}, {strike}"
                    self.seen["strikes compared"] += 1

    def note(self, snapshot, report):
        """What was true of whom."""
        states = {a.account: a for a in snapshot.accounts}
        settled = {(u.underlying, e) for u in snapshot.underlyings for e, _ in u.settled}
        caps = {c.collateral: c.cap_per_account for c in snapshot.collaterals}
        now = snapshot.block.timestamp
        index = {u.underlying: u.funding_index for u in snapshot.underlyings}
        found = {}

        def true(what, account):
            found.setdefault(what, set()).add(account)

        for margin in report.accounts:
            state, a = states[margin.account], margin.account
            if isinstance(margin, Unpriced):
                continue
            instruments = [p.instrument for p in state.positions]
            gone = [i for i in instruments if i.kind is not Kind.PERP and i.expiry <= now]
            checks = {
                "traded": a in self.traders,
                "holds both underlyings": len({i.underlying for i in instruments}) == 2,
                "perp with funding to pay or receive": any(p.funding_entry != index[p.underlying] for p in state.perps),
                "negative cash with interest": margin.cash < state.cash < 0,
                "haircut": margin.haircut > 0,
                "cap on collateral binds": any(units > caps[c] for c, units in state.collateral),
                "naked short": any(u.short_minimum for u in margin.underlyings),
                "expired and settled, not paid out": any((i.underlying, i.expiry) in settled for i in gone),
                "expired, not settled": any((i.underlying, i.expiry) not in settled for i in gone),
                "expiry inside an hour": any(now < i.expiry < now + HOUR for i in instruments),
                "stale file": margin.stale,
                "liquidatable": margin.band is Band.LIQUIDATABLE,
                "insolvent": margin.band is Band.INSOLVENT,
                "in auction": margin.in_auction,
                "socialised loss pending": margin.pending_loss > 0,
            }
            for what, holds in checks.items():
                if holds:
                    true(what, a)
        for what, accounts in found.items():
            self.met(what, accounts)

    def try_flags(self, chapter, *, most):
        """The contract, which refreshes stale files first, takes a flag of whom the keeper would, and no other."""
        block = self.chain.block()
        decision = self.decide(block)
        flagged = {a.account for a in decision.actions if kind(a) == "flag"}
        short = [a for a in decision.report.accounts if isinstance(a, AccountMargin) and a.equity < a.mm]
        for account in short[:most]:
            fee_to = self.world.deployment.liquidator_account
            data = self.abis["LiquidationAuction"].call("flag", account.account, fee_to)
            try:
                self.world.rpc.call_at(block, self.at["LiquidationAuction"], data, sender=self.chain.accounts[2])
                taken = True
            except Refused:
                taken = False
            assert taken == (account.account in flagged), f"PAR-8: {chapter}, {account}"
            self.seen["flag tried on a stale file"] += account.stale

    def price_bids(self, chapter):
        """The contract prices a bid for everything as the mirror does, at the same block."""
        block = self.chain.block()
        snapshot = self.keeper.reader.read(block)
        report = {a.account: a for a in self.decide(block).report.accounts}
        rules, bidder = snapshot.auction_rules, self.world.deployment.liquidator_account
        for running in snapshot.auctions:
            account = report[running.account]
            if account.stale:
                continue
            ours = offer(running, account, rules, block.timestamp)
            epochs = [self.view("RiskFile", "header", u.underlying, LIVE)["epoch"] for u in account.underlyings]
            data = self.abis["LiquidationAuction"].call("bid", running.account, bidder, WAD, epochs, 2**200)
            raw = self.world.rpc.call_at(block, self.at["LiquidationAuction"], data, sender=self.chain.accounts[2])
            answer = self.abis["LiquidationAuction"].result("bid", raw)
            # The whole is on offer; what may be taken of it costs its share, rounded up from the unrounded price.
            cost = ours.cost
            if account.equity >= 0:
                discount = discount_ppm(rules, block.timestamp - running.start_time)
                cost = -(-ours.worth * discount * ours.most // (WAD * PPM))
            assert (answer["taken"], answer["cost"]) == (ours.most, cost), f"PAR-3: {chapter}"
            self.seen["bid for an insolvent account" if account.equity < 0 else "bid for a solvent account"] += 1


def test_market__lived_through_a_crash__python_and_contract_agree():
    """Trades, funding, interest, haircuts, publications, expiries, a crash, auctions and losses; every account, to the
    wei, at each of the blocks between."""
    story = Story()
    chain, world = story.chain, story.world
    story.check("opened")

    # Two accounts beside the population: one without dollars, deep in its coins; one that takes the other side.
    coins, cash = (Owner(chain.key(i), chain.accounts[i]) for i in (5, 4))
    story.deposit(coins.account, WETH, 60 * 10**18, sender=5)
    story.deposit(coins.account, WBTC, 3 * 10**8, sender=5)
    story.deposit(cash.account, USDC, 900_000 * 10**6, sender=4)
    eth, btc = world.plan.listings
    held = [
        Instrument(ETH, eth[0].expiry, eth[0].strikes[-1], Kind.CALL),
        Instrument(ETH, eth[2].expiry, eth[2].strikes[0], Kind.PUT),
        Instrument(BTC, btc[0].expiry, btc[0].strikes[0], Kind.PUT),
        Instrument(BTC, btc[1].expiry, btc[1].strikes[-1], Kind.CALL),
        Instrument(ETH, 0, 0, Kind.PERP),
    ]
    for instrument in held:
        story.trade(coins, cash, instrument, 6 if instrument.underlying == ETH else 0.4)
    story.trade(cash, coins, held[1], 2)

    story.act("ClearingHouse", "setFundingRate", ETH, 2_500, sender=1)
    story.act("ClearingHouse", "setFundingRate", BTC, -1_500, sender=1)
    story.act("ClearingHouse", "setCollateral", WETH, 150_000, 20 * 10**18, 10**30)
    story.move(wait_s=1_800, eth=1.004, btc=0.995)

    # A perp opened, partly closed and closed: nothing of it stays.
    perp = Instrument(BTC, 0, 0, Kind.PERP)
    story.trade(coins, cash, perp, 0.5)
    story.trade(cash, coins, perp, 0.2)
    story.trade(cash, coins, perp, 0.3)

    # New parameters with a notice window; then the way down begins, and only one file is refreshed.
    config = story.view("RiskParameters", "config", ETH) | {"noticeBlocks": 30}
    story.act("RiskParameters", "setConfig", ETH, tuple(config.values()))
    publish(story, ETH)
    story.check("published, in notice")
    story.move(to=eth[0].expiry - 1_800, eth=0.95, btc=0.955)
    story.check("stale")
    story.act("RiskFile", "refresh", ETH, sender=3)
    story.check("refreshed, in notice")

    # The first expiries pass.  One underlying is settled, the other is not; some accounts are touched.
    story.move(to=eth[0].expiry + 60, eth=0.98)
    settle(story, ETH, eth[0].expiry)
    for account in list(world.names)[::4]:
        story.act("ClearingHouse", "touch", account, sender=3)
    story.check("expired")

    # The crash: flags, bids, a fund that cannot pay, losses for everybody.
    story.act("InsuranceFund", "setCap", 1_000 * WAD)
    story.move(wait_s=1_200, eth=0.77, btc=0.80)
    story.check("crashed")
    story.try_flags("crashed", most=8)
    for underlying in (ETH, BTC):
        story.act("RiskFile", "refresh", underlying, sender=3)
    assert story.keep("flag") >= 4
    story.check("in auction")
    story.price_bids("in auction")
    story.keep("bid", but=insolvent(story)[:2])
    story.move(wait_s=HOUR)
    take_insolvent(story, most=2)
    story.check("losses shared")

    # A day: second expiries, old files, and at the end a feed that fell silent.
    story.move(to=eth[1].expiry + 300, eth=1.03, btc=1.02)
    story.act("RiskFile", "refresh", ETH, sender=3)
    story.check("a day later")
    assert story.keep("settle") >= 3
    quiet = chain.block().timestamp + 2 * HOUR
    chain.advance_to(quiet)
    story.act("MockAggregator", "push", 2_000 * 10**8, sender=3, to=world.feeds["ETH"])
    story.check("no BTC price")

    short = {name: (story.seen[name], least) for name, least in WANTED.items() if story.seen[name] < least}
    assert short == {}, f"met too rarely, of {dict(story.seen)}"


def earlier(snapshot, market):
    """The market under the files before the notice windows."""
    underlyings = []
    for u, state in zip(market.underlyings, snapshot.underlyings, strict=True):
        if u.previous is not None:
            stale = is_stale(state.previous, state.rules, u.spot, market.now)
            u = replace(u, file=u.previous, previous=None, stale=stale)  # noqa: PLW2901 - the same underlying, earlier
        underlyings.append(u)
    return replace(market, underlyings=tuple(underlyings))


def publish(story, underlying):
    """The target, or what is in force where there is none, moved as far as the fences let it."""
    block = story.chain.block()
    snapshot = story.keeper.reader.read(block)
    state = snapshot.underlyings[underlying].publication
    target = model(snapshot, RISK, story.keeper.ports.quotes.read(snapshot)).of(underlying).target
    wider = replace(target, ranges=replace(target.ranges, psr_ppm=target.ranges.psr_ppm * 13 // 10))
    action = Publish(
        underlying=underlying,
        id=state.last_id + 1,
        valid_until=block.timestamp + HOUR,
        inputs_hash="0x" + "11" * 32,
        expected_old=state.digest,
        params=straighten(
            allow(wider, state, block.timestamp, snapshot.underlyings[underlying].rules),
            snapshot.underlyings[underlying].listings,
            spot=snapshot.underlyings[underlying].spot.wad,
            now=block.timestamp,
            latest_s=block.timestamp + HOUR,
        ),
        why="a test",
    )
    intent = story.keeper.ports.encoder.encode(action, block=block)
    story.send(intent.data, intent.to, sender=1)


def settle(story, underlying, expiry):
    """With the rounds that the encoder finds."""
    block = story.chain.block()
    actions = [a for a in story.decide(block).actions if kind(a) == "settle" and a.underlying == underlying]
    assert [a.expiry for a in actions] == [expiry]
    intent = story.keeper.ports.encoder.encode(actions[0], block=block)
    story.send(intent.data, intent.to, sender=2)


def insolvent(story):
    """Accounts in auction that owe more than they have."""
    report = story.decide(story.chain.block()).report.accounts
    return [a.account for a in report if isinstance(a, AccountMargin) and a.in_auction and a.equity < 0]


def take_insolvent(story, *, most):
    """Our own account takes the whole of insolvent ones, for a payout that the fund does not cover."""
    block = story.chain.block()
    snapshot = story.keeper.reader.read(block)
    report = [a for a in story.decide(block).report.accounts if isinstance(a, AccountMargin)]
    bidder = story.world.deployment.liquidator_account
    taken = 0
    for account in report:
        if account.in_auction and account.equity < 0 and taken < most:
            epochs = [story.view("RiskFile", "header", u.underlying, LIVE)["epoch"] for u in account.underlyings]
            story.act("LiquidationAuction", "bid", account.account, bidder, WAD, epochs, 2**200, sender=2)
            taken += 1
    assert taken >= 1
    assert story.keeper.reader.read(story.chain.block()).keep_ray < snapshot.keep_ray
