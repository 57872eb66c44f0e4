"""Black-76 in float64: published numbers, QuantLib, limits, greeks, and the twins beside it (EST-4, B76-1)."""

import hypothesis
import numpy as np
import pytest
import QuantLib
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.exact import black76 as exact
from keeper.risk.exact import q64
from keeper.risk.pricing import black76
from tests.cases.published import published

MARKETS = st.tuples(
    st.floats(100, 10_000), st.floats(0.5, 2.0), st.floats(0.1, 3.0), st.floats(0.002, 2.0), st.floats(0.8, 1.0)
)


@pytest.mark.parametrize("case", [published("BLACK76-1"), published("BLACK76-3")], ids=["at the money", "deep in"])
def test_price__published_numbers__met(case):
    """EST-4: another engine's own test vectors, from the numpy form and from the compiled one."""
    market = [case.inputs[name] for name in ("F", "K", "sigma", "T", "df")]
    many = [np.full(black76.COMPILED_FROM, value) for value in market]
    for price, name in ((black76.call, "call"), (black76.put, "put")):
        for found in (price(*market), price(*many)):
            assert np.abs(found - case.expected[name]).max() <= case.tol


@hypothesis.given(MARKETS)
def test_price__quantlib__same(market):
    """Another library's blackFormula, to the last digits."""
    f, ratio, vol, years, df = market
    for price, kind in ((black76.call, QuantLib.Option.Call), (black76.put, QuantLib.Option.Put)):
        theirs = QuantLib.blackFormula(kind, f * ratio, f, vol * np.sqrt(years), df)
        assert float(price(f, f * ratio, vol, years, df)) == pytest.approx(theirs, abs=1e-13 * f * (1 + ratio))


def wide_markets(count: int) -> tuple[np.ndarray, ...]:
    """(forward, strike, vol, years, df), from everyday to absurd, edges included."""
    rng = np.random.default_rng(76)
    forward = np.exp(rng.normal(7, 3, count))
    strike = forward * np.exp(rng.normal(0, 0.5, count) * rng.choice([0.01, 1.0, 6.0], count))
    vol = np.exp(rng.normal(-0.5, 1.0, count)) * rng.choice([0.0, 1.0, 10.0], count, p=[0.05, 0.9, 0.05])
    years = np.exp(rng.normal(-2, 2.5, count)) * rng.choice([0.0, 1.0], count, p=[0.05, 0.95])
    forward[rng.random(count) < 0.01] = 0.0
    strike[rng.random(count) < 0.01] = 0.0
    same = rng.random(count) < 0.02
    strike[same] = forward[same]
    return forward, strike, vol, years, np.exp(-rng.uniform(-0.1, 0.3, count) * years.clip(max=5.0))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_compiled__numpy_twin__within_1e_13_of_the_forward(sign):
    """B76-1: the kernel is the numpy form, however far, short, long or worthless the option."""
    market = wide_markets(40_000)
    fast = black76.price(*market, sign=sign)
    slow = black76.price_by_numpy(*market, sign=sign)
    scale = (market[0] + market[1]) * market[4]
    assert (np.abs(fast - slow) <= 2e-15 * scale).all()
    still = (market[2] == 0.0) | (market[3] == 0.0)
    assert still.sum() > 1_000
    assert (fast[still] == slow[still]).all()


def test_compiled__any_mix_of_shapes__broadcasts():
    """Numbers, rows, columns and read-only views give what each option alone gives, and the inputs are left alone."""
    forward = np.linspace(1_000, 4_000, 200)[:, None]
    strike = np.linspace(2_000, 3_000, 150)
    forward.setflags(write=False)
    sign = np.where(np.arange(150) % 2, 1.0, -1.0)
    found = black76.price(forward, strike, 0.7, 0.25, 0.99, sign=sign)
    assert found.shape == (200, 150)
    assert found == pytest.approx(black76.price_by_numpy(forward, strike, 0.7, 0.25, 0.99, sign=sign), rel=1e-13)
    assert found[17, 4] == pytest.approx(float(black76.put(forward[17, 0], strike[4], 0.7, 0.25, 0.99)), rel=1e-13)


def test_compiled__run_twice__same_bits():
    """KER-11: neither threads nor the place in an array change a price."""
    market = wide_markets(20_000)
    once = black76.call(*market)
    assert (once == black76.call(*market)).all()
    assert (once[::-1] == black76.call(*(column[::-1] for column in market))).all()


def test_compiled__no_compiler__numpy_prices(monkeypatch):
    """Without numba the numpy form prices many options too: a missing compiler costs time, never an answer."""
    market = wide_markets(20_000)
    monkeypatch.setattr("keeper.risk.compiled.COMPILED", False)
    assert (black76.put(*market) == black76.price_by_numpy(*market, sign=-1.0)).all()


