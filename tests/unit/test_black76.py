"""Black-76 in float64: published numbers, limits, greeks, and the integer twin beside it (EST-4)."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk import black76
from keeper.risk.exact import black76 as exact
from keeper.risk.exact import q64

#: Source: derivexyz/lyra-utils, test/math/Black76.t.sol: (F, K, σ, T, df, call, put).
PUBLISHED = (
    (1500.0, 1500.0, 1.0, 0.019178082191780823, 1.0, 82.80508066863456, 82.80508066863456),
    (1000.0, 700.0, 0.75, 0.005479452054794521, 0.9998904169635637, 299.9671250895262, 4.569177210169727e-10),
)
MARKETS = st.tuples(
    st.floats(100, 10_000), st.floats(0.5, 2.0), st.floats(0.1, 3.0), st.floats(0.002, 2.0), st.floats(0.8, 1.0)
)


@pytest.mark.parametrize("case", PUBLISHED)
def test_price__published_numbers__met(case):
    """EST-4: another engine's own test vectors."""
    *market, call, put = case
    assert float(black76.call(*market)) == pytest.approx(call, abs=1e-8)
    assert float(black76.put(*market)) == pytest.approx(put, abs=1e-8)


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
    "bad", [{"forward": 0.0}, {"strike": -1.0}, {"vol": float("nan")}, {"years": -1.0}, {"df": float("inf")}]
)
def test_price__out_of_domain__law_broken(bad):
    """A NaN never travels on as a price."""
    with pytest.raises(LawBroken, match=next(iter(bad))):
        black76.call(**({"forward": 1.0, "strike": 1.0, "vol": 1.0, "years": 1.0, "df": 1.0} | bad))


def test_greeks__at_expiry__law_broken():
    """Greeks of a kink do not exist."""
    with pytest.raises(LawBroken):
        black76.call_greeks(1.0, 1.0, 0.0, 1.0)
