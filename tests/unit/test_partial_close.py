"""How much must be closed, and how much of a loan may be repaid."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk import partial_close
from tests.cases.published import published


def test_partial__published_account__close_and_equity_after():
    """The closed form on one account: what is closed, and what equity is left after the fee."""
    given = published("PARTIAL-LIQ")
    e, n, fee = given.inputs["E"], given.inputs["N"], given.inputs["fee"]
    margin = (1 + given.inputs["buffer"]) * given.inputs["mmr"]
    close = float(partial_close.notional_to_close(e, n, margin=margin, fee=fee))
    assert close == pytest.approx(given.expected["close"], abs=given.tol)
    # The published equity is printed with four decimals.
    assert e - fee * close == pytest.approx(given.expected["post"], abs=5e-5)


@hypothesis.given(st.floats(-1e4, 1e6), st.floats(0, 1e6), st.floats(0, 0.5), st.floats(0, 0.5))
def test_partial__any_account__restored_or_closed(equity, notional, margin, fee):
    """ADD-4: what is left meets its margin after the fee, or nothing is left; and not a dollar more is closed."""
    close = float(partial_close.notional_to_close(equity, notional, margin=margin, fee=fee))
    assert 0.0 <= close <= notional
    left, after = notional - close, equity - fee * close
    assert left == 0.0 or after >= margin * left - 1e-6 * (1 + notional)
    if 0.0 < close < notional:
        assert after == pytest.approx(margin * left, abs=1e-6 * (1 + notional))


def test_partial__fee_eats_the_margin_or_nothing_left__all():
    """Where closing frees less than it costs, or equity is gone, everything goes at once; the healthy keep all."""
    equity, margin = [9.0, -1.0, 0.0, 200.0], [0.01, 0.1, 0.1, 0.1]
    found = partial_close.notional_to_close(equity, 1_000.0, margin=margin, fee=0.02)
    assert found.tolist() == [1_000.0, 1_000.0, 1_000.0, 0.0]


def test_close_factor__published_loan__half_then_all():
    """Aave's loan as the price falls: healthy, half to repay, all to repay."""
    given = published("AAVE-CLOSE")
    debt = float(given.inputs["debt"])
    collateral = given.inputs["coll"] * np.array([2_000.0, 1_750.0, 1_700.0])
    health = partial_close.health_factor(collateral * given.inputs["lt"], debt)
    share = partial_close.close_factor(
        health, collateral=collateral, debt=debt, partial=0.5, full_below=0.95, small=2_000.0
    )
    assert share[0] == 0.0
    repay = share * debt
    found = [health[0], health[1], repay[1], health[2], repay[2]]
    assert found == pytest.approx(given.expected, abs=given.tol)


def test_close_factor__dust_and_edges():
    """At the threshold and for small positions all may be repaid; at a health of one nothing; without debt nothing."""
    rules = {"partial": 0.5, "full_below": 0.95, "small": 2_000.0}
    health = [0.95, 0.9500001, 0.99, 0.99, 1.0, np.inf]
    collateral = [1e4, 1e4, 1e4, 1_999.0, 1e4, 1e4]
    debt = [1e4, 1e4, 1_999.0, 1e4, 1e4, 0.0]
    found = partial_close.close_factor(health, collateral=collateral, debt=debt, **rules)
    assert found.tolist() == [1.0, 0.5, 1.0, 1.0, 0.0, 0.0]
    assert partial_close.health_factor(1.0, 0.0) == np.inf
    with pytest.raises(LawBroken):
        partial_close.close_factor(np.nan, collateral=1.0, debt=1.0, **rules)


def test_incentive__published_thresholds__met():
    """Morpho's factor at four thresholds, the last of them capped."""
    given = published("MORPHO-LIF")
    found = partial_close.incentive_factor(given.inputs["lltv"], cursor=0.3, most=1.15)
    assert found.tolist() == pytest.approx(given.expected, abs=given.tol)
    with pytest.raises(LawBroken):
        partial_close.incentive_factor(1.2, cursor=0.3, most=1.15)