def test_price__nothing_to_pay_or_nothing_to_get__limits():
    """A strike of zero makes a call the discounted forward; a forward of zero makes a put the discounted strike."""
    for count in (3, black76.COMPILED_FROM):
        zero, hundred = np.zeros(count), np.full(count, 100.0)
        assert (black76.call(hundred, zero, 0.5, 1.0, 0.9) == 90.0).all()
        assert (black76.put(hundred, zero, 0.5, 1.0, 0.9) == 0.0).all()
        assert (black76.put(zero, hundred, 0.5, 1.0, 0.9) == 90.0).all()
        assert (black76.call(zero, hundred, 0.5, 1.0, 0.9) == 0.0).all()
        assert (black76.call(zero, zero, 0.5, 1.0, 0.9) == 0.0).all()


@hypothesis.given(MARKETS)
def test_price__put_call_parity__holds(market):
    """C − P is the discounted forward less the strike."""
    f, ratio, vol, years, df = market
    k = f * ratio
    parity = black76.call(f, k, vol, years, df) - black76.put(f, k, vol, years, df)
    assert float(parity) == pytest.approx(df * (f - k), abs=1e-9 * f)


def test_price__no_time_or_no_vol__intrinsic():
    """At expiry, and without volatility, an option is worth what exercising it brings."""
    strikes = np.array([90.0, 100.0, 110.0])
    for vol, years in ((0.0, 1.0), (1.0, 0.0)):
        assert black76.call(100.0, strikes, vol, years, 0.5).tolist() == [5.0, 0.0, 0.0]
        assert black76.put(100.0, strikes, vol, years, 0.5).tolist() == [0.0, 0.0, 5.0]


@hypothesis.given(MARKETS)
def test_greeks__against_finite_differences(market):
    """Each derivative is what a small step measures, for calls and puts."""
    f, ratio, vol, years, df = market
    k = f * ratio
    rate = -np.log(df) / years
    for price, greeks in ((black76.call, black76.call_greeks), (black76.put, black76.put_greeks)):
        g = greeks(f, k, vol, years, df)
        h, e, t = 1e-4 * f, 1e-4 * vol, 1e-4 * years
        step = [float(price(x, k, vol, years, df)) for x in (f - h, f, f + h)]
        wide = 1e-2 * f * min(1.0, vol * np.sqrt(years))
        curve = [float(price(x, k, vol, years, df)) for x in (f - wide, f, f + wide)]
        vega = (price(f, k, vol + e, years, df) - price(f, k, vol - e, years, df)) / (2 * e)
        later, sooner = years - t, years + t
        decay = price(f, k, vol, later, np.exp(-rate * later)) - price(f, k, vol, sooner, np.exp(-rate * sooner))
        assert float(g.delta) == pytest.approx((step[2] - step[0]) / (2 * h), abs=1e-5)
        assert float(g.gamma) * f == pytest.approx(
            (curve[2] - 2 * curve[1] + curve[0]) / wide**2 * f, rel=2e-3, abs=1e-4
        )
        assert float(g.vega) == pytest.approx(float(vega), rel=1e-5, abs=1e-7 * f)
        assert float(g.theta) == pytest.approx(float(decay) / (2 * t), rel=1e-4, abs=1e-6 * f)


@hypothesis.given(st.floats(0.05, 20.0), st.floats(0.05, 20.0), st.floats(0.001, 4.0))
def test_integer_twin__within_1e_11(forward, strike, deviation):
    """EST-4: what the contract computes is Black-76, to far less than a ppm."""
    f, k, v = (int(x * 2.0**64) for x in (forward, strike, deviation))
    value = exact.call(f, k, q64.ln(f) - q64.ln(k), v) / 2.0**64
    assert value == pytest.approx(
        float(black76.call(f / 2.0**64, k / 2.0**64, v / 2.0**64, 1.0)), abs=1e-11 * max(1, forward)
    )


@pytest.mark.parametrize(
    "bad",
    [{"forward": -1.0}, {"strike": -1.0}, {"vol": np.nan}, {"years": -1.0}, {"df": np.inf}, {"df": 0.0}, {"sign": 0.5}],
)
@pytest.mark.parametrize("count", [1, black76.COMPILED_FROM])
def test_price__out_of_domain__law_broken(bad, count):
    """A NaN never travels on as a price, not even one among many."""
    names = ("forward", "strike", "vol", "years", "df", "sign")
    market = {name: np.ones(count) for name in names}
    for name, value in bad.items():
        market[name][-1] = value
    with pytest.raises(LawBroken, match=next(iter(bad))):
        black76.price(**market)


@pytest.mark.parametrize("count", [1, black76.COMPILED_FROM])
def test_price__deviation_overflows__law_broken(count):
    """Two finite inputs may have an infinite product."""
    with pytest.raises(LawBroken, match="overflows"):
        black76.call(1.0, 1.0, np.full(count, 1e300), 1e300)


def test_greeks__at_expiry__law_broken():
    """Greeks of a kink do not exist, nor those of nothing."""
    with pytest.raises(LawBroken):
        black76.call_greeks(1.0, 1.0, 0.0, 1.0)
    with pytest.raises(LawBroken):
        black76.call_greeks(0.0, 1.0, 1.0, 1.0)
