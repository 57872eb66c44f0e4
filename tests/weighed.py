"""Targets, crowds and houses that the tests of pushes and of the impact gate share."""

from __future__ import annotations

from dataclasses import replace

from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import ExpiryFence, Observation, SlewState, SmileFence
from keeper.policy.impact import file_after
from keeper.policy.publish import propose
from keeper.policy.ring import advanced
from keeper.risk.exact.slew import begun
from keeper.risk.model import model
from keeper.risk.one_by_one import Under
from keeper.risk.one_by_one import margins as slow_margins
from keeper.testing.builders import (
    EXPIRY,
    NOW,
    PPB,
    STRIKES_USD,
    a_file,
    a_publication,
    a_snapshot,
    an_account,
    an_underlying,
    strike,
    usd,
)

#: A push may bring a tenth of the accounts down, and a tenth of the maintenance.
TIGHT = PolicyKnobs(impact_max_accounts_ppm=100_000, impact_max_requirement_ppm=100_000)
#: Bands below maintenance.
SHORT = (Band.LIQUIDATABLE, Band.INSOLVENT)


def a_target(*, psr_ppm: int = 150_000, sigma_ppm: int = 700_000) -> UnderlyingTarget:
    """What the model may want: the file that is in force, unless a scan range or a level is named."""
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=sigma_ppm)
    return UnderlyingTarget(
        underlying=1,
        ranges=Ranges(psr_ppm=psr_ppm, vsr_up_ppm=450_000, vsr_down_ppm=300_000),
        expiries=(ExpiryTarget(params=params, sigmas_ppm=(sigma_ppm,) * len(STRIKES_USD)),),
        realised_vol=0.7,
        reasons=(),
    )


def forty_holders():
    """Forty holders of one perp; the i-th has 370 + 10·i dollars, maintenance is 364.5 at a scan range of 15 %."""
    return [an_account(10 + i, cash=370 + 10 * i, perp=1.0) for i in range(40)]


def a_crowd(*, slew: bool = False):
    """Forty holders and one who holds nothing, in a market without a fence on its smile."""
    fences = a_publication()
    if slew:
        target = a_file().ranges
        fences = replace(fences, slew=SlewState(target=target, rate_ppm_per_hour=10_000, time_s=NOW))
    return a_snapshot(*forty_holders(), an_account(5, cash=1), underlying=an_underlying(publication=fences))


def market_of(snapshot, target):
    """What the model found in a snapshot, with another target in place of its own."""
    found = model(snapshot, RiskKnobs())
    return replace(found, underlyings=(replace(found.underlyings[0], target=target, why_untargeted=""),))


def proposed(snapshot, target, knobs):
    """What is pushed of a target, and what waits."""
    return propose(snapshot, snapshot.underlyings[0], market_of(snapshot, target), knobs, asked="a test")


def with_rounds(snapshot):
    """A snapshot whose one underlying has two hundred oracle rounds behind it, one every two hours."""
    rounds = (Observation(time=NOW - (200 - i) * 7_200, price=usd(3_000 + 20 * (i % 7))) for i in range(200))
    return replace(snapshot, underlyings=(replace(snapshot.underlyings[0], history=tuple(rounds)),))


def a_house(*accounts, slew=False, auctions=()):
    """One underlying whose smile is fenced, and nothing published in the last day."""
    fences = a_publication()
    smile = tuple(SmileFence(strike=strike(k), ratio_ppm=10**6, anchor_ppm=10**6) for k in STRIKES_USD)
    expiry = ExpiryFence(
        expiry=EXPIRY, sigma_ppm=700_000, sigma_anchor_ppm=700_000, phi_ppb=PPB, phi_anchor_ppb=PPB, smile=smile
    )
    fences = replace(
        fences,
        expiries=(expiry,),
        slew=SlewState(target=a_file().ranges, rate_ppm_per_hour=10_000, time_s=NOW) if slew else None,
    )
    return a_snapshot(*accounts, underlying=an_underlying(publication=fences), auctions=auctions)


def after(snapshot, params):
    """The block in which a publication landed; no time passes and no price moves."""
    u = snapshot.underlyings[0]
    ranges, _ = begun(u.live, u.publication.slew, params.ranges, u.rules, now=NOW)
    live = file_after(u, params, ranges=ranges, spot=usd(3_000), now=NOW)
    landed = replace(u, live=live, publication=advanced(u.publication, params, NOW))
    return replace(snapshot, underlyings=(landed,))


def short_in(snapshot, file):
    """Accounts below maintenance under a file, judged one after the other."""
    u = replace(snapshot.underlyings[0], live=file, previous=None)
    world = replace(snapshot, underlyings=(u,))
    found = slow_margins(world.accounts, world, model(world, RiskKnobs()), Under.LIVE, buffer_ppm=0)
    return {one.account for one in found if isinstance(one, AccountMargin) and one.band in SHORT}


def short_now(snapshot):
    """Accounts that what is set brings below maintenance, at once or once it has arrived."""
    u = snapshot.underlyings[0]
    target = Ranges(**{f"{f.name}_ppm": f.current for f in u.publication.fences})
    return short_in(snapshot, u.live) | short_in(snapshot, replace(u.live, ranges=target))
