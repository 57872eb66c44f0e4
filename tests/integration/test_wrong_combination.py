"""The shape of Aave's incident of March 2026: each field in range, the combination wrong.  Refused on both sides.

There each parameter passed its own bounds, and together they liquidated 26 million dollars.  Here two scan ranges, each
within its own step and day's budget, together move what a straddle requires further than a step may; and three
volatilities, each within its band, step and budget, are a smile in which a butterfly has a negative price.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.domain.margin import Band
from keeper.domain.snapshot import Usable
from keeper.policy.effect import effect
from keeper.policy.guard import allow
from keeper.policy.impact import file_after, margins_under
from keeper.policy.joint import joint_of, nearest
from keeper.policy.reach import reach, strike_reach
from keeper.policy.smile import in_order, straighten
from tests.integration.publisher import OUTSIDER, Publisher

pytestmark = [pytest.mark.chain, pytest.mark.timeout(600)]

ETH = 0
#: A fifth less two points.
JOINT_STEP_PPM = 180_000
#: Band of accounts that anybody may put in auction.
BELOW = (Band.LIQUIDATABLE, Band.INSOLVENT)


@pytest.fixture
def thief(deployed_protocol, keeper_under_test):
    """Somebody who has the publisher's key."""
    return Publisher(deployed_protocol.world, keeper_under_test.keeper.ports.reader)


def wait(thief, seconds, *, price=1.0):
    """Let time pass; prices are a part of the opening's, and the files are computed at them."""
    world = thief.world
    thief.chain.advance_to(thief.chain.block().timestamp + seconds)
    for symbol, feed in world.feeds.items():
        answer = round(price * world.path.points[0].prices[symbol] * 10**8)
        thief.send("MockAggregator", "push", answer, to=feed, sender=OUTSIDER)
    for u in range(len(world.feeds)):
        thief.send("RiskFile", "refresh", u, sender=OUTSIDER)
    return thief.chain.mine()


def publish(thief, target):
    """Publish past the guard.  Returns: the underlying before it, and after."""
    before = thief.see()
    now = before.block.timestamp
    tx = thief.send("RiskParameters", "publish", ETH, thief.publication(before.underlyings[ETH], target, now))
    thief.chain.mine()
    assert thief.landed(tx)
    return before, thief.see()


def refused(thief, target):
    """Reasons with which `preview` refuses items, by name."""
    seen = thief.see()
    argument = thief.publication(seen.underlyings[ETH], target, seen.block.timestamp)
    values, error = thief.ask("RiskParameters", "preview", ETH, argument)
    assert not error
    (found,) = values.values()
    assert not found["reason"]
    return {
        item["what"].rstrip(b"\0").decode(): thief.words(item["reason"]) for item in found["items"] if item["reason"]
    }


def said_by_the_guard(thief, target):
    """The same of the guard's mirror."""
    seen = thief.see()
    judged = thief.judged(seen.underlyings[ETH], target, seen.block.timestamp)
    assert judged.refusal is None
    return {v.what: v.refusal.error for v in judged.items if v.refusal is not None}


def test_two_ranges__each_in_range_together_too_much__refused_on_both_sides_and_nobody_is_hurt(thief):
    """A publication whose ranges pass one by one and not together leaves ranges and accounts where they are."""
    # Each range may go a fifth in a step; what a standard portfolio requires may not go as far.
    thief.world.govern("RiskParameters", "setJointFence", ETH, (JOINT_STEP_PPM, 1_000_000))
    seen, wrong, hurt = on_the_edge(thief)
    assert hurt.below_mm > 0, "else nothing is at stake"
    u, now = seen.underlyings[ETH], seen.block.timestamp
    still = thief.in_force(u)

    # Field by field it passes, on both sides.
    for field in ("psr_ppm", "vsr_up_ppm"):
        alone = replace(still, ranges=replace(still.ranges, **{field: getattr(wrong.ranges, field)}))
        assert alone.ranges != still.ranges
        assert said_by_the_guard(thief, alone) == {}
        assert refused(thief, alone) == {}
    # Together it does not.
    assert said_by_the_guard(thief, wrong) == {"joint": "JointMove"}
    ((what, reason),) = refused(thief, wrong).items()
    assert (what, reason[:10]) == ("joint", "JointMove(")
    # The keeper would not have sent it.
    ours = allow(wrong, u.publication, now, u.rules)
    assert ours.ranges not in (wrong.ranges, still.ranges)
    assert said_by_the_guard(thief, ours) == {}

    # Sent all the same, past the guard: the ranges are refused as one item, the rest of the publication applies.
    healthy = {account for account in thief.margins(seen) if not can_be_flagged(thief, account)}
    before, after = publish(thief, wrong)
    items = [e.args for e in thief.events("RiskParameters") if e.name == "ItemRefused"]
    assert [(i["expiry"], i["what"].rstrip(b"\0")) for i in items] == [(0, b"joint")]
    assert thief.words(items[0]["reason"]).startswith("JointMove(")
    assert thief.in_force(after.underlyings[ETH]).ranges == still.ranges
    assert after.underlyings[ETH].live.ranges == before.underlyings[ETH].live.ranges
    assert after.underlyings[ETH].publication.last_id == before.underlyings[ETH].publication.last_id + 1
    assert [a for a in healthy if can_be_flagged(thief, a)] == []


