"""A fund is sized by the same rows and the same revaluation that margin reads."""

import numpy as np
import pytest

from keeper.errors import BadInput
from keeper.risk.fund_size import size_fund
from keeper.risk.generate.stress_days import STRESS_DAYS
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.portfolio import PerpPosition, Portfolio
from keeper.risk.presets import PRESETS
from tests.cases.kernel_worlds import a_market

KEEPER = PRESETS["keeper"]


def a_perp(size, cash=1e7, symbol="ETH"):
    return Portfolio(cash=cash, perps=(PerpPosition(underlying=symbol, size=size),))


def test_size_fund__longs_and_a_short__the_worst_two_of_one_day():
    """COVER: by hand, with every day's loss of a perpetual; shortfalls of different days are never added."""
    market = a_market()
    accounts = [a_perp(100.0), a_perp(40.0), a_perp(-70.0), a_perp(10.0)]
    price = market.underlyings[0].perp.price
    by_day = []
    for day in STRESS_DAYS:
        short = sorted(
            max(0.0, -one.perps[0].size * price * day.moves["ETH"] - margin(market, one, KEEPER).im) for one in accounts
        )
        by_day.append(sum(short[-2:]))
    found = size_fund(market, accounts, KEEPER)
    assert found.amount == pytest.approx(max(by_day), rel=1e-12)
    assert found.amount > 0.0
    assert found.row == STRESS_DAYS[int(np.argmax(by_day))].tag
    assert set(found.accounts) <= {0, 1, 2, 3}
    assert found.contributions.sum() == pytest.approx(found.amount, rel=1e-12)


def test_size_fund__account_with_less_than_its_margin__equity_counts():
    """What an account has not got covers nothing."""
    market = a_market()
    rich, poor = a_perp(100.0), a_perp(100.0, cash=1_000.0)
    missing = margin(market, rich, KEEPER).im - margin(market, poor, KEEPER).equity
    more = size_fund(market, [poor], KEEPER).amount - size_fund(market, [rich], KEEPER).amount
    assert more == pytest.approx(missing, rel=1e-12)


def test_size_fund__unknown_account__named_and_left_out():
    """One that cannot be priced is neither safe nor in the figure."""
    market = a_market()
    alone = size_fund(market, [a_perp(100.0)], KEEPER)
    found = size_fund(market, [a_perp(1.0, symbol="DOGE"), a_perp(100.0)], KEEPER)
    assert found.amount == alone.amount
    assert [place for place, _ in found.unknown] == [0]
    assert "DOGE" in found.unknown[0][1]


def test_size_fund__nothing_at_risk__nothing_needed():
    """Cash alone calls on nobody; no account at all is a mistake."""
    assert size_fund(a_market(), [Portfolio(cash=5.0)], KEEPER).amount == 0.0
    with pytest.raises(BadInput):
        size_fund(a_market(), [], KEEPER)


def test_size_fund__preset_that_counts_in_coin__refused():
    """Coins are never taken from dollars."""
    with pytest.raises(BadInput, match="coin"):
        size_fund(a_market(), [a_perp(1.0)], PRESETS["deribit_pm"])
