"""KER-1 … KER-11 and PNL-1 over the float kernel and its presets.  tests/PROPERTIES.md says where one does not apply.

Sums of floats differ by their order, so slack is a billionth of a millionth of the money that passes through.
"""

import pickle
from dataclasses import replace
from itertools import pairwise

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.risk.kernel.arrays import risk_arrays
from keeper.risk.kernel.legs import lay_out
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.numeraire import Numeraire
from keeper.risk.kernel.portfolio import FuturePosition, Holding, OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.preset import Block, Preset, VolTerm
from keeper.risk.kernel.requirement import LineKind
from keeper.risk.kernel.revalue import revalue
from keeper.risk.kernel.rows import Listed, Row
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved
from keeper.risk.presets import PRESETS
from tests.cases import kernel_worlds as worlds
from tests.cases.kernel_worlds import LENDING, LINEAR, SCANNING, a_history, a_market, deep, gross, portfolios

#: Of all the money that passes through an account, what sums in another order may differ by.
ROUNDING = 1e-13
PAST = a_history("ETH", "BTC")
USD = Numeraire(name="USD", coin=None, price=1.0)

scanning = st.sampled_from(SCANNING).map(PRESETS.__getitem__)
in_usd = st.sampled_from((*SCANNING, *LINEAR, *LENDING)).map(PRESETS.__getitem__)
markets = st.sampled_from([a_market(), a_market(history=PAST)])


def required(market, portfolio, preset):
    """The requirement, close to the account's own rounding."""
    return margin(market, portfolio, preset)


@hypothesis.given(portfolios(), st.sampled_from(list(Generator)), st.booleans())
def test_pnl1__nothing_moves__exactly_zero(portfolio, generator, in_coin):
    """PNL-1: the row that changes nothing has P&L exactly 0 for every leg, whatever its weight, in USD and in coin."""
    market = a_market()
    columns = unmoved(
        generator,
        underlyings=("ETH", "BTC"),
        collaterals=("USDC", "WETH"),
        tags=tuple(f"row {i}" for i in range(13)),
    )
    money = Numeraire(name="ETH", coin=0, price=2_500.0) if in_coin else USD
    preset = PRESETS["keeper"]
    legs = lay_out(market, portfolio)
    found = revalue(legs, Scenarios(**columns), vol_term=preset.vol_term, skew=preset.skew, money=money)
    assert (found.moved == found.base[:, None]).all(), "PNL-1"


@hypothesis.given(portfolios(), in_usd, markets, st.floats(-1e6, 1e6))
def test_ker1__cash__moves_excess_by_exactly_itself(portfolio, preset, market, cash):
    """KER-1: c of cash moves IM and MM excess by c; no requirement reads it."""
    before = required(market, portfolio, preset)
    after = required(market, replace(portfolio, cash=portfolio.cash + cash), preset)
    assert (after.im, after.mm) == (before.im, before.mm), "KER-1"
    slack = ROUNDING * (gross(portfolio, market) + abs(cash))
    assert after.im_excess - before.im_excess == pytest.approx(cash, abs=slack), "KER-1"
    assert after.mm_excess - before.mm_excess == pytest.approx(cash, abs=slack), "KER-1"


@hypothesis.given(portfolios(), st.sampled_from((*SCANNING, *LENDING)), markets, st.floats(0.01, 1_000.0))
def test_ker2__scaled_portfolio__scaled_scenario_part(portfolio, name, market, k):
    """KER-2: k times every position is k times the scenario part, static discounts and expected shortfall included."""
    preset = PRESETS[name]
    one, many = required(market, portfolio, preset), required(market, worlds.scaled(portfolio, k), preset)
    for a, b in ((one.initial, many.initial), (one.maintenance, many.maintenance)):
        assert b.scenario == pytest.approx(k * a.scenario, rel=1e-9, abs=k * ROUNDING * gross(portfolio, market)), (
            "KER-2"
        )


