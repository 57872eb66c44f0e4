"""History, simulation, basis, skew and depeg rows (GEN-3, GEN-4, GEN-5, KER-11)."""

import math
from dataclasses import fields

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.special import stdtr

from keeper.errors import BadInput, LawBroken
from keeper.risk.generate.basis import STANDARD as BASIS_ROWS
from keeper.risk.generate.basis import BasisRow, basis
from keeper.risk.generate.depeg import KNOWN, Depeg, depeg
from keeper.risk.generate.grid import STANDARD_16, TAILS, Scan, grid
from keeper.risk.generate.history import history
from keeper.risk.generate.simulation import draws, simulation, symmetric_root
from keeper.risk.generate.skew import STANDARD as SKEW_ROWS
from keeper.risk.generate.skew import SkewRow, skew
from keeper.risk.generate.stress import stress
from keeper.risk.generate.stress_days import STRESS_DAYS
from keeper.risk.kernel.scenarios import Scenarios
from keeper.risk.timeseries.dependence import repaired

UNDERLYINGS = ("BTC", "ETH", "SOL")
TOKENS = ("USDC", "stETH")
CORRELATION = np.array([[1.0, 0.8, 0.6], [0.8, 1.0, 0.7], [0.6, 0.7, 1.0]])
MOVED = ("spot", "vol", "skew", "smile", "basis", "collateral")
AT_REST = {"spot": 1.0, "vol": 0.0, "skew": 0.0, "smile": 0.0, "basis": 1.0, "collateral": 1.0}


def rest_of(table, *but):
    """Whether every other column is as in a table at rest."""
    return all((getattr(table, name) == AT_REST[name]).all() for name in MOVED if name not in but)


def same(a: Scenarios, b: Scenarios, rows=slice(None)):
    """Whether table `a` is those rows of `b`, to the bit."""
    for field in fields(a):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if isinstance(left, np.ndarray):
            assert left.tobytes() == right[rows].tobytes(), field.name
        elif field.name == "tags":
            assert left == right[rows]
        else:
            assert left == right


def past(returns, **choices):
    """History rows of BTC, ETH and SOL."""
    values = np.asarray(returns, dtype=np.float64)
    tags = [f"day {i}" for i in range(len(values))]
    return history(values, **{"symbols": UNDERLYINGS, "tags": tags, "underlyings": UNDERLYINGS} | choices)


def drawn(seed=7, **choices):
    """A simulation of BTC, ETH and SOL."""
    standard = {"rows": 50, "underlyings": UNDERLYINGS, "vol": [0.03, 0.04, 0.06], "correlation": CORRELATION}
    return simulation(rng=np.random.default_rng(seed), **standard | choices)


# All of them

