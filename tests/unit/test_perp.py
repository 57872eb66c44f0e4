"""Perpetuals, linear and inverse."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.pricing import perp
from tests.cases.published import published

MOVES = (-0.18, -0.135, -0.09, -0.045, 0.045, 0.09, 0.135, 0.18)


def test_inverse__published_buckets__met():
    """Deribit's own example: a short of one coin over ±18 %, gains counted in full."""
    given = published("DERIBIT-INVERSE")
    pnl = perp.inverse_pnl(given.inputs["q_coin"], 1.0 + np.array(MOVES))
    counted = np.where(pnl > 0, pnl * given.inputs["gain_offset"], pnl)
    assert counted.tolist() == pytest.approx(given.expected, abs=given.tol)


@hypothesis.given(st.floats(-1e6, 1e6), st.floats(1, 1e5), st.floats(0.01, 6))
def test_inverse__turned_into_usd__is_the_linear_perpetual(size, price, factor):
    """Coins gained, at the price after the move, are the USD that a linear position of the same coins gains."""
    coins = perp.inverse_pnl(size, factor)
    after = price * factor
    assert float(coins * after) == pytest.approx(float(perp.linear_pnl(size, price, factor)), rel=1e-12, abs=1e-9)


@hypothesis.given(st.floats(-1e6, 1e6), st.floats(-10, 10), st.floats(0.01, 6))
def test_pnl__scaled_position__scaled_pnl(size, k, factor):
    """PNL-2: both kinds are linear in their size."""
    assert float(perp.linear_pnl(k * size, 3_000, factor)) == pytest.approx(
        k * float(perp.linear_pnl(size, 3_000, factor)), rel=1e-12
    )
    assert float(perp.inverse_pnl(k * size, factor)) == pytest.approx(
        k * float(perp.inverse_pnl(size, factor)), rel=1e-12
    )


def test_pnl__nothing_moves__exactly_zero():
    """PNL-1: a factor of one gains nothing, to the last bit."""
    assert perp.linear_pnl([3.0, -7.7], 3_001.3, 1.0).tolist() == [0.0, 0.0]
    assert perp.inverse_pnl([3.0, -7.7], 1.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("factor", [0.0, -0.5, np.nan, np.inf])
def test_inverse__factor_not_positive__law_broken(factor):
    """At a price of nothing a USD amount is worth no finite number of coins."""
    with pytest.raises(LawBroken):
        perp.inverse_pnl(1.0, factor)


@pytest.mark.parametrize(("size", "price", "factor"), [(np.nan, 1, 1), (1, -1, 1), (1, 1, -1), (1, np.inf, 1)])
def test_linear__not_a_market__law_broken(size, price, factor):
    """NaN, infinity and negative prices stop the computation."""
    with pytest.raises(LawBroken):
        perp.linear_pnl(size, price, factor)