def on_the_edge(thief):
    """The market after a fall, at which the wrong combination would put somebody in auction.

    Returns: the block, the combination, and what it would do if it were in force.
    """
    for fall in range(12):
        wait(thief, 1_800, price=1 - fall / 100)
        seen = thief.see()
        u, now = seen.underlyings[ETH], seen.block.timestamp
        still = thief.in_force(u)
        fences = {f.name: f for f in u.publication.fences}
        passes = joint_of(u.rules, u.publication.joint, still.ranges, still.ranges)
        highest = replace(still.ranges, psr_ppm=reach(fences["psr"])[1], vsr_up_ppm=reach(fences["vsr_up"])[1])
        psr, vsr_up = (
            nearest(still.ranges, replace(still.ranges, **{field: getattr(highest, field)}), passes)
            for field in ("psr_ppm", "vsr_up_ppm")
        )
        wrong = replace(still, ranges=replace(psr, vsr_up_ppm=vsr_up.vsr_up_ppm))
        files = [file_after(u, one, ranges=one.ranges, spot=u.spot.wad, now=now) for one in (still, wrong)]
        hurt = effect(ETH, *(margins_under(seen, {ETH: file}) for file in files))
        if hurt.below_mm:
            break
    return seen, wrong, hurt


def can_be_flagged(thief, account):
    """Whether anybody may put an account in auction at the newest block."""
    _, error = thief.ask("LiquidationAuction", "flag", account, 0)
    assert not error or error.startswith(("Healthy(", "FundAccount(")), error
    return not error


def bend(u, still):
    """Every expiry with its middle strike as high and the others as low as each may be by itself."""
    bent = []
    for one, fence in zip(still.expiries, u.publication.expiries, strict=True):
        spans = [strike_reach(f, u.publication.vol, one.params.sigma_atm_ppm) for f in fence.smile]
        sigmas = tuple(span[i == len(spans) // 2] for i, span in enumerate(spans))
        bent.append(replace(one, sigmas_ppm=sigmas))
    return tuple(bent)


def test_three_strikes__each_in_its_band_with_a_negative_butterfly__refused_on_both_sides(thief):
    """A smile that passes strike by strike and has an arbitrage keeps the expiry as it is; the others apply."""
    for _ in range(3):  # a day's budget is two steps of a strike and a bit
        wait(thief, 1_800)
        seen = thief.see()
        u, now = seen.underlyings[ETH], seen.block.timestamp
        still = thief.in_force(u)
        bent = bend(u, still)
        assert isinstance(u.spot, Usable)
        strikes = {one.expiry: one.strikes for one in u.listings}
        orders = [in_order(e, strikes[e.params.expiry], spot=u.spot.wad, now=now) for e in bent]
        if not all(orders):
            break
        publish(thief, replace(still, expiries=bent))
    place = orders.index(False)
    bad = bent[place]
    wrong = replace(still, expiries=(*still.expiries[:place], bad, *still.expiries[place + 1 :]))

    # Rows are what is wrong with it, and both sides say so.
    assert said_by_the_guard(thief, wrong) == {"expiry": "ButterflyArbitrage"}
    ((what, reason),) = refused(thief, wrong).items()
    assert (what, reason.partition("(")[0]) == ("rows", "ButterflyArbitrage")
    argument = thief.publication(u, wrong, now)
    answer, error = thief.ask("RiskParameters", "checkPublication", ETH, argument)
    assert not error
    assert not answer["ok"]
    assert thief.words(answer["reason"]).startswith("ButterflyArbitrage(")
    # The keeper would not have sent it.
    ours = straighten(
        allow(wrong, u.publication, now, u.rules),
        u.listings,
        spot=u.spot.wad,
        now=now,
        latest_s=now + 600,
        state=u.publication,
    )
    assert ours.expiries[place].sigmas_ppm != bad.sigmas_ppm
    assert in_order(ours.expiries[place], strikes[bad.params.expiry], spot=u.spot.wad, now=now)

    before, after = publish(thief, wrong)
    items = [e.args for e in thief.events("RiskParameters") if e.name == "ItemRefused"]
    assert [i["expiry"] for i in items] == [bad.params.expiry]
    assert thief.words(items[0]["reason"]).startswith("ButterflyArbitrage(")
    kept = dict(before.underlyings[ETH].live.strikes)
    assert all(kept[expiry] == vols for expiry, vols in after.underlyings[ETH].live.strikes)
    was, now_below = ({a for a, m in thief.margins(s).items() if m.band in BELOW} for s in (before, after))
    assert now_below <= was
