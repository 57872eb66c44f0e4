"""Are there as many breaches as the level says, and do they come one by one?

    POF   Kupiec's proportion of failures      −2 ln [(1−p)^(T−x) p^x / ((1−x/T)^(T−x) (x/T)^x)]             ~ χ²(1)
    IND   Christoffersen's independence        −2 ln [(1−π)^(n00+n10) π^(n01+n11) / Π (1−πi)^(ni0) πi^(ni1)] ~ χ²(1)
    CC    conditional coverage                 POF + IND                                                     ~ χ²(2)

χ² holds for long samples only: at 250 days and 1 % it rejects a right model in 9 % of cases instead of 5 %.  Beside it
stands the exact probability (`keeper.risk.backtest.exact`).

Sources: Kupiec (1995); Christoffersen (1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from keeper.errors import LawBroken
from keeper.risk.backtest import exact


@dataclass(frozen=True, kw_only=True)
class Breaches:
    """A sequence of windows, breached or not, by what the tests need of it.

    Successive windows are successive trials, also where a gap in the data lies between them: under the hypothesis that
    is tested they are independent wherever they are.
    """

    trials: int
    """T, non-overlapping windows."""
    count: int
    """x, breached ones."""
    n00: int
    """Calm windows after a calm one."""
    n01: int
    """Breaches after a calm window."""
    n10: int
    """Calm windows after a breach."""
    n11: int
    """Breaches after a breach."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if no sequence has these counts."""
        moves = (self.n00, self.n01, self.n10, self.n11)
        first = self.count - self.n01 - self.n11
        last = self.count - self.n10 - self.n11
        if min(moves) < 0 or sum(moves) != self.trials - 1 or not {first, last} <= {0, 1} or self.count > self.trials:
            raise LawBroken(f"no sequence of {self.trials} windows has {self.count} breaches and the moves {moves}")

    @property
    def rate(self) -> float:
        """x / T."""
        return self.count / self.trials


def breaches(hits: npt.ArrayLike) -> Breaches:
    """Count a sequence of windows, shape (T,), true where breached.  Raises: `LawBroken` if it is empty."""
    hit = np.asarray(hits, dtype=bool)
    if hit.ndim != 1 or hit.size == 0:
        raise LawBroken("no windows to test")
    before, after = hit[:-1], hit[1:]
    return Breaches(
        trials=int(hit.size),
        count=int(hit.sum()),
        n00=int((~before & ~after).sum()),
        n01=int((~before & after).sum()),
        n10=int((before & ~after).sum()),
        n11=int((before & after).sum()),
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One test of a hypothesis."""

    statistic: float
    """Likelihood ratio."""
    p_chi2: float
    """Probability of a statistic at least as large if the hypothesis holds, by the χ² limit."""
    p_exact: float
    """The same, exactly at this T."""


def kupiec(seen: Breaches, probability: float) -> Verdict:
    """Is the rate of breaches `probability`?  Its exact p is two-sided: all counts at most as likely as the seen one.

    Raises: `LawBroken` if `probability` is not between 0 and 1.
    """
    _open_interval(probability)
    ratio = float(exact.pof_ratio(seen.count, seen.trials, probability))
    return Verdict(
        statistic=ratio,
        p_chi2=float(chdtrc(1, ratio)),
        p_exact=exact.binomial_two_sided(seen.count, seen.trials, probability),
    )


def independence(seen: Breaches) -> Verdict:
    """Does a breach make the next one neither likelier nor rarer?  Its exact p is given the number of breaches."""
    ratio = float(exact.independence_ratio(seen.n00, seen.n01, seen.n10, seen.n11))
    return Verdict(
        statistic=ratio,
        p_chi2=float(chdtrc(1, ratio)),
        p_exact=exact.independence_p(ratio, trials=seen.trials, count=seen.count),
    )


def conditional_coverage(seen: Breaches, probability: float) -> Verdict:
    """Both at once.  Raises: `LawBroken` if `probability` is not between 0 and 1."""
    _open_interval(probability)
    ratio = float(exact.pof_ratio(seen.count, seen.trials, probability)) + float(
        exact.independence_ratio(seen.n00, seen.n01, seen.n10, seen.n11)
    )
    return Verdict(
        statistic=ratio,
        p_chi2=float(chdtrc(2, ratio)),
        p_exact=exact.coverage_p(ratio, trials=seen.trials, probability=probability),
    )


def _open_interval(probability: float) -> None:
    if not 0.0 < probability < 1.0:
        raise LawBroken(f"a breach cannot have the probability {probability}", probability=probability)
