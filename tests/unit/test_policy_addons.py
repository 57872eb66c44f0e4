"""Add-ons to IM: when they rise, when they are renewed, and that nothing lowers one by hand."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.snapshot import CollateralState, Observation, Snapshot, Usable
from keeper.policy.addons import MOST_PPM, add_ons, open_interest
from keeper.testing.builders import NOW, a_publication, a_snapshot, an_account, an_underlying, usd

KNOBS = PolicyKnobs(addon_sure_age_s=5_000, addon_late_ppm=200_000, addon_life_s=3_600)


def a_world(*, age_s: int = 0, perp: float = 0, add_on: tuple[int, int] = (0, 0), peg: float = 1.0) -> Snapshot:
    state = replace(a_publication(), state_add_on_ppm=add_on[0], state_until_s=add_on[1])
    history = (Observation(time=NOW - age_s, price=usd(3_000)),)
    crowd = (an_account(7, perp=perp), an_account(8, perp=-perp)) if perp else ()
    tether = CollateralState(
        collateral=1, symbol="USDT", decimals=6, price=Usable(wad=usd(peg)), haircut_ppm=0, cap_per_account=10**30
    )
    snapshot = a_snapshot(*crowd, underlying=an_underlying(history=history, publication=state))
    return replace(snapshot, collaterals=(tether,))


def wanted(snapshot: Snapshot, knobs: PolicyKnobs = KNOBS) -> list[int]:
    return [a.ppm for a in add_ons(snapshot, knobs)]


@pytest.mark.parametrize(("age_s", "ppm"), [(5_000, []), (7_500, [100_000]), (10_000, [200_000]), (90_000, [200_000])])
def test_add_ons__oracle_late__rises_with_its_age_to_its_most(age_s: int, ppm: list[int]) -> None:
    """A price nobody renewed is less and less sure; at twice the sure age nothing is."""
    assert wanted(a_world(age_s=age_s)) == ppm


def test_add_ons__peg_weak__widens_by_the_slope() -> None:
    """Three percent below its floor adds fifteen; at the floor nothing."""
    knobs = replace(KNOBS, addon_peg_symbol="USDT", addon_peg_floor_ppm=1_000_000)
    assert wanted(a_world(peg=0.97), knobs) == [150_000]
    assert wanted(a_world(peg=1.0), knobs) == []
    assert wanted(a_world(peg=0.97)) == []


def test_add_ons__open_interest__ramps_between_low_and_high() -> None:
    """Halfway between the two the add-on is half its most; longs alone are counted, since every long has its short."""
    knobs = replace(KNOBS, addon_oi_low_usd=1_000_000, addon_oi_high_usd=2_000_000, addon_oi_ppm=400_000)
    world = a_world(perp=500)
    assert open_interest(world, 1) == pytest.approx(500)
    assert wanted(world, knobs) == [200_000]


def test_add_ons__everything_at_once__no_more_than_the_contract_takes() -> None:
    """Parts add up to the contract's most, not beyond: it would refuse the whole."""
    knobs = replace(KNOBS, addon_late_ppm=400_000, addon_peg_symbol="USDT")
    assert wanted(a_world(age_s=20_000, peg=0.9), knobs) == [MOST_PPM]


def test_add_ons__stands_already__renewed_late_raised_at_once_never_lowered() -> None:
    """A standing add-on is renewed in its last quarter, raised as soon as more is due, and lapses rather than falls."""
    assert wanted(a_world(age_s=7_500, add_on=(100_000, NOW + 3_000))) == []
    assert wanted(a_world(age_s=7_500, add_on=(100_000, NOW + 800))) == [100_000]
    assert wanted(a_world(age_s=10_000, add_on=(100_000, NOW + 3_000))) == [200_000]
    assert wanted(a_world(age_s=7_500, add_on=(200_000, NOW + 3_000))) == []


def test_add_ons__frozen__none() -> None:
    """A frozen market takes nothing from a publisher."""
    world = a_world(age_s=10_000)
    (u,) = world.underlyings
    assert u.publication is not None
    frozen = replace(world, underlyings=(replace(u, publication=replace(u.publication, frozen=True)),))
    assert wanted(frozen) == []
