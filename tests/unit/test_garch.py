"""GARCH and GJR fits: what they find, when they refuse, and that their paths are those of `arch` (VOL-2, VOL-3)."""

import math
import subprocess
import sys

import numpy as np
import pytest

from keeper.errors import LawBroken
from keeper.risk.timeseries.conditional import conditional, ewma_conditional, garch_conditional
from keeper.risk.timeseries.garch import Fitted, Innovation, Model, Unfitted, fit, judged, settled
from keeper.risk.timeseries.panel import Panel
from keeper.risk.timeseries.recursions import Gjr, path, start_of

TRUE = Gjr(omega=1.2e-5, alpha=0.06, beta=0.90, gamma=0.04)
GOOD = {"omega": 0.2, "alpha[1]": 0.1, "beta[1]": 0.85}


def simulated(model=TRUE, *, count=1_500, seed=3, dof=None):
    """Returns that the model made."""
    rng = np.random.default_rng(seed)
    shocks = rng.normal(size=count) if dof is None else rng.standard_t(dof, count) * math.sqrt((dof - 2) / dof)
    returns, variance = [], model.long_run_variance
    for z in shocks.tolist():
        r = z * math.sqrt(variance)
        returns.append(r)
        variance = model.omega + (model.alpha + (model.gamma if r < 0 else 0.0)) * r * r + model.beta * variance
    return np.array(returns)


@pytest.fixture(scope="module")
def arch_result():
    """The package's own results, in percent returns."""
    from arch.univariate import GARCH, ZeroMean  # noqa: PLC0415 - four seconds: only where these tests run

    def run(returns, asymmetric):
        model = ZeroMean(returns * 100.0, volatility=GARCH(p=1, o=asymmetric, q=1), rescale=False)
        return model.fit(disp="off", show_warning=False)

    return run


@pytest.mark.parametrize(("model", "asymmetric"), [(Model.GARCH, 0), (Model.GJR, 1)])
@pytest.mark.parametrize("seed", [3, 4])
def test_path__fitted_model__that_of_arch(arch_result, model, asymmetric, seed):
    """VOL-2: our variance before each return equals the package's own, at the coefficients it found."""
    returns = simulated(seed=seed)
    theirs = arch_result(returns, asymmetric)
    found = fit(returns, model=model)
    assert isinstance(found, Fitted)
    assert found.log_likelihood == theirs.loglikelihood
    ours = path(returns, found.coefficients, first=start_of(returns, found.coefficients))
    assert ours[:-1] * 1e4 == pytest.approx(np.asarray(theirs.conditional_volatility) ** 2, rel=1e-11), "VOL-2"
    tomorrow = theirs.forecast(horizon=1, reindex=False).variance.to_numpy()[-1, 0]
    assert ours[-1] * 1e4 == pytest.approx(tomorrow, rel=1e-11), "VOL-2"


def test_fit__returns_of_a_known_model__near_it():
    """The fit finds what made the returns, within what 1,500 of them tell."""
    found = fit(simulated(), model=Model.GJR)
    assert isinstance(found, Fitted)
    assert found.coefficients.persistence == pytest.approx(TRUE.persistence, abs=0.04)
    assert math.sqrt(found.coefficients.long_run_variance) == pytest.approx(math.sqrt(TRUE.long_run_variance), rel=0.2)
    assert found.dof is None
    assert found.returns == 1_500


def test_fit__student_innovations__finds_their_degrees_of_freedom():
    """Fat tails are found as such."""
    found = fit(simulated(dof=5, count=4_000), model=Model.GARCH, innovation=Innovation.STUDENT)
    assert isinstance(found, Fitted)
    assert found.dof == pytest.approx(5, abs=1.0)


def test_fit__twice__same_numbers():
    """KER-11: nothing of a fit is left to chance."""
    returns = simulated(count=400)
    assert fit(returns, model=Model.GJR) == fit(returns, model=Model.GJR), "KER-11"


@pytest.mark.parametrize("model", [TRUE, Gjr(omega=6.694535e-05, alpha=0.01564723, beta=0.84954696)])
def test_settled__optimisers_that_stopped_a_little_apart__same_model(model):
    """KER-11: where the last digits of a sum differ by machine or thread, the model that is taken does not."""
    nudged = Gjr(
        omega=model.omega * (1 - 1e-6), alpha=model.alpha + 5e-8, beta=model.beta - 3e-7, gamma=model.gamma - 2e-8
    )
    assert settled(model) == settled(nudged), "KER-11"
    assert settled(model).persistence == pytest.approx(model.persistence, abs=2e-4)
    assert settled(model).long_run_variance == pytest.approx(model.long_run_variance, rel=1e-3)
    assert settled(settled(model)) == settled(model)


def test_settled__rounding_would_leave_no_long_run__as_it_was():
    """A model at the edge is not pushed over it."""
    edge = Gjr(omega=1e-9, alpha=0.05006, beta=0.94976, gamma=0.00006)
    assert edge.persistence < 0.9999
    assert settled(edge) is edge


def test_fit__does_not_warn_and_does_not_look_at_scale():
    """Returns far smaller than the package likes are fitted all the same: it sees percent."""
    found = fit(simulated(Gjr(omega=1.2e-7, alpha=0.06, beta=0.90)), model=Model.GARCH)
    assert isinstance(found, Fitted)


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.full(249, 0.01), "249 returns, 250 needed for GARCH(1,1)"),
        (np.zeros(300), "did not move over 300 returns"),
        (np.cumprod(np.full(300, 1.05)) * 1e-6 * np.tile([1, -1], 150), "GARCH(1,1)"),
    ],
    ids=["few", "still", "explosive"],
)
def test_fit__no_model_to_be_had__a_value_with_a_reason(returns, reason):
    """VOL-3: a fit that fails or explodes is an answer, not an exception and not a model."""
    found = fit(returns, model=Model.GARCH)
    assert isinstance(found, Unfitted), "VOL-3"
    assert reason in found.reason


