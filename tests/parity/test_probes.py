"""The requirement of the standard portfolios is the contract's, bit for bit (PAR-1), and says what it should."""

import numpy as np
import pytest

from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.risk.exact.probes import NAMES, SIGMA_PPM, STRIKE, TENORS_DAYS, requirements
from keeper.risk.exact.riskfile import DAY, PPB, PPM, WAD, call_mark, levels, strike_array, weights

pytestmark = pytest.mark.chain

#: psr, vsrUp, vsrDown, tail, floor: a usual market, and every bound of each.
USUAL = (150_000, 400_000, 250_000, 750_000, 400_000)
EDGES = (
    (1, 1, 1, 1, 0),
    (500_000, 5_000_000, 950_000, 1_000_000, 10_000_000),
    (500_000, 1, 950_000, 1, 0),
    (316_667, 5_000_000, 1, 750_000, 0),
    (1, 5_000_000, 950_000, 1_000_000, 10_000_000),
)


def drawn(rng, count):
    """Triples of every size."""
    highs = (500_000, 5_000_000, 950_000, 1_000_000, 10_000_000)
    return [tuple(1 + int(high ** rng.uniform(0.3, 1.0)) - 1 or 1 for high in highs) for _ in range(count)]


def twin(case):
    """The same by the twin."""
    psr, up, down, tail, floor = case
    return requirements(Ranges(psr_ppm=psr, vsr_up_ppm=up, vsr_down_ppm=down), tail_ppm=tail, vol_floor_ppm=floor)


def test_probes__any_scan_ranges__same_bits(harness):
    """From one ppm to the hard bounds of each."""
    cases = [USUAL, *EDGES, *drawn(np.random.default_rng(11), 40)]
    found = harness.guard("probes", cases)
    assert [tuple(answer) for answer in found] == [twin(case) for case in cases], "PAR-1"


def of_every_row(case):
    """The six straddles' worst loss over all 24 rows, not only those that can be the worst."""
    psr, up, down, tail, floor = case
    ranges = Ranges(psr_ppm=psr, vsr_up_ppm=up, vsr_down_ppm=down)
    shorts, longs = [], []
    for days in TENORS_DAYS:
        expiry = ExpiryParams(expiry=days * DAY, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=SIGMA_PPM)
        common = {"strike": STRIKE, "sigma_ppm": SIGMA_PPM, "expiry": expiry, "ref_spot": WAD, "now": 0}
        calls = strike_array(ranges=ranges, vol_floor_ppm=floor, **common).values
        mark = 2 * call_mark(**common)
        gains = [2 * c - level + PPM - mark for c, level in zip(calls, levels(psr), strict=True)]
        weighted = weights(psr, tail)
        shorts.append(max(0, *(gain * w // PPM for gain, w in zip(gains, weighted, strict=True))))
        longs.append(max(0, *(-gain * w // PPM for gain, w in zip(gains, weighted, strict=True))))
    return (*shorts, *longs)


def test_probes__the_rows_left_out__are_never_the_worst():
    """From a scan range of 0.1 % on the worst of all 24 rows is among those priced; below, to a ppm of rounding."""
    for case in [USUAL, *EDGES, *drawn(np.random.default_rng(12), 60)]:
        off = [full - part for full, part in zip(of_every_row(case), twin(case)[1:], strict=True)]
        assert all(0 <= ppm <= (case[0] < 1_000) for ppm in off), (case, off)


def test_probes__wider_ranges__never_less_and_the_perp_its_scan_range():
    """A wider scan range or shock never lowers a requirement; the perp's is the scan range if no tail weighs more."""
    base = twin(USUAL)
    assert base[0] == 150_000
    assert len(base) == len(NAMES)
    for i, step in enumerate((30_000, 100_000, 100_000)):
        wider = tuple(value + (step if j == i else 0) for j, value in enumerate(USUAL))
        assert all(more >= less for more, less in zip(twin(wider), base, strict=True))
        assert twin(wider) != base
