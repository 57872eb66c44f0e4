"""Every function below the grid gives the contract's integers, bit for bit (PAR-1)."""

import numpy as np
import pytest

from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.risk.exact import black76, q64
from keeper.risk.exact.riskfile import (
    DAY,
    call_mark,
    levels,
    strike_array,
    term_factor,
    vol_down,
    vol_up,
    weights,
)

pytestmark = pytest.mark.chain

COUNT = 400
NOW = 1_774_000_000
MAX_PSR_PPM = 500_000


def integers(rng, low, high, count=COUNT):
    """Uniform integers in [low, high], of any size."""
    span = high - low + 1
    size = (span.bit_length() + 71) // 8
    return [low + int.from_bytes(rng.bytes(size), "big") % span for _ in range(count)]


def magnitudes(rng, high, count=COUNT):
    """Positive integers up to `high`, every order of magnitude alike likely."""
    return [1 + integers(rng, 0, (high - 1) >> shift, 1)[0] for shift in integers(rng, 0, high.bit_length() - 1, count)]


def around(*corners):
    """Each corner and its neighbours."""
    return [corner + step for corner in corners for step in (-1, 0, 1)]


def test_exp__whole_range__same_bits(harness):
    """Underflow, clamp, and the seams between two halvings included."""
    rng = np.random.default_rng(1)
    seams = [q64.LN2 * n // 2 for n in range(-127, 58)]
    xs = [*integers(rng, -50 * q64.ONE, 25 * q64.ONE), *around(0, q64.EXP_MIN, q64.EXP_MAX, *seams)]
    assert list(harness.grid("exp", xs)) == [q64.exp(x) for x in xs], "PAR-1"


def test_ln__whole_range__same_bits(harness):
    """From one unit to 2**191, and beside every power of two."""
    rng = np.random.default_rng(2)
    powers = [1 << n for n in range(1, 191)]
    xs = [*magnitudes(rng, 2**191 - 1), *around(q64.SQRT_HALF, q64.ONE, *powers)]
    assert list(harness.grid("ln", xs)) == [q64.ln(x) for x in xs], "PAR-1"


def test_sqrt__whole_range__same_bits(harness):
    """Rounded down beside every square too."""
    rng = np.random.default_rng(3)
    squares = [n * n >> 64 for n in magnitudes(rng, 2**127, 40)]
    xs = [0, 1, 2**192 - 1, *magnitudes(rng, 2**192 - 1), *(max(0, x) for x in around(*squares))]
    assert list(harness.grid("sqrt", xs)) == [q64.sqrt(x) for x in xs], "PAR-1"


def test_mills__whole_range__same_bits(harness):
    """From 0 to the cut."""
    rng = np.random.default_rng(4)
    xs = [0, 1, q64.TAIL_CUT - 1, *integers(rng, 0, q64.TAIL_CUT - 1), *magnitudes(rng, q64.TAIL_CUT - 1)]
    assert list(harness.grid("mills", xs)) == [q64.mills(x) for x in xs], "PAR-1"


def test_call__extremes_of_money_and_time__same_bits(harness):
    """At, deep in and far out of the money; no deviation, one unit of it, and a hundred."""
    rng = np.random.default_rng(5)
    near = integers(rng, q64.ONE // 2, 2 * q64.ONE)
    forwards = [*near, *magnitudes(rng, 2**80 - 1), *near[:20]]
    strikes = [*integers(rng, q64.ONE // 2, 2 * q64.ONE), *magnitudes(rng, 2**127 - 1), *near[:20]]
    usual = integers(rng, 0, 3 * q64.ONE)
    deviations = [*usual, *(int(rng.choice([0, 1, 2, v, 100 * q64.ONE])) for v in magnitudes(rng, q64.ONE, COUNT + 20))]
    cases = [(f, k, q64.ln(f) - q64.ln(k), v) for f, k, v in zip(forwards, strikes, deviations, strict=True)]
    expected = [black76.call(*case) for case in cases]
    assert list(harness.grid("call", cases)) == expected, "PAR-1"
    assert expected.count(0) > 20
    assert sum(value == f - k for value, (f, k, _, _) in zip(expected, cases, strict=True)) > 20
    assert sum(value > max(0, f - k) for value, (f, k, _, _) in zip(expected, cases, strict=True)) > COUNT // 2


def test_deviation__any_volatility_and_time__same_bits(harness):
    """From no time at all to three years, up to the largest volatility that fits."""
    rng = np.random.default_rng(6)
    cases = [*zip(magnitudes(rng, 2**32 - 1), magnitudes(rng, 3 * 31_536_000), strict=True), (0, 0), (2**32 - 1, 0)]
    expected = [black76.deviation(sigma, black76.sqrt_years(seconds)) for sigma, seconds in cases]
    assert list(harness.grid("deviation", cases)) == expected, "PAR-1"


def test_term_factor__any_tenor__same_bits(harness):
    """Below a day it stands still; the power changes at thirty."""
    rng = np.random.default_rng(7)
    seconds = [0, *magnitudes(rng, 3 * 31_536_000), *around(DAY, 30 * DAY)]
    assert list(harness.grid("termFactor", seconds)) == [term_factor(s) for s in seconds], "PAR-1"


@pytest.mark.parametrize("tail_ppm", [1, 750_000, 1_000_000])
def test_levels_and_weights__any_scan_range__same(harness, tail_ppm):
    """Seams of the floor at 5 %, of coinciding levels, and of weights that reach one."""
    rng = np.random.default_rng(8)
    corners = around(110_000, 220_000, 316_666, 325_000, 330_000)
    for psr in (1, 2, 3, MAX_PSR_PPM, *corners, *integers(rng, 1, MAX_PSR_PPM, 15)):
        assert tuple(harness.grid("levels", psr)) == levels(psr), "PAR-1"
        assert tuple(harness.grid("weights", psr, tail_ppm)) == weights(psr, tail_ppm), "PAR-1"


def test_shocked_vols__any_shock__same(harness):
    """The floor of the rise and the cap of the fall both bind somewhere."""
    rng = np.random.default_rng(9)
    cases = list(
        zip(
            magnitudes(rng, 50_000_000),
            integers(rng, 0, 5_000_000),
            integers(rng, 0, 950_000),
            [term_factor(s) for s in magnitudes(rng, 3 * 31_536_000)],
            integers(rng, 0, 1_000_000),
            strict=True,
        )
    )
    expected = [(vol_up(s, up, m, floor), vol_down(s, down, m)) for s, up, down, m, floor in cases]
    assert [tuple(pair) for pair in harness.grid("shockedVols", cases)] == expected, "PAR-1"
    assert sum(pair[0] == case[4] for pair, case in zip(expected, cases, strict=True)) > 20
    assert sum(case[2] * case[3] >> 64 > 950_000 for case in cases) > 20


def test_strike_arrays__random_publications__same_rows(harness):
    """All 24 rows and the mark, from one second to three years, for strikes from a thousandth to a thousandfold."""
    rng = np.random.default_rng(10)
    queries, expected = [], []
    for i in range(COUNT // 4):
        tau = 1 + integers(rng, 0, (3_600, DAY, 30 * DAY, 3 * 31_536_000)[i % 4], 1)[0]
        ref_spot = magnitudes(rng, 10**24, 1)[0] + 10**12
        dollars_e8 = ref_spot // 10**10
        times = magnitudes(rng, 1_000_000, 1)[0] if i % 3 == 0 else integers(rng, 500, 2_000, 1)[0]
        strike = max(1, dollars_e8 * times // 1_000)
        expiry = ExpiryParams(
            expiry=NOW + tau,
            phi_ppb=integers(rng, 700_000_000, 1_500_000_000, 1)[0],
            df_ppb=integers(rng, 500_000_000, 1_000_000_000, 1)[0],
            sigma_atm_ppm=1,
        )
        ranges = Ranges(
            psr_ppm=integers(rng, 10_000, 325_000, 1)[0],
            vsr_up_ppm=integers(rng, 0, 1_500_000, 1)[0],
            vsr_down_ppm=integers(rng, 0, 900_000, 1)[0],
        )
        sigma = magnitudes(rng, 5_000_000, 1)[0] if i % 5 == 0 else integers(rng, 100_000, 3_000_000, 1)[0]
        # A floor above the volatility binds the shocked one and nothing else.
        floor = integers(rng, 0, 500_000, 1)[0]
        queries.append(
            (
                strike,
                sigma,
                expiry.expiry,
                expiry.phi_ppb,
                expiry.df_ppb,
                ranges.psr_ppm,
                ranges.vsr_up_ppm,
                ranges.vsr_down_ppm,
                floor,
                ref_spot,
                NOW,
            )
        )
        of_strike = {"strike": strike, "sigma_ppm": sigma, "expiry": expiry, "ref_spot": ref_spot, "now": NOW}
        array = strike_array(**of_strike, ranges=ranges, vol_floor_ppm=floor)
        expected.append((*array.values, call_mark(**of_strike)))
    assert [tuple(found) for found in harness.grid("strikeArrays", queries)] == expected, "PAR-1"
    assert sum(row[0] == 0 for row in expected) > 10
    assert sum(row[0] > 0 for row in expected) > 50
