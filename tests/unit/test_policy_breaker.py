"""While a breaker is open nothing that depends on its asset is flagged, and everybody is told why."""

from dataclasses import replace

import pytest

from keeper.cycle import think
from keeper.domain.account import AccountState
from keeper.domain.action import Flag, SyncBreaker
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import BreakerState, CollateralState, Usable
from keeper.policy.breaker import Deferrals, remarks, syncs
from keeper.policy.why import Answer, why
from keeper.risk.model import model
from keeper.testing.builders import NOW, a_snapshot, an_account, an_underlying, usd

SHORT = {"cash": 100, "perp": 2, "entry": 3_000}
OPEN = BreakerState(open=True, until_s=NOW + 200, why="jump", told=False)
CLOSED = BreakerState(open=False, until_s=0, why="", told=False)


def a_coin(breaker):
    return CollateralState(
        collateral=1, symbol="WBTC", decimals=8, price=Usable(wad=usd(60_000)), haircut_ppm=0, cap_per_account=10**12,
        breaker=breaker,
    )  # fmt: skip


def a_story(*accounts: AccountState, eth=CLOSED, coin=None):
    snapshot = a_snapshot(*accounts, underlying=replace(an_underlying(), breaker=eth))
    return replace(snapshot, collaterals=() if coin is None else (a_coin(coin),))


def decided(snapshot):
    inputs = CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=PolicyKnobs())
    return inputs, think(inputs)


@pytest.mark.parametrize("eth", [None, CLOSED], ids=["none", "closed"])
def test_flag__no_breaker_open__as_ever(eth):
    """A breaker that is not open, or not there, holds nothing up."""
    snapshot = a_story(an_account(7, **SHORT), eth=eth)
    _, decision = decided(snapshot)
    assert [a.account for a in decision.actions if isinstance(a, Flag)] == [7]
    assert not [a for a in decision.actions if isinstance(a, SyncBreaker)]
    assert not list(remarks(snapshot))


def test_flag__breaker_of_its_underlying_open__waits_and_says_until_when():
    """BRK-10: no flag while the price it rests on is doubtful; `why` and the cycle's alerts say until when."""
    inputs, decision = decided(a_story(an_account(7, **SHORT), eth=OPEN))
    assert not [a for a in decision.actions if isinstance(a, Flag)], "BRK-10"
    (reason,) = why(7, inputs, decision, model(inputs.snapshot, inputs.risk))
    assert reason.answer is Answer.WAITS
    assert reason.said.startswith("its flag is deferred until "), "BRK-10"
    assert "UTC at the latest: ETH jumped, and a second round must confirm it" in reason.said
    assert any("ETH breaker is open until" in alert for alert in decision.alerts), "BRK-10"


def test_flag__breaker_of_a_collateral_open__waits_if_it_holds_any():
    """BRK-10: the contract asks about collaterals too; one unit is enough, none is not."""
    holder = replace(an_account(7, **SHORT), collateral=((1, 1),))
    _, decision = decided(a_story(holder, an_account(8, **SHORT), coin=OPEN))
    assert [a.account for a in decision.actions if isinstance(a, Flag)] == [8], "BRK-10"


def test_deferral__feeds_disagree__says_so():
    """Each reason in its own words; one that a later contract adds is said as it is."""
    for told, said in (("feeds", "two feeds that disagree"), ("whim", "ETH whim")):
        found = Deferrals(a_story(an_account(7, **SHORT), eth=replace(OPEN, why=told))).of(7)
        assert found is not None
        assert said in found.said


def test_sync__opening_not_told__once():
    """BRK-11: an opening is told first of all, and not again once the contract knows."""
    _, decision = decided(a_story(an_account(7, **SHORT), eth=OPEN))
    assert isinstance(decision.actions[0], SyncBreaker), "BRK-11"
    assert not list(syncs(a_story(eth=replace(OPEN, told=True)))), "BRK-11"
    assert not list(syncs(a_story(eth=CLOSED))), "BRK-11"
