"""Deltas and vegas are what the revaluation itself says for a small move; and what size and spreads cost of them."""

from dataclasses import replace

import hypothesis
import numpy as np
import pytest

from keeper.risk.kernel.deltas import deltas, vegas
from keeper.risk.kernel.legs import Kind, lay_out
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.numeraire import Numeraire
from keeper.risk.kernel.portfolio import OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.preset import VolTerm
from keeper.risk.kernel.revalue import revalue
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved
from keeper.risk.presets import PRESETS
from tests.cases.kernel_worlds import a_market, an_underlying, deep, portfolios

USD = Numeraire(name="USD", coin=None, price=1.0)
SPOTS = np.array([2_500.0, 60_000.0])
STEP = 1e-4


def small_moves(**moved):
    columns = unmoved(Generator.GRID, underlyings=("ETH", "BTC"), collaterals=("USDC", "WETH"), tags=("up", "down"))
    return Scenarios(**columns | {name: np.array([[by, by] for by in steps]) for name, steps in moved.items()})


@hypothesis.given(portfolios())
def test_deltas__small_move_of_spot__the_same(portfolio):
    """A leg's delta is its value's slope in spot; a perpetual's is its size, its own mark standing for spot."""
    market = a_market()
    legs = lay_out(market, portfolio)
    found = revalue(legs, small_moves(spot=(1 + STEP, 1 - STEP)), vol_term=VolTerm(), skew=None, money=USD)
    unit = np.where(legs.kind == Kind.PERP, legs.price, SPOTS[np.maximum(legs.underlying, 0)])
    slope = legs.size * (found.moved[:, 0] - found.moved[:, 1]) / (2 * STEP * unit)
    # Near expiry an option's curvature is large: the central difference misses by a third derivative.
    assert deltas(legs, SPOTS) == pytest.approx(slope, rel=1e-3, abs=3e-3)


@hypothesis.given(portfolios())
def test_vegas__small_move_of_volatility__the_same(portfolio):
    """A leg's vega is its value's slope in volatility."""
    market = a_market()
    legs = lay_out(market, portfolio)
    found = revalue(legs, small_moves(vol=(STEP, -STEP)), vol_term=VolTerm(flat=1.0), skew=None, money=USD)
    vol = np.where(legs.vol > 0.0, legs.vol, 1.0)
    slope = legs.size * (found.moved[:, 0] - found.moved[:, 1]) / (2 * STEP * vol)
    assert vegas(legs) == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_keeper__quoted_spread_and_crowd__lines_of_their_own():
    """Net vega pays half the quoted spread; whoever would trade with the crowd pays for it in IM, others do not."""
    eth = an_underlying(liquidity=deep(sell_crowding=0.8))
    eth = replace(eth, expiries=tuple(replace(one, vol_half_spread=0.01) for one in eth.expiries))
    market = a_market(underlyings=(eth,))
    straddle = [
        OptionPosition(underlying="ETH", expiry="year", strike=2_500.0, is_call=call, size=3.0, vol=0.6)
        for call in (True, False)
    ]
    account = Portfolio(options=tuple(straddle), perps=(PerpPosition(underlying="ETH", size=10.0),))
    found = margin(market, account, PRESETS["keeper"])
    legs = lay_out(market, account)
    lines = {line.what: line.amount for line in found.initial.lines}
    assert lines["vol spread ETH-year"] == pytest.approx(0.01 * vegas(legs).sum())
    net = deltas(legs, SPOTS[:1]).sum()
    assert lines["crowding ETH"] == pytest.approx(0.5 * 0.8 * 0.12 * net * 2_500.0)
    assert "crowding ETH" not in {line.what for line in found.maintenance.lines}
    short = margin(market, replace(account, perps=(PerpPosition(underlying="ETH", size=-10.0),)), PRESETS["keeper"])
    assert "crowding ETH" not in {line.what for line in short.initial.lines}
