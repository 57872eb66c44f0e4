"""A publication's smiles and forwards: legal steps out of any target, call marks in order wherever it is mined."""

import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import ExpiryTarget, MarketModel, UnderlyingMarket, UnderlyingTarget
from keeper.domain.quotes import Unquoted
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import ExpiryFence, Listing, StrikeVol
from keeper.policy.guard import allow
from keeper.policy.publish import publications
from keeper.policy.reach import phi_reach, sigma_reach
from keeper.policy.smile import MOVES_PPM, in_order, straighten
from keeper.risk.exact.riskfile import butterfly_breach, call_mark
from keeper.testing.builders import (
    DAY,
    EXPIRY,
    NOW,
    PPB,
    STRIKES_USD,
    a_publication,
    a_snapshot,
    an_account,
    an_underlying,
    strike,
    usd,
)

DATES = (NOW + DAY, EXPIRY, NOW + 30 * DAY, NOW + 200 * DAY)
STRIKES = tuple(strike(k) for k in STRIKES_USD)
LISTINGS = tuple(Listing(expiry=e, strikes=STRIKES) for e in DATES)
SPOT = usd(3_000)
HOUR = 3_600


def a_target(*expiries):
    return UnderlyingTarget(
        underlying=1,
        ranges=Ranges(psr_ppm=150_000, vsr_up_ppm=450_000, vsr_down_ppm=300_000),
        expiries=expiries,
        realised_vol=0.7,
        reasons=(),
    )


def an_expiry(*ratios, expiry=EXPIRY, atm=700_000, phi=PPB):
    params = ExpiryParams(expiry=expiry, phi_ppb=phi, df_ppb=PPB, sigma_atm_ppm=atm)
    return ExpiryTarget(params=params, sigmas_ppm=tuple(round(atm * r) for r in ratios or (1.0,) * len(STRIKES)))


def a_state(sigmas, anchors=None, *, phi=PPB):
    """Fences in force at volatilities that are in calendar order."""
    fences = [
        ExpiryFence(expiry=e, sigma_ppm=s, sigma_anchor_ppm=a, phi_ppb=phi, phi_anchor_ppb=phi)
        for e, s, a in zip(DATES, sigmas, anchors or sigmas, strict=True)
    ]
    return replace(a_publication(), expiries=tuple(fences))


@st.composite
def in_force(draw):
    """Volatilities whose total variance does not fall, as the contract has seen to."""
    sigmas, variance = [], 0.0
    for e in DATES:
        seconds = e - NOW
        lowest = math.sqrt(variance / seconds)
        sigmas.append(math.ceil(max(lowest, draw(st.floats(60_000, 3_900_000)))))
        variance = sigmas[-1] ** 2 * seconds
    return sigmas


TARGET_SIGMAS = st.lists(st.integers(60_000, 3_900_000), min_size=len(DATES), max_size=len(DATES))
RATIOS = st.lists(st.floats(0.3, 3.0), min_size=len(STRIKES), max_size=len(STRIKES))


@given(now=in_force(), wanted=TARGET_SIGMAS, phis=st.lists(st.integers(6 * 10**8, 15 * 10**8), min_size=4, max_size=4))
@example(now=[869_087, 328_485, 158_674, 61_455], wanted=[60_000, 384_043, 60_000, 60_000], phis=[6 * 10**8] * 4)
def test_allow__any_surface__inside_every_fence_and_in_calendar_order(now, wanted, phis):
    """FEN-P1: every σ and φ within its own reach, and σ²T never falls, whatever is wanted and whatever is in force."""
    state = a_state(now)
    target = a_target(*(an_expiry(expiry=e, atm=s, phi=p) for e, s, p in zip(DATES, wanted, phis, strict=True)))
    got = allow(target, state, NOW).expiries
    variance = 0
    for one, fence in zip(got, state.expiries, strict=True):
        seconds = fence.expiry - NOW
        low, high = sigma_reach(fence, state.vol, seconds)
        assert low <= one.params.sigma_atm_ppm <= high, "FEN-P1"
        low, high = phi_reach(fence, state, NOW)
        assert low <= one.params.phi_ppb <= high, "FEN-P1"
        assert one.params.sigma_atm_ppm**2 * seconds >= variance, "FEN-P1"
        variance = one.params.sigma_atm_ppm**2 * seconds


def test_allow__a_steep_front__the_later_expiry_holds_the_earlier_down():
    """Where the far volatility cannot follow in one step, the near one waits for it."""
    flat = [700_000] * len(DATES)
    state = a_state([1_850_000, 700_000, 700_000, 700_000])
    target = a_target(*(an_expiry(expiry=e, atm=3_000_000) for e in DATES))
    near, week, *_ = allow(target, state, NOW).expiries
    assert near.params.sigma_atm_ppm < sigma_reach(state.expiries[0], state.vol, DAY)[1]
    assert near.params.sigma_atm_ppm**2 * DAY <= week.params.sigma_atm_ppm**2 * 7 * DAY
    assert [
        e.params.sigma_atm_ppm
        for e in allow(a_target(*(an_expiry(expiry=e) for e in DATES)), a_state(flat), NOW).expiries
    ] == flat


