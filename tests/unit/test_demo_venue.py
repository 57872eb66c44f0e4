"""The demo's venue quotes a market that could be: seeded, free of arbitrage but for its noise, inside every limit."""

import math
from dataclasses import replace

import pytest

from keeper.demo import venue
from keeper.demo.listings import plan_market
from keeper.demo.opening import RISK, first_targets
from keeper.demo.stylised import stylised_crash
from keeper.demo.venue import DAY_S, YEAR_S, atm_variance, dates, quote, ssvi
from keeper.deploy import VolFenceSpec
from keeper.domain.quotes import QuoteSheet, Unquoted
from keeper.domain.snapshot import Listing, Observation, Unusable
from keeper.risk.calibration.implied import View, fitted, see
from keeper.testing.builders import NOW, an_underlying, usd

LIVES_S = (4 * 3_600, DAY_S, 7 * DAY_S, 30 * DAY_S)


def an_eth(*, fall=0.0, **fields):
    """ETH after a day of prices that ends so far below its high."""
    prices = [3_000 * (1 - fall * i / 144) * (1 + 0.004 * (i % 2)) for i in range(145)]
    history = tuple(Observation(time=NOW - 600 * (144 - i), price=usd(p)) for i, p in enumerate(prices))
    listings = tuple(Listing(expiry=NOW + life, strikes=(usd(1) // 10**10 * 3_000,)) for life in LIVES_S)
    return replace(an_underlying(spot=prices[-1], history=history), listings=listings, **fields)


@pytest.mark.parametrize("fall", [0.0, 0.15, 0.45])
def test_quote__calm_and_crash__fits_without_repair(fall, monkeypatch):
    """Without its noise it is an arbitrage-free surface: everything fits, nothing is repaired, the forwards slide."""
    monkeypatch.setattr(venue, "NOISE", 0.0)
    sheet = quote(an_eth(fall=fall), NOW, seed=1)
    assert isinstance(sheet, QuoteSheet)
    fit = fitted(sheet, RISK.implied)
    assert fit.refused == ()
    assert fit.repaired == 0
    assert (sheet.expiries[-1].phi_ppb > 10**9) is (fall < 0.2)


def test_quote__with_noise__passes_every_limit():
    """The keeper of the demo can use it at once."""
    u = an_eth(fall=0.3)
    view = see(quote(u, NOW, seed=1), spot=u.spot.wad, now=NOW, knobs=RISK.implied)
    assert isinstance(view, View)


def test_quote__same_arguments__same_quotes_and_another_seed_others():
    u = an_eth()
    assert quote(u, NOW, seed=1) == quote(u, NOW, seed=1)
    assert quote(u, NOW, seed=1) != quote(u, NOW, seed=2)


def test_quote__no_price__nothing():
    assert isinstance(quote(an_eth(spot=Unusable(reason="x")), NOW, seed=1), Unquoted)
    assert isinstance(quote(replace(an_eth(), history=()), NOW, seed=1), Unquoted)


@pytest.mark.parametrize("short", [0.3, 0.8, 2.8])
def test_atm_variance__any_level__grows_with_time(short):
    values = [atm_variance(short, 0.5, s) for s in range(3_600, 60 * DAY_S, 3_600)]
    assert values == sorted(values)
    assert math.sqrt(values[0] / 3_600 * YEAR_S) == pytest.approx(short, rel=0.01)


def test_ssvi__constants__butterfly_free_by_the_known_condition():
    """θφ²(1 + |ρ|) ≤ 4 binds, and θφ² ≤ η²: Gatheral and Jacquier (2014), theorem 4.2."""
    assert venue.CURVATURE**2 * (1 + abs(venue.SKEW_DEEP)) <= 4
    assert ssvi(0.0, 0.04, -0.4) == pytest.approx(0.04)


def test_dates__beyond_the_second__not_our_own():
    """So that interpolation between expiries is part of the show."""
    listed = [NOW + life for life in LIVES_S]
    found = dates(listed, NOW)
    assert found[:2] == listed[:2]
    assert not set(found) & set(listed[2:])
    assert found == sorted(found)
    assert found[-1] > listed[-1]


@pytest.mark.parametrize("seed", [1, 2])
def test_first_targets__opening__smile_carry_and_inside_the_band(seed):
    """The market opens with a surface that its own fences accept."""
    path = stylised_crash(seed=seed, blocks=20)
    plan = plan_market(path, opening_s=path.points[0].time)
    band = VolFenceSpec()
    for target in first_targets(path, plan, shift_s=0, seed=seed):
        assert len({e.params.phi_ppb for e in target.expiries}) > 2
        assert any("the demo's venue" in reason for reason in target.reasons)
        for e in target.expiries:
            assert len(set(e.sigmas_ppm)) > 1
            for sigma in e.sigmas_ppm:
                assert band.smile_min_ppm <= sigma * 10**6 / e.params.sigma_atm_ppm <= band.smile_max_ppm
