"""The cross-underlying offset, and joint history as its check (OFF-1, OFF-2)."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.marketdata.prices_file import load_prices
from keeper.risk.calibration.offset import OffsetCheck, check_offset, row_losses
from keeper.risk.generate.grid import STANDARD_16, Scan, grid
from keeper.risk.generate.history import history
from keeper.risk.tail import expected_shortfall
from keeper.risk.timeseries.conditional import ewma_conditional
from keeper.risk.timeseries.fhs import Filtered, filter_returns
from keeper.risk.timeseries.panel import Panel, panel

seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0.0, 1.0)


def an_account(seed, *, underlyings=3):
    """P&L of three underlyings under sixteen grid rows and forty joint ones, in dollars."""
    rng = np.random.default_rng(seed)
    exposure = rng.normal(scale=1_000.0, size=underlyings)
    market = rng.normal(scale=0.02, size=(40, 1))
    joint = (market + rng.normal(scale=0.015, size=(40, underlyings))) * exposure
    moves = np.repeat([0, 1, -1, 2, -2, 3, -3, 9], 2)[:, None] / 3 * 0.08
    return moves * exposure, joint


@hypothesis.given(seeds, shares)
def test_row_losses__any_rows__the_obvious_sum(seed, share):
    """OFF-1: losses in full, gains by their share."""
    pnl, _ = an_account(seed)
    slow = [sum(-x if x < 0 else -share * x for x in row) for row in pnl.tolist()]
    assert row_losses(pnl, share=share).tolist() == pytest.approx(slow, abs=1e-9), "OFF-1"


@hypothesis.given(seeds, shares, shares)
def test_row_losses__larger_share__never_a_larger_loss(seed, one, other):
    """OFF-1: offsetting more never raises a requirement; all of it is plain netting, none of it is no netting."""
    pnl, _ = an_account(seed)
    low, high = sorted((one, other))
    assert (row_losses(pnl, share=high) <= row_losses(pnl, share=low) + 1e-9).all(), "OFF-1"
    assert row_losses(pnl, share=1.0) == pytest.approx(-pnl.sum(axis=1)), "OFF-1"
    assert row_losses(pnl, share=0.0) == pytest.approx(np.maximum(-pnl, 0.0).sum(axis=1)), "OFF-1"


@hypothesis.given(seeds, shares, st.sampled_from([0.9, 0.975]))
def test_check_offset__largest_share__covers_and_no_larger_one_does(seed, share, level):
    """OFF-2: the grid covers the joint shortfall up to the largest share, and not beyond it."""
    grid_pnl, joint = an_account(seed)
    found = check_offset(grid_pnl, joint, share=share, level=level)
    assert found.shortfall == expected_shortfall(-joint.sum(axis=1), level)
    assert found.requirement == max(0.0, row_losses(grid_pnl, share=share).max())
    assert found.covered == (found.requirement >= found.shortfall)
    assert found.missing == pytest.approx(max(0.0, found.shortfall - found.requirement))
    largest = found.largest_share
    if largest is None:
        assert not check_offset(grid_pnl, joint, share=0.0, level=level).covered, "OFF-2"
        return
    slack = 1e-6
    assert check_offset(grid_pnl, joint, share=max(0.0, largest - slack), level=level).covered, "OFF-2"
    if largest < 1.0 - slack:
        assert not check_offset(grid_pnl, joint, share=largest + slack, level=level).covered, "OFF-2"


def test_check_offset__one_way_book__needs_no_offset():
    """An account that is long everything gains nothing anywhere: every share covers."""
    found = check_offset([[-100.0, -50.0], [100.0, 50.0]], [[-30.0, -20.0], [5.0, 5.0]], share=0.6, level=0.9)
    assert found == OffsetCheck(requirement=150.0, shortfall=50.0, largest_share=1.0)


def test_check_offset__hedge_that_broke__says_how_much_may_count():
    """Long one and short the other: the day the two parted bounds what the hedge may be worth."""
    grid_pnl = [[-100.0, 90.0], [100.0, -90.0]]
    joint = [[-60.0, 20.0], *[[-20.0, 19.0]] * 9]
    found = check_offset(grid_pnl, joint, share=0.6, level=0.9)
    assert found.shortfall == pytest.approx(40.0)
    assert found.largest_share == pytest.approx(60.0 / 90.0)
    assert found.requirement == pytest.approx(46.0)
    assert found.covered
    loose = check_offset(grid_pnl, joint, share=0.9, level=0.9)
    assert not loose.covered
    assert loose.missing == pytest.approx(21.0)


def test_check_offset__grid_too_small__no_share_covers():
    """Where even the sum of losses is too little the offset is not what is wrong."""
    found = check_offset([[-10.0, 5.0]], [[-30.0, 0.0]] * 5, share=0.0, level=0.9)
    assert found.largest_share is None
    assert found.missing == pytest.approx(20.0)


def test_check_offset__probabilities__weigh_the_joint_rows():
    """Newer joint rows may count more."""
    joint = [[-10.0, 0.0], [-1.0, 0.0]]
    found = check_offset([[-20.0, 0.0]], joint, share=0.5, level=0.5, probability=[0.25, 0.75])
    assert found.shortfall == pytest.approx(5.5)


@pytest.mark.parametrize(
    "act",
    [
        lambda: row_losses([1.0, math.nan], share=0.5),
        lambda: row_losses([1.0], share=1.1),
        lambda: row_losses([1.0], share=math.nan),
        lambda: check_offset([[1.0]], [[1.0, 2.0]], share=0.5, level=0.9),
        lambda: check_offset(np.zeros((0, 2)), [[1.0, 2.0]], share=0.5, level=0.9),
        lambda: check_offset([[1.0]], np.zeros((0, 1)), share=0.5, level=0.9),
    ],
)
def test_offset__senseless__law_broken(act):
    """A share that is none, a NaN or rows of other underlyings stop at once."""
    with pytest.raises(LawBroken):
        act()


@pytest.mark.needs_market_data
def test_check_offset__recorded_days__finds_six_tenths_too_much_for_a_spread(market_data):
    """OFF-2: of BTC against ETH, each scanned by its own shortfall, joint history lets less than 0.6 of gains count.

    That is what the check is for: where it fails the joint rows themselves are the larger requirement.
    """
    names = ("BTC", "ETH")
    histories = [load_prices(market_data / "spot_1h" / f"{name}USDT_1h.csv.gz", name=name) for name in names]
    rows = panel(histories, horizon_s=86_400)
    assert isinstance(rows, Panel)
    filtered = filter_returns(rows, ewma_conditional(rows, decay_per_day=0.97))
    assert isinstance(filtered, Filtered)
    past = history(filtered.returns, symbols=names, tags=filtered.raw.tags, underlyings=names)
    shortfalls = [max(expected_shortfall(sign * (past.spot[:, u] - 1.0), 0.99) for sign in (1, -1)) for u in range(2)]
    scans = {name: Scan(psr=psr, vsr_up=0.45, vsr_down=0.3) for name, psr in zip(names, shortfalls, strict=True)}
    scan = grid(STANDARD_16, scans=scans, underlyings=names)

    def checked(exposure, share):
        legs = np.array(exposure) * 1_000_000.0
        return check_offset(
            (scan.spot - 1.0) * scan.weight[:, None] * legs, (past.spot - 1.0) * legs, share=share, level=0.99
        )

    spread = checked([1.0, -1.0], 0.6)
    assert not spread.covered, "OFF-2"
    assert spread.largest_share is not None
    assert 0.2 < spread.largest_share < 0.5, "OFF-2"
    assert checked([1.0, -1.0], spread.largest_share - 1e-6).covered, "OFF-2"
    assert checked([1.0, 1.0], 0.6).covered, "OFF-2"
    assert checked([-1.0, -1.0], 0.6).covered, "OFF-2"
