"""What forwards and discounts may do to a straddle's requirement, beside the ranges: the slew rate's law, on rows.

φ and df bind at once, so a step of them is earned by the hour, and what an hour's steps may do is a fifth of the slew
rate.  The unit straddles of the law are struck at the forward; one that somebody holds has a strike of its own, for
which a forward that moves is a price that moves.
"""

from __future__ import annotations

from itertools import product
from math import log

import pytest

from keeper.deploy.checks.markets import of_markets
from keeper.deploy.market_spec import UnderlyingSpec, VolFenceSpec
from keeper.deploy.spec import HouseSpec
from keeper.domain.riskfile import ExpiryParams, File, Ranges
from keeper.risk.exact.grid import Leg, assess
from keeper.risk.exact.riskfile import PPB, PPM, strike_array

NOW, DAY = 1_780_000_000, 86_400
SPOT, STRIKE, UNIT = 3_000 * 10**18, 3_000 * 10**8, 10**18
FENCES = VolFenceSpec()
NOBODY = "0x" + "00" * 20
SLEW_PPM = UnderlyingSpec(asset="ETH", psr_ppm=150_000).slew_ppm_per_hour
TENORS_DAYS = (7, 14, 30, 45, 90)
SIGMAS_PPM = (500_000, 800_000, 1_200_000)
PSRS_PPM = (80_000, 150_000, 250_000)
#: Tenors of the unit straddles of the law, days, and their volatility.  Source: contracts/src/libraries/Probes.sol.
UNIT_DAYS, UNIT_SIGMA_PPM = (1, 7, 30), 800_000
#: Rows are rounded to a millionth of spot, and a requirement is a few hundredths of it.
ROUNDING = 4e-4


def requirement(
    days: int, sigma_ppm: int, size: int, *, strike: int, ranges: Ranges, phi_ppb: int = PPB, df_ppb: int = PPB
) -> int:
    """What a unit straddle is asked for by the grid, wad USD."""
    expiry = NOW + days * DAY
    params = ExpiryParams(expiry=expiry, phi_ppb=phi_ppb, df_ppb=df_ppb, sigma_atm_ppm=sigma_ppm)
    array = strike_array(
        strike=strike, sigma_ppm=sigma_ppm, expiry=params, ranges=ranges, vol_floor_ppm=250_000, ref_spot=SPOT, now=NOW
    )
    file = File(
        ref_spot=SPOT,
        ranges=ranges,
        tail_ppm=750_000,
        short_min_ppm=0,
        expiries={expiry: params},
        arrays={(expiry, strike): array},
    )
    legs = [Leg(expiry=expiry, strike=strike, is_call=call, size=size) for call in (False, True)]
    return assess(file, legs, 0, SPOT, NOW).grid


def ranges(psr_ppm: int, *, wider_ppm: int = 0) -> Ranges:
    """A scan range and usual ranges of volatility, all of them so much wider."""
    return Ranges(
        **{
            name: value * (PPM + wider_ppm) // PPM
            for name, value in (("psr_ppm", psr_ppm), ("vsr_up_ppm", 450_000), ("vsr_down_ppm", 300_000))
        }
    )


def at_the_forward(
    days: int, sigma_ppm: int, size: int, *, phi_ppb: int, df_ppb: int, psr_ppm: int, wider_ppm: int = 0
) -> int:
    """The same of a straddle whose strike is the forward."""
    return requirement(
        days,
        sigma_ppm,
        size,
        strike=STRIKE * phi_ppb // PPB,
        ranges=ranges(psr_ppm, wider_ppm=wider_ppm),
        phi_ppb=phi_ppb,
        df_ppb=df_ppb,
    )


