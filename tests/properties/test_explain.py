"""Explanations add up (EXP-1)."""

from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.knobs import RiskKnobs
from keeper.domain.margin import AccountMargin, Unpriced
from keeper.domain.snapshot import CollateralState, Kind, Usable
from keeper.errors import LawBroken
from keeper.risk.exact.grid import NO_ROW, assess
from keeper.risk.exact.riskfile import PPM, WAD
from keeper.risk.explain import explain
from keeper.risk.explain_grid import explain_grid
from keeper.risk.model import model
from keeper.risk.report import shock, worst
from keeper.testing.builders import a_snapshot, an_account, an_option
from keeper.testing.portfolios import NOW, PSRS, REF_SPOT, Style, a_file, a_portfolio


@hypothesis.given(
    st.integers(0, 2**32 - 1), st.sampled_from(PSRS), st.sampled_from(Style), st.integers(-500_000, 900_000)
)
def test_explain_grid__any_portfolio__lines_sum_to_the_wei(seed, psr, style, move_ppm):
    """EXP-1: each position's loss, and a rounding of at most one wei per rounding, make the requirement."""
    file = a_file(psr)
    portfolio = a_portfolio(np.random.default_rng(seed), file, style)
    spot = REF_SPOT + REF_SPOT * move_ppm // PPM
    slow = assess(file, portfolio.legs, portfolio.perp_size, spot, NOW)
    found = explain_grid(file, portfolio.legs, portfolio.perp_size, underlying=1, spot=spot, now=NOW)
    assert sum(line.amount for line in found.grid) == slow.grid, "EXP-1"
    assert sum(line.amount for line in found.short_minimum) == slow.short_minimum, "EXP-1"
    assert slow.worst_row in (found.row.number, NO_ROW)
    own = [line for line in found.grid if line.instrument is not None]
    assert len(own) == len(portfolio.legs) + bool(portfolio.perp_size)
    for line in (*found.grid, *found.short_minimum):
        if line.what == "rounding":
            assert abs(line.amount) <= 4 * len(own) + 5, "EXP-1"


def a_world():
    """An account with everything an account can have."""
    options = ((an_option(3_300, Kind.CALL), -3), (an_option(2_700, Kind.PUT), -1))
    account = replace(an_account(cash=-500, perp=1, entry=2_900, options=options), collateral=((1, 5 * 10**6),))
    asset = CollateralState(
        collateral=1, symbol="wBTC", decimals=6, price=Usable(wad=2_000 * WAD), haircut_ppm=100_000,
        cap_per_account=10**9,
    )  # fmt: skip
    base = a_snapshot(account)
    snapshot = replace(base, collaterals=(asset,), keep_ray=base.keep_ray * 9 // 10)
    rules = replace(snapshot.underlyings[0].rules, max_age_s=1, im_add_on_ppm=50_000)
    live = replace(snapshot.underlyings[0].live, time=snapshot.block.timestamp - 100, im_uplift_pct=7)
    snapshot = replace(snapshot, underlyings=(replace(snapshot.underlyings[0], rules=rules, live=live),))
    return snapshot, model(snapshot, RiskKnobs()), account


def test_explain__account_with_everything__every_figure_adds_up():
    """Equity, MM and IM are sums of named lines; each add-on is one of them."""
    snapshot, market, account = a_world()
    (found,) = worst(snapshot, market, shock(snapshot, market), buffer_ppm=100_000).accounts
    assert isinstance(found, AccountMargin)
    told = explain(account, found, snapshot, market)
    assert sum(line.amount for line in told.equity) == found.equity
    assert sum(line.amount for line in told.mm) == found.mm
    assert sum(line.amount for line in told.im) == found.im
    assert {line.what for line in told.equity} >= {"cash", "wBTC after haircut", "ETH perp", "socialised loss"}
    assert any("flag fee" in line.what for line in told.mm)
    assert any("stale file add-on" in line.what for line in told.im)
    assert any("scan ranges still rising" in line.what for line in told.im)
    (eth,) = told.underlyings
    (part,) = found.underlyings
    assert sum(line.amount for line in eth.grid) == part.grid
    assert eth.row.number == part.worst_row


def test_explain__unpriced__the_reason():
    """What cannot be priced is not explained away."""
    snapshot, market, account = a_world()
    unknown = Unpriced(account=account.account, reason="no price", in_auction=False)
    assert explain(account, unknown, snapshot, market) is unknown


def test_explain__report_of_another_block__law_broken():
    """Lines that do not add up are never shown."""
    snapshot, market, account = a_world()
    (found,) = worst(snapshot, market, shock(snapshot, market), buffer_ppm=100_000).accounts
    assert isinstance(found, AccountMargin)
    with pytest.raises(LawBroken, match="equity"):
        explain(account, replace(found, equity=found.equity + 1), snapshot, market)