@hypothesis.given(portfolios(), scanning, worlds.options(size=st.floats(0.001, 20.0)))
def test_ker3__bought_option__never_costs_more_than_its_premium(portfolio, preset, bought):
    """KER-3: buying an option raises the grid requirement by at most its premium, static discounts included.

    Skew and basis rows are not the grid: they charge a long option for its own vega and term beyond the premium's part.
    """
    market = a_market()
    grid = replace(preset, floor=None, blocks=preset.blocks[:1])
    richer = replace(portfolio, options=(*portfolio.options, bought))
    before, after = required(market, portfolio, grid), required(market, richer, grid)
    premium = after.equity - before.equity
    slack = ROUNDING * gross(richer, market)
    assert premium >= -slack
    losses = [sum(one.loss for one in found.initial.worst) for found in (before, after)]
    assert losses[1] - losses[0] <= premium + slack, "KER-3"


@hypothesis.given(portfolios(), in_usd, markets, st.sampled_from([1.0, 0.97, 0.5]), st.floats(0.0, 1.0))
def test_ker4__initial__at_least_maintenance(portfolio, preset, market, stable, confidence):
    """KER-4, MAR-6: IM ≥ MM as requirements, in good and in bad states of the market."""
    eth = replace(market.underlyings[0], confidence=confidence, liquidity=deep(open_interest_usd=4e8))
    worse = replace(market, stable=stable, underlyings=(eth, *market.underlyings[1:]))
    found = required(worse, portfolio, preset)
    assert found.im >= found.mm - ROUNDING * gross(portfolio, market), "KER-4"


@hypothesis.given(portfolios(), in_usd, markets, st.randoms(use_true_random=False), st.integers(2, 5))
def test_ker5__leg_order_and_split_lots__no_difference(portfolio, preset, market, shuffle, pieces):
    """KER-5: the order of legs and the number of lots change nothing but the last digits."""

    def cut(lots):
        lots = [replace(lot, size=lot.size / pieces) for lot in lots for _ in range(pieces)]
        shuffle.shuffle(lots)
        return tuple(lots)

    tokens = [Holding(symbol=h.symbol, amount=h.amount / pieces) for h in portfolio.collateral for _ in range(pieces)]
    shuffle.shuffle(tokens)
    lots = Portfolio(
        cash=portfolio.cash,
        collateral=tuple(tokens),
        perps=tuple(replace(p, unrealised=p.unrealised / pieces) for p in cut(portfolio.perps)),
        futures=cut(portfolio.futures),
        options=cut(portfolio.options),
    )
    whole, apart = required(market, portfolio, preset), required(market, lots, preset)
    slack = 10 * ROUNDING * gross(portfolio, market)
    for figure in ("equity", "im", "mm"):
        assert getattr(apart, figure) == pytest.approx(getattr(whole, figure), abs=slack), "KER-5"


@hypothesis.given(
    st.sampled_from(["soon", "week", "year"]), st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(0.01, 3.0)
)
def test_ker6__box__flat_and_parity_the_forward(expiry, low, high, vol):
    """KER-6: a box is worth the same in every row; a call less a put is the forward, whatever volatility does."""
    market = a_market()
    strikes = (2_500.0 * low, 2_500.0 * high)
    box = [(strikes[0], True, 1), (strikes[0], False, -1), (strikes[1], True, -1), (strikes[1], False, 1)]
    legs = tuple(
        OptionPosition(underlying="ETH", expiry=expiry, strike=k, is_call=call, size=size, vol=vol)
        for k, call, size in box
    )
    rows = tuple(
        Row(tag=f"{s} {v} {b}", spot=s, vol=v, basis=b)
        for s in (0.34, 0.9, 1.0, 1.5)
        for v in (-0.3, 0.0, 0.45)
        for b in (0.97, 1.03)
    )
    preset = Preset(
        name="plain",
        source="test",
        blocks=(Block(name="rows", rows=Listed(generator=Generator.GRID, rows=rows)),),
        vol_term=VolTerm(up_floor=0.25),
    )
    (flat,) = risk_arrays(market, Portfolio(options=legs), preset)
    assert np.abs(flat.pnl).max() <= 1e-9 * max(strikes), "KER-6"
    synthetic = Portfolio(options=legs[:2])
    years, rate = market.underlyings[0].expiry(expiry).seconds / 31_536_000.0, 0.04
    future = Portfolio(futures=(FuturePosition(underlying="ETH", expiry=expiry, size=np.exp(-rate * years)),))
    (a,), (b,) = risk_arrays(market, synthetic, preset), risk_arrays(market, future, preset)
    assert a.pnl == pytest.approx(b.pnl, abs=1e-8), "KER-6"


