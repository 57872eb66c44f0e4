"""Filtered historical simulation over joint rows (RET-3)."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.timeseries.conditional import Conditional, ewma_conditional
from keeper.risk.timeseries.fhs import Filtered, filter_returns
from keeper.risk.timeseries.panel import Panel
from keeper.risk.timeseries.volatility import MAX_SCALE, Unestimated

DAY = 86_400


def a_panel(returns):
    """Daily rows."""
    return Panel(
        symbols=tuple("ABCDEFGHIJKLMNOPQRST"[: returns.shape[1]]),
        time_s=DAY * np.arange(19_000, 19_000 + len(returns), dtype=np.int64),
        returns=returns,
        horizon_s=DAY,
    )


def random_panel(seed, *, rows=60, assets=2, missing=0.1):
    """Returns whose volatility wanders, some missing."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(scale=0.03, size=(rows, assets)) * np.exp(np.sin(np.arange(rows) / 9.0))[:, None]
    returns[rng.random(returns.shape) < missing] = np.nan
    return a_panel(returns)


def obvious(panel, conditional):
    """Row by row, one return at a time, as the method is explained."""
    out = []
    for t in range(len(panel)):
        row = []
        for u in range(len(panel.symbols)):
            r, before, now = panel.returns[t, u], conditional.before[t, u], conditional.now[u]
            if np.isnan(r) or np.isnan(before):
                break
            scale = (now / before) ** 0.5 if before > 0 else 1.0
            row.append(r * min(max(scale, 1 / MAX_SCALE), MAX_SCALE))
        if len(row) == len(panel.symbols):
            out.append(row)
    return out


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([0.0, 0.1, 0.3]))
def test_filter_returns__any_panel__the_obvious_rows(seed, assets, missing):
    """RET-3: each joint row is its day's returns, each scaled from its own volatility then to its own now."""
    panel = random_panel(seed, rows=40, assets=assets, missing=missing)
    conditional = ewma_conditional(panel, decay_per_day=0.94, warm_up=5)
    found = filter_returns(panel, conditional)
    slow = obvious(panel, conditional)
    if isinstance(found, Unestimated):
        assert not slow or not (conditional.now > 0).all()
        return
    assert found.returns.ravel().tolist() == pytest.approx(np.array(slow).ravel().tolist(), rel=1e-12), "RET-3"
    assert np.isfinite(found.residuals).all()
    assert len(found.returns) == len(found.raw)


def test_filter_returns__volatility_doubled_since__moves_doubled_and_days_kept():
    """RET-3: a calm day counts at today's volatility, and what moved together still does."""
    panel = a_panel(np.array([[0.01, -0.02], [0.03, 0.01]]))
    conditional = Conditional(
        before=np.array([[1e-4, 4e-4], [4e-4, 1e-4]]), now=np.array([4e-4, 1e-4]), models=("x", "y")
    )
    found = filter_returns(panel, conditional)
    assert isinstance(found, Filtered)
    assert found.returns.ravel().tolist() == pytest.approx([0.02, -0.01, 0.03, 0.01])
    assert found.residuals.ravel().tolist() == pytest.approx([1.0, -1.0, 1.5, 1.0])
    assert found.vol_now.tolist() == pytest.approx([0.02, 0.01])
    assert found.age_days.tolist() == [1.0, 0.0]
    assert found.models == ("x", "y")


def test_filter_returns__jump_in_a_calm__not_scaled_without_bound():
    """RET-3: the day that made today's volatility does not make itself larger than `MAX_SCALE` times."""
    panel = a_panel(np.array([[0.5]]))
    found = filter_returns(panel, Conditional(before=np.array([[1e-8]]), now=np.array([0.04]), models=("x",)))
    assert isinstance(found, Filtered)
    assert found.returns[0, 0] == pytest.approx(0.5 * MAX_SCALE)


def test_filter_returns__four_hours_of_twenty__same_way():
    """Horizon and number of underlyings change nothing of the method."""
    days = random_panel(1, rows=300, assets=20, missing=0.0)
    hours = Panel(symbols=days.symbols, time_s=days.time_s // 6, returns=days.returns, horizon_s=DAY // 6)
    found = filter_returns(hours, ewma_conditional(hours, decay_per_day=0.97))
    assert isinstance(found, Filtered)
    assert found.returns.shape == (280, 20)
    assert found.returns.ravel().tolist() == pytest.approx(
        np.array(obvious(hours, ewma_conditional(hours, decay_per_day=0.97))).ravel().tolist()
    )


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.full((10, 2), 0.01), "A, B have 0 joint returns over 24 h with a known volatility, 5 needed"),
        (np.where(np.arange(60)[:, None] % 2 == [0, 1], np.nan, 0.01), "0 joint returns"),
        (np.column_stack([np.full(60, 0.01), np.zeros(60)]), "B did not move lately"),
    ],
    ids=["short", "never together", "still"],
)
def test_filter_returns__nothing_joint__a_value_with_a_reason(returns, reason):
    """Too little to go on is an answer."""
    panel = a_panel(returns)
    found = filter_returns(panel, ewma_conditional(panel, decay_per_day=0.97), min_rows=5)
    assert isinstance(found, Unestimated)
    assert reason in found.reason


def test_filter_returns__variances_of_another_panel__law_broken():
    """A scale that belongs to other rows is our mistake."""
    with pytest.raises(LawBroken):
        filter_returns(random_panel(1), ewma_conditional(random_panel(1, rows=50), decay_per_day=0.97))
