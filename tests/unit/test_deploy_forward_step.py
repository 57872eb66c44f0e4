"""How far one publication's forward moves a straddle's requirement under the fences that a deployment has by default.

φ binds at once, not at the slew rate: its step is all that stands between a publisher's key and a requirement.
"""

from __future__ import annotations

from itertools import product

import pytest

from keeper.deploy.market_spec import VolFenceSpec
from keeper.domain.riskfile import ExpiryParams, File, Ranges
from keeper.risk.exact.grid import Leg, assess
from keeper.risk.exact.riskfile import PPB, strike_array

NOW, DAY = 1_780_000_000, 86_400
SPOT, STRIKE, UNIT = 3_000 * 10**18, 3_000 * 10**8, 10**18
#: What an hour at the default rate, 1 % on all three ranges, moves a straddle at most.  Source: contracts/README.md.
SLEW_OF_AN_HOUR = 0.0174
TENORS_DAYS = (7, 14, 30, 45, 90)
SIGMAS_PPM = (500_000, 800_000, 1_200_000)
PSRS_PPM = (80_000, 150_000, 250_000)


def requirement(phi_ppb: int, days: int, sigma_ppm: int, psr_ppm: int, size: int) -> int:
    """What a unit straddle is asked for, wad USD."""
    expiry = NOW + days * DAY
    params = ExpiryParams(expiry=expiry, phi_ppb=phi_ppb, df_ppb=PPB, sigma_atm_ppm=sigma_ppm)
    ranges = Ranges(psr_ppm=psr_ppm, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    array = strike_array(
        strike=STRIKE, sigma_ppm=sigma_ppm, expiry=params, ranges=ranges, vol_floor_ppm=250_000, ref_spot=SPOT, now=NOW
    )
    file = File(
        ref_spot=SPOT,
        ranges=ranges,
        tail_ppm=750_000,
        short_min_ppm=10_000,
        expiries={expiry: params},
        arrays={(expiry, STRIKE): array},
    )
    legs = [Leg(expiry=expiry, strike=STRIKE, is_call=call, size=size) for call in (False, True)]
    asked = assess(file, legs, 0, SPOT, NOW)
    return asked.grid + asked.short_minimum


@pytest.mark.parametrize("size", [-UNIT, UNIT], ids=["short", "long"])
def test_forward__one_step_of_the_default_fence__moves_a_straddle_by_no_more_than_an_hour_of_slew(size):
    """SLW-8: one publication's φ moves no straddle's requirement further than 1 % on all three ranges may."""
    step = VolFenceSpec().phi_step_ppb
    worst = 0.0
    for days, sigma, psr, up in product(TENORS_DAYS, SIGMAS_PPM, PSRS_PPM, (-1, 1)):
        before = requirement(PPB, days, sigma, psr, size)
        after = requirement(PPB + up * step, days, sigma, psr, size)
        worst = max(worst, max(before, after) / min(before, after) - 1)
    assert 0.0 < worst <= SLEW_OF_AN_HOUR


def test_forward__default_fence__a_day_is_no_more_than_four_steps():
    """SLW-8: the day's budget is in proportion to the step."""
    fences = VolFenceSpec()
    assert 0 < fences.phi_step_ppb <= 2_500_000
    assert fences.phi_step_ppb <= fences.phi_budget_ppb <= 4 * fences.phi_step_ppb
