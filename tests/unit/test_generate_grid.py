"""The grid generator: SPAN-type rows, venues' own rows as data, and the tail law (GEN-1, GEN-2)."""

from dataclasses import replace

import numpy as np
import pytest

from keeper.domain.riskfile import Ranges
from keeper.errors import LawBroken
from keeper.risk.exact import riskfile
from keeper.risk.generate.grid import STANDARD_16, TAILS, GridRow, Scan, Unit, VolMove, grid, tail_weights
from tests.cases.published import published

SCAN = Scan(psr=0.15, vsr_up=0.45, vsr_down=0.3)


@pytest.mark.parametrize("psr_ppm", [2_500, 80_000, 82_500, 147_500, 325_000])
@pytest.mark.parametrize("tail_ppm", [750_000, 1_000_000, 5_000_000])
def test_grid__standard_rows_and_tails__those_of_the_risk_file(psr_ppm, tail_ppm):
    """GEN-2: levels, weights and the way of volatility are the published file's, within its rounding to a ppm."""
    ranges = Ranges(psr_ppm=psr_ppm, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    found = grid(STANDARD_16 + TAILS, scans={"ETH": Scan.of(ranges)}, underlyings=("ETH",), tail_weight=tail_ppm / 1e6)
    assert len(found) == riskfile.ROWS
    assert np.abs(found.spot[:, 0] * 1e6 - riskfile.levels(psr_ppm)).max() <= 1.0, "GEN-2"
    above = riskfile.weights(psr_ppm, tail_ppm) - found.weight * 1e6
    assert above.min() >= -1e-6, "GEN-2"
    assert above.max() < 1.0, "GEN-2"
    inner = [0.45, -0.3] * (riskfile.INNER // 2)
    assert found.vol[:, 0].tolist() == [*inner, 0.0, 0.0, *[0.45] * len(riskfile.TAILS_PPM)], "GEN-2"


def test_grid__other_columns__stay():
    """A grid moves spot and volatility of the scanned underlyings; everything else is as in a table at rest."""
    found = grid(STANDARD_16, scans={"ETH": SCAN}, underlyings=("BTC", "ETH"), collaterals=("USDC",))
    assert (found.spot[:, 0] == 1.0).all()
    assert (found.vol[:, 0] == 0.0).all()
    for name, rest in (("skew", 0.0), ("smile", 0.0), ("basis", 1.0), ("collateral", 1.0)):
        assert (getattr(found, name) == rest).all(), name
    assert found.probability is None


def test_grid__several_ranges__each_its_own_move_and_the_widest_weight():
    """Underlyings that move together move by their own range; a tail weighs by the widest, against the account."""
    scans = {"BTC": replace(SCAN, psr=0.1), "ETH": replace(SCAN, psr=0.2)}
    found = grid(STANDARD_16 + TAILS, scans=scans, underlyings=("BTC", "ETH"), tail_weight=0.75)
    alone = grid(STANDARD_16 + TAILS, scans={"ETH": scans["ETH"]}, underlyings=("ETH",), tail_weight=0.75)
    assert found.spot[10].tolist() == pytest.approx([1.1, 1.2])
    assert found.spot[20].tolist() == [3.0, 3.0]
    assert found.weight.tolist() == alone.weight.tolist()


def test_grid__a_venues_rows__are_data():
    """A venue's own moves of spot, with and without a weight, need no code."""
    rows = (
        GridRow(move=-0.12, unit=Unit.SPOT, vol=VolMove.UP),
        GridRow(move=0.04, unit=Unit.SPOT, vol=VolMove.DOWN, weight=0.9),
        GridRow(move=2.0, unit=Unit.SPOT, weight=None),
    )
    found = grid(rows, scans={"BTC": Scan(psr=0.16, vsr_up=0.4, vsr_down=0.22)}, underlyings=("BTC",))
    assert found.spot[:, 0].tolist() == pytest.approx([0.88, 1.04, 3.0])
    assert found.vol[:, 0].tolist() == pytest.approx([0.4, -0.22, 0.0])
    assert found.weight.tolist() == pytest.approx([1.0, 0.9, 0.08])
    assert found.tags == ("-12 %, vol up", "+4 %, vol down", "+200 %")


def test_tail_weights__published_table__its_digits():
    """The tail law gives the weights a venue printed."""
    case = published("TAIL-WEIGHTS")
    found = tail_weights(case.inputs["s"], psr=case.inputs["psr"], tail_weight=case.inputs["c"])
    assert found.tolist() == pytest.approx(case.expected, abs=case.tol)


def test_tail_weights__delta_one__never_more_than_c_edge_losses():
    """GEN-1: |s|·w(s) is at most c·PSR and never falls with |s|; no weight is above one."""
    moves = np.linspace(-5.0, 5.0, 1_001)
    weights = tail_weights(moves, psr=0.2, tail_weight=0.75)
    assert weights.max() <= 1.0, "GEN-1"
    assert (np.abs(moves) * weights).max() <= 0.15 * (1 + 1e-15), "GEN-1"
    assert (np.diff(weights[500:]) <= 0.0).all(), "GEN-1"


def test_grid__extreme_fall__stops_at_the_lowest_level():
    """Three scan ranges down from a wide range is 5 % of spot, not nothing and not less."""
    found = grid(STANDARD_16, scans={"ETH": replace(SCAN, psr=0.6)}, underlyings=("ETH",))
    assert found.spot[15, 0] == 0.05


@pytest.mark.parametrize(
    "scans", [{}, {"DOGE": SCAN}, {"ETH": SCAN, "DOGE": SCAN}], ids=["none", "unknown", "one unknown"]
)
def test_grid__ranges_that_do_not_fit__law_broken(scans):
    """A grid that moves nothing, or something that is not there, is our mistake."""
    with pytest.raises(LawBroken):
        grid(STANDARD_16, scans=scans, underlyings=("ETH",))


@pytest.mark.parametrize("change", [{"psr": np.nan}, {"psr": -0.1}, {"vsr_down": 1.1}, {"vsr_up": np.inf}])
def test_scan__senseless__law_broken(change):
    """A range that is no range never becomes a table."""
    with pytest.raises(LawBroken):
        replace(SCAN, **change)
