"""Backtest statistics against published numbers, brute force and other libraries (BT-1 … BT-5)."""

import itertools
import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats

from keeper.errors import LawBroken
from keeper.risk.backtest import exact
from keeper.risk.backtest.coverage import Breaches, breaches, conditional_coverage, independence, kupiec
from keeper.risk.backtest.overlap import hac_rate, non_overlapping
from keeper.risk.backtest.procyclicality import average_excess, largest_call, largest_window_call, peak_to_trough
from keeper.risk.backtest.shortfall import TailForecast, acerbi_szekely, excess, static_forecast, tail_shape, z2
from keeper.risk.backtest.traffic_light import Zone, traffic_light
from keeper.risk.tail import expected_shortfall, value_at_risk
from tests.cases.published import published

SHARES = st.floats(0.005, 0.5)


def test_coverage__matlab_example__published_numbers():
    """Kupiec, Christoffersen and both, with their χ² probabilities, of the varbacktest example."""
    case = published("BACKTEST-MATLAB")
    given = {key: case.inputs[key] for key in ("n00", "n01", "n10", "n11")}
    seen = Breaches(trials=case.inputs["n"], count=case.inputs["x"], **given)
    found = {
        "pof": kupiec(seen, case.inputs["p"]),
        "cci": independence(seen),
        "cc": conditional_coverage(seen, case.inputs["p"]),
    }
    for name, verdict in found.items():
        assert verdict.statistic == pytest.approx(case.expected[name], abs=case.tol)
        assert verdict.p_chi2 == pytest.approx(case.expected[f"{name}_p"], abs=case.tol)
        # At a thousand windows of which 57 breach, the exact probabilities are near the limit but not equal to it.
        assert abs(verdict.p_exact - verdict.p_chi2) < 0.16


@hypothesis.given(st.integers(1, 400), st.data(), SHARES)
def test_kupiec__exact__scipys_binomial_test(trials, data, share):
    """BT-1: the exact two-sided probability is that of scipy's binomial test."""
    count = data.draw(st.integers(0, trials))
    p = exact.binomial_two_sided(count, trials, share)
    assert p == pytest.approx(stats.binomtest(count, trials, share).pvalue, rel=1e-6, abs=1e-14), "BT-1"


def every_sequence(trials):
    return [breaches(hits) for hits in itertools.product([False, True], repeat=trials)]


