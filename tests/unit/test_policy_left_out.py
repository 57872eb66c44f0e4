"""What the keeper does with listings that cannot be in force yet: it leaves them out, and brings them in by itself."""

from dataclasses import replace
from math import isqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import ExpiryFence, Listing, SmileFence, StrikeVol
from keeper.policy.binding import bounds, left_out
from keeper.policy.calendar import variance
from keeper.policy.glide import glide
from keeper.policy.guard import allow
from keeper.policy.impact import file_after
from keeper.policy.judge import Update, judge
from keeper.policy.part import between, published
from keeper.policy.ring import advanced, on_lattice, seen_at
from keeper.policy.smile import MOVES_PPM, in_order, straighten
from keeper.testing.builders import (
    DAY,
    EXPIRY,
    NOW,
    PPB,
    STRIKES_USD,
    a_file,
    a_publication,
    an_underlying,
    strike,
    usd,
)

STRIKES = tuple(strike(k) for k in STRIKES_USD)
SPOT = usd(3_000)
MIDDLE = 2
DIGEST = "0x" + "00" * 32


def a_fence(expiry: int, sigma: int, *ratios: int) -> ExpiryFence:
    """An expiry at rest; ratio 0: a strike that was never published."""
    smile = tuple(
        SmileFence(strike=k, ratio_ppm=r, anchor_ppm=on_lattice(r) if r else 0)
        for k, r in zip(STRIKES, ratios or (1_000_000,) * len(STRIKES), strict=True)
    )
    return ExpiryFence(
        expiry=expiry, sigma_ppm=sigma, sigma_anchor_ppm=sigma, phi_ppb=PPB, phi_anchor_ppb=PPB, df_ppb=PPB,
        df_anchor_ppb=PPB, smile=smile,
    )  # fmt: skip


def a_state(*fences: ExpiryFence):
    base = a_publication(last_time=NOW - 3_600)
    vol = replace(
        base.vol, smile_step_ppm=50_000, smile_budget_ppm=100_000, df_step_ppb=5 * 10**6, df_budget_ppb=2 * 10**7,
        min_delay_s=600,
    )  # fmt: skip
    return replace(base, expiries=fences, vol=vol)


