"""What an action is worth, and what is done at a profit, at a loss, and when it is unknown (WOR-1 … WOR-6)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.action import Bid, Flag, Refresh, Touch, Unflag
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import Band
from keeper.domain.snapshot import CollateralState, Unusable, Usable
from keeper.domain.worth import Economics, Standing
from keeper.policy.worth import HEADROOM, Judge, native_price, worth_of
from keeper.testing.builders import a_margin, a_snapshot, an_account, an_auction, an_underlying, usd

GWEI, WAD = 10**9, 10**18
OWN = 99
#: 100,000 gas; at 100 gwei and 3,000 USD that is 30 USD.
GAS = (("bid", 100_000), ("flag", 100_000))
KNOBS = PolicyKnobs(loss_budget_usd_per_day=100)


def economics(*, gas_price_wei=100 * GWEI, **fields):
    given = {"gas": GAS, "lost_usd": 0, "unpriced_gas_wei": 0, "pledged_wei": 0} | fields
    return Economics(gas_price_wei=gas_price_wei, **given)


def short(account=7, *, requirement, equity):
    """An account below maintenance whose worst scenario costs `requirement`; a flag pays 1 % of it."""
    band = Band.INSOLVENT if equity < 0 else Band.LIQUIDATABLE
    return a_margin(account, equity=equity, mm=requirement, im=requirement, band=band)


def judge(*margins, knobs=KNOBS, snapshot=None, **fields):
    world = snapshot or a_snapshot(own_account=OWN)
    return Judge(world, {m.account: m for m in margins}, knobs, economics(**fields))


def flag(account=7):
    return Flag(account=account, why="")


def test_flag__pays_more_than_its_gas__acts_up_to_its_worth():
    """WOR-1: the fee goes to our account in the house; all of it may go into gas, and not a wei more."""
    verdict = judge(short(requirement=6_000, equity=3_000)).verdict(flag())
    assert (verdict.go, verdict.standing) == (True, Standing.PROFIT), "WOR-1"
    assert verdict.gain_usd == usd(60)
    assert verdict.gas_usd == usd(30)
    assert verdict.worth_wei == usd(60) * WAD // usd(3_000), "WOR-1"
    assert verdict.subsidy_wei == 0
    worth = worth_of(flag(), a_snapshot(own_account=OWN), {7: short(requirement=6_000, equity=3_000)}, KNOBS)
    assert worth.beneficiary == OWN


def test_flag__insolvent_or_nearly__fee_is_at_most_the_equity():
    """WOR-1: the contract pays no fee that is not there."""
    snapshot = a_snapshot(own_account=OWN)
    gains = [
        worth_of(flag(), snapshot, {7: short(requirement=6_000, equity=equity)}, KNOBS).gain_usd
        for equity in (-1, 10, 3_000)
    ]
    assert gains == [0, usd(10), usd(60)], "WOR-1"


def test_bid__discount_less_our_edge__at_the_bidder():
    """WOR-1: what is paid for the risk of holding it is not there to be spent on gas."""
    margin = a_margin(7, equity=1_000, mm=2_000, im=2_000, band=Band.LIQUIDATABLE, in_auction=True)
    snapshot = a_snapshot(own_account=OWN, auctions=(an_auction(7, started_s_ago=900),))
    bid = Bid(account=7, bidder=OWN, fraction_wad=WAD // 2, epochs=(), max_cost=0, why="")
    found = worth_of(bid, snapshot, {7: margin}, replace(KNOBS, min_bid_edge_ppm=50_000))
    # At 900 s a bidder pays 80 % of 1,000; half of it, less 5 % of the value for the risk: (200 − 50) / 2.
    assert found.gain_usd == usd(75), "WOR-1"
    assert found.beneficiary == OWN
    gone = worth_of(bid, a_snapshot(own_account=OWN), {7: margin}, KNOBS)
    assert gone.gain_usd is None, "no such auction: unknown, not nothing"


def test_duties__whatever_gas_costs__go():
    """WOR-2: publishing and upkeep earn nothing and are not bought from the loss budget."""
    for action in (Refresh(underlying=1, why=""), Touch(account=7, why=""), Unflag(account=7, why="")):
        verdict = judge(short(requirement=1, equity=0), gas_price_wei=10**15).verdict(action)
        assert (verdict.go, verdict.standing, verdict.worth_wei) == (True, Standing.DUTY, None), "WOR-2"


def test_loss__budget_runs_down_within_a_block__then_waits():
    """WOR-3: each at-a-loss action pledges what it may lose; what the budget does not hold waits, and says so."""
    margins = [short(account, requirement=1_000, equity=10) for account in (7, 8, 9)]
    bench = judge(*margins)
    verdicts = [bench.verdict(flag(m.account)) for m in margins]
    # Gas 30 USD against a fee of 10: 20 are lost, and up to 2·30 − 10 = 50 pledged.
    assert [v.standing for v in verdicts] == [Standing.LOSS] * 3
    assert [v.go for v in verdicts] == [True, True, False], "WOR-3"
    assert [v.subsidy_wei for v in verdicts[:2]] == pytest.approx([usd(50) * WAD // usd(3_000)] * 2, abs=9)
    assert verdicts[0].worth_wei == HEADROOM * 100_000 * 100 * GWEI
    assert "loss_budget_usd_per_day" in verdicts[2].why


@pytest.mark.parametrize(
    ("spent", "goes"),
    [
        ({}, True),
        ({"lost_usd": usd(79)}, True),
        ({"lost_usd": usd(81)}, False),
        ({"unpriced_gas_wei": usd(81) * WAD // usd(3_000)}, False),
        ({"pledged_wei": usd(81) * WAD // usd(3_000)}, False),
        ({"lost_usd": usd(10_000)}, False),
    ],
)
def test_loss__yesterdays_losses_and_open_pledges__count(spent, goes):
    """WOR-3: realised losses, gas that had no price then, and what open transactions may lose, all of it."""
    assert judge(short(requirement=1_000, equity=10), **spent).verdict(flag()).go is goes, "WOR-3"


def test_loss__more_than_is_at_risk__waits():
    """WOR-4: nobody pays 30 USD to protect the protocol from a loss of 5."""
    verdict = judge(short(requirement=15, equity=10)).verdict(flag())
    assert (verdict.go, verdict.standing, verdict.at_risk_usd) == (False, Standing.LOSS, usd(5)), "WOR-4"
    insolvent = judge(short(requirement=15, equity=-200)).verdict(flag())
    assert (insolvent.go, insolvent.at_risk_usd) == (True, usd(215)), "WOR-4"


def test_budget__zero__profit_only():
    """WOR-3: an operator who pays for nobody acts at a profit and never at a loss."""
    nothing = replace(KNOBS, loss_budget_usd_per_day=0)
    assert not judge(short(requirement=1_000, equity=10), knobs=nothing).verdict(flag()).go
    assert judge(short(requirement=6_000, equity=3_000), knobs=nothing).verdict(flag()).go


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"snapshot": a_snapshot(underlying=an_underlying(spot=Unusable(reason="StalePrice")))}, "StalePrice"),
        ({"knobs": replace(KNOBS, native_symbol="MATIC")}, "does not list MATIC"),
        ({"knobs": replace(KNOBS, native_symbol="")}, "native_symbol is empty"),
        ({"gas_price_wei": None}, "gas price is unknown"),
        ({"gas": ()}, "gas price is unknown"),
    ],
)
def test_unknown__either_policy__a_fixed_sum_or_nothing(spoil, said):
    """WOR-5, defect 25: unknown is neither worthless nor priceless: a stated ceiling, or waiting."""
    margin = short(requirement=6_000, equity=3_000)
    verdict = judge(margin, **spoil).verdict(flag())
    assert (verdict.go, verdict.standing) == (True, Standing.UNKNOWN), "WOR-5"
    assert verdict.worth_wei == KNOBS.unknown_gas_gwei * GWEI, "WOR-5"
    assert said in verdict.why
    waits = replace(spoil.get("knobs", KNOBS), when_unknown="wait")
    verdict = judge(margin, **(spoil | {"knobs": waits})).verdict(flag())
    assert (verdict.go, verdict.worth_wei) == (False, None), "WOR-5"


def test_unknown__account_not_priced__never_as_if_worthless():
    """WOR-5, defect 25: an account that cannot be priced has no worth, which is not a worth of zero."""
    verdict = judge().verdict(flag())
    assert (verdict.standing, verdict.gain_usd) == (Standing.UNKNOWN, None), "WOR-5"


def test_native_price__collateral_of_that_ticker__its_price():
    """WOR-5: where the native currency is only a collateral, its price there counts; a zero price is none."""
    coin = CollateralState(
        collateral=1, symbol="AVAX", decimals=18, price=Usable(wad=usd(40)), haircut_ppm=0, cap_per_account=1
    )
    assert native_price(replace(a_snapshot(an_account()), collaterals=(coin,)), "AVAX") == usd(40)
    worthless = replace(coin, price=Usable(wad=0))
    assert isinstance(native_price(replace(a_snapshot(an_account()), collaterals=(worthless,)), "AVAX"), str)


@given(
    st.lists(st.tuples(st.integers(1, 20_000), st.integers(-5_000, 5_000)), min_size=1, max_size=30),
    st.integers(1, 10**13),
    st.integers(0, 500),
    st.integers(0, 600),
)
def test_any_block__pledges__never_exceed_what_the_budget_has_left(accounts, gas_price_wei, budget, lost):
    """WOR-6: whatever is proposed, what a block may lose is within what is left of the day's budget."""
    margins = [
        short(i + 2, requirement=requirement, equity=min(equity, requirement - 1))
        for i, (requirement, equity) in enumerate(accounts)
    ]
    knobs = replace(KNOBS, loss_budget_usd_per_day=budget)
    bench = judge(*margins, knobs=knobs, gas_price_wei=gas_price_wei, lost_usd=usd(lost))
    verdicts = [bench.verdict(flag(m.account)) for m in margins]
    pledged_usd = sum(v.subsidy_wei for v in verdicts) * usd(3_000) // WAD
    assert pledged_usd <= max(0, usd(budget) - usd(lost)), "WOR-6"
    for verdict in verdicts:
        cost = 100_000 * gas_price_wei
        if verdict.go and verdict.standing is Standing.LOSS:
            assert cost <= verdict.worth_wei <= HEADROOM * cost, "WOR-6: what goes out can pay its gas"
        if verdict.standing is Standing.PROFIT:
            assert verdict.worth_wei >= cost, "WOR-1"
