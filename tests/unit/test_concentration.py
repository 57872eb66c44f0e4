"""Margin that grows with size, an account's own and everybody's."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.charges import concentration
from tests.cases.published import published

OPEN_INTEREST = (0, 1_000_000, 1_234_567, 1_500_000, 2_000_000)


def test_open_interest__published_ramp__to_the_ppm():
    """dYdX's own table, in integers."""
    given = published("DYDX-OIMF")
    assert given.tol == 0
    base, lower, upper = given.inputs["base_ppm"], int(given.inputs["lower"]), int(given.inputs["upper"])
    found = [
        concentration.open_interest_fraction_ppm(base, notional=oi, lower=lower, upper=upper) for oi in OPEN_INTEREST
    ]
    assert found == given.expected


@hypothesis.given(st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_open_interest__integers_and_floats__the_same_ramp(base, notional, one, other):
    """The integer form is the float form rounded down, ends of the ramp and steps included."""
    lower, upper = sorted((one, other))
    ppm = concentration.open_interest_fraction_ppm(base, notional=notional, lower=lower, upper=upper)
    share = float(concentration.open_interest_fraction(base / 1e6, notional=notional, lower=lower, upper=upper))
    if lower == upper == notional:
        assert ppm == base
    assert base <= ppm <= 10**6
    assert ppm - 1e-3 <= share * 1e6 <= ppm + 1 + 1e-3


def test_open_interest__step__full_margin_beyond():
    """Without a ramp's width the fraction jumps to one beyond the limit."""
    found = concentration.open_interest_fraction(0.2, notional=[9.0, 10.0, 11.0], lower=10.0, upper=10.0)
    assert found.tolist() == [0.2, 0.2, 1.0]


@pytest.mark.parametrize("bad", [{"base": 1.1}, {"lower": 3.0}, {"notional": np.nan}])
def test_open_interest__not_a_ramp__law_broken(bad):
    """A ramp that runs backwards is refused."""
    given = {"base": 0.1, "notional": 1.0, "lower": 1.0, "upper": 2.0} | bad
    base = given.pop("base")
    with pytest.raises(LawBroken):
        concentration.open_interest_fraction(base, **given)
    if not np.isnan(given["notional"]):
        with pytest.raises(LawBroken):
            concentration.open_interest_fraction_ppm(int(base * 1e6), **{k: int(v) for k, v in given.items()})


MARKET = {"volume": 100.0, "open_interest": 1_000.0, "edge": 0.1, "volume_share": 0.2, "open_interest_share": 0.05}


def test_concentration__four_horizons__twice_the_edge():
    """What one horizon absorbs is free; four times as much moves twice as far."""
    rate = concentration.concentration_rate([0.0, 20.0, 80.0, 1e9], **MARKET)
    assert rate.tolist() == pytest.approx([0.0, 0.0, 0.1, 0.9])


def test_concentration__dead_market__the_whole_notional():
    """Where nothing trades, any size takes for ever."""
    assert concentration.concentration_rate([0.0, 1e-9], **(MARKET | {"volume": 0.0})).tolist() == [0.0, 0.9]
    assert concentration.concentration_rate(1.0, **(MARKET | {"volume": 0.0, "edge": 1.5})) == 0.0


@hypothesis.given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_concentration__larger_position__never_a_lower_rate(one, other):
    """Size never gets cheaper."""
    small, large = sorted((one, other))
    low, high = concentration.concentration_rate([small, large], **MARKET)
    assert 0.0 <= low <= high <= 0.9


def test_skew_scale__long_and_short__alike():
    """Synthetix: margin grows with size on both sides."""
    found = concentration.skew_scale_fraction([-50.0, 50.0, 0.0], skew_scale=1_000.0, ratio=2.0, minimum=0.02)
    assert found.tolist() == pytest.approx([0.12, 0.12, 0.02])
    with pytest.raises(LawBroken):
        concentration.skew_scale_fraction(1.0, skew_scale=0.0, ratio=2.0, minimum=0.02)
