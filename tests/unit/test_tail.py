"""VaR and ES count from the worst (EST-2)."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.tail import expected_shortfall, value_at_risk

LOSSES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


def test_hull__weighted_sample__published_numbers():
    """Hull, Risk Management and Financial Institutions, table 13.5: λ = 0.995, 500 days, 99 %."""
    worst = {494: 477.841, 339: 345.435, 349: 282.204, 329: 277.041, 487: 253.385, 227: 217.974}
    day = np.arange(1, 501)
    losses = np.array([worst.get(int(d), 0.0) for d in day])
    weights = 0.995 ** (500 - day) * (1 - 0.995) / (1 - 0.995**500)
    assert value_at_risk(losses, 0.99, weights) == pytest.approx(282.204, abs=1e-9)
    assert expected_shortfall(losses, 0.99, weights) == pytest.approx(400.914, abs=1e-3)


def test_equal_weights__whole_tail__plain_mean():
    """The worst five of 500 at 99 %: the fifth is VaR, their mean is ES."""
    losses = np.arange(500.0)
    assert value_at_risk(losses, 0.99) == 495.0
    assert expected_shortfall(losses, 0.99) == pytest.approx(497.0)


def test_equal_weights__fractional_tail__last_one_counts_in_part():
    """One and a half of 100 at 98.5 %: the worst whole, the second by half."""
    losses = np.arange(100.0)
    assert value_at_risk(losses, 0.985) == 98.0
    assert expected_shortfall(losses, 0.985) == pytest.approx((99.0 + 0.5 * 98.0) / 1.5)


@hypothesis.given(LOSSES, st.floats(0.01, 0.99))
def test_es__any_sample__between_var_and_the_worst(losses, level):
    """EST-2: ES is at least VaR and at most the worst loss."""
    es, var = expected_shortfall(losses, level), value_at_risk(losses, level)
    slack = 1e-9 * (1 + max(map(abs, losses)))
    assert var - slack <= es <= max(losses) + slack, "EST-2"


@hypothesis.given(LOSSES, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_tail__higher_level__no_smaller(losses, a, b):
    """EST-2: further out in the tail is never better."""
    low, high = sorted((a, b))
    slack = 1e-7 * (1 + max(map(abs, losses)))
    assert value_at_risk(losses, low) <= value_at_risk(losses, high) + slack, "EST-2"
    assert expected_shortfall(losses, low) <= expected_shortfall(losses, high) + slack, "EST-2"


@hypothesis.given(LOSSES, st.floats(0.01, 0.99))
def test_tail__weights_all_equal__as_without(losses, level):
    """EST-2: equal weights are no weights."""
    weights = np.full(len(losses), 1.0 / len(losses))
    assert expected_shortfall(losses, level, weights) == expected_shortfall(losses, level), "EST-2"


@pytest.mark.parametrize(
    ("losses", "level", "weights"),
    [([], 0.9, None), ([1.0, float("nan")], 0.9, None), ([1.0], 1.0, None), ([1.0], 0.9, [0.5, 0.5]),
     ([1.0], 0.9, [-1.0]), ([1.0], 0.9, [0.05])],
)  # fmt: skip
def test_tail__nonsense__law_broken(losses, level, weights):
    """Nothing is estimated from nothing."""
    with pytest.raises(LawBroken):
        expected_shortfall(losses, level, weights)
