"""Correlation, shrinkage and repair (COR-1, COR-2, COR-3)."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.timeseries.dependence import (
    MIN_COMMON,
    Correlation,
    Target,
    decay_weights,
    intensity,
    is_valid,
    repaired,
    shrunk,
    spectral,
    weighted_correlation,
)
from keeper.risk.timeseries.volatility import Unestimated

seeds = st.integers(0, 2**32 - 1)


def residuals_of(seed, *, rows=40, assets=3, missing=0.0):
    """Correlated residuals, some missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, assets)) + rng.normal(size=(rows, 1)) * rng.uniform(0, 2)
    values[rng.random(values.shape) < missing] = np.nan
    return values


def measured(residuals, weights):
    found = weighted_correlation(residuals, weights=weights)
    assert isinstance(found, Correlation)
    return found


def slow_pair(x, y, weights):
    """A pair by its definition, over the rows that both have; and the variance of that estimate."""
    rows = [(w, a, b) for w, a, b in zip(weights, x, y, strict=True) if not math.isnan(a) and not math.isnan(b)]
    total = sum(w for w, _, _ in rows)
    va = sum(w * a * a for w, a, _ in rows) / total
    vb = sum(w * b * b for w, _, b in rows) / total
    units = [(w / total, a / math.sqrt(va), b / math.sqrt(vb)) for w, a, b in rows]
    rho = sum(w * a * b for w, a, b in units)
    spread = sum(w * (a * b - rho * (a * a + b * b) / 2) ** 2 for w, a, b in units)
    return rho, spread * sum(w * w for w, _, _ in units)


def a_symmetric(seed, count):
    """A symmetric matrix with ones on the diagonal, valid or not."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (count, count))
    values = (values + values.T) / 2
    np.fill_diagonal(values, 1.0)
    return values


@hypothesis.given(seeds, st.integers(2, 4), st.sampled_from([0.0, 0.2]), st.sampled_from([0.94, 0.99, 1.0]))
def test_weighted_correlation__any_residuals__pair_by_pair(seed, assets, missing, decay):
    """COR-1: each entry, and its error, is the pair's own over the days both have."""
    values = residuals_of(seed, assets=assets, missing=missing)
    weights = decay_weights(np.arange(len(values))[::-1], decay_per_day=decay)
    found = measured(values, weights)
    for i in range(assets):
        for j in range(assets):
            rho, error = slow_pair(values[:, i], values[:, j], weights)
            assert found.matrix[i, j] == pytest.approx(rho, abs=1e-12), "COR-1"
            assert found.error[i, j] == pytest.approx(error if i != j else 0.0, abs=1e-12), "COR-1"
    assert (found.matrix == found.matrix.T).all(), "COR-1"
    assert (np.diag(found.matrix) == 1.0).all(), "COR-1"


@hypothesis.given(seeds, st.integers(2, 6))
def test_weighted_correlation__nothing_missing__valid(seed, assets):
    """COR-1: what is measured on the same days for all is a correlation of something."""
    values = residuals_of(seed, assets=assets)
    assert is_valid(measured(values, decay_weights(np.zeros(len(values)))).matrix), "COR-1"


def test_weighted_correlation__its_error__that_of_many_samples():
    """COR-1: the error is what correlations of like samples scatter by: (1 − ρ²)² / n for normal returns."""
    rng = np.random.default_rng(4)
    chol = np.linalg.cholesky([[1.0, 0.8], [0.8, 1.0]])
    samples = [measured(rng.normal(size=(200, 2)) @ chol.T, decay_weights(np.zeros(200))) for _ in range(400)]
    scatter = float(np.var([one.matrix[0, 1] for one in samples]))
    told = float(np.mean([one.error[0, 1] for one in samples]))
    assert told == pytest.approx(scatter, rel=0.15), "COR-1"
    assert told == pytest.approx((1 - 0.64) ** 2 / 200, rel=0.1), "COR-1"


