"""Fit GARCH(1,1) and GJR to returns, with the `arch` package, which is imported only here and only when called.

The fit runs on returns in percent, where its optimiser is at home, and hands back coefficients in fractions.  A model
that cannot be had is a value with a reason, and the caller falls back to EWMA: too few returns, no convergence, a
coefficient that is no number, or a persistence so near 1 that variance would never return.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite
from keeper.risk.timeseries.recursions import Gjr
from keeper.risk.timeseries.volatility import Model

#: Fewer returns do not tell three coefficients apart.
MIN_RETURNS: Final = 250
#: A persistence at or above this is taken for 1: a shock would halve only after 6,900 steps, and the long-run variance
#: is not determined by any history we have.
MAX_PERSISTENCE: Final = 0.9999
_PERCENT: Final = 100.0


class Innovation(StrEnum):
    """Distribution of the standardised return in the likelihood."""

    NORMAL = "normal"
    """Quasi maximum likelihood: right for the variance even where returns are not normal."""
    STUDENT = "t"
    """Also finds the degrees of freedom."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model that was found."""

    model: Model
    coefficients: Gjr
    """In fractions: ω in squared returns per step."""
    dof: float | None
    """Degrees of freedom of the innovation; None if it is normal."""
    log_likelihood: float
    """Of the returns in percent, as the fit maximised it."""
    returns: int
    """How many it rests on."""


@dataclass(frozen=True, kw_only=True)
class Unfitted:
    """No model, and why.  The caller takes EWMA."""

    reason: str


def fit(
    returns: npt.ArrayLike, *, model: Model, innovation: Innovation = Innovation.NORMAL, min_returns: int = MIN_RETURNS
) -> Fitted | Unfitted:
    """Fit a model of zero mean.

    Args:
        returns: log returns of equal steps, in order, fractions; shape (T,).
        model: GARCH or GJR.
        innovation: of the likelihood.
        min_returns: fewer give no model.

    Raises:
        LawBroken: a return is not finite.
    """
    (values,) = finite(returns=returns)
    if values.ndim != 1:
        raise LawBroken(f"returns to fit have shape {values.shape}, one axis is needed")
    if len(values) < max(min_returns, 10):
        return Unfitted(reason=f"{len(values)} returns, {max(min_returns, 10)} needed for {model}")
    if not values.any():
        return Unfitted(reason=f"the price did not move over {len(values)} returns")
    try:
        from arch.univariate import GARCH, Normal, StudentsT, ZeroMean  # noqa: PLC0415 - slow, and only where fitted
    except ImportError:
        return Unfitted(reason=f"{model} needs the arch package: pip install 'margin-keeper[garch]'")
    volatility = GARCH(p=1, o=int(model is Model.GJR), q=1)
    distribution = StudentsT() if innovation is Innovation.STUDENT else Normal()
    problem = ZeroMean(values * _PERCENT, volatility=volatility, distribution=distribution, rescale=False)
    with warnings.catch_warnings():
        # What the optimiser tries on its way may overflow.  Its answer is judged below.
        warnings.simplefilter("ignore")
        try:
            result = problem.fit(disp="off", show_warning=False)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            return Unfitted(reason=f"{model} could not be fitted to {len(values)} returns: {error}")
    return judged(
        {str(name): float(value) for name, value in result.params.items()},
        model=model,
        converged=int(result.convergence_flag) == 0,
        log_likelihood=float(result.loglikelihood),
        returns=len(values),
    )


def settled(found: Gjr) -> Gjr:
    """The model without the digits that are the optimiser's own, which change with the machine and its threads.

    α, β and γ at four decimals and the long-run volatility at four digits: a hundredth of what returns can tell of
    them.  The same model where that would leave no long run.
    """
    alpha, beta, gamma = (round(one, 4) for one in (found.alpha, found.beta, found.gamma))
    persistence = alpha + gamma / 2.0 + beta
    if persistence >= MAX_PERSISTENCE:
        return found
    vol = float(f"{math.sqrt(found.long_run_variance):.4g}")
    return Gjr(omega=vol**2 * (1.0 - persistence), alpha=alpha, beta=beta, gamma=gamma)


def judged(
    found: dict[str, Any], *, model: Model, converged: bool, log_likelihood: float, returns: int
) -> Fitted | Unfitted:
    """Take or refuse what an optimiser in percent returns gave: `omega`, `alpha[1]`, `gamma[1]`, `beta[1]`, `nu`."""
    if not converged:
        return Unfitted(reason=f"the fit of {model} to {returns} returns did not converge")
    if not all(map(math.isfinite, (*found.values(), log_likelihood))):
        return Unfitted(reason=f"the fit of {model} to {returns} returns gave a coefficient that is no number")
    try:
        coefficients = Gjr(
            omega=found["omega"] / _PERCENT**2,
            alpha=max(found["alpha[1]"], 0.0),
            gamma=found.get("gamma[1]", 0.0),
            beta=max(found["beta[1]"], 0.0),
        )
    except LawBroken as broken:
        return Unfitted(reason=f"the fit of {model} to {returns} returns is no model: {broken.message}")
    if coefficients.persistence >= MAX_PERSISTENCE:
        return Unfitted(
            reason=f"the fit of {model} to {returns} returns has persistence {coefficients.persistence:.6f}: "
            "variance would not return"
        )
    return Fitted(
        model=model,
        coefficients=coefficients,
        dof=found.get("nu"),
        log_likelihood=log_likelihood,
        returns=returns,
    )
