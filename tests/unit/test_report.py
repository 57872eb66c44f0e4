"""Every account's margin, and what happens to those that cannot be priced."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import RiskKnobs
from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.report import MarginReport
from keeper.domain.snapshot import CollateralState, Kind, Position, Snapshot, Unusable, Usable
from keeper.risk import margin
from keeper.risk.exact.grid import Leg, assess
from keeper.risk.model import file_of, model
from keeper.risk.one_by_one import holdings
from keeper.risk.report import shock, worst
from keeper.testing.builders import (
    EXPIRY,
    NOW,
    RAY,
    a_file,
    a_publication,
    a_snapshot,
    an_account,
    an_option,
    an_underlying,
    strike,
    usd,
)

CALL, PUT = an_option(3_000, Kind.CALL), an_option(2_700, Kind.PUT)


def report_of(snapshot: Snapshot) -> MarginReport:
    market = model(snapshot, RiskKnobs())
    return worst(snapshot, market, shock(snapshot, market), buffer_ppm=100_000)


def margin_of(snapshot: Snapshot, account: int = 7) -> AccountMargin:
    found = next(a for a in report_of(snapshot).accounts if a.account == account)
    assert isinstance(found, AccountMargin)
    return found


def test_worst__perp_and_options__equals_the_slow_twin() -> None:
    """The report's requirement is `grid.assess` to the wei, and its equity the sum of its parts."""
    u = an_underlying(spot=3_050)
    got = margin_of(a_snapshot(an_account(perp=2, options=((CALL, -3), (PUT, -1))), underlying=u))
    assert u.live is not None
    legs = [
        Leg(expiry=EXPIRY, strike=strike(2_700), is_call=False, size=usd(-1)),
        Leg(expiry=EXPIRY, strike=strike(3_000), is_call=True, size=usd(-3)),
    ]
    slow = assess(file_of(u.live, u.rules), legs, usd(2), usd(3_050), NOW)
    (part,) = got.underlyings
    assert (part.grid, part.short_minimum, part.worst_row) == (slow.grid, slow.short_minimum, slow.worst_row)
    assert got.equity == usd(10_000) + slow.option_mark + usd(100)
    required = slow.grid + slow.short_minimum
    assert got.mm == -(-required * 810_000 // 10**6)
    assert got.im == required


def test_worst__unusable_price__unknown_and_the_others_go_on() -> None:
    """A missing price is never safe and never liquidated; an account without it is judged as always."""
    blind = an_underlying(spot=Unusable(reason="95 s old, limit 60 s"))
    broke, cash_only = an_account(7, cash=-5_000, perp=10), an_account(8, cash=-1)
    first, second = report_of(a_snapshot(broke, cash_only, underlying=blind)).accounts
    assert isinstance(first, Unpriced)
    assert "95 s old" in first.reason
    assert isinstance(second, AccountMargin)
    assert second.band is Band.INSOLVENT


def test_worst__collateral_without_price__unknown() -> None:
    """Collateral that cannot be priced makes its holder unknown, not poor."""
    token = CollateralState(
        collateral=1, symbol="WETH", decimals=18, price=Unusable(reason="feeds disagree"), haircut_ppm=0,
        cap_per_account=10**30,
    )  # fmt: skip
    snapshot = replace(a_snapshot(an_account(7, collateral=((1, 10**18),))), collaterals=(token,))
    (found,) = report_of(snapshot).accounts
    assert isinstance(found, Unpriced)
    assert found.reason == "WETH price unusable: feeds disagree"


def test_worst__only_settled_options__need_no_price() -> None:
    """What is settled is worth the same whatever the oracle says now."""
    u = replace(an_underlying(spot=Unusable(reason="stale")), settled=((EXPIRY, usd(3_050)),))
    snapshot = a_snapshot(an_account(options=((CALL, -2),)), underlying=u, timestamp=EXPIRY + 60)
    assert margin_of(snapshot).underlyings[0].expired_value == usd(-100)


def test_worst__option_not_in_file__unknown() -> None:
    """A strike the file does not have is no reason to call the account healthy."""
    (found,) = report_of(a_snapshot(an_account(options=((an_option(9_999, Kind.CALL), -1),)))).accounts
    assert isinstance(found, Unpriced)


def test_worst__stale_file__widens_initial_only() -> None:
    """Nobody is liquidated because a file is old: MM and equity stay, IM widens by the add-on, perps do not notice."""
    fresh, old = an_underlying(), an_underlying(file=a_file(time=NOW - 7_201))
    options = an_account(options=((CALL, -3),))
    a, b = margin_of(a_snapshot(options, underlying=fresh)), margin_of(a_snapshot(options, underlying=old))
    assert not a.stale
    assert b.stale
    # The file is older, so its rows are too; compare within one file.
    required = b.underlyings[0].grid + b.underlyings[0].short_minimum
    assert b.im == -(-required * 1_250_000 // 10**6)
    assert b.mm == -(-required * 810_000 // 10**6)
    assert not margin_of(a_snapshot(an_account(perp=1), underlying=old)).stale


def test_worst__notice_window__judged_under_both_files() -> None:
    """Inside the window a short account is assessed again under the file before; outside it is not."""
    wide, narrow = a_file(psr_ppm=300_000), a_file(psr_ppm=100_000)
    u = replace(an_underlying(file=wide), previous=narrow, publication=replace(a_publication(), in_notice=True))
    snapshot = a_snapshot(an_account(cash=400, perp=1), underlying=u)
    found = report_of(snapshot)
    (now,), (before,) = found.accounts, found.previous
    assert isinstance(now, AccountMargin)
    assert isinstance(before, AccountMargin)
    assert now.band is Band.LIQUIDATABLE
    assert before.band is Band.HEALTHY
    later = replace(u, publication=replace(a_publication(), in_notice=False))
    assert not report_of(replace(snapshot, underlyings=(later,))).previous


def test_worst__stale_file__short_accounts_are_judged_as_a_refresh_would() -> None:
    """A flag refreshes a stale file first; an account that the refresh clears is not flagged in vain."""
    old = an_underlying(spot=2_500, file=a_file(spot=3_000))
    far = an_account(cash=350, options=((an_option(2_400, Kind.PUT), -1),))
    found = report_of(a_snapshot(far, underlying=old))
    (now,), (after,) = found.accounts, found.refreshed
    assert isinstance(now, AccountMargin)
    assert isinstance(after, AccountMargin)
    assert now.equity == after.equity
    assert (now.band, after.band) == (Band.LIQUIDATABLE, Band.WARNING)
    u = replace(old, live=a_file(spot=2_500))
    assert margin_of(a_snapshot(far, underlying=u)).mm == after.mm
    assert not report_of(a_snapshot(far, underlying=u)).refreshed


def test_worst__expired_options__worth_intrinsic_and_require_nothing() -> None:
    """Between expiry and settlement options are worth intrinsic at live spot; once settled, at the settlement price."""
    after = EXPIRY + 60
    u = an_underlying(spot=3_100, file=a_file(time=EXPIRY - 60))
    snapshot = a_snapshot(an_account(options=((CALL, -2),)), underlying=u, timestamp=after)
    got = margin_of(snapshot)
    assert (got.mm, got.underlyings[0].expired_value) == (0, usd(-200))
    assert got.unsettled
    settled = replace(u, settled=((EXPIRY, usd(3_050)),))
    assert margin_of(replace(snapshot, underlyings=(settled,))).underlyings[0].expired_value == usd(-100)


@pytest.mark.parametrize(
    ("equity", "mm", "band"),
    [
        (-1, 0, Band.INSOLVENT),
        (0, 0, Band.HEALTHY),
        (99, 100, Band.LIQUIDATABLE),
        (100, 100, Band.WARNING),
        (109, 100, Band.WARNING),
        (110, 100, Band.HEALTHY),
    ],
)
def test_band__at_the_borders__no_rounding_decides(equity: int, mm: int, band: Band) -> None:
    """Equal to MM is not liquidatable, equal to 1 + buffer is not a warning."""
    assert margin.band(equity, mm, buffer_ppm=100_000) is band


def test_lazy_terms__round_against_the_account() -> None:
    """Interest, funding and losses round up, values round down: KER-10."""
    account = replace(an_account(cash=0), cash=-(10**18) - 1, interest_entry=RAY)
    assert margin.cash_now(account, RAY + 1) == -(10**18) - 2
    assert margin.perp_value(1, spot=10**18 - 1, open_notional=0, funding_index=1, funding_entry=0) == -1
    assert margin.payoff(-1, CALL, usd(3_001)) == -1
    assert margin.pending_loss(100, keep_ray=RAY - 1, keep_entry=RAY) == 1
    asset = CollateralState(
        collateral=1, symbol="T", decimals=6, price=Usable(wad=1), haircut_ppm=1, cap_per_account=10**9
    )
    counted = 10**21 * 999_999 // 10**6
    assert margin.collateral_value(10**9 + 5, asset, price=10**18) == (counted, 10**21 + 5 * 10**12 - counted)


def test_holdings__several_underlyings__sorted_apart() -> None:
    """Expired options and perps leave the legs; each underlying has its own."""
    other = Position(instrument=an_option(3_000, Kind.CALL, underlying=2, expiry=NOW), size=1)
    account = an_account(perp=1, options=((CALL, 1),))
    found = holdings(replace(account, positions=(*account.positions, other)), NOW)
    assert [len(found[u].legs) for u in (1, 2)] == [1, 0]
    assert found[1].perp_size == usd(1)
    assert found[2].expired == (other,)