def breach(one, *, spot, now):
    """The exact twin's own verdict, strike by strike."""
    marks = [
        call_mark(strike=k, sigma_ppm=s, expiry=one.params, ref_spot=spot, now=now)
        for k, s in zip(STRIKES, one.sigmas_ppm, strict=True)
    ]
    return butterfly_breach(STRIKES, marks, one.params)


@settings(max_examples=max(1, settings.default.max_examples // 5))
@given(ratios=RATIOS, atm=st.integers(150_000, 2_500_000), phi=st.integers(950_000_000, 1_050_000_000))
def test_straighten__any_smile__call_marks_in_order_at_every_spot_and_time(ratios, atm, phi):
    """FEN-P2: no smile, however bent, is published in which call marks rise or are not convex."""
    listing = (Listing(expiry=EXPIRY, strikes=STRIKES),)
    bent = a_target(an_expiry(*ratios, atm=atm, phi=phi))
    (got,) = straighten(bent, listing, spot=SPOT, now=NOW, latest_s=NOW + HOUR).expiries
    for move in MOVES_PPM:
        for now in (NOW, NOW + HOUR):
            assert breach(got, spot=SPOT * (10**6 + move) // 10**6, now=now) is None, "FEN-P2"
    assert got.params == bent.expiries[0].params
    for sigma, wanted in zip(got.sigmas_ppm, bent.expiries[0].sigmas_ppm, strict=True):
        assert min(atm, wanted) - 1 <= sigma <= max(atm, wanted) + 1, "only ever towards the level at the money"


def test_straighten__smile_in_order__untouched():
    listing = (Listing(expiry=EXPIRY, strikes=STRIKES),)
    target = a_target(an_expiry(1.12, 1.04, 1.0, 1.01, 1.05))
    assert straighten(target, listing, spot=SPOT, now=NOW, latest_s=NOW + HOUR) == target


def test_straighten__one_kink__as_steep_as_it_can_be():
    """A dent at one strike is flattened until the fence just holds: a thousandth steeper would not."""
    listing = (Listing(expiry=EXPIRY, strikes=STRIKES),)
    target = a_target(an_expiry(1.0, 1.0, 1.9, 1.0, 1.0))
    (got,) = straighten(target, listing, spot=SPOT, now=NOW, latest_s=NOW).expiries
    kept = (got.sigmas_ppm[2] - 700_000) / (0.9 * 700_000)
    assert 0 < kept < 1
    steeper = replace(got, sigmas_ppm=(*got.sigmas_ppm[:2], got.sigmas_ppm[2] + 1_260, *got.sigmas_ppm[3:]))
    spots = [SPOT * (10**6 + move) // 10**6 for move in MOVES_PPM]
    assert not all(in_order(steeper, STRIKES, spot=spot, now=NOW) for spot in spots)


def a_seen(target, quotes=None):
    return UnderlyingMarket(
        underlying=1, symbol="ETH", spot=SPOT, why_unpriced="", file=None, previous=None, refreshed=None, epoch=1,
        stale=False, target=target, why_untargeted="", quotes=quotes,
    )  # fmt: skip


def published(*, phi=PPB, ratios=(), quotes=None, file=None):
    """What is decided about a target that differs from the file in nothing but what is named."""
    u = an_underlying(publication=a_publication(), file=file)
    market = MarketModel(now=NOW, underlyings=(a_seen(a_target(an_expiry(*ratios, phi=phi)), quotes),))
    return list(publications(a_snapshot(an_account(7), underlying=u), market, PolicyKnobs()))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"phi": PPB + 2_500_000}, None),
        ({"phi": PPB + 2_600_000}, "forward +0.00 % → +0.26 % from spot"),
        ({"phi": PPB - 2_600_000}, "forward +0.00 % → -0.26 % from spot"),
        ({"ratios": (1.05, 1.0, 1.0, 1.0, 1.0)}, None),
        ({"ratios": (1.06, 1.0, 1.0, 1.0, 1.0)}, "sigma at 2400 70.00 % → 74.20 %"),
        ({"ratios": (1.0, 1.0, 1.0, 1.0, 0.94)}, "sigma at 3600 70.00 % → 65.80 %"),
    ],
)
def test_publications__smile_or_forward_moved__pushed_beyond_its_band(change, why):
    """A forward counts by part of spot, a strike by part of its own volatility."""
    got = published(**change)
    assert [p.why for p in got] == ([] if why is None else [f"ETH {why}"])


def test_publications__strike_listed_after_the_file__brought_in():
    """A strike that the file does not have yet is brought in at once."""
    file = an_underlying().live
    fewer = replace(file, strikes=((EXPIRY, tuple(StrikeVol(strike=k, sigma_ppm=700_000) for k in STRIKES[1:])),))
    (push,) = published(file=fewer, ratios=(1.06, 1.0, 1.0, 1.0, 1.0))
    assert push.why == "ETH 1 listed strikes come into the file"
    assert push.params.expiries[0].sigmas_ppm == (742_000, *(700_000,) * 4)


def test_publications__hash__covers_the_quotes():
    """What goes on-chain with a publication commits to everything it was computed from."""
    hashes = [
        published(phi=PPB + 5_000_000, quotes=quotes)[0].inputs_hash
        for quotes in (None, Unquoted(underlying=1, reason="x"), Unquoted(underlying=1, reason="y"))
    ]
    assert len(set(hashes)) == 3
    assert hashes[0] == published(phi=PPB + 5_000_000)[0].inputs_hash
