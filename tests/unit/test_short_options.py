"""Naked shorts per strike, and what they are charged at least."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.charges import short_options
from keeper.risk.exact.grid import naked_short


@pytest.mark.parametrize(
    ("call", "put", "naked"),
    [(-2.0, -3.0, 5.0), (-5.0, 3.0, 2.0), (-5.0, 8.0, 0.0), (3.0, -5.0, 2.0), (2.0, 3.0, 0.0), (0.0, 0.0, 0.0)],
)
def test_naked__each_pair_of_signs(call, put, naked):
    """Same-sign shorts add, opposite signs net, longs count nothing."""
    assert float(short_options.naked_shorts(call, put)) == naked


@hypothesis.given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_naked__the_contract_s_integers__agree(call, put):
    """The float rule is the integer one."""
    assert float(short_options.naked_shorts(call, put)) == naked_short(call, put)


def test_minimum__two_strikes__sum():
    """Strikes do not net with each other: a long at one never covers a short at another."""
    minimum = short_options.short_minimum([[-1.0, 5.0]], [[-1.0, 0.0]], spot=3_000.0, rate=0.01)
    assert minimum.tolist() == [60.0]


def test_minimum__nan__law_broken():
    """NaN never becomes a minimum."""
    with pytest.raises(LawBroken):
        short_options.short_minimum(np.nan, 0.0, spot=1.0, rate=0.01)