def test_weighted_correlation__slower_decay__remembers_longer():
    """The weights say what counts: of two regimes the newer one where λ is small, both where it is near one."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    y = np.where(np.arange(400) < 200, -x, x)
    age = np.arange(400)[::-1]
    quick, slow = (
        measured(np.column_stack([x, y]), decay_weights(age, decay_per_day=d)).matrix[0, 1] for d in (0.9, 0.999)
    )
    assert quick > 0.99
    assert abs(slow) < 0.3


@pytest.mark.parametrize(
    ("values", "weights", "reason"),
    [
        (np.full((9, 2), 0.1), np.ones(9), "9.0 weighted returns in common, 10 needed"),
        (np.where(np.arange(60)[:, None] % 2 == [0, 1], np.nan, 1.0), np.ones(60), "0.0 weighted returns"),
        (np.full((99, 2), 0.1), 0.5 ** np.arange(99), "3.0 weighted returns"),
        (np.column_stack([np.full(60, 0.1), np.zeros(60)]), np.ones(60), "did not move"),
    ],
    ids=["few", "none in common", "few that count", "still"],
)
def test_weighted_correlation__too_little__a_value_with_a_reason(values, weights, reason):
    """Too little to go on is an answer, not a correlation."""
    found = weighted_correlation(values, weights=weights)
    assert isinstance(found, Unestimated)
    assert reason in found.reason
    assert MIN_COMMON == 10


def test_decay_weights__sum_to_one_and_do_not_underflow():
    """Weights are probabilities even where all the days are long ago."""
    weights = decay_weights([1e6 + 2, 1e6 + 1, 1e6], decay_per_day=0.5)
    assert weights.tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7])


@hypothesis.given(seeds, st.integers(2, 5), st.sampled_from(Target))
def test_intensity__between_nothing_and_all(seed, assets, target):
    """COR-2: shrinkage lies between what was measured and the target, and is valid where what was measured is."""
    values = residuals_of(seed, assets=assets, rows=15)
    found = measured(values, decay_weights(np.zeros(15)))
    share = intensity(found, target)
    assert 0.0 <= share <= 1.0, "COR-2"
    out = shrunk(found.matrix, target=target, share=share)
    assert is_valid(out), "COR-2"
    whole = shrunk(found.matrix, target=target, share=1.0)
    between = np.minimum(found.matrix, whole) - 1e-12, np.maximum(found.matrix, whole) + 1e-12
    assert ((between[0] <= out) & (out <= between[1])).all(), "COR-2"


def test_intensity__more_returns__less_shrinkage():
    """COR-2: what is measured on many returns is left alone, what is measured on few is not."""
    rng = np.random.default_rng(8)
    chol = np.linalg.cholesky([[1, 0.8, 0.1], [0.8, 1, 0.1], [0.1, 0.1, 1]])
    values = rng.normal(size=(4_000, 3)) @ chol.T
    few, many = (measured(values[:n], decay_weights(np.zeros(n))) for n in (30, 4_000))
    for target in Target:
        assert intensity(many, target) < 0.02 < intensity(few, target)


def test_intensity__schaefer_strimmer__by_hand():
    """COR-2: the error of the entries over their distance from the target."""
    found = Correlation(matrix=np.array([[1, 0.5], [0.5, 1]]), error=np.array([[0, 0.01], [0.01, 0]]), effective=50.0)
    assert intensity(found, Target.IDENTITY) == pytest.approx(0.04)
    # Two underlyings are their own mean: nothing to shrink towards but themselves.
    assert intensity(found, Target.CONSTANT) == 1.0
    assert shrunk(found.matrix, target=Target.CONSTANT, share=1.0)[0, 1] == 0.5
    assert shrunk(found.matrix, target=Target.IDENTITY, share=0.04)[0, 1] == pytest.approx(0.48)


@hypothesis.given(seeds, st.integers(2, 6))
def test_repaired__any_matrix__valid_and_no_farther_than_one_clip(seed, count):
    """COR-3: the repair is a correlation of something, and no farther from the matrix than the plain clip."""
    broken = a_symmetric(seed, count)
    found = repaired(broken)
    assert is_valid(found), "COR-3"
    assert np.linalg.eigvalsh(found).min() >= -1e-10, "COR-3"
    far, near = (float(((one - broken) ** 2).sum()) for one in (spectral(broken), found))
    assert near <= far + 1e-9, "COR-3"


@hypothesis.given(seeds, st.integers(1, 6))
def test_repaired__valid_already__unchanged(seed, count):
    """COR-3: what is valid is left as it is, to the bit."""
    good = repaired(a_symmetric(seed, count))
    assert repaired(good).tobytes() == good.tobytes(), "COR-3"


@hypothesis.given(seeds)
def test_repaired__no_valid_neighbour_is_nearer(seed):
    """COR-3: a step from the repair towards any other valid matrix does not come nearer."""
    broken = a_symmetric(seed, 4)
    found = repaired(broken)
    other = spectral(a_symmetric(seed ^ 1, 4))
    # The derivative of the distance along the way is not negative: what makes a point of a convex set the nearest.
    assert float(((found - broken) * (other - found)).sum()) >= -1e-6, "COR-3"


def test_repaired__higham__his_digits():
    """Higham, Computing the nearest correlation matrix (2002), section 4: 0.7607 and 0.1573."""
    found = repaired([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    assert np.round(found, 4).tolist() == [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]


@pytest.mark.parametrize(
    ("matrix", "valid"),
    [
        ([[1.0]], True),
        ([[1.0, 1.0], [1.0, 1.0]], True),
        ([[1.0, -0.9, -0.9], [-0.9, 1.0, -0.9], [-0.9, -0.9, 1.0]], False),
        ([[1.0, 0.2], [0.1, 1.0]], False),
        ([[1.0, 0.2], [0.2, 0.9]], False),
        ([[1.0, math.nan], [math.nan, 1.0]], False),
        ([[1.0, 0.2]], False),
    ],
)
def test_is_valid__each_way_of_being_none(matrix, valid):
    """A correlation matrix is symmetric, has ones, and no negative eigenvalue."""
    assert is_valid(matrix) is valid


@pytest.mark.parametrize(
    "act",
    [
        lambda: repaired([[1.0, math.nan], [math.nan, 1.0]]),
        lambda: repaired([[1.0, 0.5]]),
        lambda: repaired([[1.0, 0.5], [0.4, 1.0]]),
        lambda: shrunk(np.eye(2), target=Target.IDENTITY, share=1.1),
        lambda: weighted_correlation(np.full((20, 2), np.inf), weights=np.ones(20)),
        lambda: weighted_correlation(np.ones((20, 2)), weights=np.ones(19)),
        lambda: weighted_correlation(np.ones((20, 2)), weights=-np.ones(20)),
        lambda: decay_weights([], decay_per_day=0.9),
        lambda: decay_weights([1.0], decay_per_day=0.0),
        lambda: spectral(-np.eye(2)),
    ],
)
def test_dependence__senseless__law_broken(act):
    """Nothing is decided from a correlation that is none."""
    with pytest.raises(LawBroken):
        act()
