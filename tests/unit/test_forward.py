"""The forward near expiry: only what is not yet averaged moves."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.pricing import forward


def test_split__before_the_window__all_of_it_moves():
    """Until half an hour before expiry a forward moves in full."""
    parts = forward.split(3_000.0, [1_800.0, 86_400.0])
    assert parts.variable.tolist() == [3_000.0, 3_000.0]
    assert parts.fixed.tolist() == [0.0, 0.0]


def test_split__inside_the_window__the_averaged_share_is_fixed():
    """With ten minutes left, two thirds are settled; at expiry everything is."""
    parts = forward.split([3_000.0, 3_000.0], [600.0, 0.0])
    assert parts.variable.tolist() == [1_000.0, 0.0]
    assert parts.fixed.tolist() == [2_000.0, 3_000.0]
    assert parts.at(0.5).tolist() == [2_500.0, 3_000.0]


@hypothesis.given(st.floats(1e-3, 1e6), st.floats(0, 1e5), st.floats(0.01, 6))
def test_split__any_moment__between_still_and_fully_shocked(price, seconds, factor):
    """The parts add up to the forward, and a shock never moves it further than spot moves."""
    parts = forward.split(price, seconds)
    assert float(parts.at(1.0)) == pytest.approx(price, rel=1e-15)
    low, high = sorted((price, price * factor))
    assert low * (1 - 1e-15) <= float(parts.at(factor)) <= high * (1 + 1e-15)


@pytest.mark.parametrize(("price", "seconds"), [(-1.0, 1.0), (1.0, -1.0), (np.nan, 1.0), (1.0, np.inf)])
def test_split__not_a_forward__law_broken(price, seconds):
    """A broken input stops before anything is priced from it."""
    with pytest.raises(LawBroken):
        forward.split(price, seconds)
