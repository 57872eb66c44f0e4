"""What a stranger is told of floors set by hand (OVR-4)."""

from dataclasses import replace

from keeper.cycle import think
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.overrides import Override
from keeper.ops.floors import remarks
from keeper.testing.builders import NOW, a_publication, a_snapshot, an_account, an_underlying
from keeper.testing.memory_store import MemoryStore


def a_floor(**changed):
    floor = Override(
        number=0, underlying=1, parameter="psr", floor_ppm=180_000, reason="a fork", operator="Ada", set_at_s=NOW - 10,
        expires_at_s=NOW + 100,
    )  # fmt: skip
    return replace(floor, **changed)


def a_store(*floors):
    store = MemoryStore()
    snapshot = a_snapshot(an_account(7), underlying=an_underlying(publication=a_publication()))
    inputs = CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=PolicyKnobs())
    store.append_lived(inputs, CycleRecord(block=snapshot.block, decision=think(inputs), handed=()), ended=())
    most = {fence.name: fence.max for fence in snapshot.underlyings[0].publication.fences}
    return store, tuple(store.set_override(one) for one in floors), most


def test_remarks__several_under_one_parameter__each_lower_one_says_which_counts():
    """OVR-4: a floor that another replaces is told, for as long as the other stands."""
    store, floors, _ = a_store(
        a_floor(), a_floor(floor_ppm=190_000, expires_at_s=NOW + 50), a_floor(parameter="vsr_up", floor_ppm=1)
    )
    assert remarks(store, floors, now_s=NOW) == {1: "floor 2 counts in its place"}, "OVR-4"
    assert remarks(store, floors, now_s=NOW + 60) == {}, "OVR-4: the higher one lapsed"
    store.clear_override(2, at_s=NOW + 1, by="Eve")
    assert remarks(store, store.overrides(), now_s=NOW + 2) == {}, "OVR-4: it was taken back"


def test_remarks__of_two_that_are_equal__the_newer_counts():
    """OVR-4: as `standing` has it."""
    store, floors, _ = a_store(a_floor(), a_floor(operator="Eve"))
    assert remarks(store, floors, now_s=NOW) == {1: "floor 2 counts in its place"}


def test_remarks__above_the_fences__says_where_they_end():
    """OVR-4: what only governance can allow is told at once, and not found out by waiting."""
    store, floors, most = a_store(a_floor(floor_ppm=999_999), a_floor(parameter="sigma", floor_ppm=10**7))
    told = remarks(store, floors, now_s=NOW)
    assert told[1].startswith(f"the fences end at {most['psr'] / 10_000:g} %"), "OVR-4"
    assert told[2].startswith("the fences end at "), "OVR-4"
    assert remarks(MemoryStore(), (), now_s=NOW) == {}


def test_remarks__nothing_lived_or_another_market__nothing_is_made_up():
    """OVR-4: without fences nothing is said of them."""
    store = MemoryStore()
    mine = store.set_override(a_floor(floor_ppm=999_999))
    assert remarks(store, (mine,), now_s=NOW) == {}
    store, floors, _ = a_store(a_floor(underlying=9, floor_ppm=999_999), a_floor(expires_at_s=NOW))
    assert remarks(store, floors, now_s=NOW) == {}, "OVR-4: lapsed, and of a market that was not read"