@pytest.mark.parametrize("trials", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.5])
def test_exact__short_sequences__as_counted_one_by_one(trials, share):
    """BT-2: the exact probabilities equal a sum over all 2^T sequences, written out."""
    every = every_sequence(trials)
    mass = [share**s.count * (1 - share) ** (s.trials - s.count) for s in every]
    ratio = [float(exact.independence_ratio(s.n00, s.n01, s.n10, s.n11)) for s in every]
    both = [r + float(exact.pof_ratio(s.count, s.trials, share)) for r, s in zip(ratio, every, strict=True)]
    some = list(zip(every, ratio, both, strict=True))[:: max(1, len(every) // 60)]
    for s, seen, seen_both in some:
        alike = [r for r, other in zip(ratio, every, strict=True) if other.count == s.count]
        slow = sum(r >= seen - 1e-9 for r in alike) / len(alike)
        assert independence(s).p_exact == pytest.approx(slow, rel=1e-9), "BT-2"
        slow = sum(m for m, b in zip(mass, both, strict=True) if b >= seen_both - 1e-9)
        assert conditional_coverage(s, share).p_exact == pytest.approx(slow, rel=1e-9), "BT-2"


@hypothesis.given(st.lists(st.booleans(), min_size=1, max_size=300), SHARES)
def test_coverage__any_sequence__probabilities_and_their_order(hits, share):
    """BT-3: every p is a probability; a sequence read backwards is judged alike; IND and POF add up to CC."""
    seen, back = breaches(hits), breaches(hits[::-1])
    pof, ind, both = kupiec(seen, share), independence(seen), conditional_coverage(seen, share)
    for verdict in (pof, ind, both):
        assert verdict.statistic >= 0.0, "BT-3"
        assert 0.0 <= verdict.p_exact <= 1.0, "BT-3"
        assert 0.0 <= verdict.p_chi2 <= 1.0, "BT-3"
    assert both.statistic == pof.statistic + ind.statistic, "BT-3"
    assert conditional_coverage(back, share).p_exact == pytest.approx(both.p_exact, rel=1e-9), "BT-3"


def test_coverage__chi2_at_250_days__is_off_and_the_exact_one_is_not():
    """χ² calls 9.5 % of right models wrong at 5 %; the exact test never more than 5 %."""
    counts = np.arange(251)
    mass = stats.binom.pmf(counts, 250, 0.01)
    by_chi2 = sum(m for k, m in zip(counts, mass, strict=True) if exact.pof_ratio(k, 250, 0.01) > 3.8415)
    by_exact = sum(m for k, m in zip(counts, mass, strict=True) if exact.binomial_two_sided(int(k), 250, 0.01) < 0.05)
    assert by_chi2 == pytest.approx(0.0948, abs=1e-3)
    assert 0.01 < by_exact <= 0.05


def test_coverage__clusters__seen_by_independence_alone():
    """Six breaches in a row are as many as six apart, and far less likely."""
    row, apart = np.zeros(250, dtype=bool), np.zeros(250, dtype=bool)
    row[100:106], apart[::45] = True, True
    assert kupiec(breaches(row), 0.02).p_exact == kupiec(breaches(apart), 0.02).p_exact
    assert independence(breaches(row)).p_exact < 1e-6
    assert independence(breaches(apart)).p_exact > 0.5


@pytest.mark.parametrize(
    "counts",
    [
        {"trials": 5, "count": 1, "n00": 4, "n01": 1, "n10": 0, "n11": 0},
        {"trials": 5, "count": 3, "n00": 3, "n01": 1, "n10": 0, "n11": 0},
        {"trials": 5, "count": 1, "n00": 5, "n01": -1, "n10": 0, "n11": 0},
    ],
)
def test_breaches__counts_of_no_sequence__law_broken(counts):
    with pytest.raises(LawBroken):
        Breaches(**counts)


@pytest.mark.parametrize("probability", [0.0, 1.0, math.nan])
def test_kupiec__no_probability__law_broken(probability):
    with pytest.raises(LawBroken):
        kupiec(breaches([False, True]), probability)


def test_breaches__nothing__law_broken():
    with pytest.raises(LawBroken):
        breaches([])


def test_traffic_light__basel__published_table():
    """Cumulative probabilities to the two digits of the paper, zones and plus factors."""
    case = published("BASEL-TL")
    lights = [traffic_light(k, trials=case.inputs["n"], probability=case.inputs["p"]) for k in range(11)]
    assert [round(100 * light.cumulative, 2) for light in lights] == pytest.approx(case.expected, abs=case.tol)
    assert [light.zone for light in lights] == [Zone.GREEN] * 5 + [Zone.YELLOW] * 5 + [Zone.RED]
    assert [light.plus_factor for light in lights] == [0.0] * 5 + [0.40, 0.50, 0.65, 0.75, 0.85, 1.0]
    assert lights[10].multiplier == pytest.approx(4 / 3)


def test_traffic_light__probability_from_a_level__published_factors_all_the_same():
    """1 − 0.99 is 0.010000000000000009 in floats, and still the 1 % of the paper: callers know the level."""
    assert 1.0 - 0.99 != 0.01
    lights = [traffic_light(k, trials=250, probability=1.0 - 0.99) for k in range(5, 10)]
    assert [light.plus_factor for light in lights] == [0.40, 0.50, 0.65, 0.75, 0.85]


@hypothesis.given(st.integers(1, 4_000), SHARES, st.data())
def test_traffic_light__any_length__more_breaches_never_a_better_light(trials, share, data):
    """BT-4: zone, cumulative probability and plus factor grow with the count."""
    few = data.draw(st.integers(0, trials - 1))
    order = [Zone.GREEN, Zone.YELLOW, Zone.RED]
    a, b = (traffic_light(k, trials=trials, probability=share) for k in (few, few + 1))
    assert order.index(a.zone) <= order.index(b.zone), "BT-4"
    assert a.cumulative <= b.cumulative, "BT-4"
    assert 0.0 <= a.plus_factor <= b.plus_factor <= 1.0, "BT-4"


def test_traffic_light__other_lengths__the_formula_behind_the_published_factors():
    """3·(z(1−p) / z(1−x/T) − 1), which the Committee rounded: within 0.04 of every published factor."""
    for count, plus in {5: 0.40, 6: 0.50, 7: 0.65, 8: 0.75, 9: 0.85}.items():
        formula = 3 * (stats.norm.ppf(0.99) / stats.norm.ppf(1 - count / 250) - 1)
        assert formula == pytest.approx(plus, abs=0.04)
    assert traffic_light(11, trials=500, probability=0.01).plus_factor == pytest.approx(
        3 * (stats.norm.ppf(0.99) / stats.norm.ppf(1 - 11 / 500) - 1)
    )


def test_normal__shortfall_and_value_at_risk__closed_form():
    """The sample tail of a fine normal grid, and the closed form, meet the published factors."""
    case = published("ES-NORMAL")
    closed = [stats.norm.pdf(stats.norm.ppf(a)) / (1 - a) for a in (0.975, 0.99, 0.995)] + [stats.norm.ppf(0.99)]
    assert closed == pytest.approx(case.expected, abs=case.tol)
    grid = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    ours = [expected_shortfall(grid, a) for a in (0.975, 0.99, 0.995)] + [value_at_risk(grid, 0.99)]
    assert ours == pytest.approx(case.expected, abs=2e-3)


def test_hull__weighted_sample__published_numbers():
    """Hull, table 13.5: weights, VaR and ES of an exponentially weighted history."""
    case = published("HULL-WEIGHTED")
    n, lam = case.inputs["n"], case.inputs["lam"]
    worst = dict(case.inputs["worst"])
    day = np.arange(1, n + 1)
    losses = np.array([worst.get(int(d), 0.0) for d in day])
    weights = lam ** (n - day) * (1 - lam) / (1 - lam**n)
    assert [round(float(weights[d - 1]), 5) for d in list(worst)[:5]] == case.expected["weights"]
    assert value_at_risk(losses, 0.99, weights) == pytest.approx(case.expected["var"], abs=case.tol)
    assert round(expected_shortfall(losses, 0.99, weights), 3) == pytest.approx(case.expected["es"], abs=case.tol)


def test_procyclicality__a_series__published_measures():
    """Peak to trough, 1-, 3- and 5-day point to point, 5-day window."""
    case = published("APC-MEASURES")
    series = case.inputs["series"]
    calls = [largest_call(series, n) for n in (1, 3, 5)]
    found = [peak_to_trough(series), *calls, largest_window_call(series, 5)]
    assert found == pytest.approx(case.expected, abs=case.tol)


@hypothesis.given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40), st.integers(1, 10))
def test_procyclicality__any_series__slow_twin(series, steps):
    """The window call is the largest rise between any two days at most `steps` apart; scale changes nothing."""
    pairs = [b / a - 1 for i, a in enumerate(series) for b in series[i + 1 : i + 1 + steps]]
    assert largest_window_call(series, steps) == pytest.approx(max([0.0, *pairs]))
    assert peak_to_trough([2 * m for m in series]) == pytest.approx(peak_to_trough(series))