@hypothesis.given(portfolios(), scanning, st.data())
def test_ker7__added_row__never_a_lower_requirement(portfolio, preset, data):
    """KER-7, MAR-1: with more rows, or one more block, no requirement falls."""
    market = a_market()
    kept = data.draw(st.integers(1, len(preset.blocks)))
    fewer = replace(preset, blocks=preset.blocks[:kept])
    first = fewer.blocks[0]
    part = data.draw(st.integers(1, len(first.rows.rows)))
    fewest = replace(
        fewer, blocks=(replace(first, rows=replace(first.rows, rows=first.rows.rows[:part])), *fewer.blocks[1:])
    )
    found = [required(market, portfolio, one) for one in (fewest, fewer, preset)]
    slack = ROUNDING * gross(portfolio, market)
    for less, more in pairwise(found):
        assert less.im <= more.im + slack, "KER-7"
        assert less.mm <= more.mm + slack, "KER-7"


@hypothesis.given(portfolios(), in_usd, st.floats(0.0, 1.0), st.floats(0.3, 1.0), st.floats(1.0, 20.0))
def test_ker8__worse_state__maintenance_unchanged(portfolio, preset, confidence, stable, crowding):
    """KER-8: MM does not move when only open interest, peg or confidence worsens; IM never falls."""
    market = a_market(collaterals=())
    portfolio = replace(portfolio, collateral=())
    calm = replace(market, underlyings=tuple(replace(u, liquidity=deep()) for u in market.underlyings))
    feeds = ("forward_confidence", "rate_confidence", "vol_confidence")
    unsure = tuple(
        replace(
            u,
            confidence=confidence,
            perp=replace(u.perp, confidence=confidence),
            expiries=tuple(replace(e, **dict.fromkeys(feeds, confidence)) for e in u.expiries),
            liquidity=deep(open_interest_usd=1e8 * crowding),
        )
        for u in calm.underlyings
    )
    tense = replace(calm, underlyings=unsure, stable=stable)
    before, after = required(calm, portfolio, preset), required(tense, portfolio, preset)
    assert after.mm == before.mm, "KER-8"
    assert after.im >= before.im - ROUNDING * gross(portfolio, market), "KER-8"


@hypothesis.given(
    portfolios(), portfolios(), st.sampled_from((*SCANNING, "dydx", *LENDING)), st.booleans(), st.floats(0.05, 0.3)
)
def test_ker9__joined_accounts__at_most_the_sum_of_parts(a, b, name, past, psr):
    """KER-9, MAR-4: before add-ons a joined account requires at most the sum of its parts, maxima and ES alike.

    Static discounts keep it, being lower for gains than for losses.  Fractions that grow with size break it, as they
    mean to: synthetix, drift.
    """
    bitcoin = worlds.an_underlying("BTC", 60_000.0, scan=ScanRange(price=psr, vol_up=0.6, vol_down=0.2))
    market = a_market(underlyings=(worlds.an_underlying(), bitcoin), history=PAST if past else None)
    preset = replace(PRESETS[name], charges=(), floor=None)
    parts = [required(market, one, preset) for one in (a, b)]
    both = required(market, worlds.joined(a, b), preset)
    slack = ROUNDING * (gross(a, market) + gross(b, market))
    assert both.im <= sum(one.im for one in parts) + slack, "KER-9"
    assert both.mm <= sum(one.mm for one in parts) + slack, "KER-9"


