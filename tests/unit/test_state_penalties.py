"""Oracle confidence, peg and crowding: what a worsening state adds to IM."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.charges import state_penalties

DELTAS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8)


def test_confidence__below_the_threshold__charged_by_the_doubt():
    """At the threshold nothing is charged; below it, all of the doubt is."""
    charge = state_penalties.confidence_charge([1.0, 0.9, 0.8], threshold=0.9, rate=0.5, notional=1_000.0)
    assert charge.tolist() == pytest.approx([0.0, 0.0, 100.0])


def test_peg__below_the_threshold__by_the_slope():
    """A token over its threshold gains nothing; below it, each cent costs alike."""
    assert state_penalties.peg_factor([1.02, 0.99, 0.95], threshold=0.99, slope=4.0).tolist() == pytest.approx(
        [0.0, 0.0, 0.16]
    )


@hypothesis.given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_state__worse__never_a_lower_charge(one, other, threshold):
    """ADD-2: a wider oracle or a cheaper stablecoin never lowers IM."""
    worse, better = sorted((one, other))
    charge = state_penalties.confidence_charge([worse, better], threshold=threshold, rate=1.0, notional=1.0)
    assert charge[0] >= charge[1]
    peg = state_penalties.peg_factor([worse, better], threshold=threshold, slope=1.0)
    assert peg[0] >= peg[1]


@pytest.mark.parametrize("sure", [1.01, -0.1, np.nan])
def test_confidence__not_a_share__law_broken(sure):
    """A confidence outside 0 to 1 is no confidence."""
    with pytest.raises(LawBroken):
        state_penalties.confidence_charge(sure, threshold=0.9, rate=0.5, notional=1.0)


def test_crowding__longs_over_a_thin_bid__longs_pay():
    """Ten long over twenty bids against five short over fifty asks: the bids would be used up first."""
    state = state_penalties.crowding([[6.0], [4.0], [-5.0]], bid_depth=[20.0], ask_depth=[50.0])
    assert state.sell_pressure.tolist() == [0.5]
    assert state.buy_pressure.tolist() == [0.1]
    assert state.skew.tolist() == pytest.approx([(0.5 - 0.1) / 0.6])
    assert state.signal([[1.0], [-1.0], [0.0]]).ravel().tolist() == pytest.approx([0.5 * 0.4 / 0.6, 0.0, 0.0])


def test_crowding__no_bids__full_signal():
    """Where nobody bids, every long is fully crowded; an empty book leans where the deltas lean."""
    one_sided = state_penalties.crowding([[1.0], [-1.0]], bid_depth=[0.0], ask_depth=[5.0])
    assert one_sided.skew.tolist() == [1.0]
    assert one_sided.signal([[1.0], [-1.0]]).ravel().tolist() == [1.0, 0.0]
    empty = state_penalties.crowding([[1.0], [-3.0]], bid_depth=[0.0], ask_depth=[0.0])
    assert empty.skew.tolist() == [-0.5]
    nobody = state_penalties.crowding([[0.0]], bid_depth=[0.0], ask_depth=[0.0])
    assert (nobody.skew.tolist(), nobody.sell_pressure.tolist()) == ([0.0], [0.0])


@hypothesis.given(DELTAS, st.floats(0.1, 1e3), st.floats(0.1, 1e3))
def test_crowding__mirrored_market__mirrored_signal(deltas, bids, asks):
    """ADD-3: exchanging longs with shorts and bids with asks turns the skew's sign and keeps every signal."""
    held = np.array(deltas)[:, None]
    state = state_penalties.crowding(held, bid_depth=[bids], ask_depth=[asks])
    mirror = state_penalties.crowding(-held, bid_depth=[asks], ask_depth=[bids])
    assert mirror.skew.tolist() == pytest.approx((-state.skew).tolist())
    signal = state.signal(held)
    assert mirror.signal(-held) == pytest.approx(signal)
    assert ((signal >= 0.0) & (signal <= 1.0)).all()
