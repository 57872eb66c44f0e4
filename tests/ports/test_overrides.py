"""One suite for the port `Overrides`, over every adapter."""

from __future__ import annotations

from keeper.domain.overrides import Override


def a_floor(*, set_at_s: int = 100, expires_at_s: int = 200, floor_ppm: int = 180_000) -> Override:
    return Override(
        number=0,
        underlying=1,
        parameter="psr",
        floor_ppm=floor_ppm,
        reason="a fork is announced",
        operator="alice",
        set_at_s=set_at_s,
        expires_at_s=expires_at_s,
    )


def test_set__twice__numbered_and_whole(store):
    """What comes back is what was given, with a number of its own."""
    first, second = store.set_override(a_floor()), store.set_override(a_floor(floor_ppm=200_000))
    assert first.number < second.number
    assert store.overrides() == (first, second) == store.overrides(at_s=150)


def test_overrides__past_its_end__lapses_by_itself_and_stays_on_record(store):
    """OVR-1: nobody has to take an expired floor back, and nobody can make it undone."""
    one = store.set_override(a_floor())
    assert store.overrides(at_s=199) == (one,)
    assert store.overrides(at_s=200) == () == store.overrides(at_s=99)
    assert store.overrides() == (one,)
    assert not store.clear_override(one.number, at_s=200, by="bob")


def test_overrides__since__those_that_stood_in_between_too(store):
    """OVR-5: a floor that ended a while ago is told where it counts, and no older one."""
    lapsed = store.set_override(a_floor(set_at_s=100, expires_at_s=200))
    cleared = store.set_override(a_floor(set_at_s=100, expires_at_s=900))
    store.clear_override(cleared.number, at_s=250, by="bob")
    later = store.set_override(a_floor(set_at_s=400, expires_at_s=900))

    def numbers(**when):
        return [one.number for one in store.overrides(**when)]

    assert numbers(at_s=300) == []
    assert numbers(at_s=300, since_s=199) == [lapsed.number, cleared.number]
    assert numbers(at_s=300, since_s=200) == [cleared.number]
    assert numbers(at_s=300, since_s=250) == []
    assert numbers(at_s=399, since_s=300) == []
    assert numbers(at_s=400, since_s=300) == [later.number]


def test_clear__standing__ends_then_and_names_who(store):
    """A floor taken back counts no more, and a replay of an earlier block still finds it."""
    one = store.set_override(a_floor())
    assert store.clear_override(one.number, at_s=150, by="bob")
    assert store.overrides(at_s=150) == ()
    (kept,) = store.overrides(at_s=149)
    assert (kept.cleared_at_s, kept.cleared_by) == (150, "bob")
    assert not store.clear_override(one.number, at_s=160, by="eve"), "it is taken back once"
    assert not store.clear_override(99, at_s=160, by="eve")
    assert store.cleared_why() == {}, "nobody said"


def test_clear__with_a_reason__kept_beside_the_floor(store):
    """Why it was taken back stays on record, of the one that was, and the first word counts."""
    first, second = store.set_override(a_floor()), store.set_override(a_floor())
    assert store.clear_override(first.number, at_s=150, by="bob", why="the fork is over")
    assert not store.clear_override(first.number, at_s=160, by="eve", why="no, it is not")
    assert not store.clear_override(second.number, at_s=200, by="eve", why="it had lapsed")
    assert store.cleared_why() == {first.number: "the fork is over"}
