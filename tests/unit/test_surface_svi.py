"""Raw SVI, SSVI and SABR: published numbers, QuantLib, derivatives."""

import numpy as np
import pytest
import QuantLib

from keeper.errors import LawBroken
from keeper.risk.surface.arbitrage import g_of
from keeper.risk.surface.sabr import Sabr, SabrSmile
from keeper.risk.surface.ssvi import HestonLike, PowerLaw, butterfly_slack, calendar_slack, slice_svi
from keeper.risk.surface.svi import DERIVE_CLAMPS, Svi
from tests.cases.published import published

SLICE = Svi(a=0.01, b=0.1, rho=-0.3, m=0.02, sigma=0.15)


@pytest.mark.parametrize("clamps", [None, DERIVE_CLAMPS], ids=["plain", "clamped"])
def test_svi_vol__published_slice__same_vols(clamps):
    """SVI-VOL-1: the four published volatilities, with and without the clamps of the feed, which do not bind here."""
    case = published("SVI-VOL-1")
    inputs = {name: case.inputs[name] for name in ("a", "b", "rho", "m", "sigma")}
    k = np.log(np.array([1500, 1800, 2100, 2400]) / case.inputs["F"])
    assert Svi(**inputs).vol(k, case.inputs["tau"], clamps=clamps) == pytest.approx(case.expected, abs=case.tol)


def test_svi_g__vogt_slice__butterfly():
    """SVI-ARB-VOGT: g and w of the published slice that looks innocent and is not."""
    case = published("SVI-ARB-VOGT")
    vogt = Svi(**case.inputs)
    assert g_of(vogt, [-1.5, 0.0, 0.9]) == pytest.approx(case.expected["g"], abs=case.tol)
    assert vogt.total_variance([-1.5, 0.4]) == pytest.approx(case.expected["w"], abs=case.tol)


def test_ssvi__published_slice__same_variances():
    """SSVI-1: the surface formula, through its raw SVI parameters."""
    case = published("SSVI-1")
    got = slice_svi(**case.inputs).total_variance([-0.2, 0.0, 0.2])
    assert got == pytest.approx(case.expected, abs=case.tol)


def test_sabr__published_vols__same():
    """SABR-1: Hagan's expansion at five strikes."""
    case = published("SABR-1")
    sabr = Sabr(**{name: case.inputs[name] for name in ("alpha", "beta", "nu", "rho")})
    got = sabr.vol([0.03, 0.04, 0.05, 0.06, 0.09], forward=case.inputs["F"], years=case.inputs["T"])
    assert got == pytest.approx(case.expected, abs=case.tol)


def test_sabr__random_parameters__quantlib_agrees():
    """The expansion equals QuantLib's over markets, backbones and strikes, the forward itself included."""
    rng = np.random.default_rng(11)
    for _ in range(200):
        forward, beta = float(rng.uniform(0.5, 5.0)), float(rng.uniform(0.0, 1.0))
        alpha, rho = float(rng.uniform(0.1, 1.0)), float(rng.uniform(-0.9, 0.9))
        nu, years = float(rng.uniform(0.05, 1.5)), float(rng.uniform(0.01, 2.0))
        strikes = forward * np.exp(np.array([-0.4, -0.1, 0.0, 0.1, 0.4]))
        ours = Sabr(alpha=alpha, beta=beta, rho=rho, nu=nu).vol(strikes, forward=forward, years=years)
        theirs = [QuantLib.sabrVolatility(float(k), forward, years, alpha, beta, nu, rho) for k in strikes]
        # QuantLib takes the series of z/χ(z) from a larger |z| on.
        assert ours == pytest.approx(theirs, rel=1e-7)


def test_svi__random_parameters__quantlib_agrees():
    """Total variance equals QuantLib's SVI smile section, which takes (a, b, σ, ρ, m)."""
    rng = np.random.default_rng(12)
    for _ in range(100):
        b, rho = float(rng.uniform(0.01, 0.4)), float(rng.uniform(-0.9, 0.9))
        sigma, m = float(rng.uniform(0.02, 0.5)), float(rng.uniform(-0.2, 0.2))
        a = float(rng.uniform(0.0, 0.1))
        section = QuantLib.SviSmileSection(0.5, 100.0, [a, b, sigma, rho, m])
        strikes = 100.0 * np.exp(np.linspace(-1.0, 1.0, 9))
        ours = Svi(a=a, b=b, rho=rho, m=m, sigma=sigma).vol(np.log(strikes / 100.0), 0.5)
        assert ours == pytest.approx([section.volatility(float(k)) for k in strikes], rel=1e-12)


