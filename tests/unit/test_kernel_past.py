"""Rows from a market's history: what they are, what keeps them away, and that nothing vanishes unsaid (PAST-1 … 4)."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from keeper.documents.evaluate import evaluate_files
from keeper.documents.example import write_examples
from keeper.risk.generate.simulation import draws
from keeper.risk.kernel import past as kernel_past
from keeper.risk.kernel.arrays import risk_arrays
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import History, ScanRange
from keeper.risk.kernel.past import rows_of_past
from keeper.risk.kernel.portfolio import PerpPosition, Portfolio
from keeper.risk.kernel.rows import Historical, Simulated
from keeper.risk.kernel.scenarios import Generator, NoRows, Scenarios
from keeper.risk.presets import PRESETS
from keeper.risk.timeseries.conditional import ewma_conditional, garch_conditional
from keeper.risk.timeseries.dependence import decay_weights, joint_correlation
from keeper.risk.timeseries.fhs import filter_returns
from keeper.risk.timeseries.panel import Panel
from keeper.risk.timeseries.volatility import Model
from tests.cases.kernel_worlds import a_history, a_market, an_underlying

HISTORICAL = Historical(decay=0.97)
SIMULATED = Simulated(draws=400, seed=1, model=Model.GARCH, decay=0.97, correlation_decay=0.99, dof=4.0)
BOTH = pytest.mark.parametrize("rows", [HISTORICAL, SIMULATED], ids=["history", "simulation"])
KEEPER = PRESETS["keeper"]
COLUMNS = ("spot", "vol", "skew", "smile", "basis", "collateral", "weight")
HEDGE = Portfolio(perps=(PerpPosition(underlying="ETH", size=20.0), PerpPosition(underlying="BTC", size=-0.8)))


def with_column(past, symbol, *, returns=0.0):
    """The same past with one more underlying, which moved like this."""
    column = np.full((len(past.tags), 1), returns)
    return replace(past, underlyings=(*past.underlyings, symbol), returns=np.hstack((past.returns, column)))


def with_vols(past, *still):
    """The same past with volatilities, of which those of `still` were never recorded."""
    moves = 0.03 * np.random.default_rng(3).standard_normal(past.returns.shape)
    moves[:, [past.underlyings.index(name) for name in still]] = 0.0
    return replace(past, vol_returns=moves)


def rows_of(rows, past, *held, market=None):
    found = rows_of_past(rows, replace(market or a_market(), history=past), held or ("ETH", "BTC"))
    assert isinstance(found, Scenarios), found
    return found


def panel_of(past):
    """The rows as a panel, by hand."""
    time_s = np.arange(1, len(past.tags) + 1, dtype=np.int64) * 86_400
    return Panel(symbols=past.underlyings, time_s=time_s, returns=past.returns, horizon_s=86_400)


def same_bytes(one, other):
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in COLUMNS)


def test_history__rows__the_filtered_days():
    """PAST-1: each row is a day at today's volatility, under the day's own name."""
    past = a_history("ETH", "BTC")
    twin = filter_returns(panel_of(past), ewma_conditional(panel_of(past), decay_per_day=0.97))
    found = rows_of(HISTORICAL, past)
    assert found.spot.tobytes() == np.exp(twin.returns).tobytes(), "PAST-1"
    assert found.tags == past.tags[-len(found) :]
    assert found.generator is Generator.HISTORY


@pytest.mark.parametrize("model", [Model.GARCH, Model.GJR])
def test_simulation__rows__student_draws_at_fitted_volatilities_with_shrunk_correlation(model):
    """PAST-1: the table is the documented formula, put together by hand from its parts."""
    past = a_history("ETH", "BTC", rows=300)
    panel = panel_of(past)
    fitted = garch_conditional(panel, model=model, decay_per_day=0.97)
    assert fitted.models == (str(model),) * 2, "the case must be one in which both can be fitted"
    residuals = filter_returns(panel, fitted).residuals
    weights = decay_weights(np.arange(299.0, -1.0, -1.0), decay_per_day=0.99)
    correlation = joint_correlation(residuals, weights=weights)
    moves = draws(np.random.default_rng(1), rows=400, correlation=correlation, dof=4.0) * np.sqrt(fitted.now)
    found = rows_of(replace(SIMULATED, model=model), past)
    assert found.spot.tobytes() == np.exp(moves).tobytes(), "PAST-1"
    assert found.generator is Generator.SIMULATION
    assert found.notes == ()


def test_simulation__model_is_data__ewma_where_none_is_named():
    past = a_history("ETH", "BTC", rows=300)
    fitted, plain = rows_of(SIMULATED, past), rows_of(replace(SIMULATED, model=None), past)
    assert not same_bytes(fitted, plain)
    assert plain.notes == ()


@BOTH
def test_past__only_one_volatility_was_recorded__it_moves_and_the_other_stays(rows):
    """PAST-2: a volatility nobody recorded keeps no row away."""
    past = with_vols(a_history("ETH", "BTC"), "BTC")
    found, without = rows_of(rows, past), rows_of(rows, replace(past, vol_returns=None))
    assert (found.vol[:, 0] != 0.0).any(), "PAST-2"
    assert (found.vol[:, 1] == 0.0).all(), "PAST-2"
    assert len(found) == len(without)
    if rows is HISTORICAL:
        assert found.spot.tobytes() == without.spot.tobytes(), "PAST-2"


@BOTH
def test_past__no_volatility_moved__as_if_none_were_given(rows):
    past = a_history("ETH", "BTC")
    found = rows_of(rows, replace(past, vol_returns=np.zeros(past.returns.shape)))
    assert same_bytes(found, rows_of(rows, past)), "PAST-2"


@BOTH
def test_past__stranger_that_stands_still__keeps_no_row_away(rows):
    """PAST-2: what an account does not hold and what never moved changes nothing for it."""
    past = a_history("ETH", "BTC")
    market = a_market(underlyings=(an_underlying(), an_underlying("BTC", 60_000.0), an_underlying("PEPE", 1.0)))
    found = rows_of(rows, with_column(past, "PEPE"), market=market)
    assert same_bytes(found, rows_of(rows, past, market=market)), "PAST-2"
    assert (found.spot[:, 2] == 1.0).all()


@BOTH
@pytest.mark.parametrize(
    ("past", "held", "reason"),
    [
        (a_history("ETH"), ("ETH", "BTC"), "the history has no BTC"),
        (with_column(a_history("ETH"), "BTC"), ("BTC",), "the price of BTC never moved in its history"),
        (a_history("ETH", "BTC", rows=20), ("ETH", "BTC"), "0 joint returns"),
        (History(tags=(), underlyings=("ETH",), returns=np.zeros((0, 1))), ("ETH",), "never moved"),
    ],
    ids=["unknown", "still", "short", "empty"],
)
def test_past__given_and_of_no_use__says_why(rows, past, held, reason):
    """PAST-3: a history that cannot be used is a value with a reason."""
    found = rows_of_past(rows, a_market(history=past), held)
    assert isinstance(found, NoRows), "PAST-3"
    assert reason in found.reason, "PAST-3"


def test_margin__history_of_no_use__priced_without_and_noted():
    """PAST-3: the requirement names each block that is missing, and the others stand."""
    found = margin(a_market(history=a_history("ETH")), HEDGE, KEEPER)
    without = margin(a_market(), HEDGE, KEEPER)
    assert found.notes == ("without history: the history has no BTC", "without simulation: the history has no BTC")
    assert without.notes == ()
    assert replace(found, notes=()) == without
    assert [one.name for one in risk_arrays(a_market(history=a_history("ETH")), HEDGE, KEEPER)] == [
        one.name for one in without.initial.worst
    ]


def test_margin__cash_alone__nothing_to_note():
    """PAST-3: an account that holds nothing misses nothing."""
    assert margin(a_market(history=a_history("ETH")), Portfolio(cash=1.0), KEEPER).notes == ()


def test_keeper_margin__history_of_no_use__the_answer_says_so(tmp_path):
    """PAST-3: at the door where people come in."""
    write_examples(tmp_path)
    for name in ("btc", "eth"):
        path = tmp_path / f"{name}-made-up.csv"
        head, *lines = path.read_text().splitlines()
        flat = [line.rpartition(",")[0] + ",100" for line in lines]
        path.write_text("\n".join([head, *flat]) + "\n")
    found = evaluate_files(KEEPER, tmp_path / "market.json", tmp_path / "portfolio.json")
    assert [note.partition(":")[0] for note in found.notes] == ["without history", "without simulation"]
    assert "never moved" in found.notes[0]


def test_simulation__a_model_that_cannot_be_had__ewma_and_the_reason():
    """PAST-4: what stands in for a model that was wanted is named, once for all that share the reason."""
    past = a_history("ETH", "BTC", rows=249)
    found = rows_of(SIMULATED, past)
    assert found.notes == ("ETH, BTC by EWMA 0.97: 249 returns, 250 needed for GARCH(1,1)",), "PAST-4"
    assert same_bytes(found, rows_of(replace(SIMULATED, model=None), past)), "PAST-4"


def test_simulation__without_arch__ewma_and_the_reason(monkeypatch):
    """PAST-4: where the package is not installed an answer is still had, and says how."""
    monkeypatch.setitem(sys.modules, "arch.univariate", None)
    found = margin(a_market(history=a_history("ETH", "BTC", rows=300)), HEDGE, KEEPER)
    (note,) = found.notes
    assert note.startswith("simulation: ETH, BTC by EWMA 0.97: GARCH(1,1) needs the arch package"), "PAST-4"


def test_simulation__one_of_two_explodes__that_one_by_ewma():
    """PAST-4: the other keeps its model."""
    past = a_history("ETH", "BTC", rows=300)
    growing = np.cumprod(np.full(300, 1.02)) * 1e-4 * np.tile([1, -1], 150)
    found = rows_of(SIMULATED, replace(past, returns=np.column_stack((past.returns[:, 0], growing))))
    (note,) = found.notes
    assert note.startswith("BTC by EWMA 0.97: the fit of GARCH(1,1) to 300 returns"), "PAST-4"


def test_past__again_from_equal_inputs__same_bytes():
    """KER-11: nothing but the inputs and the seed is in a table, nor in the requirement."""
    made = [a_history("ETH", "BTC", rows=300) for _ in range(2)]
    assert made[0] is not made[1]
    for rows in (HISTORICAL, SIMULATED):
        assert same_bytes(*(rows_of(rows, past) for past in made)), "KER-11"
    assert margin(a_market(history=made[0]), HEDGE, KEEPER) == margin(a_market(history=made[1]), HEDGE, KEEPER)
    assert not same_bytes(rows_of(SIMULATED, made[0]), rows_of(replace(SIMULATED, seed=2), made[0]))


def test_past__many_accounts_of_one_market__estimated_once(monkeypatch):
    """Before orders, after them, one account or many: each block's estimate is made once for a history."""
    asked, conditional = [], kernel_past.conditional

    def counting(panel, **more):
        asked.append(panel.symbols)
        return conditional(panel, **more)

    monkeypatch.setattr(kernel_past, "conditional", counting)
    market = a_market(history=a_history("ETH", "BTC"))
    alone = Portfolio(perps=HEDGE.perps[:1])
    for account in (HEDGE, alone, HEDGE):
        margin(market, account, KEEPER)
    assert asked == [("ETH", "BTC")] * 2, "once for history, once for simulation"