@pytest.mark.parametrize("call", [largest_call, largest_window_call])
def test_calls__no_step_between__law_broken(call):
    """A rise over no time is none, and no accident of Python either."""
    with pytest.raises(LawBroken, match="over 0 steps"):
        call([1.0, 2.0], 0)


def test_average_excess__cost__gains_are_no_losses():
    assert average_excess([10.0, 10.0, 10.0], [-5.0, 4.0, 12.0]) == pytest.approx((10 + 6 - 2) / 3)


@pytest.mark.parametrize("bad", [[], [1.0, 0.0], [1.0, math.nan], [1.0, -1.0]])
def test_procyclicality__no_margin__law_broken(bad):
    with pytest.raises(LawBroken):
        peak_to_trough(bad)


@hypothesis.given(st.lists(st.integers(0, 200), min_size=1, max_size=80, unique=True), st.integers(1, 30))
def test_non_overlapping__any_starts__share_no_moment_and_leave_no_room(starts, horizon):
    """BT-5: kept windows never overlap, and each one left out overlaps with one that is kept before it."""
    starts = sorted(starts)
    kept = [starts[i] for i in non_overlapping(starts, horizon)]
    assert all(b - a >= horizon for a, b in itertools.pairwise(kept)), "BT-5"
    assert all(any(0 <= s - k < horizon for k in kept) for s in starts), "BT-5"


@hypothesis.given(st.lists(st.booleans(), min_size=2, max_size=60), st.integers(0, 10))
def test_hac_rate__any_windows__slow_twin(hits, lags):
    """Newey–West by its definition, every pair of windows by itself; without lags the binomial error."""
    x, n = np.array(hits, dtype=float), len(hits)
    used, d = min(lags, n - 1), x - x.mean()
    slow = sum((1 - abs(i - j) / (used + 1)) * d[i] * d[j] for i in range(n) for j in range(n) if abs(i - j) <= used)
    rate, error = hac_rate(hits, lags=lags)
    assert rate == pytest.approx(x.mean())
    assert error == pytest.approx(math.sqrt(max(slow, 0.0)) / n, abs=1e-9)


