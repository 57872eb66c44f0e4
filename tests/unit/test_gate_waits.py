"""When the impact gate is asked, and what it makes of accounts that nobody can price."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.cycle import think
from keeper.domain.action import Publish
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import CollateralState, Unusable, Usable
from keeper.domain.worth import Refusal
from keeper.outcomes import remember
from keeper.policy.part import published
from keeper.policy.weigh import Scale
from keeper.testing.builders import a_block, a_publication, a_snapshot, an_account, an_underlying
from keeper.testing.memory_store import MemoryStore
from tests.weighed import TIGHT, a_crowd, a_target, proposed, with_rounds

REFUSES = replace(TIGHT, impact_gate="refuse")


def a_blind_crowd(unpriced: int):
    """Forty holders, of whom some have a collateral that has no price."""
    crowd = [
        an_account(10 + i, cash=370 + 10 * i, perp=1.0, collateral=((1, 5),) if i < unpriced else ()) for i in range(40)
    ]
    dead = CollateralState(
        collateral=1, symbol="USDT", decimals=6, price=Unusable(reason="stale"), haircut_ppm=0, cap_per_account=10**30
    )
    return replace(
        a_snapshot(*crowd, underlying=an_underlying(publication=a_publication())),
        collaterals=(dead,),
    )


@pytest.mark.parametrize("mode", ["slow", "refuse"])
def test_gate__most_holders_cannot_be_priced__waits_and_says_how_many(mode):
    """IMP-5, defect 25: an account that nobody can price is not one that nothing happens to."""
    snapshot = a_blind_crowd(38)
    found = proposed(snapshot, a_target(psr_ppm=180_000), replace(TIGHT, impact_gate=mode))
    assert found.push is None, "IMP-5"
    assert "38 of 40 accounts cannot be priced" in found.waits
    assert "held by the impact gate" in found.waits


def test_gate__priced_again__is_asked_about_what_the_push_does():
    """IMP-5: with their price back the same push is held for whom it brings down, by number."""
    snapshot = a_blind_crowd(38)
    alive = replace(snapshot.collaterals[0], price=Usable(wad=10**18))
    found = proposed(replace(snapshot, collaterals=(alive,)), a_target(psr_ppm=180_000), REFUSES)
    assert found.push is None
    assert "of 40 accounts with" in found.waits
    assert "cannot be priced" not in found.waits


def test_gate__few_cannot_be_priced__passes_and_counts_the_others():
    """IMP-5: one dead collateral with fewer holders than may fall stops nothing."""
    found = proposed(a_blind_crowd(4), a_target(psr_ppm=151_000), REFUSES)
    assert found.push is not None
    assert found.gated.whole.arrived.unknown == 4


def test_gate__nothing_changes__passes_although_nobody_can_be_priced():
    """IMP-5: a heartbeat that moves no number hurts nobody."""
    snapshot = a_blind_crowd(40)
    u = snapshot.underlyings[0]
    same = published(u, a_target())
    weighed = Scale(snapshot, u, REFUSES).weigh(same)
    assert weighed.passes, "IMP-5"
    assert not weighed.blind
    moved = replace(same, ranges=replace(same.ranges, psr_ppm=same.ranges.psr_ppm - 1))
    assert Scale(snapshot, u, REFUSES).weigh(moved).blind


def inputs(snapshot, *, refused=(), in_flight=(), policy=REFUSES):
    return CycleInputs(
        snapshot=with_rounds(snapshot),
        in_flight=in_flight,
        called=(),
        risk=RiskKnobs(psr_floor_ppm=180_000),
        policy=policy,
        refused=refused,
    )


@pytest.fixture
def weighed(monkeypatch):
    """How often a push was weighed."""
    calls = []
    whole = Scale.weigh

    def counted(self, params):
        calls.append(params)
        return whole(self, params)

    monkeypatch.setattr(Scale, "weigh", counted)
    return calls


def test_think__held_by_the_gate__weighed_again_after_ever_longer_waits(weighed):
    """IMP-6: a push that is held costs a replay of everybody in few blocks, not in each, and is told in each."""
    store, snapshot, blocks = MemoryStore(), a_crowd(), []
    start = snapshot.block.number
    for number in range(start, start + 40):
        block = replace(a_block(number), timestamp=snapshot.block.timestamp)
        seen = inputs(replace(snapshot, block=block), refused=store.refusals())
        before = len(weighed)
        decision = think(seen)
        if len(weighed) > before:
            blocks.append(number - start)
        assert any("ETH: push held by the impact gate" in alert for alert in decision.alerts), "IMP-6"
        assert not any(isinstance(action, Publish) for action in decision.actions)
        remember(CycleRecord(block=block, decision=decision, handed=()), seen, (), store)
    assert blocks == [0, 1, 3, 7, 15, 31], "IMP-6"


def test_think__a_publication_is_open__none_is_weighed(weighed):
    """IMP-6: while one is in flight there is nothing to decide about the next."""
    decision = think(inputs(a_crowd(), in_flight=(("publish", "underlying:1"),), policy=TIGHT))
    assert weighed == []
    assert not any(isinstance(action, Publish) for action in decision.actions)
    assert [a for a in think(inputs(a_crowd(), policy=TIGHT)).actions if isinstance(a, Publish)], "without it one goes"


def test_think__held_and_the_wait_is_over__goes_once_the_gate_lets_it():
    """IMP-6: an old refusal holds nothing back beyond its wait."""
    number = a_crowd().block.number
    old = Refusal(kind="gate", subject="underlying:1", count=9, last_block=number - 64, about="")
    free = PolicyKnobs(impact_gate="off")
    assert [a for a in think(inputs(a_crowd(), refused=(old,), policy=free)).actions if isinstance(a, Publish)]
    young = replace(old, last_block=number - 63)
    assert not [a for a in think(inputs(a_crowd(), refused=(young,), policy=free)).actions if isinstance(a, Publish)]