def test_svi_derivatives__central_differences__agree():
    """Slope and curvature are those of the total variance."""
    k, step = np.linspace(-1.0, 1.0, 41), 1e-4
    up, here, down = (SLICE.total_variance(k + s) for s in (step, 0.0, -step))
    assert SLICE.slope(k) == pytest.approx((up - down) / (2 * step), abs=1e-8)
    assert SLICE.curvature(k) == pytest.approx((up - 2 * here + down) / step**2, abs=1e-5)


def test_svi_clamps__far_strikes__bounded():
    """With the feed's clamps k stops at 4√(a + bσ), and w at 144."""
    reach = 4.0 * np.sqrt(SLICE.a + SLICE.b * SLICE.sigma)
    near, far = SLICE.total_variance([reach, 50.0], clamps=DERIVE_CLAMPS)
    assert near == far == SLICE.total_variance(reach)
    wild = Svi(a=1000.0, b=1.0, rho=0.0, m=0.0, sigma=1.0)
    assert wild.total_variance(0.0, clamps=DERIVE_CLAMPS) == 144.0


@pytest.mark.parametrize("bad", [{"b": -0.1}, {"rho": 1.5}, {"sigma": -1.0}, {"a": float("nan")}])
def test_svi__illegal_parameter__law_broken(bad):
    """No slice is built from parameters outside their ranges."""
    with pytest.raises(LawBroken):
        Svi(**({"a": 0.01, "b": 0.1, "rho": 0.0, "m": 0.0, "sigma": 0.1} | bad))


def test_svi_variance__negative__law_broken():
    """A slice that dips below zero gives no volatility there."""
    with pytest.raises(LawBroken):
        Svi(a=-0.1, b=0.1, rho=0.0, m=0.0, sigma=0.1).vol(0.0, 1.0)


def test_power_law__within_the_theorem__both_conditions_hold():
    """γ ≤ ½ and η(1+|ρ|) ≤ 2 satisfy Theorems 4.1 and 4.2 at every level; slices then hold no butterfly."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        rho = float(rng.uniform(-0.95, 0.95))
        law = PowerLaw(eta=2.0 / (1.0 + abs(rho)) * float(rng.uniform(0.05, 1.0)), gamma=float(rng.uniform(0.01, 0.5)))
        for theta in (1e-4, 1e-2, 0.3, 4.0):
            phi = law.phi(theta)
            assert butterfly_slack(theta=theta, rho=rho, phi=phi) >= -1e-12
            assert calendar_slack(theta=theta, rho=rho, curvature=law) >= 0.0
            k = np.linspace(-6.0, 6.0, 121) * np.sqrt(theta)
            assert g_of(slice_svi(theta=theta, rho=rho, phi=phi), k).min() >= -1e-9


@pytest.mark.parametrize("law", [PowerLaw(eta=1.2, gamma=0.4), HestonLike(decay=0.7)], ids=["power", "heston"])
@pytest.mark.parametrize("theta", [1e-5, 1e-3, 0.1, 2.0])
def test_curvature__growth__is_the_derivative(law, theta):
    """growth is ∂(θφ)/∂θ over φ, the series near zero included."""
    step = theta * 1e-4
    up, down = ((theta + s) * law.phi(theta + s) for s in (step, -step))
    assert law.growth(theta) == pytest.approx((up - down) / (2 * step) / law.phi(theta), rel=1e-5)


def test_heston_like__slow_decay_condition__no_arbitrage():
    """λ ≥ (1 + |ρ|)/4 keeps every level within Theorem 4.2."""
    for rho in (-0.9, 0.0, 0.5):
        law = HestonLike(decay=(1.0 + abs(rho)) / 4.0)
        for theta in (1e-3, 0.1, 1.0, 10.0):
            assert butterfly_slack(theta=theta, rho=rho, phi=law.phi(theta)) >= -1e-9
            assert calendar_slack(theta=theta, rho=rho, curvature=law) >= 0.0


def test_sabr_smile__beyond_its_range__straight():
    """Outside the quotes total variance goes on along its tangents, so Lee's bound is one on a slope."""
    smile = SabrSmile(sabr=Sabr(alpha=0.6, beta=1.0, rho=-0.2, nu=1.5), forward=100.0, low=-0.5, high=0.6)
    k = np.array([-0.7, -0.6, -0.5, 0.6, 0.9, 1.2])
    w, slope, bend = smile.shape_at(k, 0.3)
    assert w[1] - w[0] == pytest.approx(0.1 * slope[0], rel=1e-9)
    assert w[5] - w[4] == pytest.approx(0.3 * slope[5], rel=1e-9)
    assert bend[[0, 1, 4, 5]].tolist() == [0.0] * 4
