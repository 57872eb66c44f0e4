"""The preset `keeper` and the integers of the contract are one grid: row by row, within what ppm round away."""

import math
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.risk.exact.grid import NO_ROW, assess
from keeper.risk.exact.riskfile import WAD
from keeper.risk.kernel.arrays import risk_arrays
from keeper.risk.kernel.charges import ShortOptions
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import Expiry, Market, Perp, ScanRange, Underlying
from keeper.risk.kernel.portfolio import OptionPosition, PerpPosition, Portfolio
from keeper.risk.presets.keeper import KAPPA, PRESET
from keeper.testing.portfolios import NOW, PSRS, REF_SPOT, TENORS_S, Style, a_file, a_portfolio

SPOT = REF_SPOT / WAD
YEAR = 365 * 86_400
#: Rows are whole ppm of spot, rounded to the nearest; a put follows by parity, from two numbers rounded down.
PPM_PER_UNIT = 3e-6
STYLES = (Style.MIXED, Style.WEI, Style.FULL, Style.SHORT, Style.BOX, Style.BUTTERFLY, Style.PERP)


def in_floats(file, held):
    """The same market and account for the float kernel."""
    expiries = tuple(
        Expiry(
            name=str(at),
            seconds=at - NOW,
            forward=SPOT * params.phi_ppb / 1e9,
            rate=-math.log(params.df_ppb / 1e9) / ((at - NOW) / YEAR),
        )
        for at, params in file.expiries.items()
    )
    ranges = file.ranges
    scan = ScanRange(price=ranges.psr_ppm / 1e6, vol_up=ranges.vsr_up_ppm / 1e6, vol_down=ranges.vsr_down_ppm / 1e6)
    eth = Underlying(symbol="ETH", spot=SPOT, perp=Perp(price=SPOT), expiries=expiries, scan=scan)
    options = tuple(
        OptionPosition(
            underlying="ETH",
            expiry=str(leg.expiry),
            strike=leg.strike / 1e8,
            is_call=leg.is_call,
            size=leg.size / WAD,
            vol=file.arrays[leg.expiry, leg.strike].sigma_ppm / 1e6,
        )
        for leg in held.legs
    )
    perps = (PerpPosition(underlying="ETH", size=held.perp_size / WAD),)
    return Market(underlyings=(eth,)), Portfolio(options=options, perps=perps)


@hypothesis.given(st.sampled_from(PSRS), st.sampled_from(STYLES), st.integers(0, 2**32 - 1))
def test_keeper__grid_rows__those_of_the_contract(psr, style, seed):
    """KER-10, GRID-F: all 24 rows, grid and short minimum are the contract's, within ppm of what is held."""
    file = a_file(psr, age_s=0)
    held = a_portfolio(np.random.default_rng(seed), file, style)
    # Inside its last half hour an option settles on an average; the contract scans it whole, which asks more.
    held = type(held)(tuple(leg for leg in held.legs if leg.expiry - NOW >= TENORS_S[1]), held.perp_size)
    exact = assess(file, held.legs, held.perp_size, REF_SPOT, NOW)
    market, account = in_floats(file, held)
    # A row's gain counts in part only, in case another underlying loses in it; here there is no other.
    whole = replace(PRESET, blocks=(replace(PRESET.blocks[0], offset=1.0),))
    (grid,) = risk_arrays(market, account, whole)
    units = sum(abs(leg.size) for leg in held.legs) / WAD + abs(held.perp_size) / WAD
    slack = units * SPOT * PPM_PER_UNIT + 1e-9
    assert -grid.pnl == pytest.approx(np.array(exact.losses, dtype=float) / WAD, abs=slack), "GRID-F"
    found = margin(market, account, PRESET)
    (worst,) = (one for one in found.initial.worst if one.name == "grid")
    assert worst.loss == pytest.approx(exact.grid / WAD, abs=slack), "KER-10"
    if exact.worst_row != NO_ROW and exact.grid / WAD > 10 * slack:
        named = grid.tags.index(worst.rows[0])
        assert exact.losses[named] / WAD == pytest.approx(exact.grid / WAD, abs=2 * slack), "GRID-F"
    shorts = [line.amount for line in found.initial.lines if line.what == "short options"]
    assert sum(shorts) == pytest.approx(exact.short_minimum / WAD, rel=1e-12, abs=1e-9), "KER-10"


def test_keeper__short_minimum__the_contract_rate():
    """IM asks the contract's 1 % of spot per naked short, MM κ of it, as the contract multiplies its sum."""
    (rule,) = (charge for charge in PRESET.charges if isinstance(charge, ShortOptions))
    assert rule.initial == a_file().short_min_ppm / 1e6
    assert rule.maintenance == pytest.approx(KAPPA * rule.initial)
