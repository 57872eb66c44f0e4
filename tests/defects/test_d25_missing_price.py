"""Defect 25: a missing price was taken for safe, or for a reason to liquidate.  It is unknown, and a person is told.

Each mutant puts a number where there is none: the last one, nothing, or leaves out whoever needs it.
"""

from dataclasses import replace

import pytest

import keeper.cycle
from keeper.cycle import recovered, think
from keeper.domain.action import Bid, Flag, MarginCall, Unflag
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.report import MarginReport
from keeper.domain.snapshot import Unusable, Usable
from keeper.errors import Refused
from keeper.ops.once import once
from keeper.protocols.clearinghouse.views import Views
from keeper.testing.builders import a_snapshot, an_account, an_auction, an_underlying
from keeper.testing.small_house import SmallHouse
from tests.defects.frame import defect
from tests.defects.houses import watching

#: Long and healthy at the last price; long and short of margin at it; short, whom a price of nothing would enrich; in
#: auction and restored at the last price; without anything that needs a price.
HEALTHY, BROKE, BEAR, AUCTIONED, CASH_ONLY = 11, 12, 13, 14, 15
CALLED = 16
UNKNOWN = {HEALTHY, BROKE, BEAR, AUCTIONED, CALLED}


def lives(spot):
    """One block of a book in which nearly everybody needs the price."""
    accounts = (
        an_account(HEALTHY, cash=10_000, perp=1),
        an_account(BROKE, cash=10, perp=1),
        an_account(BEAR, cash=10_000, perp=-1),
        an_account(AUCTIONED, cash=10_000, perp=1, in_auction=True),
        an_account(CASH_ONLY, cash=1_000),
        an_account(CALLED, cash=420, perp=1),
    )
    snapshot = a_snapshot(*accounts, underlying=an_underlying(spot=spot), auctions=(an_auction(AUCTIONED),))
    inputs = CycleInputs(snapshot=snapshot, in_flight=(), called=(CALLED,), risk=RiskKnobs(), policy=PolicyKnobs())
    return inputs, think(inputs)


def unknown_and_told():
    """Nobody who needs it is judged, nothing is done to them, no call of theirs ends; the others go on."""
    _, before = lives(3_000)
    judged = {m.account: m for m in before.report.accounts}
    assert judged[HEALTHY].band is Band.HEALTHY, "else this test tests nothing"
    assert judged[BROKE].band in (Band.LIQUIDATABLE, Band.INSOLVENT)
    assert any(isinstance(a, Flag) for a in before.actions)

    inputs, decision = lives(Unusable(reason="StalePrice(asset=ETH)"))
    assert not [a for a in decision.actions if isinstance(a, Flag | Bid | Unflag | MarginCall)], "nothing is done"
    found = {m.account: m for m in decision.report.accounts}
    assert {account for account, m in found.items() if isinstance(m, Unpriced)} == UNKNOWN, "unknown, and not left out"
    assert isinstance(found[CASH_ONLY], AccountMargin), "who needs no price is judged"
    assert recovered(inputs.called, decision.report) == (), "and nothing taken back"
    said = "\n".join(decision.alerts)
    assert "ETH: price unusable: StalePrice" in said
    for account in UNKNOWN:
        assert f"{account:#066x} is unknown" in said


def with_spot(patch, number):
    """Let the model see a number where the snapshot has none."""
    model = keeper.cycle.model

    def modelled(snapshot, risk, quotes):
        def seen(u):
            return replace(u, spot=Usable(wad=number(u))) if isinstance(u.spot, Unusable) else u

        return model(replace(snapshot, underlyings=tuple(map(seen, snapshot.underlyings))), risk, quotes)

    patch.setattr(keeper.cycle, "model", modelled)


def last_price_goes_on(patch):
    """A price that is a little old is better than none: whoever was safe is safe, whoever was not is flagged."""
    with_spot(patch, lambda u: u.live.ref_spot)


def nothing_is_a_price(patch):
    """`price = answer or 0`: whoever is long is worth nothing and liquidated."""
    with_spot(patch, lambda _: 1)


def skips_whom_it_cannot_price(patch):
    """`except PriceError: continue`: whoever needs the price is in nobody's list, and so in no danger."""
    worst = keeper.cycle.worst

    def judged(*args, **named):
        report = worst(*args, **named)
        return MarginReport(accounts=[m for m in report.accounts if isinstance(m, AccountMargin)])

    patch.setattr(keeper.cycle, "worst", judged)


@defect(25, mutant=last_price_goes_on)
def test_no_price__not_the_last_one__unknown_with_an_alert():
    """Neither safe nor liquidated by a price that was true once."""
    unknown_and_told()


