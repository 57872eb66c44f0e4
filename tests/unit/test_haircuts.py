"""Collateral haircuts and caps (HAIR-1, HAIR-2)."""

import math
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.errors import LawBroken
from keeper.risk.calibration.haircuts import (
    CAP_STEP_USD,
    MIN_WINDOWS,
    Binding,
    Haircut,
    cap_usd,
    counted_usd,
    fall_shortfall,
    haircut,
)
from keeper.risk.calibration.scan_range import normal_shortfall
from keeper.risk.timeseries.volatility import DAY_S, Unestimated
from keeper.risk.timeseries.windows import Windows, windows_of_history

KNOBS = RiskKnobs(es_level=0.9)
seeds = st.integers(0, 2**32 - 1)


def moves(seed=1, *, size=0.03, count=400, drift=0.0):
    """Daily moves of one token, constant volatility."""
    returns = np.random.default_rng(seed).normal(loc=drift, scale=1.0, size=count) * size
    return Windows(
        start_s=np.arange(count) * DAY_S,
        log_return=returns,
        start_variance=np.full(count, size**2),
        variance_now=size**2,
        horizon_s=DAY_S,
        step_s=DAY_S,
    )


def cut(windows, knobs=KNOBS, **choices):
    found = haircut(windows, knobs, **choices)
    assert isinstance(found, Haircut)
    return found


@hypothesis.given(
    seeds,
    st.floats(1e-4, 0.3),
    st.floats(0.5, 1.0),
    st.floats(0.0, 0.5),
    st.sampled_from(["size", "peg", "floor", "level", "multiplier", "stress", "share"]),
)
def test_haircut__anything_worse__never_a_smaller_haircut(seed, size, peg, floor, change):
    """HAIR-1: it grows with the moves, the lost peg, the floor and every knob that asks for more; on the lattice."""
    # The stressed falls are never smaller than the current ones here: a heavier stressed weight asks for more.
    windows = replace(moves(seed, size=size), variance_now=(size / 2) ** 2)
    usual = cut(windows, peg=peg, floor=floor)
    worse = {
        "size": lambda: cut(
            replace(moves(seed, size=size * 1.5), variance_now=(size * 0.75) ** 2), peg=peg, floor=floor
        ),
        "peg": lambda: cut(windows, peg=peg * 0.9, floor=floor),
        "floor": lambda: cut(windows, peg=peg, floor=floor + 0.1),
        "level": lambda: cut(windows, replace(KNOBS, es_level=0.95), peg=peg, floor=floor),
        "multiplier": lambda: cut(windows, replace(KNOBS, psr_multiplier=1.5), peg=peg, floor=floor),
        "stress": lambda: cut(windows, replace(KNOBS, stress_weight=0.9), peg=peg, floor=floor),
        "share": lambda: cut(windows, replace(KNOBS, floor_share=1.0), peg=peg, floor=floor),
    }[change]()
    assert worse.haircut_ppm >= usual.haircut_ppm, "HAIR-1"
    for found in (usual, worse):
        assert found.haircut_ppm % KNOBS.psr_lattice_ppm == 0, "HAIR-1"
        assert 0 <= found.haircut_ppm <= 1_000_000, "HAIR-1"
        assert found.haircut_ppm / 1e6 >= 1 - (1 - found.shortfall) * found.peg - 1e-6, "HAIR-1"


def test_haircut__by_hand__blend_and_peg_multiply():
    """The shortfall of falls blended, and what a lost peg leaves of the rest."""
    windows = moves(count=400)
    filtered = fall_shortfall(windows.filtered(), 0.9)
    normal = 0.03 * 1.7549833
    found = cut(windows, replace(KNOBS, stress_days=10_000), peg=0.935)
    shortfall = max(filtered, normal)  # constant volatility: the stressed falls are the filtered ones
    assert found.shortfall == pytest.approx(shortfall, rel=1e-6)
    wanted = 1 - (1 - shortfall) * 0.935
    assert found.haircut_ppm == math.ceil(wanted * 1e6 / 2_500) * 2_500
    assert found.binding is Binding.BLEND
    assert "a lost peg leaves 93.50 % of it" in found.reason


def test_haircut__rises_only__no_haircut_for_gains():
    """A token held gains when it rises: only falls count."""
    up = moves(size=0.001, drift=50.0)
    assert (up.log_return > 0).all()
    assert fall_shortfall(up.log_return, 0.9) == 0.0
    assert cut(up).shortfall < 0.002


