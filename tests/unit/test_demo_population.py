"""The demo's population: every kind is there, positions sum to zero, and a seed names one population."""

from collections import Counter, defaultdict

import pytest

from keeper.demo.listings import RUNGS, plan_market
from keeper.demo.population import MAKER_INSTRUMENTS, Profile, populate
from keeper.demo.stylised import stylised_crash
from keeper.domain.snapshot import Kind
from keeper.errors import BadInput

OPENING_S = 1_772_438_400


@pytest.fixture(scope="module")
def a_plan():
    return plan_market(stylised_crash(seed=1), opening_s=OPENING_S)


@pytest.fixture(scope="module")
def a_population(a_plan):
    return populate(a_plan, accounts=110, seed=7)


def positions_of(population):
    """What each member holds after all trades."""
    held = defaultdict(Counter)
    for trade in population.trades:
        held[trade.buyer][trade.instrument] += trade.amount
        held[trade.seller][trade.instrument] -= trade.amount
    return held


def test_populate__default__every_kind_and_as_many_as_asked(a_population):
    """No kind is missing, however small its share."""
    assert {m.profile for m in a_population.members} == set(Profile)
    assert len(a_population.members) == 110
    assert len({m.name for m in a_population.members}) == 110


def test_populate__trades__make_exactly_the_legs(a_population):
    """What is traded is what members say they hold, so what they bring fits what they risk."""
    held = positions_of(a_population)
    for member in a_population.members:
        legs = Counter()
        for leg in member.legs:
            legs[leg.instrument] += leg.size
        assert {k: v for k, v in held[member.name].items() if v} == dict(legs), member.name


def test_populate__each_instrument__sums_to_zero(a_population):
    """Every long has its short."""
    total = Counter()
    for book in positions_of(a_population).values():
        total.update(book)
    assert all(size == 0 for size in total.values())


def test_populate__makers__small_books_other_side_of_everything(a_population):
    """A maker is in every trade, and no maker's book gets dear to check."""
    makers = {m.name for m in a_population.members if m.profile is Profile.MAKER}
    for trade in a_population.trades:
        assert len({trade.buyer, trade.seller} & makers) == 1
    assert max(len(m.legs) for m in a_population.members) <= MAKER_INSTRUMENTS


def test_populate__shapes__are_what_they_are_called(a_population, a_plan):
    """A short one-day butterfly is one; bought legs come before what is sold against them."""
    one_day = {listing[1].expiry for listing in a_plan.listings}
    for member in a_population.members:
        if member.profile is Profile.MAKER:
            continue
        signs = [leg.size > 0 for leg in member.legs]
        assert signs == sorted(signs, reverse=True), member.name
        if member.profile is Profile.SHORT_FLY:
            assert {leg.instrument.expiry for leg in member.legs} <= one_day
            wings = [leg for leg in member.legs if leg.size < 0]
            assert len(wings) == 2
            assert sum(leg.size for leg in member.legs) == 0
        if member.profile is Profile.BOX:
            assert Counter(leg.instrument.kind for leg in member.legs) == {Kind.CALL: 2, Kind.PUT: 2}
        if member.profile is Profile.COVERED_CALL:
            assert member.in_coin > 0.5


def test_populate__both_underlyings_and_all_tenors_traded(a_population, a_plan):
    """Nothing is listed for show: each underlying trades, perps and each expiry of the first."""
    traded = {trade.instrument for trade in a_population.trades}
    assert {i.underlying for i in traded} == {0, 1}
    assert {i.expiry for i in traded if i.underlying == 0} >= {0, *(x.expiry for x in a_plan.listings[0][1:])}


def test_populate__seed__names_one_population(a_plan, a_population):
    """The same seed gives the same accounts; another seed others."""
    assert populate(a_plan, accounts=110, seed=7) == a_population
    assert populate(a_plan, accounts=110, seed=8) != a_population


@pytest.mark.parametrize("accounts", [20, 37, 250])
def test_populate__other_sizes__exactly_that_many(a_plan, accounts):
    """The number asked for is the number there is."""
    assert len(populate(a_plan, accounts=accounts, seed=0).members) == accounts


def test_populate__too_few__refused(a_plan):
    """A market of five has no room for every kind."""
    with pytest.raises(BadInput, match="at least"):
        populate(a_plan, accounts=5, seed=0)


@pytest.mark.parametrize("blocks", [12, 40, 150, 400])
def test_plan__any_length__an_expiry_settles_inside(blocks):
    """Whatever the length of a run, its first expiry lies inside it, and strikes rise around the opening."""
    path = stylised_crash(seed=0, blocks=blocks)
    plan = plan_market(path, opening_s=OPENING_S)
    end = OPENING_S + path.block_s * (blocks - 1)
    for spot, listings in zip(plan.spots, plan.listings, strict=True):
        expiries = [listing.expiry for listing in listings]
        assert expiries == sorted(set(expiries))
        assert OPENING_S < expiries[0] < end
        for listing in listings:
            assert len(set(listing.strikes)) == RUNGS
            assert listing.strikes[0] * 10**10 < spot < listing.strikes[-1] * 10**10
