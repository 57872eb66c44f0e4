"""Many accounts in one pass: the same losses as account by account."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.risk.kernel.book import book_losses
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.portfolio import PerpPosition, Portfolio
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.presets import PRESETS
from tests.cases.kernel_worlds import a_history, a_market, gross, portfolios

PAST = a_history("ETH", "BTC")
UNKNOWN = Portfolio(perps=(PerpPosition(underlying="DOGE", size=1.0),))


@hypothesis.given(st.lists(portfolios(), max_size=5), st.sampled_from(list(PRESETS)), st.booleans(), st.integers(0, 5))
@hypothesis.settings(max_examples=max(20, hypothesis.settings.default.max_examples // 4))
def test_book__many_accounts__equal_to_one_by_one(accounts, name, past, where):
    """TWIN-4: each block's loss of each account is that of `margin`; what cannot be priced harms no other."""
    market = a_market(history=PAST if past else None)
    accounts = [*accounts[:where], UNKNOWN, *accounts[where:]]
    blocks = {one.name: one.loss for one in book_losses(market, accounts, PRESETS[name])}
    for a, account in enumerate(accounts):
        found = margin(market, account, PRESETS[name])
        if isinstance(found, Unpriced):
            assert any(np.isnan(loss[a]) for loss in blocks.values()), "TWIN-4"
            continue
        plain = {one.name: one.loss for one in (*found.initial.worst, *found.maintenance.worst)}
        for block, loss in blocks.items():
            expected = plain.get(block, 0.0)
            assert loss[a] == pytest.approx(expected, rel=1e-9, abs=1e-12 * gross(account, market)), "TWIN-4"