def test_example__what_it_names__is_used_and_needs_no_note(tmp_path):
    """The shipped example has a past that everything can be estimated from."""
    write_examples(tmp_path)
    assert json.loads((tmp_path / "market.json").read_text())["underlyings"]["ETH"]["history"]
    found = evaluate_files(KEEPER, tmp_path / "market.json", tmp_path / "portfolio.json", tmp_path / "orders.json")
    assert found.notes == ()
    assert {"history", "simulation", "stress"} <= {row.name for row in found.final.initial.worst}


def test_history__two_that_part_further_than_a_grid_allows__binds_initial_alone():
    """Where joint history asks for more than the grid it is IM's, and MM stays with rows that no estimate moves."""
    narrow = [replace(one, scan=ScanRange(price=0.02, vol_up=0.45, vol_down=0.3)) for one in a_market().underlyings]
    market = a_market(underlyings=tuple(narrow), history=a_history("ETH", "BTC"))
    found, without = margin(market, HEDGE, KEEPER), margin(replace(market, history=None), HEDGE, KEEPER)
    asked = {row.name: row.loss for row in found.initial.worst}
    assert found.initial.scenario == pytest.approx(max(asked["history"], asked["simulation"]))
    assert max(asked["history"], asked["simulation"]) > asked["grid"]
    assert found.maintenance == without.maintenance