def test_hac_rate__windows_that_breach_together__a_wider_error():
    """Twenty-four windows over one crash are one event, and the error says so."""
    together = np.zeros(4_800)
    together[1_000:1_024] = together[3_000:3_024] = 1
    assert hac_rate(together, lags=24)[1] > 3 * hac_rate(together, lags=0)[1]


def test_excess__sizes__relative_to_the_margin():
    found = excess([0.05, 0.12, 0.15, -0.4], 0.10)
    assert (found.count, found.mean, found.worst) == (2, pytest.approx(0.35), pytest.approx(0.5))
    assert excess([0.05], [0.1]).count == 0


@hypothesis.given(st.lists(st.floats(0.01, 100), min_size=1, max_size=200), st.floats(0.5, 0.99), st.integers(1, 80))
def test_tail_shape__any_sample__slow_twin(losses, level, points):
    """Each part is the mean of its slice of the tail: shortfalls of the deeper levels, subtracted."""
    ends = [(1 - level) * (i + 1) / points for i in range(points)]
    integral = np.array([0.0] + [expected_shortfall(losses, 1 - q) * q for q in ends])
    slow = np.diff(integral) * points / integral[-1]
    shape = tail_shape(losses, level, points=points)
    assert shape.tolist() == pytest.approx(slow.tolist(), rel=1e-5)
    assert shape.mean() == pytest.approx(1.0)


def test_static_forecast__nothing_ever_lost__no_tail_but_the_margin():
    """A price that only rose has no losses to shape a tail of: what is beyond the margin counts as it is."""
    forecast = static_forecast([-0.1, -0.2], 0.9, es=0.1, windows=4)
    assert forecast.shape.tolist() == [[1.0] * 64]
    assert forecast.var.tolist() == [0.1] * 4


def normal_forecast(windows, level=0.975):
    grid = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    return static_forecast(grid, level, es=expected_shortfall(grid, level), windows=windows)


def test_acerbi_szekely__normal_forecast__published_critical_values():
    """−0.70 at 5 % and −1.8 at 0.01 % for 250 days at 97.5 %: Acerbi and Székely (2014), table 4, stable over tails."""
    rng = np.random.default_rng(5)
    forecast = normal_forecast(250)
    worlds = rng.normal(size=(4_000, 250))
    seen = np.array([z2(w, forecast) for w in worlds])
    assert seen.mean() == pytest.approx(0.0, abs=0.03)
    assert np.quantile(seen, 0.05) == pytest.approx(-0.70, abs=0.05)
    p = [acerbi_szekely(w, forecast, rng=np.random.default_rng(9), trials=2_000).p for w in worlds[:300]]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.04)


def test_acerbi_szekely__losses_half_as_large_again__rejected():
    """A forecast whose market is 1.5 times as wild is told from a right one."""
    rng = np.random.default_rng(2)
    losses = 1.5 * rng.normal(size=500)
    found = acerbi_szekely(losses, normal_forecast(500), rng=np.random.default_rng(1), trials=2_000)
    assert found.z2 < -1.0
    assert found.p < 0.01


def test_acerbi_szekely__varying_forecast__slow_twin():
    """The simulation draws a tail loss with probability 1 − α window by window; one seed, one answer."""
    shapes = np.array([[1.5, 0.5], [1.2, 0.8], [1.0, 1.0]])
    forecast = TailForecast(level=0.8, var=np.array([1.0, 2.0, 3.0]), es=np.array([2.0, 3.0, 4.0]), shape=shapes)
    losses = np.array([2.5, 1.0, 3.5])
    draws = np.random.default_rng(4).random((500, 3))
    slow = []
    for world in draws:
        lost = 0.0
        for t, u in enumerate(world):
            if u < 0.2:
                lost += shapes[t][0 if u < 0.1 else 1]
        slow.append(1 - lost / (3 * 0.2))
    seen = 1 - (2.5 / 2 + 3.5 / 4) / (3 * 0.2)
    found = acerbi_szekely(losses, forecast, rng=np.random.default_rng(4), trials=500)
    assert found.z2 == pytest.approx(seen)
    assert found.p == (1 + sum(s <= seen + 1e-12 for s in slow)) / 501
    assert found == acerbi_szekely(losses, forecast, rng=np.random.default_rng(4), trials=500)
