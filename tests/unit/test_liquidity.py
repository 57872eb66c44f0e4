"""Cost of closing: the book walk, the square-root law, spreads."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.charges import liquidity
from keeper.risk.charges.liquidity import Depth
from tests.cases.published import published

ASKS = Depth(prices=np.array([100.0, 101.0, 103.0]), sizes=np.array([1.0, 2.0, 3.0]), mid=99.0)
BIDS = Depth(prices=np.array([98.0, 95.0]), sizes=np.array([1.0, 2.0]), mid=99.0)


@st.composite
def sides(draw) -> Depth:
    """Asks or bids, best first."""
    steps = draw(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), min_size=1, max_size=6))
    sign = draw(st.sampled_from((-1.0, 1.0)))
    away = np.cumsum([step for step, _ in steps])
    return Depth(prices=100.0 + sign * away, sizes=np.array([size for _, size in steps]), mid=100.0)


def slow_walk(side: Depth, quantity: float) -> tuple[float, float]:
    """Level after level: (cost, unfilled)."""
    left, cost = quantity, 0.0
    for price, size in zip(side.prices.tolist(), side.sizes.tolist(), strict=True):
        taken = min(left, size)
        cost += taken * abs(price - side.mid)
        left -= taken
    return cost, left


def test_walk__published_book__cost_and_rest():
    """Slippage against the mid, and what is left over, of a small and a large order."""
    given = published("BOOK-WALK")
    levels = np.array(given.inputs["asks"])
    asks = Depth(prices=levels[:, 0], sizes=levels[:, 1], mid=given.inputs["mid"])
    walked = liquidity.walk(asks, [50, 200])
    found = np.column_stack((walked.cost, walked.unfilled)).ravel()
    assert found.tolist() == pytest.approx(given.expected, abs=given.tol)


@hypothesis.given(sides(), st.floats(0, 150))
def test_walk__any_book__level_after_level(side, quantity):
    """ADD-1: the interpolated walk is the loop over levels."""
    walked = liquidity.walk(side, quantity)
    cost, left = slow_walk(side, quantity)
    assert float(walked.cost) == pytest.approx(cost, abs=1e-8)
    assert float(walked.unfilled) == pytest.approx(left, abs=1e-9)


@hypothesis.given(sides(), st.floats(0, 150), st.floats(0, 150), st.floats(0, 0.5))
def test_book_cost__larger_order__never_cheaper_per_unit(side, one, other, edge):
    """ADD-1: the rest that a book cannot fill is charged, so cost is convex: a unit more never costs less."""
    small, large = sorted((one, other))
    at = liquidity.book_cost(side, [small, (small + large) / 2, large], edge=edge)
    assert at[1] <= (at[0] + at[2]) / 2 + 1e-8
    assert at[0] <= at[2] + 1e-9


def test_book_cost__empty_book__everything_at_the_edge():
    """Where nobody bids, all of it pays the edge shock."""
    empty = Depth(prices=np.array([]), sizes=np.array([]), mid=100.0)
    assert float(liquidity.book_cost(empty, 7.0, edge=0.15)) == pytest.approx(105.0)


def test_net_close_cost__longs_sell_shorts_buy():
    """Each side walks the book it would have to trade against; offsetting deltas cost nothing."""
    cost = liquidity.net_close_cost([2.0, -2.0, 0.0, -8.0], bids=BIDS, asks=ASKS, edge=0.1)
    assert cost.tolist() == pytest.approx([1 + 4, 1 + 2, 0.0, 1 + 4 + 12 + 2 * 9.9])


@pytest.mark.parametrize(
    ("prices", "sizes"), [([101, 100], [1, 1]), ([98, 100], [1, 1]), ([100], [-1]), ([np.nan], [1]), ([100], [1, 2])]
)
def test_depth__not_a_side__law_broken(prices, sizes):
    """A crossed, unordered or broken side is not walked."""
    with pytest.raises(LawBroken):
        Depth(prices=np.array(prices, dtype=float), sizes=np.array(sizes, dtype=float), mid=99.0)


def test_impact__published_shares__in_bps():
    """σ = 5 % at 0.1, 1, 4 and 25 % of the volume."""
    given = published("IMPACT-SQRT")
    bps = liquidity.impact([0.1, 1, 4, 25], volume=100, vol=0.05) * 1e4
    assert bps.tolist() == pytest.approx(given.expected, abs=given.tol)


def test_impact_cost__nobody_trades__the_edge_bounds_it():
    """Without volume the law has no answer, and the edge shock has; nothing to close costs nothing."""
    given = {"price": 10.0, "volume": 0.0, "vol": 0.05, "edge": 0.2}
    assert liquidity.impact_cost([3.0, 0.0], **given).tolist() == [6.0, 0.0]
    assert liquidity.impact([3.0, 0.0], volume=0.0, vol=0.05).tolist() == [np.inf, 0.0]
    assert float(liquidity.impact(3.0, volume=0.0, vol=0.0)) == 0.0


@hypothesis.given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1), st.floats(0, 1))
def test_impact_cost__two_orders__together_at_least_apart(one, other, volume, vol, edge):
    """Concentration never pays: the cost of a sum is at least the sum of the costs, and at most the edge."""
    market = {"price": 1.0, "volume": volume, "vol": vol, "edge": edge}
    apart = liquidity.impact_cost([one, other], **market).sum()
    together = float(liquidity.impact_cost(one + other, **market))
    assert apart <= together * (1 + 1e-12) + 1e-12
    assert together <= (one + other) * edge * (1 + 1e-12)


def test_spread_cost__closes_at_the_worse_quote():
    """A long sells at the bid, a short buys at the ask; a quote through the mark gains nothing."""
    cost = liquidity.spread_cost(
        [2.0, -3.0, 2.0, 1.0], mark=10.0, bid=[9.0, 9.0, 11.0, 0.0], ask=[12.0, 12.0, 12.0, 12.0]
    )
    assert cost.tolist() == [2.0, 6.0, 0.0, 10.0]
    assert float(liquidity.vol_spread_cost(-400.0, half_spread=0.02)) == pytest.approx(8.0)


def test_costs__nan__law_broken():
    """NaN never becomes a cost."""
    with pytest.raises(LawBroken):
        liquidity.impact(np.nan, volume=1.0, vol=0.1)
    with pytest.raises(LawBroken):
        liquidity.net_close_cost([np.nan], bids=BIDS, asks=ASKS, edge=0.1)
    with pytest.raises(LawBroken):
        liquidity.spread_cost(1.0, mark=-1.0, bid=0.0, ask=0.0)
