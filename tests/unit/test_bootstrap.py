"""The stationary bootstrap against explicit draws (CAL-2)."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.calibration.bootstrap import SortedSample, draw_blocks, interval, mean_block, replicate, times_drawn
from keeper.risk.tail import expected_shortfall


@hypothesis.settings(max_examples=max(1, hypothesis.settings.default.max_examples // 2))
@hypothesis.given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=120),
    st.integers(1, 60),
    st.floats(0.3, 0.995),
    st.integers(0, 2**32),
)
def test_replicate__any_sample__slow_twin(losses, mean_length, level, seed):
    """CAL-2: counts and one pass give the ES of the sample that the blocks spell out, member by member."""
    size = len(losses)
    starts, lengths = draw_blocks(size, mean_length, np.random.default_rng(seed))
    spelled = [losses[(s + j) % size] for s, n in zip(starts, lengths, strict=True) for j in range(n)]
    assert len(spelled) == size, "CAL-2"
    drawn = times_drawn(size, starts, lengths)
    assert drawn.sum() == size, "CAL-2"
    fast = replicate(
        [SortedSample(losses, level)], size=size, mean_length=mean_length, rng=np.random.default_rng(seed), count=1
    )
    assert fast[0, 0] == pytest.approx(expected_shortfall(spelled, level), rel=1e-9, abs=1e-9), "CAL-2"


def test_replicate__same_seed__same_numbers():
    sample = SortedSample(np.random.default_rng(0).normal(size=500), 0.99)
    a, b = (replicate([sample], size=500, mean_length=20, rng=np.random.default_rng(3), count=20) for _ in range(2))
    assert a.tolist() == b.tolist()


def test_shortfall__tail_deeper_than_looked_at_first__found():
    """A draw without any of the worst members looks further."""
    losses = np.arange(5_000.0)
    drawn = np.zeros(5_000, dtype=np.int64)
    drawn[:10] = 500
    assert SortedSample(losses, 0.99).shortfall(drawn) == 9.0


def test_interval__independent_sample__about_the_normal_error():
    """The mean of the worst half of independent normals: its bootstrap spread is the textbook one."""
    rng = np.random.default_rng(1)
    losses = rng.normal(size=2_000)
    got = replicate([SortedSample(losses, 0.5)], size=2_000, mean_length=1, rng=rng, count=800)[:, 0]
    truth = np.array([expected_shortfall(rng.normal(size=2_000), 0.5) for _ in range(800)])
    assert got.std() == pytest.approx(truth.std(), rel=0.15)
    found = interval(got)
    assert found.low < expected_shortfall(losses, 0.5) < found.high


def test_interval__clustered_sample__wider_than_without_blocks():
    """Windows that overlap are worth less than their number: blocks see it, single draws do not."""
    rng = np.random.default_rng(8)
    losses = np.convolve(rng.normal(size=5_023), np.ones(24) / np.sqrt(24), mode="valid")
    sample = SortedSample(losses, 0.95)
    spread = [
        np.std(replicate([sample], size=5_000, mean_length=length, rng=np.random.default_rng(1), count=200))
        for length in (1, mean_block(5_000, 24))
    ]
    assert spread[1] > 2 * spread[0]


def test_mean_block__a_history__cube_root_of_its_horizons():
    assert mean_block(24 * 1_000, 24) == 24 * 10
    assert mean_block(5, 24) == 24


@pytest.mark.parametrize("bad", [[], [float("nan")]])
def test_sample__no_losses__law_broken(bad):
    with pytest.raises(LawBroken):
        SortedSample(bad, 0.99)
    with pytest.raises(LawBroken):
        interval(bad)


@hypothesis.settings(max_examples=max(1, hypothesis.settings.default.max_examples // 2))
@hypothesis.given(
    st.lists(st.lists(st.floats(-9, 9), min_size=1, max_size=4), min_size=1, max_size=20), st.integers(0, 2**32)
)
def test_shortfall__several_losses_to_a_window__slow_twin(groups, seed):
    """CAL-2: windows that hold several losses are drawn whole, each loss with its share."""
    drawn = np.random.default_rng(seed).multinomial(len(groups), [1 / len(groups)] * len(groups))
    losses = [x for group in groups for x in group]
    window = np.array([i for i, group in enumerate(groups) for _ in group])
    share = np.array([1 / len(group) for group in groups for _ in group])
    fast = SortedSample(losses, 0.8, window=window, share=share).shortfall(drawn)
    slow = expected_shortfall(losses, 0.8, share * drawn[window] / len(groups))
    assert fast == pytest.approx(slow, abs=1e-9), "CAL-2"
