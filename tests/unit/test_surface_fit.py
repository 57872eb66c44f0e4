"""Fits: twins, recovery, repair, refusal; and what bad quotes do to them."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import least_squares

from keeper.risk.compiled import svi as compiled
from keeper.risk.pricing import black76
from keeper.risk.surface import svi_twin
from keeper.risk.surface.arbitrage import Kind, check, g_of
from keeper.risk.surface.fit import fit_surface
from keeper.risk.surface.hinged import HingedSmile
from keeper.risk.surface.quotes import FittedSurface, Model, Quote, QuoteRules
from keeper.risk.surface.raw import free_fit, lawful_fit, to_svi, to_theta
from keeper.risk.surface.rules import Points, select
from keeper.risk.surface.sabr import Sabr
from keeper.risk.surface.shock import USUAL, shocked
from keeper.risk.surface.smile import YEAR_S
from keeper.risk.surface.ssvi import PowerLaw, slice_svi
from keeper.risk.surface.svi import Svi
from tests.cases.published import published

NOW = 1_700_000_000
DAY = 86_400
FORWARD = 3_000.0


def a_law(theta: float) -> Svi:
    return slice_svi(theta=theta, rho=-0.25, phi=PowerLaw(eta=0.9, gamma=0.45).phi(theta))


def points_of(svi: Svi, years: float, *, strikes: int = 25, noise: float = 0.0, seed: int = 1, reach: float = 3.0):
    rng = np.random.default_rng(seed)
    deviation = float(np.sqrt(svi.total_variance(0.0)))
    k = np.linspace(-reach, reach, strikes) * deviation
    vol = svi.vol(k, years) + noise * rng.standard_normal(strikes)
    return Points(
        expiry_s=NOW + round(years * YEAR_S),
        years=years,
        forward=FORWARD,
        k=k,
        vol=vol,
        weight=np.ones(strikes),
        marks_k=k,
        marks_vol=vol,
    )


def quotes_of(points: Points, *, half_spread: float = 0.001) -> list[Quote]:
    """Both sides quoted, out of the money."""
    return [
        Quote(
            expiry_s=points.expiry_s,
            strike=float(FORWARD * np.exp(k)),
            is_call=bool(k >= 0),
            forward=FORWARD,
            time_s=NOW,
            mark_vol=float(vol),
            bid=0.01 - half_spread,
            ask=0.01 + half_spread,
        )
        for k, vol in zip(points.k, points.vol, strict=True)
    ]


def a_chain(days: tuple[int, ...] = (2, 9, 30, 120, 300), *, noise: float = 0.0) -> list[Quote]:
    years = [d / 365 for d in days]
    return [q for y in years for q in quotes_of(points_of(a_law(0.36 * y), y, noise=noise, seed=round(y * 365)))]


def some_laws(points: Points) -> compiled.Laws:
    grid = np.linspace(-6.0, 6.0, 61) * np.sqrt(points.w.min())
    low = np.full(len(grid), points.w.min() * 1.02)
    return compiled.Laws(grid, low, np.full(len(grid), np.inf), np.array([0.1, 4.0]), 0.05, 2.0, 3.0)


NO_LAWS = compiled.Laws(*[np.empty(0)] * 4, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("lawful", [False, True])
def test_equations__twin__same_cost_matrix_and_gradient(seed, lawful):
    """SRF-2: the compiled normal equations are numpy's, with and without laws."""
    rng = np.random.default_rng(seed)
    truth = points_of(a_law(0.03), 30 / 365, noise=0.02, seed=seed)
    points = compiled.Points(truth.k, truth.w, truth.w_weight, 0.003 if seed % 2 else 0.0)
    laws = some_laws(truth) if lawful else NO_LAWS
    theta = to_theta(a_law(0.03)) * rng.uniform(0.8, 1.25, 5)
    normal = compiled.Normal(np.empty((5, 5)), np.empty(5))
    cost = compiled.equations(theta, points, laws, normal)
    want, matrix, gradient = svi_twin.equations(theta, points, laws)
    assert cost == pytest.approx(want, rel=1e-10)
    assert np.tril(normal.matrix) == pytest.approx(np.tril(matrix), rel=1e-9, abs=1e-12)
    assert normal.gradient == pytest.approx(gradient, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("lawful", [False, True])
def test_equations__gradient__is_the_derivative_of_the_cost(lawful):
    """Half the cost's central differences by each parameter, laws included."""
    truth = points_of(a_law(0.03), 30 / 365, noise=0.02)
    points = compiled.Points(truth.k, truth.w, truth.w_weight, 0.003)
    laws = some_laws(truth) if lawful else NO_LAWS
    theta = to_theta(a_law(0.03)) * np.array([0.7, 1.2, 1.1, 1.0, 0.95])
    _, _, gradient = svi_twin.equations(theta, points, laws)
    for i in range(5):
        step = np.zeros(5)
        step[i] = 1e-6
        up, down = (svi_twin.equations(theta + s, points, laws)[0] for s in (step, -step))
        assert gradient[i] == pytest.approx((up - down) / 4e-6, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_descend__twin__same_slice(seed):
    """SRF-2: start and descent lead both twins to the same slice."""
    truth = points_of(a_law(0.02), 20 / 365, noise=0.004, seed=seed)
    points = compiled.Points(truth.k, truth.w, truth.w_weight, 0.003)
    box = compiled.Box(np.array([-1.0, 0, 0, -1, -8]), np.array([1.0, 2, 2, 1, 1]))
    stop = compiled.Stop(60, 1e-10)
    fits = []
    for engine in (compiled, svi_twin):
        theta = np.zeros(5)
        engine.start(theta, box, points)
        engine.descend(theta, box, points, some_laws(truth), stop)
        fits.append(to_svi(theta).total_variance(truth.k))
    assert fits[0] == pytest.approx(fits[1], rel=1e-5)


@pytest.mark.parametrize("days", [0.3, 2, 30, 400])
def test_free_fit__exact_quotes__recovered(days):
    """Quotes that lie on a slice give it back, near expiry and far from it."""
    years = days / 365
    truth = a_law(0.5 * years)
    points = points_of(truth, years)
    assert free_fit(points).vol(points.k, years) == pytest.approx(truth.vol(points.k, years), abs=2e-5)


@pytest.mark.parametrize("seed", range(5))
def test_free_fit__noisy_quotes__no_worse_than_scipy(seed):
    """The sum of squares is at most that of least_squares with a plain residual."""
    points = points_of(a_law(0.03), 30 / 365, noise=0.005, seed=seed)

    def miss(x):
        a, b, rho, m, sigma = x
        at = points.k - m
        return points.w_weight * (a + b * (rho * at + np.sqrt(at**2 + sigma**2)) - points.w)

    bounds = ([-1, 0, -0.999, -2, 1e-4], [4, 4, 0.999, 2, 4])
    theirs = least_squares(miss, [0.01, 0.1, 0.0, 0.0, 0.1], bounds=bounds)
    ours = points.w_weight * (free_fit(points, soft_vol=0.0).total_variance(points.k) - points.w)
    assert np.sum(ours**2) <= 2 * theirs.cost * (1 + 1e-4)


def test_free_fit__wild_quotes__outvoted():
    """Two absurd quotes of twenty-five move the rest by less than a fifth of a vol point."""
    truth = a_law(0.03)
    points = points_of(truth, 30 / 365)
    vol = points.vol.copy()
    vol[[4, 17]] += (0.5, -0.3)
    svi = free_fit(dataclasses.replace(points, vol=vol))
    rest = np.delete(points.k, [4, 17])
    assert svi.vol(rest, points.years) == pytest.approx(truth.vol(rest, points.years), abs=2e-3)


def test_lawful_fit__vogt_slice__repaired():
    """SRF-6: quotes from the published slice with a butterfly are fitted without one, and stay near."""
    vogt = Svi(**published("SVI-ARB-VOGT").inputs)
    points = points_of(vogt, 1.0, strikes=41, reach=6.0)
    free = free_fit(points)
    assert g_of(free, np.linspace(-1.5, 1.5, 301)).min() < -0.01
    repaired = lawful_fit(points, free, before=None, shocks=())
    assert not isinstance(repaired, str)
    assert check([repaired]) == ()
    assert float(np.median(np.abs(repaired.vol(FORWARD * np.exp(points.k)) - points.vol))) < 0.01


def is_lawful(fitted: FittedSurface) -> bool:
    """Whether a whole surface breaks no law, before any shock and after each, as it is revalued."""
    slices = fitted.surface.slices if fitted.surface else ()
    return check(slices, USUAL) == () and all(check(shocked(slices, shock)) == () for shock in USUAL)


@pytest.mark.parametrize("model", list(Model))
def test_fit_surface__clean_chain__every_expiry_near_and_lawful(model):
    """A chain of one SSVI law: SVI and SSVI find it, SABR comes near; nothing is refused."""
    fitted = fit_surface(a_chain(), now_s=NOW, model=model)
    assert fitted.refused == ()
    assert len(fitted.fits) == 5
    assert is_lawful(fitted)
    bound = 2.0 if model is Model.SABR else 0.1
    assert max(fit.error.median for fit in fitted.fits) < bound


@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize("seed", range(3))
def test_fit_surface__rough_chains__lawful_or_refused(model, seed):
    """SRF-7: whatever the quotes, every expiry is a fit or a refusal, and what is used breaks no law."""
    rng = np.random.default_rng(seed)
    quotes = []
    for days in (1, 2, 8, 40):
        vol = float(rng.uniform(0.3, 1.2))  # levels jump: calendars cross
        points = points_of(a_law(vol**2 * days / 365), days / 365, noise=0.05, seed=seed + days, strikes=13)
        quotes += quotes_of(dataclasses.replace(points, vol=np.abs(points.vol) + 0.05))
    fitted = fit_surface(quotes, now_s=NOW, model=model)
    told = [fit.expiry_s for fit in fitted.fits] + [one.expiry_s for one in fitted.refused]
    assert sorted(told) == sorted({q.expiry_s for q in quotes})
    assert is_lawful(fitted)


def test_fit_surface__crossing_expiries__repaired_and_told():
    """Marks whose total variance falls are fitted one above the other; the arbitrage and both errors are reported."""
    near, far = points_of(a_law(0.5 * 20 / 365), 20 / 365), points_of(a_law(0.44 * 22 / 365), 22 / 365)
    fitted = fit_surface(quotes_of(near) + quotes_of(far), now_s=NOW)
    assert is_lawful(fitted)
    repaired = fitted.fits[1]
    assert repaired.repaired
    assert Kind.CALENDAR in {v.kind for v in repaired.found}
    assert repaired.error.median > repaired.error_before.median


def test_fit_surface__wavy_smile__hinged():
    """A smile that no hyperbola follows gets hinges, comes near, and holds no arbitrage."""
    base = points_of(a_law(0.05), 60 / 365, strikes=40)
    bumped = base.vol + 0.02 * np.sin(2.2 * base.k / 0.223)
    fitted = fit_surface(quotes_of(dataclasses.replace(base, vol=bumped)), now_s=NOW)
    assert fitted.surface is not None
    assert isinstance(fitted.surface.slices[0].smile, HingedSmile)
    assert fitted.fits[0].error.median < 0.3 < fitted.fits[0].error_before.median
    assert is_lawful(fitted)


def test_fit_surface__same_quotes_in_another_order__same_surface():
    """Order does not matter, to the bit; nor does a second run."""
    quotes = a_chain(noise=0.003)
    one = fit_surface(quotes, now_s=NOW)
    assert one == fit_surface(quotes[::-1], now_s=NOW) == fit_surface(quotes, now_s=NOW)


def test_sabr_fit__quotes_of_sabr__recovered():
    """Volatilities of Hagan's own formula give its parameters back."""
    sabr = Sabr(alpha=0.6, beta=1.0, rho=-0.2, nu=1.4)
    k = np.linspace(-0.35, 0.4, 25)
    vol = sabr.vol(FORWARD * np.exp(k), forward=FORWARD, years=40 / 365)
    points = dataclasses.replace(points_of(a_law(0.04), 40 / 365), k=k, vol=vol)
    fitted = fit_surface(quotes_of(points), now_s=NOW, model=Model.SABR, shocks=())
    (fit,) = fitted.fits
    assert fit.error.max < 0.02


def refusal(quotes: list[Quote], **rules: float) -> str:
    """The reason for which the only expiry is refused."""
    fitted = fit_surface(quotes, now_s=NOW, rules=dataclasses.replace(QuoteRules(), **rules))
    assert fitted.surface is None
    (one,) = fitted.refused
    return one.reason


def test_select__rules__each_refuses_with_its_reason():
    """Old, expired, thin and senseless quotes are values with a reason, never an exception."""
    quotes = a_chain((30,))
    nan = float("nan")
    assert "limit 3600 s" in refusal([dataclasses.replace(q, time_s=NOW - 7_200) for q in quotes])
    assert refusal([dataclasses.replace(q, expiry_s=NOW - 5) for q in quotes]) == "expired"
    assert "expires in 600 s" in refusal([dataclasses.replace(q, expiry_s=NOW + 600) for q in quotes])
    assert "4 strikes count" in refusal(quotes[::7])
    assert refusal([dataclasses.replace(q, forward=nan) for q in quotes]) == "no quote has a forward"
    assert "no quote has a usable" in refusal([dataclasses.replace(q, mark_vol=nan, bid=None) for q in quotes])
    assert "no quote has a usable" in refusal([dataclasses.replace(q, strike=-1.0) for q in quotes])


def test_select__one_sided_and_in_the_money__do_not_count():
    """A mark without a bid is a guess, and the far side of a strike is the illiquid one; marks alone do count."""
    quotes = a_chain((30,))
    no_bid = [dataclasses.replace(q, bid=None) if i % 2 else q for i, q in enumerate(quotes)]
    ((points,), _) = select(no_bid, now_s=NOW, rules=QuoteRules())
    assert (len(points.k), len(points.marks_k)) == (13, 25)
    twins = [dataclasses.replace(q, is_call=not q.is_call, mark_vol=3.0) for q in quotes]
    ((both,), _) = select(quotes + twins, now_s=NOW, rules=QuoteRules())
    assert both.vol.max() < 3.0
    bare = [dataclasses.replace(q, bid=None, ask=None) for q in quotes]
    ((alone,), _) = select(bare, now_s=NOW, rules=QuoteRules())
    assert len(alone.k) == 25


def test_select__no_marks__mid_of_bid_and_ask():
    """Where a venue publishes no mark the volatility of the mid premium counts."""
    strike = np.array([2_400.0, 2_700.0, 3_000.0, 3_300.0, 3_600.0])
    put, call = (f(FORWARD, strike, 0.7, 30 / 365) / FORWARD for f in (black76.put, black76.call))
    premium = np.where(strike >= FORWARD, call, put)
    quotes = [
        Quote(
            expiry_s=NOW + 30 * DAY,
            strike=float(k),
            is_call=bool(k >= FORWARD),
            forward=FORWARD,
            time_s=NOW,
            bid=float(p) * 0.99,
            ask=float(p) * 1.01,
        )
        for k, p in zip(strike, premium, strict=True)
    ]
    ((points,), _) = select(quotes, now_s=NOW, rules=QuoteRules())
    assert points.vol == pytest.approx(0.7, abs=1e-9)