@pytest.mark.parametrize(
    ("change", "converged", "reason"),
    [
        ({}, False, "did not converge"),
        ({"beta[1]": math.nan}, True, "no number"),
        ({"omega": 0.0}, True, "is no model"),
        ({"beta[1]": 0.9}, True, "persistence 1.000000"),
        ({"beta[1]": 0.95}, True, "persistence 1.050000"),
        ({"gamma[1]": 0.12}, True, "persistence 1.010000"),
    ],
)
def test_judged__what_an_optimiser_may_return__refused_with_a_reason(change, converged, reason):
    """VOL-3: no convergence, no number, a negative variance or one that never returns."""
    found = judged(GOOD | change, model=Model.GJR, converged=converged, log_likelihood=-1.0, returns=300)
    assert isinstance(found, Unfitted), "VOL-3"
    assert reason in found.reason


def test_judged__percent__back_to_fractions():
    """GARCH in percent returns: ω is in squared percent there."""
    found = judged(GOOD, model=Model.GARCH, converged=True, log_likelihood=-1.0, returns=300)
    assert isinstance(found, Fitted)
    assert found.coefficients == Gjr(omega=0.2e-4, alpha=0.1, beta=0.85)


def test_fit__without_arch__the_reason_names_the_extra(monkeypatch):
    """VOL-3: the package is an extra, and its absence costs the model, not the keeper."""
    monkeypatch.setitem(sys.modules, "arch.univariate", None)
    found = fit(simulated(count=300), model=Model.GARCH)
    assert found == Unfitted(reason="GARCH(1,1) needs the arch package: pip install 'margin-keeper[garch]'")


def test_fit__not_a_number__law_broken():
    """A NaN is stopped before the package sees it."""
    with pytest.raises(LawBroken):
        fit([0.01, math.nan] * 200, model=Model.GARCH)


def a_panel(columns):
    """Daily rows."""
    returns = np.column_stack(columns)
    return Panel(
        symbols=tuple("ABC"[: returns.shape[1]]),
        time_s=np.arange(1, len(returns) + 1, dtype=np.int64) * 86_400,
        returns=returns,
        horizon_s=86_400,
    )


def test_garch_conditional__each_its_own_model__and_ewma_with_the_reason():
    """VOL-3: one underlying that cannot be fitted does not take the others with it."""
    good = simulated(count=600)
    short = np.where(np.arange(600) < 450, np.nan, simulated(count=600, seed=9))
    panel = a_panel([good, short])
    found = garch_conditional(panel, model=Model.GARCH, decay_per_day=0.97)
    fallback = ewma_conditional(panel, decay_per_day=0.97)
    assert found.models == ("GARCH(1,1)", "EWMA 0.97: 150 returns, 250 needed for GARCH(1,1)"), "VOL-3"
    fitted = fit(good, model=Model.GARCH)
    assert isinstance(fitted, Fitted)
    taken = settled(fitted.coefficients)
    ours = path(good, taken, first=start_of(good, taken))
    assert found.before[:, 0].tolist() == ours[:-1].tolist()
    assert found.now[0] == ours[-1]
    assert np.array_equal(found.before[:, 1], fallback.before[:, 1], equal_nan=True)
    assert found.now[1] == fallback.now[1]


def test_conditional__the_operators_choice__that_model():
    """None is EWMA, and never asks for the package."""
    panel = a_panel([simulated(count=300)])
    assert conditional(panel, model=None, decay_per_day=0.97).models == ("EWMA 0.97",)
    assert conditional(panel, model=Model.GJR, decay_per_day=0.97).models == ("GJR-GARCH(1,1)",)


def test_garch_conditional__gaps__the_returns_that_are_there():
    """A return that is missing has no variance, and the model runs on."""
    holes = simulated(count=600)
    holes[[5, 100, 101, 599]] = np.nan
    found = garch_conditional(a_panel([holes]), model=Model.GJR, decay_per_day=0.97)
    assert np.array_equal(np.isnan(found.before[:, 0]), np.isnan(holes))
    assert np.isfinite(found.now).all()


def test_garch_conditional__overlapping_rows__law_broken():
    """Overlapping returns are no series that GARCH describes."""
    panel = a_panel([simulated(count=300)])
    overlapping = Panel(symbols=panel.symbols, time_s=panel.time_s // 2, returns=panel.returns, horizon_s=86_400)
    with pytest.raises(LawBroken, match="do not overlap"):
        garch_conditional(overlapping, model=Model.GARCH, decay_per_day=0.97)


def test_import__without_a_fit__no_arch():
    """The package takes seconds to load: importing what may fit, and taking EWMA, does not load it."""
    code = (
        "import sys, numpy as np\n"
        "from keeper.risk.timeseries.conditional import conditional\n"
        "from keeper.risk.timeseries.panel import Panel\n"
        "p = Panel(symbols=('A',), time_s=np.arange(30) * 86400, returns=np.full((30, 1), 0.01), horizon_s=86400)\n"
        "assert conditional(p, model=None, decay_per_day=0.97).now[0] > 0\n"
        "assert not {'arch', 'pandas', 'statsmodels'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
