"""The auction's prices are the contract's, to the wei (PAR-3)."""

from collections import Counter

import numpy as np
import pytest

from keeper.domain.margin import AccountMargin, Band
from keeper.domain.snapshot import AuctionRules, AuctionState
from keeper.policy.auction import discount_ppm, max_fraction_wad, offer

pytestmark = pytest.mark.chain

WAD, PPM = 10**18, 10**6
COUNT = 600
NOW = 1_774_000_000


def draw(rng, high):
    """A positive integer up to `high`, every order of magnitude alike likely."""
    return 1 + int.from_bytes(rng.bytes(24), "big") % (high >> int(rng.integers(0, high.bit_length())))


def rules(rng):
    """Parameters as governance may set them."""
    start = int(rng.integers(PPM // 2, PPM + 1))
    return AuctionRules(
        fast_s=int(rng.integers(1, 86_401)),
        slow_s=int(rng.integers(1, 7 * 86_400 + 1)),
        start_ppm=start,
        cutoff_ppm=int(rng.integers(0, start + 1)),
        insolvent_s=int(rng.integers(1, 7 * 86_400 + 1)),
        buffer_ppm=int(rng.integers(0, PPM // 2 + 1)),
        dust_usd=int(rng.integers(0, 10_001)) * WAD,
    )


def test_discount__any_clock__same(harness):
    """Start, corner, end and far beyond it."""
    rng = np.random.default_rng(31)
    cases = []
    for _ in range(COUNT):
        r = rules(rng)
        ends = (0, 1, r.fast_s - 1, r.fast_s, r.fast_s + 1, r.fast_s + r.slow_s - 1, r.fast_s + r.slow_s, 10**9)
        within = int(rng.integers(0, r.fast_s + r.slow_s + 1))
        cases.append((r, within if rng.integers(0, 2) else int(rng.choice(ends))))
    asked = [(s, r.fast_s, r.slow_s, r.start_ppm, r.cutoff_ppm) for r, s in cases]
    found = list(harness.auction("discounts", asked))
    assert found == [discount_ppm(r, s) for r, s in cases], "PAR-3"
    assert found.count(0) > COUNT // 20
    assert sum(d == r.start_ppm for d, (r, _) in zip(found, cases, strict=True)) > COUNT // 40


def test_max_fraction__any_account__same(harness):
    """From nothing to the whole, with and without cash that is reserved."""
    rng = np.random.default_rng(32)
    cases = []
    for _ in range(COUNT):
        mm = draw(rng, 10**27)
        equity = mm * int(rng.integers(0, 1_600_000)) // PPM
        mtm = equity + (draw(rng, 10**27) if rng.integers(0, 2) else 0)
        reserved = draw(rng, mtm) if mtm and rng.integers(0, 2) else 0
        cases.append((equity, mm, int(rng.integers(0, PPM // 2)), mtm, int(rng.integers(0, PPM + 1)), reserved))
    ours = [max_fraction_wad(equity=e, mm=m, buffer_ppm=b, mtm=g, d_ppm=d, reserved=r) for e, m, b, g, d, r in cases]
    assert list(harness.auction("maxFractions", cases)) == ours, "PAR-3"
    kinds = Counter("none" if f == 0 else "all" if f == WAD else "some" for f in ours)
    assert min(kinds[kind] for kind in ("none", "some")) > COUNT // 20


def test_offer__any_auction__costs_as_the_contract_does(harness):
    """What the whole would cost, and which cash stays out: solvent and insolvent, dust included."""
    rng = np.random.default_rng(33)
    offers, solvent, insolvent = [], [], []
    for i in range(COUNT):
        r, mm, haircut = rules(rng), draw(rng, 10**26), draw(rng, 10**26) if rng.integers(0, 2) else 0
        equity = -draw(rng, 10**26) if i % 2 else mm * int(rng.integers(0, 1_400_000)) // PPM
        worth = equity + haircut
        running = AuctionState(
            account=i,
            start_time=NOW - int(rng.integers(0, r.fast_s + r.slow_s + 100)),
            flag_block=1,
            insolvent_since=0 if rng.integers(0, 8) == 0 else NOW - int(rng.integers(0, 2 * r.insolvent_s)),
            reserved=draw(rng, 2 * worth) if worth > 0 and rng.integers(0, 2) else 0,
            paid_by_fund=0,
        )
        found = offer(running, an_account(i, equity, mm, haircut), r, NOW)
        offers.append(found)
        if equity < 0:
            since = min(NOW - running.insolvent_since, r.insolvent_s) if running.insolvent_since else 0
            insolvent.append((found.cost, worth, (haircut + mm, since, r.insolvent_s, WAD)))
        else:
            assert found.reserved == (running.reserved if worth > running.reserved else 0)
            discount = discount_ppm(r, NOW - running.start_time)
            solvent.append((found.cost, (worth - found.reserved, discount, WAD)))
            assert found.indivisible == (worth < r.dust_usd)
    assert list(harness.auction("costs", [case for _, case in solvent])) == [cost for cost, _ in solvent], "PAR-3"
    theirs = harness.auction("insolventCosts", [mtm for _, mtm, _ in insolvent], [case for _, _, case in insolvent])
    assert list(theirs) == [cost for cost, _, _ in insolvent], "PAR-3"
    assert sum(cost < 0 for cost, _, _ in insolvent) > COUNT // 10
    assert sum(o.indivisible for o in offers) > COUNT // 40
    assert sum(o.reserved > 0 for o in offers) > COUNT // 40


def an_account(account, equity, mm, haircut):
    return AccountMargin(
        account=account,
        equity=equity,
        mm=mm,
        im=mm,
        health_ppm=0,
        band=Band.INSOLVENT if equity < 0 else Band.LIQUIDATABLE,
        cash=equity,
        collateral_value=0,
        haircut=haircut,
        pending_loss=0,
        underlyings=(),
        stale=False,
        unsettled=False,
        in_auction=True,
    )
