"""Whom each direction of a parameter endangers, held against the exact grid; and the speeds that follow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.margin import AccountMargin
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import CollateralState, FileState, Kind, Usable
from keeper.policy.impact import margins_under
from keeper.policy.speeds import DANGERS, RANGES, Hurt, loosens, paced, table, value
from keeper.testing.builders import (
    EXPIRY,
    WAD,
    a_file,
    a_snapshot,
    an_account,
    an_option,
    an_underlying,
    usd,
)

#: What stands for each kind of holder: names by account.
HOLDERS = {
    10: Hurt.PERPS,
    11: Hurt.PERPS,
    12: Hurt.LONG_OPTIONS,
    13: Hurt.LONG_OPTIONS,
    14: Hurt.LONG_OPTIONS,
    15: Hurt.SHORT_OPTIONS,
    16: Hurt.SHORT_OPTIONS,
    17: Hurt.SHORT_OPTIONS,
    18: Hurt.LONG_FORWARD,
    19: Hurt.SHORT_FORWARD,
    20: Hurt.COLLATERAL,
    21: Hurt.SHORT_OPTIONS,
}
CALL, PUT = an_option(3_000, Kind.CALL), an_option(3_000, Kind.PUT)
#: So far away that a tail row is its worst.
FAR = an_option(3_600, Kind.CALL)


def a_world():
    """One holder of each kind, with the same money."""
    coin = CollateralState(
        collateral=1,
        symbol="WETH",
        decimals=18,
        price=Usable(wad=usd(3_000)),
        haircut_ppm=100_000,
        cap_per_account=10**30,
    )
    accounts = (
        an_account(10, perp=1.0),
        an_account(11, perp=-1.0),
        an_account(12, options=((CALL, 1.0), (PUT, 1.0))),
        an_account(13, options=((CALL, 1.0),)),
        an_account(14, options=((PUT, 1.0),)),
        an_account(15, options=((CALL, -1.0), (PUT, -1.0))),
        an_account(16, options=((CALL, -1.0),)),
        an_account(17, options=((PUT, -1.0),)),
        an_account(18, options=((CALL, 1.0), (PUT, -1.0))),
        an_account(19, options=((CALL, -1.0), (PUT, 1.0))),
        an_account(20, perp=0.0, options=((CALL, 1.0),), collateral=((1, WAD),)),
        an_account(21, options=((FAR, -1.0),)),
    )
    return replace(a_snapshot(*accounts), collaterals=(coin,))


def sigma_by(file: FileState, ppm: int) -> FileState:
    (expiry,) = file.expiries
    level = expiry.sigma_atm_ppm + ppm
    ((when, vols),) = file.strikes
    lifted = tuple(replace(v, sigma_ppm=level) for v in vols)
    return replace(file, expiries=(replace(expiry, sigma_atm_ppm=level),), strikes=((when, lifted),))


def smile_by(file: FileState, ppm: int) -> FileState:
    ((when, vols),) = file.strikes
    lifted = tuple(replace(v, sigma_ppm=v.sigma_ppm + ppm) if v.strike == 3_000 * 10**8 else v for v in vols)
    return replace(file, strikes=((when, lifted),))


#: How each published parameter is moved by so many parts per million.
FILES = {
    "psr": lambda f, d: replace(f, ranges=replace(f.ranges, psr_ppm=f.ranges.psr_ppm + d)),
    "vsr_up": lambda f, d: replace(f, ranges=replace(f.ranges, vsr_up_ppm=f.ranges.vsr_up_ppm + d)),
    "vsr_down": lambda f, d: replace(f, ranges=replace(f.ranges, vsr_down_ppm=f.ranges.vsr_down_ppm + d)),
    "sigma": sigma_by,
    "smile": smile_by,
    "phi": lambda f, d: replace(f, expiries=(replace(f.expiries[0], phi_ppb=f.expiries[0].phi_ppb + d * 100),)),
    "df": lambda f, d: replace(f, expiries=(replace(f.expiries[0], df_ppb=f.expiries[0].df_ppb + d * 1_000),)),
}
#: The field of `Rules` that is governance's.
RULES = {
    "tail": "tail_ppm",
    "short_min": "short_min_ppm",
    "kappa": "kappa_ppm",
    "flag_fee": "flag_fee_ppm",
    "im_add_on": "im_add_on_ppm",
    "vol_floor": "vol_floor_ppm",
}
#: Files under which a parameter decides: a market so calm that volatility is what a straddle can lose by, and one in
#: which even the shocked volatility lies below its floor.
CALM = {"psr_ppm": 20_000}
FILE_OF = {"vsr_up": CALM, "vsr_down": CALM, "vol_floor": CALM | {"sigma_ppm": 150_000}}


def moved(parameter: str, ppm: int):
    """The world with one parameter moved."""
    world = a_world()
    u = an_underlying(file=a_file(**FILE_OF.get(parameter, {})))
    u = replace(u, rules=replace(u.rules, im_add_on_ppm=50_000 if parameter == "im_add_on" else 0))
    u = replace(u, live=replace(u.live, expiries=(replace(u.live.expiries[0], df_ppb=950_000_000),)))
    if parameter in FILES:
        u = replace(u, live=FILES[parameter](u.live, ppm))
    elif parameter in RULES:
        field = RULES[parameter]
        u = replace(u, rules=replace(u.rules, **{field: getattr(u.rules, field) + ppm}))
    else:
        (coin,) = world.collaterals
        world = replace(world, collaterals=(replace(coin, haircut_ppm=coin.haircut_ppm + ppm),))
    return replace(world, underlyings=(u,))


def excess(parameter: str, ppm: int) -> dict[int, tuple[int, int]]:
    """What each account has beyond MM, and beyond IM."""
    world = moved(parameter, ppm)
    table_ = margins_under(world, {1: world.underlyings[0].live})
    found = {a.account: a for a in table_ if isinstance(a, AccountMargin)}
    return {account: (a.equity - a.mm, a.equity - a.im) for account, a in found.items()}


def hurt(parameter: str, ppm: int) -> set[Hurt]:
    """Who is worse off when a parameter moves; the fund where somebody has more to take out, or must hold less."""
    before, after = excess(parameter, 0), excess(parameter, ppm)
    assert set(before) == set(HOLDERS), "everybody is priced"
    worse = {HOLDERS[a] for a in before if any(x < y - 1 for x, y in zip(after[a], before[a], strict=True))}
    better = any(x > y + 1 for a in before for x, y in zip(after[a], before[a], strict=True))
    return worse | ({Hurt.FUND} if better else set())


def expected(parameter: str, kinds: frozenset[Hurt]) -> tuple[set[Hurt], set[Hurt]]:
    """Who must be hurt, and who may be: a forward is a call and a put, and coins stand beside a call."""
    may = set(kinds)
    if kinds & {Hurt.LONG_OPTIONS, Hurt.SHORT_OPTIONS}:
        may |= {Hurt.LONG_FORWARD, Hurt.SHORT_FORWARD, Hurt.COLLATERAL}
    if kinds & {Hurt.LONG_FORWARD, Hurt.SHORT_FORWARD}:
        may |= {Hurt.LONG_OPTIONS, Hurt.SHORT_OPTIONS, Hurt.COLLATERAL}
    return set(kinds), may


@pytest.mark.parametrize("danger", DANGERS, ids=lambda d: d.parameter)
@pytest.mark.parametrize("side", ["raised", "lowered"])
def test_dangers__each_parameter_and_direction__as_the_exact_grid_says(danger, side):
    """SPD-1: who is worse off when the number moves is who the table says, by the contract's own arithmetic."""
    must, may = expected(danger.parameter, getattr(danger, side))
    found = hurt(danger.parameter, 20_000 if side == "raised" else -20_000)
    assert must <= found, "SPD-1: somebody the table names is not hurt"
    assert found <= may, "SPD-1: the table misses somebody"


