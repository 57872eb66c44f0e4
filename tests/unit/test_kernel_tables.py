"""Scenario tables as laid over a market: what is not moved stays, and what was not recorded says so (GEN-3)."""

from itertools import combinations

import numpy as np

from keeper.risk.kernel.arrays import risk_arrays
from keeper.risk.kernel.legs import lay_out
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.portfolio import OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.rows import Linear, Rate
from keeper.risk.kernel.scenarios import Generator, unmoved
from keeper.risk.kernel.tables import table
from keeper.risk.presets import PRESETS
from tests.cases.kernel_worlds import a_market, an_underlying

KEEPER = PRESETS["keeper"]
COLUMNS = ("spot", "vol", "skew", "smile", "basis", "collateral", "weight")
HEDGE = Portfolio(perps=(PerpPosition(underlying="ETH", size=20.0), PerpPosition(underlying="BTC", size=-0.8)))


def test_unmoved__columns__share_no_memory():
    """A column that is written in place moves nothing else."""
    columns = unmoved(Generator.GRID, underlyings=("ETH", "BTC"), collaterals=("USDC", "WETH"), tags=("a", "b"))
    arrays = [columns[name] for name in COLUMNS]
    assert not any(np.shares_memory(one, other) for one, other in combinations(arrays, 2))


def test_linear_rows__spot_moves__the_basis_does_not():
    """A forward is shocked once: by its spot."""
    market = a_market()
    found = table(Linear(default=Rate(base=0.1)), market, lay_out(market, HEDGE))
    assert found.spot.tolist() == [[1.1, 1.1], [0.9, 0.9]]
    assert (found.basis == 1.0).all()


def test_stress__no_history__rows_all_the_same():
    """Stress days are recorded in the preset: they need nothing from the market."""
    names = [one.name for one in margin(a_market(), HEDGE, KEEPER).initial.worst]
    assert "stress" in names
    assert not {"history", "simulation"} & set(names)


def stress_tags(portfolio, *underlyings):
    found = risk_arrays(a_market(underlyings=underlyings, collaterals=()), portfolio, KEEPER)
    return next(one.tags for one in found if one.generator is Generator.STRESS)


def test_stress__underlying_without_a_figure__the_row_says_whose_stands_for_it():
    """What was not recorded is told where the row is: by whose move, and by which rise of volatility."""
    perp = PerpPosition(underlying="PEPE", size=1.0)
    assert (
        stress_tags(Portfolio(perps=(perp,)), an_underlying("PEPE", 1.0))[2] == "2020-03-12 the pandemic (PEPE as ETH)"
    )
    option = OptionPosition(underlying="ETH", expiry="week", strike=2_500.0, is_call=True, size=1.0, vol=0.6)
    tags = stress_tags(Portfolio(perps=(perp,), options=(option,)), an_underlying(), an_underlying("PEPE", 1.0))
    assert tags[2] == "2020-03-12 the pandemic (PEPE as ETH; ETH vol +30 % assumed)"
    assert "2024-08-05 the yen (PEPE as ETH)" in tags, "ETH's volatility was recorded that day"
    assert stress_tags(HEDGE, an_underlying(), an_underlying("BTC", 60_000.0))[2] == "2020-03-12 the pandemic"