@defect(25, mutant=nothing_is_a_price)
def test_no_price__not_nothing__unknown_with_an_alert():
    """Not liquidated for want of a price."""
    unknown_and_told()


@defect(25, mutant=skips_whom_it_cannot_price)
def test_no_price__not_left_out__unknown_with_an_alert():
    """Not safe for want of a price."""
    unknown_and_told()


# --- from the feed on -------------------------------------------------------------------------------------------------


def revert_is_zero(patch):
    """The oracle reverts, and the wrapper around the call answers with the type's default."""
    ask = Views.price

    def price(self, block, asset):
        found = ask(self, block, asset)
        return Usable(wad=0) if isinstance(found, Unusable) else found

    patch.setattr(Views, "price", price)


def revert_is_no_news(patch):
    """The oracle reverts, and the cache in front of it has what it said last."""
    ask, kept = Views.price, {}

    def price(self, block, asset):
        found = ask(self, block, asset)
        if isinstance(found, Usable):
            kept[asset] = found
        return kept.get(asset, found)

    patch.setattr(Views, "price", price)


def feed_goes_bad():
    """A feed answers zero, then falls silent for days; who holds the coin is unknown block after block, then back."""
    house = SmallHouse()
    coin, cash = (int(house.hand.address, 16) << 96 | sub for sub in (1, 2))
    for account, collateral, token, units in ((coin, 1, "WETH", 10**18), (cash, 0, "USDC", 10**9)):
        house.do("MockERC20", "mint", house.hand.address, units, to=house.tokens[token])
        house.do("MockERC20", "approve", house.deployment.addresses["ClearingHouse"], units, to=house.tokens[token])
        house.do("ClearingHouse", "deposit", account, collateral, units)
    keeper = watching(house)

    def judged():
        decision = once(keeper.heads, keeper.ports, keeper.risk, keeper.policy).decision
        return {m.account: m for m in decision.report.accounts}, "\n".join(decision.alerts)

    found, _ = judged()
    assert found[coin].equity == 2_700 * 10**18
    house.do("MockAggregator", "push", 0, to=house.feeds[0])
    for reason, wait_s in (("BadPrice", 0), ("BadPrice", 60), ("", 7 * 86_400)):
        if wait_s:
            house.chain.advance_to(house.chain.block().timestamp + wait_s)
        house.chain.mine()
        found, said = judged()
        assert isinstance(found[coin], Unpriced)
        assert isinstance(found[cash], AccountMargin)
        assert reason in said
        assert f"{coin:#066x} is unknown" in said
    house.do("MockAggregator", "push", 3_100 * 10**8, to=house.feeds[0])
    found, _ = judged()
    assert found[coin].equity == 2_790 * 10**18, "and known again"


# The risk file at a price of zero is a division by zero: a keeper that stops is no keeper that knows.
@pytest.mark.chain
@defect(25, mutant=revert_is_zero, breaks=(AssertionError, ZeroDivisionError))
def test_feed_goes_bad__not_worth_nothing__unknown_until_it_is_back():
    """Whoever holds the coin is not worth nothing because its feed says so."""
    feed_goes_bad()


@pytest.mark.chain
@defect(25, mutant=revert_is_no_news)
def test_feed_goes_bad__not_what_it_was__unknown_until_it_is_back():
    """Nor worth what he was worth when the feed was well."""
    feed_goes_bad()


def any_answer_is_a_price(patch):
    """What the oracle answers is the price: it reverts where it has none, so nobody looks at the number."""

    def price(self, block, asset):
        try:
            return Usable(wad=self.one(block, "PriceOracle", "price", asset))
        except Refused as refusal:
            return Unusable(reason=self.explain(refusal))

    patch.setattr(Views, "price", price)


#: Runtime code that answers whatever it is asked with a word of zeros, or of ones.
ZEROS, ONES = bytes.fromhex("60206000f3"), bytes.fromhex("60001960005260206000f3")


@pytest.mark.chain
@defect(25, mutant=any_answer_is_a_price, breaks=(AssertionError, ZeroDivisionError, OverflowError))
def test_oracle_answers_nonsense__no_price__unknown_with_an_alert():
    """A node or an upgraded oracle that answers with zeros, or with all the bits there are, has no price either."""
    house = SmallHouse(proxied=("PriceOracle",))
    keeper = watching(house)
    for code in (ZEROS, ONES):
        house.do("MockProxy", "upgradeTo", house.chain.deploy_code(code), to=house.deployment.addresses["PriceOracle"])
        decision = once(keeper.heads, keeper.ports, keeper.risk, keeper.policy).decision
        assert any("ETH: price unusable" in alert for alert in decision.alerts)
        assert not decision.actions
