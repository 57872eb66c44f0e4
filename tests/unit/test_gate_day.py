"""The impact gate over a rolling day: what its pushes do together, whoever they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.cycle import think
from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Kind
from keeper.policy.day import day_of, file_of_a_day_ago, seized, stood_still
from keeper.policy.gate import gate
from keeper.policy.impact import margins_under
from keeper.policy.part import between, published
from keeper.policy.ring import SMILE_LATTICE_PPM, ratio_ppm, seen_at
from keeper.policy.weigh import Scale
from keeper.testing.builders import (
    NOW,
    a_file,
    a_publication,
    an_account,
    an_auction,
    an_option,
    an_underlying,
    usd,
)
from tests.weighed import SHORT, TIGHT, a_house, a_target, after, forty_holders, proposed, short_now, with_rounds

#: Whose accounts the columns cannot hold.
BEYOND = 10**21


def writers():
    """Forty who are short a call at the money; each falls below maintenance at another volatility."""
    option = an_option(3_000, Kind.CALL)
    return [an_account(10 + i, cash=470.5 + 0.85 * i, options=((option, -1.0),)) for i in range(40)]


def hours_later(snapshot, hours):
    """The same block so much later, as far as the fences remember."""
    u = snapshot.underlyings[0]
    fences = seen_at(u.publication, then=NOW, now=NOW + 3_600 * hours)
    return replace(snapshot, underlyings=(replace(u, publication=fences),))


def pushed(snapshot, target, knobs):
    """What the gate lets through of a target, and the block after it."""
    u = snapshot.underlyings[0]
    old = published(u, target)
    found = gate(
        Scale(snapshot, u, knobs),
        target,
        lambda kept: between(old, target, kept),
        slow=knobs.impact_gate == "slow",
        name=str,
    )
    return found, snapshot if found.params is None else after(snapshot, found.params)


#: Levels of five pushes of which each brings two of forty down, a twentieth.
FIVE = (715_000, 729_000, 743_000, 757_000, 771_000)


@pytest.mark.parametrize("mode", ["slow", "refuse"])
def test_gate__five_pushes_each_under_the_share__together_they_stay_under_it_too(mode):
    """IMP-8: the later ones are shortened or held, and it says by whom the day is full."""
    knobs, snapshot, said = replace(TIGHT, impact_gate=mode), a_house(*writers()), []
    for _ in FIVE:
        u = snapshot.underlyings[0]
        level = u.live.expiries[0].sigma_atm_ppm + 15_000
        whole = Scale(snapshot, u, knobs).weigh(a_target(sigma_ppm=level))
        assert whole.alone, "each by itself is under the share"
        found, snapshot = pushed(snapshot, a_target(sigma_ppm=level), knobs)
        said.append(found.said)
    fallen = short_now(snapshot) - short_now(a_house(*writers()))
    assert 0 < len(fallen) <= 4, "IMP-8"
    assert said[0] == ""
    assert all("with the pushes of the last day the whole step would have brought" in one for one in said[-2:])
    assert "(10, 11, 12 and" in said[-1], "IMP-8: it says which"
    assert any("of the step: with the pushes" in one for one in said) is (mode == "slow"), "IMP-8: shortened"
    assert any("held by the impact gate: with the pushes" in one for one in said), "IMP-8: held"


def test_gate__without_the_day__the_five_pushes_pass():
    """IMP-8 can fail: each push held against what is in force alone lets all five through."""
    snapshot = a_house(*writers())
    for level in FIVE:
        u = snapshot.underlyings[0]
        assert Scale(snapshot, u, TIGHT).weigh(a_target(sigma_ppm=level)).alone
        snapshot = after(snapshot, a_target(sigma_ppm=level))
    assert len(short_now(snapshot) - short_now(a_house(*writers()))) > 4


def test_gate__a_day_later__the_share_is_free_again():
    """IMP-8: it is the last day that counts, by the hour in which the chain remembers."""
    snapshot = a_house(*writers())
    _, snapshot = pushed(snapshot, a_target(sigma_ppm=FIVE[1]), TIGHT)
    found, _ = pushed(hours_later(snapshot, 23), a_target(sigma_ppm=FIVE[3]), TIGHT)
    assert "pushes of the last day" in found.said
    found, _ = pushed(hours_later(snapshot, 25), a_target(sigma_ppm=FIVE[3]), TIGHT)
    assert found.said == ""
    assert found.whole.first


steps = st.tuples(
    st.integers(140_000, 190_000),
    st.integers(300_000, 600_000),
    st.integers(200_000, 400_000),
    st.integers(550_000, 900_000),
    st.integers(985_000_000, 1_015_000_000),
)


@pytest.mark.parametrize("seed", range(16))
def test_gate__any_pushes_within_a_day__never_bring_more_down_than_one_may(seed):
    """IMP-9: at constant price and time, held against the first state, account by account; going back always passes."""
    draw = np.random.default_rng(seed)
    book = [
        (int(cash), float(perp), float(size))
        for cash, perp, size in zip(
            draw.integers(366, 450, 16), draw.choice((-1.0, 1.0), 16), draw.choice((-0.1, 0.0, 0.1), 16), strict=True
        )
    ]
    accounts = [
        an_account(10 + i, cash=cash, perp=perp, options=((an_option(3_300, Kind.CALL), size),))
        for i, (cash, perp, size) in enumerate(book)
    ]
    first = snapshot = a_house(*accounts, slew=bool(seed % 2))
    healthy = set(range(10, 10 + len(book))) - short_now(first)
    share = (0, 80_000, 150_000, 250_000)[seed // 2 % 4]
    knobs = PolicyKnobs(impact_max_accounts_ppm=share, impact_max_requirement_ppm=10**6)
    psrs = draw.integers(140_000, 190_000, 5)
    for psr in np.sort(psrs) if seed % 4 < 2 else psrs:
        up, down, sigma, phi = map(
            int, draw.integers((300_000, 200_000, 550_000, 985_000_000), (600_000, 400_000, 900_000, 1_015_000_000))
        )
        target = a_target(sigma_ppm=sigma)
        expiry = replace(target.expiries[0], params=replace(target.expiries[0].params, phi_ppb=phi))
        ranges = Ranges(psr_ppm=int(psr), vsr_up_ppm=up, vsr_down_ppm=down)
        target = replace(target, ranges=ranges, expiries=(expiry,))
        _, snapshot = pushed(snapshot, target, knobs)
        fallen = short_now(snapshot) & healthy
        assert len(fallen) * 10**6 <= share * len(book), "IMP-9"
    if len(healthy) == len(book):
        back = Scale(snapshot, snapshot.underlyings[0], replace(knobs, impact_max_accounts_ppm=0))
        assert back.weigh(published(first.underlyings[0], a_target())).passes, "IMP-9: going back"


@settings(max_examples=40)
@given(moves=st.lists(st.tuples(steps, st.lists(st.integers(700_000, 2_000_000), min_size=5, max_size=5)), max_size=3))
def test_day_ago__after_any_pushes__is_the_file_of_then(moves):
    """IMP-10: anchors are the numbers of a day ago; a smile's to within the lattice that the contract keeps."""
    first = snapshot = a_house()
    for (psr, up, down, sigma, phi), ratios in moves:
        target = a_target(psr_ppm=psr, sigma_ppm=sigma)
        expiry = replace(
            target.expiries[0],
            params=replace(target.expiries[0].params, phi_ppb=phi, df_ppb=phi - 10**7),
            sigmas_ppm=tuple(sigma * ratio // 10**6 for ratio in ratios),
        )
        snapshot = after(
            snapshot,
            replace(target, ranges=Ranges(psr_ppm=psr, vsr_up_ppm=up, vsr_down_ppm=down), expiries=(expiry,)),
        )
    u, was = snapshot.underlyings[0], first.underlyings[0].live
    then = file_of_a_day_ago(u, spot=usd(3_000), now=NOW)
    assert (then.ranges, then.expiries) == (was.ranges, was.expiries), "IMP-10"
    for mine, its in zip(then.strikes[0][1], was.strikes[0][1], strict=True):
        assert abs(ratio_ppm(mine.sigma_ppm, 700_000) - ratio_ppm(its.sigma_ppm, 700_000)) <= SMILE_LATTICE_PPM
    assert stood_still(u, then) or moves
    assert file_of_a_day_ago(hours_later(snapshot, 26).underlyings[0], spot=usd(3_000), now=NOW) == replace(
        u.live, ref_spot=usd(3_000), time=NOW
    ), "IMP-10: a day later it is what is in force"


def test_day_ago__range_that_has_been_falling__as_it_stands_now():
    """IMP-10: whom a range from before the day still holds below maintenance is no push's of the day."""
    u = a_house(slew=True).underlyings[0]
    falling = replace(u, live=a_file(psr_ppm=200_000))
    assert file_of_a_day_ago(falling, spot=usd(3_000), now=NOW).ranges.psr_ppm == 200_000
    fences = u.publication.fences
    raised = replace(u.publication, fences=(replace(fences[0], later=(200_000,) * 25), *fences[1:]))
    risen = replace(falling, publication=raised)
    assert file_of_a_day_ago(risen, spot=usd(3_000), now=NOW).ranges.psr_ppm == 150_000, "it was lower a day ago"


def test_day_ago__no_anchor__as_in_force():
    """IMP-10: a strike that nothing fences keeps its ratio, an expiry without fences its numbers."""
    u = an_underlying(publication=a_publication())
    expiry = replace(u.publication.expiries[0], sigma_anchor_ppm=600_000)
    then = file_of_a_day_ago(
        replace(u, publication=replace(u.publication, expiries=(expiry,))), spot=usd(3_000), now=NOW
    )
    assert {vol.sigma_ppm for vol in then.strikes[0][1]} == {600_000}
    alone = replace(u, publication=replace(u.publication, expiries=()))
    assert file_of_a_day_ago(alone, spot=usd(3_000), now=NOW).expiries == u.live.expiries


def test_gate__in_auction_because_of_the_day__counts_among_those_brought_down():
    """IMP-11: an auction takes its account's positions away; it was brought down all the same."""
    crowd = [an_account(10 + i, cash=370 + 10 * i, perp=1.0, in_auction=i == 39) for i in range(40)]
    accounts = [replace(crowd[39], cash=usd(480)), *crowd[:39]]

    def day(psr_then, started_s_ago):
        snapshot = a_house(*accounts, auctions=(an_auction(49, started_s_ago=started_s_ago),))
        u = snapshot.underlyings[0]
        live = a_file(psr_ppm=190_000)  # maintenance 461.7: 480 is above it and below what ends an auction
        fences = u.publication.fences
        fences = (replace(fences[0], current=190_000, anchor=psr_then), *fences[1:])
        moved = replace(u, live=live, publication=replace(u.publication, fences=fences))
        return Scale(replace(snapshot, underlyings=(moved,)), moved, TIGHT).weigh(a_target(psr_ppm=190_000)).day

    assert day(150_000, 60).in_auction == 1, "IMP-11"
    assert 49 in {one.account for one in day(150_000, 60).named}
    assert day(150_000, 26 * 3_600).in_auction == 0, "it began before the day"
    assert day(189_000, 60).in_auction == 0, "a day ago's parameters would not end it either"
    assert day(150_000, 60).below_mm == day(150_000, 26 * 3_600).below_mm + 1


@settings(max_examples=40)
@given(
    book=st.lists(
        st.tuples(st.integers(-500, 1_200) | st.just(-BEYOND) | st.just(BEYOND), st.sampled_from([-1.0, 0.0, 1.0])),
        min_size=1,
        max_size=60,
    ),
    psr=st.tuples(*[st.integers(60_000, 320_000)] * 3),
    auctioned=st.sets(st.integers(0, 59)),
)
def test_day_of__any_book__is_that_of_one_account_after_the_other(book, psr, auctioned):
    """IMP-8: also of accounts that the columns cannot hold."""
    accounts = [an_account(10 + i, cash=cash, perp=perp) for i, (cash, perp) in enumerate(book)]
    snapshot = a_house(*accounts)
    tables = [margins_under(snapshot, {1: a_file(psr_ppm=one)}) for one in psr]
    before, *afters = tables
    rows = [i for i in range(len(before)) if i in auctioned]
    mask = seized(snapshot, before, before)
    assert not mask.any(), "no auction is running"
    mask[rows] = True
    found = day_of(before, afters, mask)
    pairs = [(was, [one[i] for one in afters], i in auctioned) for i, was in enumerate(before)]
    low = [
        was for was, ends, taken in pairs if was.band not in SHORT and (taken or any(end.band in SHORT for end in ends))
    ]
    assert found.below_mm == len(low), "IMP-8"
    assert found.mm_fallen == sum(one.mm for one in low)
    assert found.mm_before == sum(was.mm for was, _, _ in pairs)
    assert [one.account for one in found.named] == [a.account for a in sorted(low, key=lambda a: (-a.mm, a.account))][
        :50
    ]
    assert [before.accounts()[row] for row in found.rows] == sorted(one.account for one in low)
    assert found.accounts == sum(1 for was, _, _ in pairs if was.mm or was.band in SHORT or was in low)


def test_think__the_day_is_full__told_and_replayed_to_the_same_bytes():
    """IMP-8: the loop itself holds the push, from what the chain remembers and nothing else."""
    snapshot = after(a_house(*forty_holders()), a_target(psr_ppm=165_000))
    inputs = CycleInputs(
        snapshot=with_rounds(snapshot),
        in_flight=(),
        called=(),
        risk=RiskKnobs(psr_floor_ppm=180_000),
        policy=TIGHT,
    )
    decision = think(inputs)
    assert codec.dumps(decision) == codec.dumps(think(codec.loads(CycleInputs, codec.dumps(inputs))))
    (push,) = [a for a in decision.actions if isinstance(a, Publish)]
    assert 165_000 < push.params.ranges.psr_ppm < 180_000
    assert "with the pushes of the last day" in push.why, "IMP-8"
    free = think(replace(inputs, snapshot=hours_later(inputs.snapshot, 26)))
    (whole,) = [a for a in free.actions if isinstance(a, Publish)]
    assert whole.params.ranges.psr_ppm > push.params.ranges.psr_ppm


def test_propose__the_day_is_full__file_carries_what_was_kept():
    """IMP-3 holds for the day too: what is pushed follows from the file alone."""
    snapshot = after(a_house(*writers()), a_target(sigma_ppm=FIVE[1]))
    found = proposed(snapshot, a_target(sigma_ppm=FIVE[3]), TIGHT)
    assert found.gated is not None
    assert found.gated.whole.alone
    assert found.file.kept_ppm == found.gated.kept_ppm < 10**6
