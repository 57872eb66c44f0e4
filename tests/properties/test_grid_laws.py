"""Laws of the grid and of the margin made from it, in the contract's integers.  tests/PROPERTIES.md lists them.

Sums are exact; what is rounded is each position's mark and each row's result.  Where a law compares two portfolios, the
slack is one wei per rounding and named.
"""

from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.knobs import RiskKnobs
from keeper.domain.margin import AccountMargin
from keeper.domain.snapshot import CollateralState, Kind, Rules, Usable
from keeper.risk import margin
from keeper.risk.exact.grid import NO_ROW, Leg, assess
from keeper.risk.exact.riskfile import INNER, PPM, WAD, levels
from keeper.risk.model import model
from keeper.risk.report import shock, worst
from keeper.testing.builders import a_snapshot, an_account, an_option
from keeper.testing.portfolios import NOW, PSRS, REF_SPOT, STRIKES_USD, TENORS_S, Portfolio, Style, a_file, a_portfolio

#: Roundings of one assessment besides the positions' marks: interpolation, scaling, perp, weight.
ROW_ROUNDINGS = 5


@st.composite
def cases(draw, styles=tuple(Style)):
    """A file, a portfolio and a spot on either side of the reference."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    file = a_file(draw(st.sampled_from(PSRS)))
    portfolio = a_portfolio(rng, file, draw(st.sampled_from(styles)))
    spot = REF_SPOT + REF_SPOT * draw(st.one_of(st.just(0), st.integers(-400_000, 600_000))) // PPM
    return file, portfolio, spot


def merged(a, b):
    """One account with the positions of two."""
    sizes = {}
    for leg in (*a.legs, *b.legs):
        key = (leg.expiry, leg.strike, not leg.is_call)
        sizes[key] = sizes.get(key, 0) + leg.size
    legs = tuple(Leg(expiry=e, strike=k, is_call=not p, size=n) for (e, k, p), n in sorted(sizes.items()))
    return Portfolio(legs, a.perp_size + b.perp_size)


@hypothesis.given(cases((Style.PERP,)), st.integers(1, 1_000))
def test_pnl2__perp__linear_in_size(case, k):
    """PNL-2: a perp's loss under every row is proportional to its size."""
    file, portfolio, spot = case
    one = assess(file, (), portfolio.perp_size, spot, NOW)
    many = assess(file, (), k * portfolio.perp_size, spot, NOW)
    for a, b in zip(one.losses, many.losses, strict=True):
        assert abs(k * a - b) <= 2 * k, "PNL-2"


@hypothesis.given(cases())
def test_mar1__fewer_rows__never_a_higher_requirement(case):
    """MAR-1, KER-7: whatever rows are left out, the requirement does not rise."""
    file, portfolio, spot = case
    found = assess(file, portfolio.legs, portfolio.perp_size, spot, NOW)
    for kept in (INNER, INNER + 2, len(found.losses)):
        assert max(0, *found.losses[:kept]) <= found.grid, "MAR-1"
    assert max(0, *found.losses) == found.grid, "KER-7"


@hypothesis.given(
    st.integers(0, 10**30), st.integers(0, 10**30), st.integers(0, PPM), st.integers(0, 10**30), st.integers(0, 18)
)
def test_mar2__more_collateral__never_a_larger_shortfall(units, more, haircut_ppm, cap, decimals):
    """MAR-2: counted collateral never falls when collateral is added, and never exceeds its value."""
    price = 1_234 * WAD
    asset = CollateralState(
        collateral=1, symbol="X", decimals=decimals, price=Usable(wad=price), haircut_ppm=haircut_ppm,
        cap_per_account=cap,
    )  # fmt: skip
    before, left_out = margin.collateral_value(units, asset, price=price)
    after, _ = margin.collateral_value(units + more, asset, price=price)
    assert 0 <= before <= after, "MAR-2"
    assert left_out >= 0, "MAR-2"
    assert before + left_out == units * price // 10**decimals


@hypothesis.given(cases(), st.integers(2, 1_000))
def test_mar3__scaled_portfolio__scaled_requirement(case, k):
    """MAR-3, KER-2: k times every position is k times the grid part, up to what k times the roundings hide."""
    file, portfolio, spot = case
    one = assess(file, portfolio.legs, portfolio.perp_size, spot, NOW)
    legs = [replace(leg, size=k * leg.size) for leg in portfolio.legs]
    many = assess(file, legs, k * portfolio.perp_size, spot, NOW)
    assert abs(many.grid - k * one.grid) <= k * (len(legs) + ROW_ROUNDINGS), "KER-2"
    assert many.short_minimum <= k * one.short_minimum <= many.short_minimum + k, "MAR-3"


@hypothesis.given(st.data())
def test_mar4__joined_accounts__at_most_the_sum_of_parts(data):
    """MAR-4, KER-9: joining two accounts never raises grid or short-option minimum."""
    file, a, spot = data.draw(cases())
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    b = a_portfolio(rng, file, data.draw(st.sampled_from(Style)))
    both = merged(a, b)
    parts = [assess(file, p.legs, p.perp_size, spot, NOW) for p in (a, b)]
    joined = assess(file, both.legs, both.perp_size, spot, NOW)
    slack = len(a.legs) + len(b.legs) + 2 * ROW_ROUNDINGS
    assert joined.grid <= sum(p.grid for p in parts) + slack, "KER-9"
    assert joined.short_minimum <= sum(p.short_minimum for p in parts), "MAR-4"


