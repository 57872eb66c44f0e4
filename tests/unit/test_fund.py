"""The fund behind margin: Cover-n per row, allocation, deleveraging (FUND-1 … FUND-4)."""

from itertools import combinations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk import fund
from tests.cases.published import published

AMOUNTS = st.integers(0, 1_000).map(float)


@st.composite
def books(draw, rows: int = 4) -> np.ndarray:
    """Shortfalls, shape (rows, accounts)."""
    accounts = draw(st.integers(1, 7))
    return np.array(draw(st.lists(AMOUNTS, min_size=rows * accounts, max_size=rows * accounts))).reshape(rows, -1)


def test_cover__published_rows__never_across_rows():
    """FUND-1: 6 and 10, where the worst of both rows together would be 11."""
    given = published("COVER-N")
    assert given.tol == 0
    short = np.array([[row[name] for name in "ABC"] for row in (given.inputs["s1"], given.inputs["s2"])])
    found = [fund.cover(fund.largest(short, members=n)) for n in (1, 2)]
    assert [one.amount for one in found] == given.expected
    assert (found[1].row, found[1].accounts) == (1, (1, 2))


@hypothesis.given(books(), st.integers(1, 4))
def test_cover__any_book__the_worst_choice_of_members(short, members):
    """FUND-1: Cover-n is the largest sum over any n accounts of any one row."""
    slow = max(
        sum(row[list(chosen)])
        for row in short
        for chosen in combinations(range(short.shape[1]), min(members, short.shape[1]))
    )
    found = fund.cover(fund.largest(short, members=members))
    assert found.amount == slow
    assert sum(short[found.row, a] for a in found.accounts) == slow
    assert all(
        fund.cover(fund.largest(short[: found.row], members=members)).amount < slow for _ in range(found.row > 0)
    )


@hypothesis.given(books(), st.integers(0, 7), st.integers(1, 3))
def test_cover__accounts_in_blocks__same_as_at_once(short, cut, members):
    """FUND-2: blocks merge to the same answer, in either order, ties included."""
    cut = min(cut, short.shape[1])
    left = fund.largest(short[:, :cut], members=members)
    right = fund.largest(short[:, cut:], members=members, first_account=cut)
    whole = fund.largest(short, members=members)
    for merged in (left.merged(right), right.merged(left)):
        assert (merged.amount == whole.amount).all()
        assert (merged.account == whole.account).all()


def test_shortfalls__loss_over_what_was_put_up():
    """Margin covers its own loss first; a debt adds to it."""
    assert fund.shortfalls([[10.0, 5.0, 1.0]], [4.0, 7.0, -2.0]).tolist() == [[6.0, 0.0, 3.0]]


@hypothesis.given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=8), st.floats(0, 200))
def test_contributions__any_members__sum_floor_and_order(size, average, floor):
    """FUND-3: they sum to the fund, nobody pays under the floor, and who pays more than it pays by share."""
    found = fund.contributions(size, average, floor=floor)
    assert found.sum() == pytest.approx(max(size, floor * len(average)), rel=1e-12)
    assert (found >= floor * (1 - 1e-12)).all()
    share = np.array(average)
    above = found > floor * (1 + 1e-9)
    if share.any() and above.any():
        rate = found[above] / share[above]
        assert rate == pytest.approx(rate[0], rel=1e-9)
        assert (share[~above] * rate[0] <= floor * (1 + 1e-9)).all()


def test_contributions__small_members__at_the_floor():
    """Two large members share what three floors leave; without any shortfall all pay alike."""
    found = fund.contributions(100.0, [60.0, 30.0, 1.0, 0.0, 0.0], floor=10.0)
    assert found.tolist() == pytest.approx([70 * 2 / 3, 70 / 3, 10, 10, 10])
    assert fund.contributions(100.0, [0.0, 0.0], floor=10.0).tolist() == [50.0, 50.0]
    assert fund.contributions(15.0, [5.0, 1.0], floor=10.0).tolist() == [10.0, 10.0]


def test_deleverage__published_capacities__pro_rata():
    """FUND-4: 60 over 100, 50 and 150."""
    given = published("ADL-PRORATA")
    found = fund.deleverage(60, [100, 50, 150])
    assert found.taken.tolist() == pytest.approx(given.expected, abs=given.tol)
    assert found.left == 0.0


@hypothesis.given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=8))
def test_deleverage__any_loss__all_of_it_and_nobody_beyond_capacity(amount, capacity):
    """FUND-4: what is taken and what is left make the loss, all bear the same share, none more than it can."""
    found = fund.deleverage(amount, capacity)
    assert found.taken.sum() + found.left == pytest.approx(amount, rel=1e-12)
    assert (found.taken <= np.array(capacity)).all()
    shares = [taken / able for taken, able in zip(found.taken, capacity, strict=True) if able]
    assert shares == pytest.approx(shares[:1] * len(shares))


@pytest.mark.parametrize("bad", [[[-1.0]], [[np.nan]], [1.0], np.zeros((0, 3))])
def test_largest__not_rows_of_shortfalls__law_broken(bad):
    """A broken matrix sizes no fund."""
    with pytest.raises(LawBroken):
        fund.largest(bad, members=2)


def test_fund__no_members_or_other_rows__law_broken():
    """Nor do no members, and blocks of different rows do not merge."""
    with pytest.raises(LawBroken):
        fund.contributions(1.0, [], floor=0.0)
    with pytest.raises(LawBroken):
        fund.largest([[1.0]], members=0)
    with pytest.raises(LawBroken):
        fund.largest([[1.0]], members=1).merged(fund.largest([[1.0], [2.0]], members=1))
