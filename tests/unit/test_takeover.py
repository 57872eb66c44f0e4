"""What a bid takes over: its greeks, the trades that end it, and how much more it may cost until it mines."""

from dataclasses import replace

import pytest

from keeper.domain.account import AccountState, Instrument, Kind
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import Band
from keeper.domain.market import MarketModel, UnderlyingMarket
from keeper.policy.auction import WAD
from keeper.policy.liquidate import bids
from keeper.risk.exact.riskfile import live_call, live_put
from keeper.risk.model import file_of
from keeper.risk.takeover import HedgeMarket, taken_over
from keeper.testing.builders import (
    EXPIRY,
    NOW,
    a_file,
    a_margin,
    a_snapshot,
    an_account,
    an_auction,
    an_underlying,
    strike,
    usd,
)  # fmt: skip

SPOT = 3_000.0
WHERE = HedgeMarket(volume_usd_per_day=1e8, impact=1.0, wait_s=60.0, half_spread_vol=0.01)


def option(kind: Kind, k: int) -> Instrument:
    return Instrument(underlying=1, expiry=EXPIRY, strike=strike(k), kind=kind)


def a_market(spot: float = SPOT) -> UnderlyingMarket:
    rules = an_underlying().rules
    return UnderlyingMarket(
        underlying=1, symbol="ETH", spot=usd(spot), why_unpriced="", file=file_of(a_file(), rules), previous=None,
        refreshed=None, epoch=65_536, stale=False, target=None, why_untargeted="",
    )  # fmt: skip


def value(account: AccountState, spot: float, *, bump_ppm: int = 0, now: int = NOW) -> float:
    """What the contract's integers say the options are worth, USD."""
    total = 0.0
    for p in account.positions:
        i = p.instrument
        if i.kind is Kind.PERP:
            total += p.size / WAD * spot
            continue
        e = a_file().expiries[0]
        sigma = a_file().strikes[0][1][0].sigma_ppm + bump_ppm
        mark = live_call(strike=i.strike, sigma_ppm=sigma, expiry=e, spot=usd(spot), now=now)
        if i.kind is Kind.PUT:
            mark = live_put(mark, strike=i.strike, expiry=e, spot=usd(spot))
        total += p.size / WAD * mark / WAD
    return total


@pytest.fixture
def held() -> AccountState:
    return an_account(7, options=((option(Kind.CALL, 3_000), -10), (option(Kind.PUT, 3_000), 4)), perp=2, entry=3_000)


def test_taken_over__greeks__differences_of_the_contract_s_marks(held: AccountState) -> None:
    """Delta, gamma, vega and theta are what the exact marks do when spot, volatility and time move a little."""
    got = taken_over(held, a_market(), share=0.5, now=NOW, where=WHERE)
    assert got is not None
    up, mid, down = (value(held, SPOT * (1 + x)) for x in (0.001, 0.0, -0.001))
    assert got.delta / WAD == pytest.approx(0.5 * (up - down) / (0.002 * SPOT), rel=1e-3)
    assert got.gamma / WAD == pytest.approx(0.5 * (up - 2 * mid + down) / (0.001 * SPOT) ** 2 * 0.01 * SPOT, rel=2e-2)
    vega = (value(held, SPOT, bump_ppm=1_000) - value(held, SPOT, bump_ppm=-1_000)) / 0.2
    assert got.vega / WAD == pytest.approx(0.5 * vega, rel=1e-3)
    theta = (value(held, SPOT, now=NOW + 3_600) - mid) * 24
    assert got.theta / WAD == pytest.approx(0.5 * theta, rel=1e-2)


