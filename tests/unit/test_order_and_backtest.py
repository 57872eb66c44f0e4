"""Liquidation order and account backtests read the requirement and the revaluation that margin reads."""

from dataclasses import replace

import numpy as np
import pytest

from keeper.risk.account_backtest import AccountBacktest, account_backtest
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.portfolio import OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.order import liquidation_order
from keeper.risk.presets import PRESETS
from tests.cases.kernel_worlds import a_history, a_market

SPAN = PRESETS["span16"]
PAST = a_history("ETH", "BTC", rows=500)


def a_perp(size, cash, symbol="ETH"):
    return Portfolio(cash=cash, perps=(PerpPosition(underlying=symbol, size=size),))


def test_order__several_short__largest_shortfall_first():
    """Who lacks most comes first; healthy accounts are not in it, unknown ones are named."""
    market = a_market()
    need = margin(market, a_perp(10.0, 0.0), SPAN).mm
    accounts = [
        a_perp(10.0, need - 10.0),
        a_perp(10.0, need + 10.0),
        a_perp(1.0, 0.0, "DOGE"),
        a_perp(10.0, -5.0),
        a_perp(10.0, need - 700.0),
    ]
    found = liquidation_order(market, accounts, SPAN)
    assert [one.account for one in found.first_to_last] == [3, 4, 0]
    assert [one.shortfall for one in found.first_to_last] == pytest.approx([need + 5.0, 700.0, 10.0])
    assert [one.insolvent for one in found.first_to_last] == [True, False, False]
    assert [place for place, _ in found.unknown] == [2]
    assert "PSR" in found.first_to_last[0].rows[0]


def test_backtest__a_perpetual__losses_are_its_moves():
    """One long loses what spot lost, day by day, and breaches are those days beyond its margin."""
    wild = replace(PAST, returns=3.0 * PAST.returns)
    market = a_market(history=wild)
    account = a_perp(10.0, 0.0)
    found = account_backtest(market, account, SPAN, level=0.99, rng=np.random.default_rng(1))
    assert isinstance(found, AccountBacktest)
    price = market.underlyings[0].perp.price
    assert found.losses == pytest.approx(-10.0 * price * np.expm1(wild.returns[:, 0]))
    assert found.margin == margin(market, account, SPAN).im
    assert found.judgement.seen.count == int((found.losses > found.margin).sum()) > 0
    assert found.tags == PAST.tags


def test_backtest__option__revalued_and_volatility_moves_where_it_was_seen():
    """A long straddle loses nothing to spot's large moves; volatility's falls reach it through the history."""
    legs = tuple(
        OptionPosition(underlying="ETH", expiry="year", strike=2_500.0, is_call=is_call, size=1.0, vol=0.6)
        for is_call in (True, False)
    )
    account, rng = Portfolio(cash=1e4, options=legs), np.random.default_rng(1)
    plain = account_backtest(a_market(history=PAST), account, SPAN, level=0.99, rng=rng)
    fallen = replace(PAST, vol_returns=np.full(PAST.returns.shape, -0.2))
    lower = account_backtest(a_market(history=fallen), account, SPAN, level=0.99, rng=rng)
    assert (lower.losses > plain.losses).all()
    wild = np.argmax(np.abs(PAST.returns[:, 0]))
    assert plain.losses[wild] < 0.0


def test_backtest__no_history__unpriced():
    """Nothing to test against is a reason, not a pass."""
    rng = np.random.default_rng(1)
    found = account_backtest(a_market(), a_perp(1.0, 0.0), SPAN, level=0.99, rng=rng)
    assert isinstance(found, Unpriced)
    other = account_backtest(a_market(history=a_history("BTC")), a_perp(1.0, 0.0), SPAN, level=0.99, rng=rng)
    assert isinstance(other, Unpriced)
    assert "ETH" in other.reason