@pytest.mark.parametrize("size", [-UNIT, UNIT], ids=["short", "long"])
def test_forward__straddle_struck_at_it__requires_in_proportion_to_forward_and_discount(size):
    """SLW-8: at constant price, volatility and tenor, φ and df move its requirement by exactly what they move."""
    for days, sigma, psr, phi, df in product(
        (*UNIT_DAYS, 90), SIGMAS_PPM, PSRS_PPM, (970_000_000, 1_040_000_000), (PPB, 950_000_000)
    ):
        one = at_the_forward(days, sigma, size, phi_ppb=PPB, df_ppb=PPB, psr_ppm=psr)
        got = at_the_forward(days, sigma, size, phi_ppb=phi, df_ppb=df, psr_ppm=psr)
        off = 24 * 10**-6 * SPOT / one  # a row is rounded to a millionth of spot, and so is a mark
        assert abs(log(got / one) - log(phi / PPB) - log(df / PPB)) <= off, "SLW-8"


@pytest.mark.parametrize("size", [-UNIT, UNIT], ids=["short", "long"])
def test_hour__ranges_forward_and_discount_as_far_as_they_may__within_the_slew_rate(size):
    """SLW-1: the worst hour under the default fences moves no unit straddle faster than the slew rate."""
    worst = 0.0
    wider = SLEW_PPM * 2 // 5
    for days, psr in product(UNIT_DAYS, PSRS_PPM):
        least = {"phi_ppb": FENCES.phi_min_ppb, "df_ppb": FENCES.df_min_ppb}
        most = {
            "phi_ppb": FENCES.phi_min_ppb + FENCES.phi_step_ppb,
            "df_ppb": FENCES.df_min_ppb + FENCES.df_step_ppb,
        }
        before = at_the_forward(days, UNIT_SIGMA_PPM, size, psr_ppm=psr, **least)
        after = at_the_forward(days, UNIT_SIGMA_PPM, size, psr_ppm=psr, wider_ppm=wider, **most)
        worst = max(worst, after / before - 1)
    assert SLEW_PPM / 2 < worst * PPM <= SLEW_PPM * (1 + ROUNDING), "SLW-1"


@pytest.mark.parametrize("size", [-UNIT, UNIT], ids=["short", "long"])
def test_forward__an_hours_step_and_a_strike_that_is_held__no_more_than_an_hour_of_slew(size):
    """SLW-8: nor does an hour's step of φ move a straddle of 7 to 90 days struck at spot by more."""
    worst = 0.0
    for days, sigma, psr, up in product(TENORS_DAYS, SIGMAS_PPM, PSRS_PPM, (-1, 1)):
        before = requirement(days, sigma, size, strike=STRIKE, ranges=ranges(psr))
        phi = PPB + up * FENCES.phi_step_ppb
        after = requirement(days, sigma, size, strike=STRIKE, ranges=ranges(psr), phi_ppb=phi)
        worst = max(worst, max(before, after) / min(before, after) - 1)
    assert 0.0 < worst * PPM <= SLEW_PPM


@pytest.mark.parametrize(
    ("fences", "says"),
    [
        (VolFenceSpec(), ""),
        (VolFenceSpec(phi_step_ppb=20_000_000, phi_budget_ppb=60_000_000), "29,571,429 ppb an hour together, at most"),
        (VolFenceSpec(df_step_ppb=5_000_000), "13,571,429 ppb an hour together, at most 5,000,000"),
    ],
)
def test_spec__forwards_faster_than_a_fifth_of_the_slew__told_before_anything_is_sent(fences, says):
    """SLW-9: what the contract would refuse, the spec is refused for."""
    market = UnderlyingSpec(asset="ETH", psr_ppm=150_000, vol_fences=fences)
    house = HouseSpec(
        feeds=(), collaterals=(), underlyings=(market,), publisher=NOBODY, liquidator=NOBODY, guardian=NOBODY
    )
    found = [c for c in of_markets(house, NOW) if c.path.endswith("phi_step_ppb")]
    assert [says in c.said for c in found] == ([True] if says else [])


def test_forward__default_fence__a_day_is_no_more_than_four_steps():
    """SLW-8: the day's budget is in proportion to the step."""
    assert FENCES.phi_step_ppb <= FENCES.phi_budget_ppb <= 4 * FENCES.phi_step_ppb