def test_haircut__floor_and_whole_history__bind_and_say_so():
    """A calm token keeps its floor, and a calm month does not forget the whole history."""
    assert cut(moves(size=1e-4), floor=0.05).binding is Binding.FLOOR
    assert cut(moves(size=1e-4), floor=0.05).haircut_ppm == 50_000
    calm = replace(moves(size=0.05), variance_now=1e-8)
    remembered = cut(calm, replace(KNOBS, floor_share=1.0, stress_weight=0.0))
    assert remembered.binding is Binding.HISTORY
    assert remembered.shortfall == pytest.approx(fall_shortfall(calm.log_return, 0.9))


def test_haircut__hopeless_token__all_of_it():
    """Nothing counts of what may lose everything."""
    assert cut(moves(size=8.0)).haircut_ppm == 1_000_000


def test_haircut__too_few_moves__a_value_with_a_reason():
    """Too little to go on is an answer."""
    found = haircut(moves(count=MIN_WINDOWS - 1), KNOBS)
    assert isinstance(found, Unestimated)
    assert "99 moves" in found.reason


@hypothesis.given(
    st.lists(st.floats(0.0, 1e9), min_size=2, max_size=10), st.integers(0, 1_000_000), st.floats(0.0, 1e9)
)
def test_counted__more_held__never_less_counts_nor_more_than_the_cap(values, ppm, cap):
    """HAIR-2: what counts grows with what is held up to the cap, falls with the haircut, never exceeds the value."""
    held = np.sort(values)
    found = counted_usd(held, haircut_ppm=ppm, cap_usd=cap)
    assert (np.diff(found) >= 0).all(), "HAIR-2"
    assert (found <= held).all(), "HAIR-2"
    assert found.max() <= cap * (1 - ppm / 1e6) * (1 + 1e-12), "HAIR-2"
    assert (counted_usd(held, haircut_ppm=min(ppm + 2_500, 1_000_000), cap_usd=cap) <= found).all(), "HAIR-2"
    slow = [min(value, cap) * (1_000_000 - ppm) / 1_000_000 for value in held.tolist()]
    assert found.tolist() == pytest.approx(slow), "HAIR-2"


def test_cap__volume_within_the_horizon__rounded_down():
    """HAIR-2: no more counts than a tenth of what is traded within the horizon."""
    assert cap_usd(10_000_000.0, horizon_hours=24.0) == 1_000_000
    assert cap_usd(10_000_000.0, horizon_hours=4.0) == 166_000
    assert cap_usd(9_999_999.0, horizon_hours=24.0) == 999_000
    assert cap_usd(0.0, horizon_hours=24.0) == 0
    assert CAP_STEP_USD == 1_000


@pytest.mark.parametrize(
    "act",
    [
        lambda: haircut(moves(), KNOBS, peg=0.0),
        lambda: haircut(moves(), KNOBS, peg=1.1),
        lambda: haircut(moves(), KNOBS, floor=math.nan),
        lambda: counted_usd([-1.0], haircut_ppm=0, cap_usd=1.0),
        lambda: counted_usd([1.0], haircut_ppm=1_000_001, cap_usd=1.0),
        lambda: counted_usd([1.0], haircut_ppm=0, cap_usd=math.nan),
        lambda: cap_usd(math.nan, horizon_hours=24.0),
    ],
)
def test_haircut__senseless__law_broken(act):
    """A peg above one, a negative holding or a NaN stop at once."""
    with pytest.raises(LawBroken):
        act()


def test_haircut__wild_days_after_calm_ones__never_below_the_normal_tail():
    """A stressed sample without a tail is lifted to a normal one, as in the scan range."""
    rng = np.random.default_rng(5)
    hours = 24 * 200
    moves = rng.normal(size=hours) * np.where(np.arange(hours) < hours - 48, 0.001, 0.02)
    moves[-48:] = np.abs(moves[-48:]) * np.where(np.arange(48) % 2, 1, -1)
    price = 100 * np.exp(np.concatenate([[0.0], np.cumsum(moves)]))
    history = PriceHistory(name="X", time_s=3_600 * np.arange(hours + 1, dtype=np.int64), close=price)
    windows = windows_of_history(history, horizon_s=86_400.0, decay_per_day=0.97)
    found = haircut(windows, replace(RiskKnobs(), floor_share=0.0))
    assert isinstance(found, Haircut)
    assert found.shortfall >= normal_shortfall(windows.variance_now, days=1.0, level=0.99) - 1e-12