def test_taken_over__plan__ends_delta_and_vega(held: AccountState) -> None:
    """Whoever does everything the plan says is left with nothing that follows spot, or volatility."""
    got = taken_over(held, a_market(), share=1.0, now=NOW, where=WHERE)
    assert got is not None
    (one,) = got.straddles
    both = an_account(8, options=((option(Kind.CALL, 3_000), 1), (option(Kind.PUT, 3_000), 1)))
    straddle = taken_over(both, a_market(), share=1.0, now=NOW, where=WHERE)
    assert straddle is not None
    assert one.vega + one.size * straddle.vega // WAD == pytest.approx(0, abs=10**12)
    assert abs(one.size * straddle.delta // WAD) > usd(0.05), "straddles have a delta of their own"
    left = got.delta + got.hedge_perp + one.size * straddle.delta // WAD
    assert left == pytest.approx(0, abs=10**12), "TAK-1"


def test_taken_over__thinner_market__costs_more_up_to_the_scan_range(held: AccountState) -> None:
    """The square-root law: a quarter of the depth costs twice the impact, and never more than the scan range."""
    flat = replace(WHERE, half_spread_vol=0.0)

    def cost(volume: float) -> int:
        got = taken_over(held, a_market(), share=1.0, now=NOW, where=replace(flat, volume_usd_per_day=volume))
        assert got is not None
        return got.hedge_cost

    assert cost(2.5e7) == pytest.approx(2 * cost(1e8), rel=1e-6)
    got = taken_over(held, a_market(), share=1.0, now=NOW, where=WHERE)
    assert got is not None
    assert cost(1.0) == pytest.approx(0.15 * abs(got.hedge_perp) * SPOT, rel=1e-3)


def test_bids__thin_market__hedge_eats_the_discount_and_nobody_bids() -> None:
    """A bid must leave its least edge after the hedge is paid; what it may cost more never eats that hedge."""
    state = an_account(7, cash=-29_000.0, perp=10, entry=0)
    target = a_margin(7, equity=1_000, mm=3_000, band=Band.LIQUIDATABLE, in_auction=True)
    own = a_margin(99, equity=1_000_000, mm=0)
    snapshot = a_snapshot(state, auctions=(an_auction(7, started_s_ago=900),), own_account=99)
    market = MarketModel(now=NOW, underlyings=(a_market(),))
    knobs = PolicyKnobs(max_inventory_usd=10_000_000)
    (bid,) = bids(snapshot, market, {7: target, 99: own}, knobs)
    (taken,) = bid.taken
    assert taken.delta == pytest.approx(10 * bid.fraction_wad, rel=0.02)
    value_taken = 1_000 * bid.fraction_wad // WAD * WAD
    assert bid.max_cost + taken.hedge_cost <= value_taken + WAD
    thin = replace(knobs, hedge_volume_usd_per_day=1)
    assert list(bids(snapshot, market, {7: target, 99: own}, thin)) == []


@pytest.mark.parametrize(
    ("volumes", "bidden"),
    [
        ({"ETH": 1, "others": 10**9}, False),
        ({"eth": 10**9, "others": 1}, True),
        ({"BTC": 10**9, "others": 1}, False),
        ({"BTC": 1, "others": 10**9}, True),
    ],
)
def test_bids__depth_by_ticker__counts_for_its_underlying_alone(volumes: dict[str, int], bidden: bool) -> None:
    """TAK-1: each underlying has the depth of its own market; what is not named has that of the others."""
    state = an_account(7, cash=-29_000.0, perp=10, entry=0)
    target = a_margin(7, equity=1_000, mm=3_000, band=Band.LIQUIDATABLE, in_auction=True)
    own = a_margin(99, equity=1_000_000, mm=0)
    snapshot = a_snapshot(state, auctions=(an_auction(7, started_s_ago=900),), own_account=99)
    market = MarketModel(now=NOW, underlyings=(a_market(),))
    plain = PolicyKnobs(max_inventory_usd=10_000_000)
    found = list(bids(snapshot, market, {7: target, 99: own}, replace(plain, hedge_volume_usd_per_day=volumes)))
    assert bool(found) is bidden
    if bidden:
        assert found == list(bids(snapshot, market, {7: target, 99: own}, plain)), "the same depth, the same bid"


def test_bids__shallower_market__allow_less_of_their_discount() -> None:
    """TAK-1: what a bid may cost more until it mines falls with depth, over the whole range of depths."""
    state = an_account(7, cash=-29_000.0, perp=10, entry=0)
    target = a_margin(7, equity=1_000, mm=3_000, band=Band.LIQUIDATABLE, in_auction=True)
    own = a_margin(99, equity=1_000_000, mm=0)
    snapshot = a_snapshot(state, auctions=(an_auction(7, started_s_ago=900),), own_account=99)
    market = MarketModel(now=NOW, underlyings=(a_market(),))

    def leeway(volume: int) -> int:
        knobs = PolicyKnobs(max_inventory_usd=10_000_000, hedge_volume_usd_per_day=volume)
        (bid,) = bids(snapshot, market, {7: target, 99: own}, knobs)
        return bid.max_cost

    found = [leeway(10**exponent) for exponent in (12, 11, 10, 9, 8)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found), "TAK-1"