ROWS = {
    "grid": lambda n: grid(
        (STANDARD_16 + TAILS)[:n], scans={"ETH": Scan(psr=0.1, vsr_up=0.4, vsr_down=0.3)}, underlyings=UNDERLYINGS
    ),
    "history": lambda n: past(np.random.default_rng(1).normal(scale=0.1, size=(9, 3))[:n]),
    "stress": lambda n: stress(STRESS_DAYS[:n], underlyings=UNDERLYINGS, collaterals=TOKENS),
    "basis": lambda n: basis(BASIS_ROWS[:n], underlyings=UNDERLYINGS, moved=("ETH",)),
    "skew": lambda n: skew(SKEW_ROWS[:n], underlyings=UNDERLYINGS),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("count", [1, 3])
def test_generator__one_row_more__the_others_as_they_were(name, count):
    """KER-7, GEN-3: a row says the same whatever stands beside it, so that an added row can only raise a maximum."""
    same(ROWS[name](count), ROWS[name](4), slice(0, count))


@pytest.mark.parametrize("name", [*ROWS, "simulation", "depeg"])
def test_generator__same_inputs__same_bytes(name):
    """KER-11: the same inputs and the same seed give the same table to the bit."""
    make = ROWS.get(name, {"simulation": lambda _: drawn(), "depeg": lambda _: pegs()}.get(name))
    same(make(4), make(4))


@pytest.mark.parametrize("name", [*ROWS, "simulation", "depeg"])
def test_generator__its_table__is_named_after_it(name):
    """A row tells people where it comes from."""
    make = ROWS.get(name, {"simulation": lambda _: drawn(), "depeg": lambda _: pegs()}.get(name))
    table = make(4)
    assert table.generator == name
    assert len(set(table.tags)) == len(table)


# History


@hypothesis.given(st.integers(0, 2**32 - 1), st.booleans())
def test_history__each_row__its_day(seed, with_vol):
    """GEN-4: factors are those of the day's joint log returns, in the table's order."""
    rng = np.random.default_rng(seed)
    moves, vols = rng.normal(scale=0.1, size=(2, 6, 3))
    moves[2] = vols[2] = 0.0
    found = past(moves, underlyings=("SOL", "BTC"), vol_returns=vols if with_vol else None)
    slow = [[math.exp(row[2]), math.exp(row[0])] for row in moves]
    assert found.spot == pytest.approx(np.array(slow), rel=1e-14), "GEN-4"
    wanted = np.exp(vols[:, [2, 0]]) - 1 if with_vol else np.zeros((6, 2))
    assert found.vol == pytest.approx(wanted, abs=1e-14), "GEN-4"
    assert found.spot[2].tolist() == [1.0, 1.0], "GEN-4"
    assert found.vol[2].tolist() == [0.0, 0.0], "GEN-4"
    assert rest_of(found, "spot", "vol")
    assert (found.weight == 1.0).all()


@hypothesis.given(st.lists(st.floats(0.0, 4_000.0), min_size=1, max_size=30), st.floats(0.5, 1.0, exclude_min=True))
def test_history__newer_days_more_probable__and_all_of_them_one(ages, decay):
    """GEN-4: probabilities are λ^age and sum to one, however long ago the newest day was."""
    found = past(np.zeros((len(ages), 3)), age_days=ages, decay_per_day=decay)
    assert found.probability.sum() == pytest.approx(1.0, abs=1e-12), "GEN-4"
    oldest_first = found.probability[np.argsort(-np.array(ages), kind="stable")]
    assert (np.diff(oldest_first) >= 0.0).all(), "GEN-4"
    assert past(np.zeros((3, 3))).probability is None


def test_history__underlying_without_one__says_which():
    """An underlying that nobody recorded is the operator's to fix."""
    with pytest.raises(BadInput, match="no price history of DOGE"):
        past(np.zeros((2, 3)), underlyings=("BTC", "DOGE"))


@pytest.mark.parametrize(
    ("returns", "choices"),
    [
        ([[0.1, math.nan, 0.0]], {}),
        ([[800.0, 0.0, 0.0]], {}),
        ([[0.1, 0.1]], {}),
        ([[0.1, 0.1, 0.1]], {"vol_returns": [[0.1, 0.1]]}),
        ([[0.1, 0.1, 0.1]], {"vol_returns": [[0.1, math.inf, 0.1]]}),
        ([[0.1, 0.1, 0.1]], {"decay_per_day": 0.9}),
        ([[0.1, 0.1, 0.1]], {"decay_per_day": 0.9, "age_days": [1.0, 2.0]}),
    ],
)
def test_history__not_a_number_or_of_another_shape__law_broken(returns, choices):
    """NaN, overflow and rows that do not fit stop at once."""
    with pytest.raises(LawBroken):
        past(returns, **choices)


# Simulation


@pytest.mark.parametrize("dof", [2.5, 4.0, 30.0, math.inf])
def test_draws__any_dof__the_obvious_formula(dof):
    """GEN-5: each draw is the root of the correlation times a normal, over the root of its row's own χ²."""
    found = draws(np.random.default_rng(3), rows=20, correlation=CORRELATION, dof=dof)
    rng = np.random.default_rng(3)
    normal = rng.standard_normal((20, 3))
    shared = rng.chisquare(dof, 20) / dof if dof < math.inf else np.ones(20)
    unit = math.sqrt((dof - 2) / dof) if dof < math.inf else 1.0
    root = symmetric_root(CORRELATION)
    slow = [
        [unit * sum(normal[t, k] * root[k, u] for k in range(3)) / math.sqrt(shared[t]) for u in range(3)]
        for t in range(20)
    ]
    assert found.ravel().tolist() == pytest.approx(np.array(slow).ravel().tolist(), rel=1e-12), "GEN-5"
    assert root @ root == pytest.approx(CORRELATION, abs=1e-12)


def test_draws__many__variance_one_correlation_and_tails_as_asked():
    """GEN-5: unit variance whatever ν, the given correlation, and the Student-t's own tail."""
    found = draws(np.random.default_rng(5), rows=200_000, correlation=CORRELATION, dof=6.0)
    assert found.var(axis=0) == pytest.approx(np.ones(3), rel=0.03), "GEN-5"
    assert np.corrcoef(found.T) == pytest.approx(CORRELATION, abs=0.01), "GEN-5"
    for level in (-4.0, -2.0, 0.0, 1.0, 3.0):
        share = float((found < level).mean())
        wanted = float(stdtr(6.0, level * math.sqrt(6.0 / 4.0)))
        assert abs(share - wanted) < 5 * math.sqrt(wanted / found.size) + 1e-3, "GEN-5"
    # Extremes come together: far more often than a normal of the same correlation, or separate t's, would.
    far = found < -4.0
    assert far.all(axis=1).mean() > 0.2 * far.mean()


def test_simulation__seed__decides():
    """KER-11: another seed is another table; the same one is the same."""
    same(drawn(seed=1), drawn(seed=1))
    assert (drawn(seed=1).spot != drawn(seed=2).spot).all()


def test_simulation__nothing_moves_where_volatility_is_nothing():
    """GEN-3: an underlying without volatility has factors of exactly one."""
    found = drawn(vol=[0.03, 0.0, 0.06])
    assert (found.spot[:, 1] == 1.0).all(), "GEN-3"
    assert rest_of(found, "spot")
    assert found.probability is None


def test_simulation__volatilities_too__fall_with_spot_rise():
    """Changes of volatility are part of the joint draw, after the returns."""
    both = np.block([[CORRELATION, -0.5 * CORRELATION], [-0.5 * CORRELATION, CORRELATION]])
    found = drawn(rows=5_000, correlation=repaired(both), vol_of_vol=[0.1, 0.1, 0.1], dof=10.0)
    measured = np.corrcoef(np.log(found.spot[:, 0]), np.log1p(found.vol[:, 0]))[0, 1]
    assert measured == pytest.approx(-0.5, abs=0.05)
    assert np.log1p(found.vol).std(axis=0) == pytest.approx(np.full(3, 0.1), rel=0.1)
    assert (found.vol > -1.0).all()


def test_simulation__perfect_correlation__a_singular_matrix_is_no_trouble():
    """Two names of one thing move as one."""
    one = np.ones((3, 3))
    found = drawn(vol=[0.03, 0.03, 0.03], correlation=one)
    assert np.log(found.spot[:, 0]) == pytest.approx(np.log(found.spot[:, 2]), abs=1e-12)


@pytest.mark.parametrize(
    "choices",
    [
        {"vol": [0.03, 0.04]},
        {"vol": [0.03, math.nan, 0.1]},
        {"vol": [0.03, -0.1, 0.1]},
        {"vol": [0.03, 1e4, 0.1]},
        {"correlation": np.eye(2)},
        {"correlation": [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]},
        {"vol_of_vol": [0.1, 0.1, 0.1]},
        {"dof": 2.0},
        {"dof": math.nan},
        {"rows": 0},
    ],
    ids=["few", "nan", "negative", "overflow", "small", "invalid", "no joint correlation", "dof", "dof nan", "none"],
)
def test_simulation__senseless__law_broken(choices):
    """Nothing is drawn from what is no distribution, and no draw overflows unseen."""
    with pytest.raises(LawBroken):
        drawn(**choices)


# Basis and skew


def test_basis__standard_rows__spot_fixed_and_against():
    """Forwards move alone, and against spot."""
    found = basis(underlyings=UNDERLYINGS, collaterals=TOKENS)
    assert found.basis[:, 1].tolist() == pytest.approx([1.05, 0.95, 0.95, 1.05])
    assert found.spot[:, 1].tolist() == pytest.approx([1.0, 1.0, 1.05, 0.95])
    assert found.tags == ("basis +5 %", "basis -5 %", "basis -5 %, spot +5 %", "basis +5 %, spot -5 %")
    assert rest_of(found, "spot", "basis")


def test_basis_and_skew__some_underlyings__the_others_stay():
    """GEN-3: what is not moved has factors of exactly one and shares of exactly zero."""
    a = basis(underlyings=UNDERLYINGS, moved=("ETH",))
    b = skew(underlyings=UNDERLYINGS, moved=("SOL", "ETH"))
    assert (a.basis[:, [0, 2]] == 1.0).all()
    assert (a.spot[:, [0, 2]] == 1.0).all()
    assert (b.skew[:, 0] == 0.0).all()
    assert (b.smile[:, 0] == 0.0).all()
    still = basis([BasisRow(basis=0.0)], underlyings=UNDERLYINGS)
    assert rest_of(still), "GEN-3"


def test_skew__standard_rows__each_shock_both_ways():
    """The smile turns, and its wings rise and fall; nothing else moves."""
    found = skew(underlyings=("ETH",))
    assert found.skew[:, 0].tolist() == [1, -1, 0, 0]
    assert found.smile[:, 0].tolist() == [0, 0, 1, -1]
    assert found.tags == ("skew +1", "skew -1", "smile +1", "smile -1")
    assert rest_of(found, "skew", "smile")
    assert skew([SkewRow()], underlyings=("ETH",)).tags == ("smile as it is",)


@pytest.mark.parametrize(
    "act",
    [
        lambda: basis(underlyings=("ETH",), moved=("DOGE",)),
        lambda: skew(underlyings=("ETH",), moved=("DOGE",)),
        lambda: basis([BasisRow(basis=-1.5)], underlyings=("ETH",)),
        lambda: basis([BasisRow(basis=math.nan)], underlyings=("ETH",)),
        lambda: skew([SkewRow(linear=math.inf)], underlyings=("ETH",)),
    ],
)
def test_basis_and_skew__senseless__law_broken(act):
    """Something that is not there, or a price below zero, is our mistake."""
    with pytest.raises(LawBroken):
        act()


# Depeg


def pegs(**choices):
    """USDC and stETH held, USDT not."""
    return depeg(KNOWN, **{"underlyings": UNDERLYINGS, "collaterals": TOKENS} | choices)


def test_depeg__tokens_held__each_alone_and_all_at_once():
    """Each token falls in its own row, and all of them in the last."""
    found = pegs()
    assert found.tags == ("USDC at 0.878", "stETH at 0.935", "all pegs at once")
    assert found.collateral.tolist() == [[0.878, 1.0], [1.0, 0.935], [0.878, 0.935]]
    assert rest_of(found, "collateral")


def test_depeg__settlement_token__the_others_are_worth_more_of_it():
    """What is settled in a token does not notice its fall; what is owed in another costs more."""
    found = pegs(settlement="USDC")
    assert found.tags == ("USDC at 0.878", "stETH at 0.935")
    assert found.collateral[0].tolist() == pytest.approx([1.0, 1 / 0.878])
    assert found.collateral[1].tolist() == [1.0, 0.935]


def test_depeg__nothing_held__no_rows():
    """A token that nobody holds makes no row."""
    assert len(pegs(collaterals=("wBTC",))) == 0
    assert len(pegs(collaterals=())) == 0


def test_depeg__two_falls_of_one_token__the_deeper_one_together():
    """All pegs at once takes each token at its worst."""
    found = pegs(collaterals=("USDC",))
    assert len(found) == 1
    twice = depeg([*KNOWN, Depeg(symbol="USDC", factor=0.8)], underlyings=(), collaterals=("USDC",))
    assert twice.collateral.ravel().tolist() == [0.878, 0.8, 0.8]


@pytest.mark.parametrize("factor", [0.0, -0.5, 1.01, math.nan])
def test_depeg__no_loss__law_broken(factor):
    """A peg that rises, or a token worth nothing at all, is no depeg row."""
    with pytest.raises(LawBroken):
        Depeg(symbol="USDC", factor=factor)
