"""EWMA, GARCH and GJR variance paths against published numbers and the obvious loop (VOL-1)."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.timeseries import recursions
from keeper.risk.timeseries.recursions import Gjr, ewma, path, start, start_of
from tests.cases.published import published

returns_of = st.lists(st.floats(-2.0, 2.0), max_size=40)
models = st.builds(
    Gjr,
    omega=st.floats(1e-8, 1.0),
    alpha=st.floats(0.0, 0.5),
    beta=st.floats(0.0, 1.0),
    gamma=st.floats(0.0, 0.5),
)


def obvious(returns, model, first):
    """The recursion as a book writes it."""
    out = [first]
    for r in returns:
        out.append(model.omega + (model.alpha + (model.gamma if r < 0 else 0.0)) * r**2 + model.beta * out[-1])
    return out


def test_ewma__hull__his_digits():
    """Hull: σ 1 %, return 2 %, λ 0.9."""
    case = published("EWMA-HULL")
    found = ewma([0.02], decay=0.9, first=0.01**2)
    assert math.sqrt(found[1]) == pytest.approx(case.expected, abs=case.tol)


def test_path__quantlib__its_digits():
    """QuantLib's own GARCH test: ten steps of constant shocks."""
    case = published("GARCH-QL")
    i = case.inputs
    model = Gjr(omega=i["omega"], alpha=i["alpha"], beta=i["beta"])
    found = np.sqrt(path([math.sqrt(i["r2"])] * len(case.expected), model, first=i["v0"]))
    assert found[1:].tolist() == pytest.approx(case.expected, abs=case.tol)


@hypothesis.given(returns_of, models, st.floats(0.0, 4.0))
def test_path__any_model__the_obvious_loop(returns, model, first):
    """VOL-1: the fast path is the slow one, and a variance is never negative."""
    found = path(returns, model, first=first)
    assert found.tolist() == pytest.approx(obvious(returns, model, first), rel=1e-12), "VOL-1"
    assert (found >= 0.0).all(), "VOL-1"


@hypothesis.given(returns_of, models, st.floats(0.0, 4.0))
def test_path__without_a_compiler__same_bits(returns, model, first):
    """VOL-1: the twin without a compiler gives the same bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recursions, "COMPILED", False)
        slow = path(returns, model, first=first)
    assert slow.tobytes() == path(returns, model, first=first).tobytes(), "VOL-1"


@hypothesis.given(returns_of, st.floats(0.01, 0.999), st.floats(0.0, 4.0))
def test_ewma__between_the_least_and_the_largest_square(returns, decay, first):
    """An average stays within what it averages, and is GARCH without a constant."""
    found = ewma(returns, decay=decay, first=first)
    seen = [first, *(r * r for r in returns)]
    assert found.min() >= min(seen) * (1 - 1e-12)
    assert found.max() <= max(seen) * (1 + 1e-12)


def test_path__long_calm__the_long_run_variance():
    """Returns of the long-run volatility keep GARCH where it returns to."""
    model = Gjr(omega=2e-6, alpha=0.05, beta=0.93)
    found = path([math.sqrt(model.long_run_variance)] * 3_000, model, first=4e-3)
    assert found[-1] == pytest.approx(model.long_run_variance)
    assert model.persistence == pytest.approx(0.98)
    assert Gjr(omega=1.0, alpha=0.5, beta=0.5).long_run_variance == math.inf


def test_start__weighted_mean_of_the_first_squares__and_a_step_from_it():
    """A path starts from the first returns, never from later ones."""
    assert start([0.1] * 500) == pytest.approx(0.01)
    assert start([0.1] * recursions.START_RETURNS + [9.0] * 100) == pytest.approx(0.01)
    assert start([0.2, 0.0]) == pytest.approx(0.04 / 1.94)
    model = Gjr(omega=0.1, alpha=0.2, beta=0.3, gamma=0.2)
    assert start_of([0.1] * 10, model) == pytest.approx(0.1 + 0.006)


@pytest.mark.parametrize(
    "act",
    [
        lambda: path([0.1, math.nan], Gjr(omega=1, alpha=0, beta=0), first=1),
        lambda: path([0.1], Gjr(omega=1, alpha=0, beta=0), first=math.nan),
        lambda: path([0.1], Gjr(omega=1, alpha=0, beta=0), first=-1e-9),
        lambda: path([1e200], Gjr(omega=1, alpha=1, beta=0), first=1.0),
        lambda: ewma([math.inf], decay=0.9, first=1),
        lambda: ewma([0.1], decay=1.0, first=1),
        lambda: start([]),
        lambda: Gjr(omega=0, alpha=0, beta=0),
        lambda: Gjr(omega=1, alpha=0.1, beta=0, gamma=-0.2),
        lambda: Gjr(omega=1, alpha=math.nan, beta=0),
    ],
)
def test_path__not_a_number_or_overflow__law_broken(act):
    """Nothing is decided from a variance that is no number."""
    with pytest.raises(LawBroken):
        act()
