"""Discount, weight, reading, offset, netting and reduction: arrays against loops that do one number at a time."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.risk.kernel.legs import NONE, Kind, lay_out
from keeper.risk.kernel.losses import block_loss
from keeper.risk.kernel.preset import Block, Netting, Reading, StaticDiscount, TermScale
from keeper.risk.kernel.revalue import Values
from keeper.risk.kernel.rows import Listed
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved
from keeper.risk.tail import expected_shortfall
from tests.cases.kernel_worlds import a_market, portfolios

ROWS = 7
DISCOUNT = StaticDiscount(long_base=0.9, long_mult=1.0, long_add=0.1, short_base=1.1, short_mult=0.5, short_add=0.2)


def factor(discount, legs, values, i, s):
    """On the value of leg i: by the sign of all options of its expiry together."""
    if discount is None or legs.kind[i] not in (Kind.CALL, Kind.PUT):
        return 1.0
    e = int(legs.term[i])
    together = [j for j in range(len(legs)) if legs.term[j] == e and legs.kind[j] in (Kind.CALL, Kind.PUT)]
    t, r = legs.terms.years[e], legs.terms.rate[e]
    if sum(legs.size[j] * values.moved[j, s] for j in together) >= 0.0:
        return discount.long_base * math.exp(-t * (r * discount.long_mult + discount.long_add))
    grown = discount.short_base * math.exp(t * (r * discount.short_mult + discount.short_add))
    return min(1.0 / legs.terms.df[e], grown)


def row_pnl(block, rows, legs, values, s):
    """Each leg's P&L under row s, as the block reads it."""
    pnl = []
    for i in range(len(legs)):
        value = legs.size[i] * values.moved[i, s] * factor(block.discount, legs, values, i, s)
        own = 1.0 if legs.underlying[i] == NONE else rows.own_weight[s, legs.underlying[i]]
        pnl.append((value - legs.size[i] * values.base[i]) * rows.weight[s] * own)
    for e in range(len(legs.terms)):
        mine = [i for i in range(len(legs)) if legs.term[i] == e]
        turned = block.reading is Reading.ADVERSE and sum(pnl[i] for i in mine) > 0.0
        scale = 1.0 if block.term is None else block.term.add + block.term.mult * legs.terms.years[e]
        for i in mine:
            pnl[i] *= -scale if turned else scale
    for underlying in {int(u) for u in legs.underlying}:
        mine = [i for i in range(len(legs)) if legs.underlying[i] == underlying]
        gains = sum(pnl[i] for i in mine) > 0.0
        for i in mine:
            pnl[i] *= block.offset if gains else 1.0
    return pnl


def group_of(netting, legs, i):
    """What leg i nets with; None if it does not count."""
    if netting is Netting.ACCOUNT:
        return 0
    if netting is Netting.UNDERLYING:
        return None if legs.kind[i] == Kind.COLLATERAL else int(legs.underlying[i])
    return None if legs.term[i] == NONE else int(legs.term[i])


def one_at_a_time(block, rows, legs, values):
    """The loss of a block in plain Python."""
    pnl = [row_pnl(block, rows, legs, values, s) for s in range(ROWS)]
    groups = {}
    for i in range(len(legs)):
        groups.setdefault(group_of(block.netting, legs, i), []).append(i)
    loss, level = 0.0, block.expected_shortfall
    for mine in (mine for key, mine in groups.items() if key is not None):
        losses = [-sum(row[i] for i in mine) for row in pnl]
        loss += max(0.0, max(losses) if level is None else expected_shortfall(losses, level, rows.probability))
    return loss


blocks = st.builds(
    Block,
    name=st.just("block"),
    rows=st.just(Listed(generator=Generator.GRID, rows=())),
    expected_shortfall=st.sampled_from([None, 0.5, 0.8, 0.99]),
    netting=st.sampled_from(list(Netting)),
    offset=st.sampled_from([1.0, 0.6, 0.0]),
    reading=st.sampled_from(list(Reading)),
    discount=st.sampled_from([None, DISCOUNT]),
    term=st.sampled_from([None, TermScale(add=0.5, mult=2.0)]),
)


@hypothesis.given(portfolios(), blocks, st.integers(0, 2**32 - 1))
def test_block_loss__any_reading_and_netting__equal_to_the_loops(portfolio, block, seed):
    """TWIN-5: a block's loss is that of the loops whatever its settings, and the legs' parts sum to it."""
    rng = np.random.default_rng(seed)
    legs = lay_out(a_market(), portfolio)
    columns = unmoved(Generator.GRID, underlyings=("ETH", "BTC"), collaterals=("USDC", "WETH"), tags=tuple("abcdefg"))
    weights = rng.random(ROWS)
    columns |= {
        "weight": rng.random(ROWS),
        "own_weight": rng.random((ROWS, 2)),
        "probability": weights / weights.sum() if seed % 2 else None,
    }
    rows = Scenarios(**columns)
    values = Values(base=rng.normal(100.0, 30.0, len(legs)), moved=rng.normal(100.0, 60.0, (len(legs), ROWS)))
    found = block_loss(block, rows, legs, values)
    money = 1.0 + 1e3 * float(np.abs(legs.size).sum())
    assert found.loss == pytest.approx(one_at_a_time(block, rows, legs, values), abs=1e-12 * money), "TWIN-5"
    assert found.parts.sum() == pytest.approx(found.loss, abs=1e-12 * money), "EXP-2"
    assert found.loss == 0.0 or found.rows
