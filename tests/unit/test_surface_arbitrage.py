"""Butterfly, Lee and calendar checks, before and after shocks."""

import numpy as np
import pytest
from scipy.stats import norm

from keeper.risk.surface.arbitrage import Kind, check, crossings, g_of
from keeper.risk.surface.shock import USUAL, Shock, Skew, shocked, shocked_slice
from keeper.risk.surface.smile import FlatSmile, QuotedSmile, Slice, SviSmile
from keeper.risk.surface.svi import Svi
from tests.cases.published import published

DAY_S = 86_400


def a_slice(days: float, svi: Svi | None = None, *, vol: float = 0.6) -> Slice:
    smile = SviSmile(svi=svi) if svi else FlatSmile(vol=vol)
    return Slice(expiry_s=round(days * DAY_S), years=days / 365.0, forward=100.0, smile=smile)


def test_check__vogt_slice__butterfly_where_published():
    """The published slice breaks the butterfly near k = 0.9, and by as much as g says; nothing else is found."""
    vogt = Svi(**published("SVI-ARB-VOGT").inputs)
    (found,) = check([a_slice(365, vogt)])
    assert found.kind is Kind.BUTTERFLY
    assert 0.7 < found.k < 1.1
    assert -found.amount <= g_of(vogt, np.linspace(0.7, 1.1, 400)).min() + 1e-6


def test_g__density__is_the_second_derivative_of_price():
    """SRF-1: g·φ(d₂)/√w is the density of ln S: the second difference of Black-76 call prices, independently."""
    svi = Svi(a=0.01, b=0.1, rho=-0.3, m=0.02, sigma=0.15)
    k = np.linspace(-0.8, 0.8, 33)
    w = svi.total_variance(k)
    step = 1e-4

    def call(strike: np.ndarray) -> np.ndarray:
        dev = np.sqrt(svi.total_variance(np.log(strike)))
        d1 = -np.log(strike) / dev + dev / 2
        return norm.cdf(d1) - strike * norm.cdf(d1 - dev)

    strike = np.exp(k)
    density = (call(strike + step) - 2 * call(strike) + call(strike - step)) / step**2 * strike
    d2 = -k / np.sqrt(w) - np.sqrt(w) / 2
    assert g_of(svi, k) * norm.pdf(d2) / np.sqrt(w) == pytest.approx(density, abs=2e-6)


@pytest.mark.parametrize("rho", [-0.9, 0.4])
def test_check__wing_too_steep__lee(rho):
    """b(1 + |ρ|) above 2 is named with its side."""
    svi = Svi(a=0.5, b=2.3 / (1.0 + abs(rho)), rho=rho, m=0.0, sigma=1.0)
    found = [v for v in check([a_slice(365, svi)]) if v.kind is Kind.LEE]
    assert [np.sign(v.k) for v in found] == [np.sign(rho)]
    assert found[0].amount == pytest.approx(0.3, abs=1e-3)


def test_check__crossing_slices__calendar():
    """Total variance that falls is found where it falls most, and names both expiries."""
    (found,) = check([a_slice(10, vol=0.8), a_slice(12, vol=0.7)])
    assert (found.kind, found.expiry_s, found.earlier_s) == (Kind.CALENDAR, 12 * DAY_S, 10 * DAY_S)
    assert found.amount == pytest.approx(1 - 0.49 * 12 / (0.64 * 10), rel=1e-6)


def test_check__wings_cross_far_out__calendar():
    """Slices that cross beyond every strike still cross."""
    near = Svi(a=0.001, b=0.02, rho=0.0, m=0.0, sigma=0.1)
    far = Svi(a=0.5, b=0.019, rho=0.0, m=0.0, sigma=0.1)
    kinds = [v.kind for v in check([a_slice(5, near), a_slice(50, far)])]
    assert kinds == [Kind.CALENDAR]


def test_check__flat_rising_surface__nothing():
    """One volatility for all strikes and expiries is free of arbitrage, before and after every usual shock."""
    assert check([a_slice(d) for d in (0.5, 1, 2, 29, 31, 400)], USUAL) == ()


def test_check__after_shock__what_was_lawful_breaks():
    """SRF-3: a lawful steep smile breaks the butterfly once its variance is multiplied, and the shock is named."""
    one = a_slice(1, Svi(a=-0.0005, b=0.06, rho=0.0, m=0.02, sigma=0.03))
    assert check([one]) == ()
    assert {(v.kind, v.shock) for v in check([one], USUAL)} == {(Kind.BUTTERFLY, "vol up")}


def test_shock__term_structure__as_published():
    """The factor is 1 + v·(30/dte)^0.3 up to 30 days and ^0.13 beyond, time floored at a day, never below 0."""
    shock = Shock(name="x", vol=0.4)
    assert shock.level(1 / 365) == pytest.approx(1 + 0.4 * 30**0.3)
    assert shock.level(0.1 / 365) == shock.level(1 / 365)
    assert shock.level(90 / 365) == pytest.approx(1 + 0.4 * (1 / 3) ** 0.13)
    assert Shock(name="x", vol=-0.5).level(1 / 365) == 0.0