def test_ker9__dust_in_a_wilder_market__dilutes_no_tail():
    """KER-9's other side: a speck of a market with another range and a wilder past leaves the rest alone."""
    wild = worlds.an_underlying("DOGE", 0.1, scan=ScanRange(price=0.3, vol_up=0.45, vol_down=0.3))
    market = a_market(underlyings=(worlds.an_underlying(), wild))
    short = OptionPosition(underlying="ETH", expiry="week", strike=5_000.0, is_call=True, size=-10.0, vol=0.6)
    plain = Portfolio(options=(short,))
    dusty = replace(plain, perps=(PerpPosition(underlying="DOGE", size=1e-6),))
    assert required(market, dusty, PRESETS["keeper"]).im == pytest.approx(
        required(market, plain, PRESETS["keeper"]).im, rel=1e-9
    )


@hypothesis.given(portfolios(), in_usd)
@hypothesis.settings(max_examples=max(10, hypothesis.settings.default.max_examples // 10))
def test_ker11__same_inputs__identical_bytes(portfolio, preset):
    """KER-11: the same inputs and seed give the same bytes, line by line."""
    market = a_market(history=a_history("ETH", "BTC"))
    again = a_market(history=a_history("ETH", "BTC"))
    assert pickle.dumps(required(market, portfolio, preset)) == pickle.dumps(required(again, portfolio, preset)), (
        "KER-11"
    )


@hypothesis.given(portfolios(), in_usd, markets)
def test_explain__lines__sum_to_the_requirement(portfolio, preset, market):
    """EXP-2: a requirement is the sum of its lines, its scenario part that of the legs, the binding block's loss times
    the preset's factor.
    """
    found = required(market, portfolio, preset)
    slack = ROUNDING * gross(portfolio, market)
    for level, factor in ((found.initial, preset.initial_factor), (found.maintenance, preset.maintenance_factor)):
        legs = [line.amount for line in level.lines if line.kind is LineKind.LEG]
        assert sum(line.amount for line in level.lines) == pytest.approx(level.requirement, abs=slack), "EXP-2"
        assert sum(legs) == pytest.approx(level.scenario, abs=slack), "EXP-2"
        largest = max((one.loss for one in level.worst), default=0.0)
        assert level.scenario == pytest.approx(factor * largest, abs=slack), "MAR-5"
        if largest:
            assert level.binding_row.loss == largest, "MAR-5"
            assert level.binding_row.rows, "MAR-5"


@hypothesis.given(portfolios(collateral=False), st.floats(0.0, 1e6), in_usd)
def test_mar2__more_collateral__never_a_larger_shortfall(portfolio, amount, preset):
    """MAR-2: collateral that follows no underlying never lowers an excess, peg and haircut included."""
    market = a_market()
    more = replace(portfolio, collateral=(Holding(symbol="USDC", amount=amount),))
    before, after = required(market, portfolio, preset), required(market, more, preset)
    slack = ROUNDING * gross(more, market)
    assert after.im_excess >= before.im_excess - slack, "MAR-2"
    assert after.mm_excess >= before.mm_excess - slack, "MAR-2"


@hypothesis.given(portfolios(options_too=False, collateral=False), st.sampled_from(LINEAR))
def test_pnl2__linear_rule__fraction_of_notional(portfolio, name):
    """PNL-2: what a linear rule requires is its fraction times each market's notional, long or short."""
    market = a_market(collaterals=())
    found = required(market, portfolio, PRESETS[name])
    mirrored = required(market, worlds.scaled(portfolio, -1.0), PRESETS[name])
    slack = ROUNDING * gross(portfolio, market)
    assert found.im == pytest.approx(mirrored.im, abs=slack), "PNL-2"
    if name == "dydx":
        prices = {u.symbol: u.perp.price for u in market.underlyings}
        notional = sum(abs(p.size) * prices[p.underlying] for p in portfolio.perps)
        assert found.im == pytest.approx(0.02 * notional, abs=slack), "PNL-2"
        assert found.mm == pytest.approx(0.012 * notional, abs=slack), "PNL-2"
