"""Three lives of one path from one snapshot: nobody, static margins, recalibrating.

*Static* means: scan ranges and volatilities are published once at the opening and never again; the keeper still
refreshes the file at live spot and time, settles, calls and liquidates.  Its scan ranges are chosen with hindsight, so
that over the recalibrating run's own accounts the mean initial requirement is the same: static margins get the level
right for free and lose only the timing.  Volatilities stay those of the opening.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from keeper.demo.opening import RISK, policy
from keeper.demo.run import Assemble, Conduct, Keeping, Lived, live
from keeper.demo.summary import Life
from keeper.demo.view import View
from keeper.demo.world import World
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Snapshot, StrikeVol, UnderlyingState, Usable
from keeper.risk.model import model
from keeper.risk.report import shock, worst

PPM = 10**6
#: No scan range beyond this: the contract's −3 row would reach a negative price.
HIGHEST_PSR_PPM = 325_000
#: Scan ranges of the static run are multiples of this.
LATTICE_PPM = 500
#: Halvings of the search for equal averages: the last one moves the requirement by less than a percent.
HALVINGS = 8


def three_lives(world: World, assemble: Assemble, view: View) -> tuple[Life, ...]:
    """Live the path three times.  Returns: nobody, static, recalibrating."""
    chain, conduct = world.chain, _conduct(world)
    lives: dict[Keeping, Life] = {}

    def lead(keeping: Keeping, prepare: Callable[[], None] = lambda: None) -> Lived:
        snapshot = chain.snapshot()
        view.begin(f"{world.path.label}: {keeping}")
        prepare()
        lived = live(world.anew(), assemble, conduct[keeping], view)
        lives[keeping] = lived.life
        chain.revert(snapshot)
        return lived

    ours = lead(Keeping.RECALIBRATING)
    ranges = equal_average(ours)
    lead(Keeping.STATIC, lambda: world.publish_ranges(ranges))
    lead(Keeping.NOBODY)
    return tuple(lives[keeping] for keeping in Keeping)


def _conduct(world: World) -> dict[Keeping, Conduct]:
    knobs = policy(world.path.block_s)
    return {
        Keeping.NOBODY: Conduct(keeping=Keeping.NOBODY, risk=RISK, policy=knobs),
        Keeping.STATIC: Conduct(keeping=Keeping.STATIC, risk=RISK, policy=never_publish(knobs)),
        Keeping.RECALIBRATING: Conduct(keeping=Keeping.RECALIBRATING, risk=RISK, policy=knobs),
    }


def never_publish(knobs: PolicyKnobs) -> PolicyKnobs:
    """The same keeper with no reason ever to push: nothing moves by ten times itself, nor does a year pass."""
    return replace(knobs, hysteresis_ppm=10 * PPM, forward_hysteresis_ppm=PPM, heartbeat_s=31_536_000)


def equal_average(ours: Lived) -> tuple[Ranges, ...]:
    """Constant scan ranges under which the recalibrating run's accounts had required the same on average.

    Each underlying keeps its share: its mean scan range times one common factor, found by bisection.
    """
    samples = ours.samples
    frames = ours.life.frames
    means = [
        sum(f.underlyings[i].psr or 0.0 for f in frames) / len(frames) * PPM for i in range(len(samples[0].underlyings))
    ]
    wanted = sum(mean_requirement(s) for s in samples)
    opening = [u.live.ranges for u in samples[0].underlyings if u.live is not None]

    def ranges(factor: float) -> tuple[Ranges, ...]:
        return tuple(
            replace(r, psr_ppm=min(HIGHEST_PSR_PPM, max(LATTICE_PPM, round(m * factor / LATTICE_PPM) * LATTICE_PPM)))
            for r, m in zip(opening, means, strict=True)
        )

    low, high = 0.25, 4.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = sum(mean_requirement(_under(s, samples[0], ranges(middle))) for s in samples)
        low, high = (middle, high) if found < wanted else (low, middle)
    return ranges((low + high) / 2)


def mean_requirement(snapshot: Snapshot) -> float:
    """Mean IM of the accounts that hold something, wad USD."""
    market = model(snapshot, RISK)
    report = worst(snapshot, market, shock(snapshot, market), buffer_ppm=0)
    ims = [a.im for a in report.accounts if isinstance(a, AccountMargin) and a.underlyings]
    return sum(ims) / len(ims) if ims else 0.0


def _under(snapshot: Snapshot, opening: Snapshot, ranges: Sequence[Ranges]) -> Snapshot:
    """The same block with files computed at its own spot from constant ranges and the opening's volatilities."""
    pairs = zip(snapshot.underlyings, opening.underlyings, ranges, strict=True)
    return replace(snapshot, underlyings=tuple(_constant(u, first, r) for u, first, r in pairs))


def _constant(u: UnderlyingState, first: UnderlyingState, ranges: Ranges) -> UnderlyingState:
    if u.live is None or first.live is None or not isinstance(u.spot, Usable):
        return u
    sigmas = {(expiry, v.strike): v.sigma_ppm for expiry, vols in first.live.strikes for v in vols}
    strikes = tuple(
        (expiry, tuple(StrikeVol(strike=v.strike, sigma_ppm=sigmas.get((expiry, v.strike), v.sigma_ppm)) for v in vols))
        for expiry, vols in u.live.strikes
    )
    now = max([u.live.time, *(o.time for o in u.history[-1:])])
    # Constant ranges are never on their way, so nothing widens IM.
    live = replace(u.live, ref_spot=u.spot.wad, time=now, ranges=ranges, strikes=strikes, im_uplift_pct=0)
    return replace(u, live=live, previous=None)