def test_shocked_slice__vol_up__floored():
    """A rising shock has a floor; a falling one has none."""
    up = shocked_slice(a_slice(30, vol=0.1), Shock(name="up", vol=0.45, vol_floor=0.25))
    down = shocked_slice(a_slice(30, vol=0.1), Shock(name="down", vol=-0.3, vol_floor=0.25))
    assert float(up.vol(100.0)) == pytest.approx(0.25)
    assert float(down.vol(100.0)) == pytest.approx(0.07)


def test_shocked__weekend__later_lifted_to_the_earlier():
    """SRF-4: where a shock would make expiries cross, the later is lifted; the shocked surface keeps the calendar."""
    quiet = [a_slice(1, vol=0.6), a_slice(2, vol=0.45)]
    up = Shock(name="up", vol=0.45)
    assert check(quiet) == ()
    alone = [shocked_slice(one, up) for one in quiet]
    assert [v.kind for v in check(alone)] == [Kind.CALENDAR]
    (told,) = crossings(quiet, [up])
    assert (told.kind, told.shock, told.expiry_s) == (Kind.CALENDAR, "up", 2 * DAY_S)
    lifted = shocked(quiet, up)
    assert check(lifted) == ()
    assert float(lifted[1].total_variance(0.0)) == float(alone[0].total_variance(0.0))


def test_skew_shock__as_published__turns_the_smile():
    """Per strike 1 + clamp(k·cap/k*, ±cap): nothing at the forward, the cap beyond k*."""
    skew = Skew(
        share=1.0, absolute=False, cap_base=0.1, cap_time=0.2, min_k=0.05, width=4.0, vol_base=0.1, vol_time=0.3
    )
    years = 0.25
    cap, k_star = 0.2 * 0.5 + 0.1, max(0.05, 0.5 * 4.0 * (0.1 + 0.5 * 0.3))
    k = np.array([-10.0, 0.0, k_star / 2, 10.0])
    assert skew.factor(k, years) == pytest.approx([1 - cap, 1.0, 1 + cap / 2, 1 + cap])
    turned = shocked_slice(a_slice(91.25, vol=0.5), Shock(name="skew", skew=skew))
    assert turned.vol(100.0 * np.exp(k)) == pytest.approx(0.5 * skew.factor(k, years))


def test_check__skew_shock__its_concave_kink_is_found():
    """A clamped skew shock bends the smile down at k*: mass below zero there, and the check says so."""
    skew = Skew(share=1.0, absolute=False, cap_base=0.3, cap_time=0.0, min_k=0.2, width=0.0, vol_base=0.0, vol_time=0.0)
    found = check([a_slice(30, vol=0.6)], [Shock(name="skew", skew=skew)])
    assert [(v.kind, v.shock) for v in found] == [(Kind.BUTTERFLY, "skew")]
    assert found[0].k == pytest.approx(0.2, abs=2e-2)


def test_quoted_smile__arbitrage_in_the_quotes__found():
    """Quotes taken as they are carry their arbitrage: a bump is a butterfly."""
    bump = QuotedSmile(k=(-0.2, 0.0, 0.1, 0.2), vol=(0.6, 0.5, 0.62, 0.5))
    one = Slice(expiry_s=30 * DAY_S, years=30 / 365, forward=100.0, smile=bump)
    assert Kind.BUTTERFLY in {v.kind for v in check([one])}


@pytest.mark.parametrize("rho", [-1.0, 1.0, -1.0 + 1e-12])
@pytest.mark.parametrize("sigma", [1e-3, 0.1, 0.9])
@pytest.mark.parametrize("a", [0.0, 1e-4, 0.02])
def test_check__wing_that_levels_out__is_no_arbitrage(rho, sigma, a):
    """SRF-10: at ρ = ±1 one wing falls towards a for ever and never below: no law is broken there."""
    svi = Svi(a=a, b=0.02, rho=rho, m=0.05, sigma=sigma)
    far = [v for v in check([a_slice(30, svi), a_slice(60, svi.scaled(1.3))]) if abs(v.k) > 20.0]
    assert far == []


def test_check__calendar_far_out__said_in_words():
    """Where the worst point is the end of the grid, it is said from where on; where all of it is far out, that."""
    near = Svi(a=0.001, b=0.02, rho=0.0, m=0.0, sigma=0.1)
    far = Svi(a=0.03, b=0.015, rho=0.2, m=0.0, sigma=0.1)
    (found,) = check([a_slice(5, near), a_slice(50, far)])
    assert str(found) == "calendar: total variance 37.1 % below the expiry before from k = -3.638 on"
    (found,) = check([a_slice(5, near), a_slice(50, Svi(a=0.5, b=0.0195, rho=-0.01, m=0.0, sigma=0.1))])
    assert str(found) == "calendar: left wing less steep by 0.000305 than that before: they cross far out"