@hypothesis.given(cases())
def test_mar5__worst_row__attains_the_requirement(case):
    """MAR-5: the reported row loses exactly the requirement, and no earlier row does."""
    file, portfolio, spot = case
    found = assess(file, portfolio.legs, portfolio.perp_size, spot, NOW)
    if found.worst_row == NO_ROW:
        assert found.grid == 0
        assert max(found.losses) <= 0
    else:
        assert found.losses[found.worst_row] == found.grid > 0, "MAR-5"
        assert all(loss < found.grid for loss in found.losses[: found.worst_row]), "MAR-5"


@st.composite
def rules(draw):
    """Rules that governance may set: kappa and flag fee together at most one."""
    kappa = draw(st.integers(0, PPM))
    return Rules(
        tail_ppm=750_000,
        short_min_ppm=10_000,
        kappa_ppm=kappa,
        flag_fee_ppm=draw(st.integers(0, PPM - kappa)),
        stale_add_on_ppm=draw(st.integers(0, PPM)),
        im_add_on_ppm=draw(st.integers(0, PPM)),
        vol_floor_ppm=1,
        max_age_s=1,
    )


@hypothesis.given(st.integers(0, 10**40), rules(), st.integers(0, 255), st.booleans())
def test_mar6__initial__at_least_maintenance(required, rule, uplift_pct, stale):
    """MAR-6, KER-4: IM >= MM, because kappa + flag fee is at most one and add-ons are not negative."""
    mm = -(-margin.maintenance_e6(required, rule) // PPM)
    assert margin.initial(required, rule, uplift_ppm=uplift_pct * 10_000, stale=stale) >= mm, "MAR-6"


@hypothesis.given(st.integers(-(10**24), 10**24), st.integers(-5, 5), st.integers(-5, 5), st.integers(2_500, 3_500))
def test_ker1__cash__moves_equity_and_nothing_else(c, perp, calls, spot_usd):
    """KER-1: c of cash moves equity over IM and over MM by exactly c."""
    # Rich enough to owe no interest either way.
    account = an_account(cash=10**8, perp=perp, options=((an_option(3_000, Kind.CALL), calls),))
    richer = replace(account, account=8, cash=account.cash + c)
    snapshot = a_snapshot(account, richer)
    snapshot = replace(snapshot, underlyings=(replace(snapshot.underlyings[0], spot=Usable(wad=spot_usd * WAD)),))
    market = model(snapshot, RiskKnobs())
    before, after = worst(snapshot, market, shock(snapshot, market), buffer_ppm=100_000).accounts
    assert isinstance(before, AccountMargin)
    assert isinstance(after, AccountMargin)
    assert (after.mm, after.im) == (before.mm, before.im), "KER-1"
    assert after.equity - before.equity == c, "KER-1"


@hypothesis.given(
    cases(), st.sampled_from(TENORS_S), st.sampled_from(STRIKES_USD), st.booleans(), st.integers(1, 10**24)
)
def test_ker3__bought_option__never_costs_more_than_its_premium(case, tenor, dollars, is_call, size):
    """KER-3: at the file's spot, buying an option raises the grid by at most its premium.

    Rows are whole ppm of the reference spot, so a put by parity may be 2 ppm below zero.
    """
    file, portfolio, _ = case
    bought = Leg(expiry=NOW + tenor, strike=dollars * 10**8, is_call=is_call, size=size)
    before = assess(file, portfolio.legs, portfolio.perp_size, REF_SPOT, NOW)
    after = assess(file, (*portfolio.legs, bought), portfolio.perp_size, REF_SPOT, NOW)
    premium = after.option_mark - before.option_mark
    rounding = 2 * size * REF_SPOT // (PPM * WAD) + 2 * ROW_ROUNDINGS
    assert after.grid - before.grid <= max(0, premium) + rounding, "KER-3"


@hypothesis.given(cases(), st.randoms(use_true_random=False), st.integers(1, 7))
def test_ker5__leg_order_and_split_lots__no_difference(case, shuffle, pieces):
    """KER-5: order never matters; a position in pieces differs by its marks' roundings only."""
    file, portfolio, spot = case
    whole = assess(file, portfolio.legs, portfolio.perp_size, spot, NOW)
    legs = list(portfolio.legs)
    shuffle.shuffle(legs)
    assert assess(file, legs, portfolio.perp_size, spot, NOW) == whole, "KER-5"
    split = [
        replace(leg, size=leg.size // pieces + (leg.size % pieces if i == 0 else 0))
        for leg in legs
        for i in range(pieces)
    ]
    apart = assess(file, split, portfolio.perp_size, spot, NOW)
    assert abs(apart.grid - whole.grid) <= len(split) + 1, "KER-5"
    assert apart.short_minimum == whole.short_minimum, "KER-5"


@hypothesis.given(cases((Style.BOX,)))
def test_ker6__box__flat_in_every_row(case):
    """KER-6: a box loses the same in every unweighted row, to the wei."""
    file, box, spot = case
    found = assess(file, box.legs, 0, spot, NOW)
    assert len(set(found.losses[:INNER])) == 1, "KER-6"


@pytest.mark.parametrize("tenor", TENORS_S)
def test_ker6__call_less_put__the_forward(tenor):
    """KER-6: long call, short put is a forward: its rows rise with the spot level, whatever the volatility."""
    file = a_file()
    legs = [Leg(expiry=NOW + tenor, strike=3_000 * 10**8, is_call=c, size=WAD if c else -WAD) for c in (True, False)]
    losses = assess(file, legs, 0, REF_SPOT, NOW).losses[:INNER]
    assert losses[::2] == losses[1::2], "KER-6"
    by_level = sorted(zip(levels(file.ranges.psr_ppm), losses, strict=False))
    assert [loss for _, loss in by_level] == sorted(losses, reverse=True)