def an_aim(expiry: int, sigma: int, *ratios: int) -> ExpiryTarget:
    params = ExpiryParams(expiry=expiry, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=sigma)
    sigmas = tuple(sigma * r // 10**6 for r in ratios or (1_000_000,) * len(STRIKES))
    return ExpiryTarget(params=params, sigmas_ppm=sigmas)


def a_target(*expiries: ExpiryTarget) -> UnderlyingTarget:
    return UnderlyingTarget(
        underlying=1,
        ranges=Ranges(psr_ppm=150_000, vsr_up_ppm=450_000, vsr_down_ppm=300_000),
        expiries=expiries,
        realised_vol=0.7,
        reasons=(),
    )


def said_to(target, state, now=NOW):
    update = Update(id=state.last_id + 1, valid_until_s=now + 60, expected_old=DIGEST, target=target)
    return judge(update, state, an_underlying().rules, now, None, spot=SPOT)


NEVER = (0,) * len(STRIKES)
WEEK, MONTH = NOW + 7 * DAY, NOW + 30 * DAY


@st.composite
def worlds(draw):
    """Expiries close to each other, those with strikes in calendar order, the others wherever they were left."""
    fences, aims, least = [], [], 0
    days = sorted(draw(st.sets(st.integers(5, 14), min_size=2, max_size=5)))
    for d in days:
        sigma = draw(st.integers(200_000, 2_000_000))
        new = draw(st.booleans())
        if not new:
            sigma = max(sigma, isqrt(least // (d * DAY)) + 1)
            least = variance(sigma, d * DAY)
        fences.append(a_fence(NOW + d * DAY, sigma, *(NEVER if new else ())))
        aims.append(an_aim(NOW + d * DAY, draw(st.integers(200_000, 2_000_000))))
    return a_state(*fences), a_target(*aims)


@given(world=worlds())
def test_allow__listings_left_behind__legal_and_nobody_else_is_disturbed(world) -> None:
    """OUT-7: all of it passes, and every level with strikes goes where it would go without the others."""
    state, target = world
    legal = allow(target, state, NOW)
    assert said_to(legal, state).ok, "OUT-7"
    known = {f.expiry for f in state.expiries if f.smile[0].ratio_ppm}
    alone = allow(
        replace(target, expiries=tuple(e for e in target.expiries if e.params.expiry in known)),
        replace(state, expiries=tuple(f for f in state.expiries if f.expiry in known)),
        NOW,
    )
    assert tuple(e for e in legal.expiries if e.params.expiry in known) == alone.expiries, "OUT-7"


@given(world=worlds())
def test_allow__again_and_again__every_listing_comes_in(world) -> None:
    """OUT-8: publishing what is legal once a day, every expiry has its strikes before long."""
    state, target = world
    now = NOW
    for _ in range(25):  # half an hour each: nothing expires
        legal = allow(target, state, now)
        assert said_to(legal, state, now).ok, "OUT-8"
        if all(all(e.sigmas_ppm) for e in legal.expiries):
            return
        state = replace(advanced(state, legal, now), digest=DIGEST)
        rested = tuple(replace(f, sigma_anchor_ppm=f.sigma_ppm, sigma_later=()) for f in state.expiries)
        state = replace(seen_at(state, then=now, now=now + 1_800), expiries=rested)
        now += 1_800
    raise AssertionError("OUT-8: an expiry is left out for ever")


def test_allow__far_out_of_order__walks_without_strikes() -> None:
    """OUT-8: an expiry whose neighbours moved on goes a whole step towards them, and its strikes wait; it says so."""
    state = a_state(a_fence(WEEK, 1_600_000), a_fence(WEEK + DAY, 600_000, *NEVER), a_fence(MONTH, 1_600_000))
    target = a_target(an_aim(WEEK, 1_600_000), an_aim(WEEK + DAY, 1_550_000), an_aim(MONTH, 1_600_000))
    legal = allow(target, state, NOW)
    _, stale, _ = legal.expiries
    assert stale.sigmas_ppm == NEVER
    assert stale.params.sigma_atm_ppm > 780_000
    (said,) = left_out(legal)
    assert "left out until it is in calendar order" in said
    (one,) = [b for b in bounds(target, legal, state, NOW) if b.name == "strike"]
    assert (one.expiry, one.by) == (WEEK + DAY, "calendar")
    bare = file_after(an_underlying_with(state), legal, ranges=legal.ranges, spot=SPOT, now=NOW)
    assert dict(bare.strikes)[WEEK + DAY] == ()


def vols_of(fence):
    for s in fence.smile:
        if s.ratio_ppm:
            yield StrikeVol(strike=s.strike, sigma_ppm=s.ratio_ppm * fence.sigma_ppm // 10**6)


def an_underlying_with(state, file=None):
    listings = tuple(Listing(expiry=f.expiry, strikes=tuple(s.strike for s in f.smile)) for f in state.expiries)
    if file is None:
        base = a_file()
        vols = tuple((f.expiry, tuple(vols_of(f))) for f in state.expiries)
        params = tuple(
            ExpiryParams(expiry=f.expiry, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=f.sigma_ppm) for f in state.expiries
        )
        file = replace(base, expiries=params, strikes=vols)
    return replace(an_underlying(publication=state, file=file), listings=listings)


def test_glide__left_behind__arrives_with_its_strikes() -> None:
    """OUT-8: the path to a target brings the expiry in as soon as its level is there, and ends with every strike."""
    state = a_state(a_fence(WEEK, 1_600_000), a_fence(WEEK + DAY, 900_000, *NEVER))
    target = a_target(an_aim(WEEK, 1_600_000), an_aim(WEEK + DAY, 1_550_000))
    path = glide(an_underlying_with(state), target, PolicyKnobs(), now=NOW)
    assert path.stops == "", path.stops
    first, last = path.steps[0].params.expiries[1], path.steps[-1].params.expiries[1]
    assert first.sigmas_ppm == NEVER
    assert last.sigmas_ppm == (1_550_000,) * len(STRIKES)


BENT = (1_000_000, 1_000_000, 0, 1_000_000, 1_000_000)


def marks_hold(one: ExpiryTarget) -> bool:
    return all(in_order(one, STRIKES, spot=SPOT * (10**6 + m) // 10**6, now=NOW) for m in MOVES_PPM)


def straightened(target, state):
    listing = [Listing(expiry=f.expiry, strikes=STRIKES) for f in state.expiries]
    return straighten(target, listing, spot=SPOT, now=NOW, latest_s=NOW + 600, state=state)


@settings(max_examples=max(1, settings.default.max_examples // 5))
@given(ratios=st.lists(st.integers(700_000, 1_900_000), min_size=5, max_size=5), wild=st.integers(700_000, 2_000_000))
def test_straighten__new_strike__the_others_go_as_far_as_without_it(ratios, wild) -> None:
    """OUT-7: whatever is in force of the smile, a strike that is new moves none of the others, and comes in only where
    marks are in order."""
    old = [*ratios[:MIDDLE], 0, *ratios[MIDDLE + 1 :]]
    state = a_state(a_fence(WEEK, 700_000, *old))
    bare, full = (
        straightened(allow(a_target(an_aim(WEEK, 700_000, *rs)), state, NOW), state).expiries[0]
        for rs in (old, [*old[:MIDDLE], wild, *old[MIDDLE + 1 :]])
    )
    assert bare.sigmas_ppm[MIDDLE] == 0, "OUT-7"
    if full.sigmas_ppm[MIDDLE]:
        assert marks_hold(full), "OUT-7"
    elif marks_hold(bare):
        assert [s for k, s in enumerate(full.sigmas_ppm) if k != MIDDLE] == [
            s for k, s in enumerate(bare.sigmas_ppm) if k != MIDDLE
        ], "OUT-7"


def test_straighten__new_strike_between_bent_ones__on_their_line_or_left_out() -> None:
    """A hump is not published: the strike comes in amid its neighbours, whose smile stays as it was."""
    state = a_state(a_fence(WEEK, 700_000, *BENT))
    target = a_target(an_aim(WEEK, 700_000, 1_000_000, 1_000_000, 1_900_000, 1_000_000, 1_000_000))
    (got,) = straightened(allow(target, state, NOW), state).expiries
    assert got.sigmas_ppm == (700_000,) * 5
    assert list(left_out(a_target(got))) == []


def test_straighten__published_ones_bent_beyond_their_step__new_strike_waits() -> None:
    """OUT-7: where those in force are out of order themselves, nothing new comes in, and the words say so."""
    bent = (1_000_000, 1_000_000, 0, 700_000, 1_990_000)
    state = a_state(a_fence(WEEK, 700_000, *bent))
    target = a_target(an_aim(WEEK, 700_000))
    legal = straightened(allow(target, state, NOW), state)
    (got,) = legal.expiries
    assert got.sigmas_ppm[MIDDLE] == 0
    assert all(s for k, s in enumerate(got.sigmas_ppm) if k != MIDDLE)
    (said,) = left_out(legal)
    assert said.startswith("a new strike of ")
    (one,) = [b for b in bounds(target, legal, state, NOW) if b.name == "strike"]
    assert one.by == "order"


def test_between__new_strike__comes_whole_or_not_at_all() -> None:
    """Part of a step brings no strike in at part of its volatility."""
    state = a_state(a_fence(EXPIRY, 700_000, *BENT))
    whole = a_target(an_aim(EXPIRY, 800_000))
    old = published(an_underlying_with(state), whole)
    assert old.expiries[0].sigmas_ppm == tuple(r * 7 // 10 for r in BENT)
    (half,) = between(old, whole, 500_000).expiries
    assert half.sigmas_ppm == (750_000, 750_000, 800_000, 750_000, 750_000)


def test_advanced__left_out__remembers_nothing() -> None:
    """A strike left out is still one that was never published."""
    state = a_state(a_fence(WEEK, 700_000, *BENT))
    params = an_aim(WEEK, 700_000, *BENT)
    after = advanced(state, a_target(params), NOW)
    assert after.expiries[0].smile[MIDDLE] == state.expiries[0].smile[MIDDLE]