def test_dangers__every_published_range__is_one_sided():
    """Asymmetric speeds make sense where raising protects the fund and lowering endangers it alone."""
    assert set(RANGES) == {"psr", "vsr_up", "vsr_down"}
    assert len({d.parameter for d in DANGERS}) == len(DANGERS) == len(list(table()))


PPMS = st.integers(10_000, 325_000)
RANGED = st.builds(Ranges, psr_ppm=PPMS, vsr_up_ppm=PPMS, vsr_down_ppm=PPMS)


@given(want=RANGED, set_=RANGED, lately=RANGED, step=st.integers(1, 10**6), stormy=st.sampled_from(["", "a storm"]))
def test_paced__any_target__tightens_at_once_and_loosens_slowly(want, set_, lately, step, stormy):
    """SPD-2: up goes the whole way; down never beyond what was aimed at lately, nor further than a part of the way."""
    got = paced(want, set_, lately=lately, stormy=stormy, loosen_after_s=3_600, loosen_step_ppm=step)
    for name in RANGES:
        aim, now, may = value(want, name), value(set_, name), value(got.ranges, name)
        if aim >= now:
            assert may == aim, "SPD-2"
            continue
        assert now >= may >= min(now, max(aim, value(lately, name))), "SPD-2"
        if stormy:
            assert may == now, "SPD-2"
        assert (now - may) <= max(-(-(now - aim) * step // 10**6), 2_500), "SPD-2"
    assert bool(got.held) == loosens(want, set_) or not got.held


def test_paced__nothing_known_of_before__stays():
    """Without an estimate of the hours before nothing says that the target has stayed lower."""
    old = Ranges(psr_ppm=150_000, vsr_up_ppm=1, vsr_down_ppm=1)
    got = paced(replace(old, psr_ppm=100_000), old, lately=None, stormy="", loosen_after_s=3_600, loosen_step_ppm=10**6)
    assert got.ranges == old
    assert "nothing is known" in got.held[0]


def test_paced__again_and_again__arrives():
    """A part of the way at a time ends: the last lattice step goes at once."""
    at, aim = (
        Ranges(psr_ppm=300_000, vsr_up_ppm=1, vsr_down_ppm=1),
        Ranges(psr_ppm=80_000, vsr_up_ppm=1, vsr_down_ppm=1),
    )
    pushes = 0
    while at != aim and pushes < 40:
        pushes += 1
        at = paced(aim, at, lately=aim, stormy="", loosen_after_s=0, loosen_step_ppm=250_000).ranges
    assert 5 < pushes < 40


def test_world__its_option__is_the_listed_one():
    """The fixtures speak of one expiry."""
    assert CALL.expiry == EXPIRY
