"""Scan ranges on their way are refreshed once an hour (SLW-7)."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.snapshot import SlewState
from keeper.policy.upkeep import refreshes
from keeper.testing.builders import NOW, a_file, a_publication, a_snapshot, an_account, an_underlying

HOUR = 3_600


def due(*, file=None, time_s=NOW - HOUR, held_until_s=0, factor=1.2):
    """Why anything is refreshed at NOW, with a target `factor` above the scan range in force."""
    file = file or a_file(time=NOW)
    target = replace(file.ranges, psr_ppm=int(file.ranges.psr_ppm * factor))
    slew = SlewState(target=target, rate_ppm_per_hour=10_000, time_s=time_s, held_until_s=held_until_s)
    u = an_underlying(file=file, publication=replace(a_publication(), slew=slew))
    snapshot = replace(a_snapshot(an_account(cash=1)), underlyings=(u,))
    return [one.why for one in refreshes(snapshot, PolicyKnobs())]


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_refreshes__ranges_on_their_way__every_hour_both_ways(factor):
    """A move is due when an hour has passed since the last, whichever way it goes."""
    assert due(factor=factor) == ["ETH scan ranges move on to the published ones"]
    assert due(factor=factor, time_s=NOW - HOUR + 1) == []


def test_refreshes__perps_only__ramp_too():
    """A perp's requirement is its scan range: a file without options ramps like any other."""
    file = replace(a_file(time=NOW), expiries=(), strikes=())
    assert due(file=file) != []
    assert due(file=file, factor=1) == []


def test_refreshes__held_or_arrived__nothing():
    """A staged bank's ranges would not move, and those that arrived need not."""
    assert due(held_until_s=NOW + 1) == []
    assert due(held_until_s=NOW) != []
    assert due(factor=1) == []
