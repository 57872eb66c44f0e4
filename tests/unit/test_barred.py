"""A keeper whose keys may not publish: it says so, sends nothing that must revert, and does all the rest."""

from dataclasses import replace

from keeper.cycle import think
from keeper.domain.action import Publish, Refresh, SetAddOn
from keeper.domain.codec import dumps, loads
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Observation
from keeper.testing.builders import NOW, a_file, a_publication, a_snapshot, an_account, an_underlying, usd

WHY = "the publisher's role is with the quorum of keepers at 0x11: keeper quorum draft publish TICKER --out FILE"


def inputs(barred=""):
    """A block at which a publication, an add-on and a refresh are due."""
    history = tuple(
        Observation(time=NOW - 3_600 * (400 - i), price=usd(3_000 * (1 + 0.02 * (i % 2)))) for i in range(401)
    )
    old = replace(a_file(), time=NOW - 100_000, ref_spot=usd(2_000))
    u = replace(an_underlying(history=history, publication=a_publication(last_time=1)), live=old)
    late = tuple(replace(seen, time=seen.time - 9_000) for seen in u.history)
    snapshot = a_snapshot(an_account(7), underlying=replace(u, history=late))
    knobs = PolicyKnobs(heartbeat_s=1, addon_sure_age_s=3_000, addon_late_ppm=200_000, impact_gate="off")
    return CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=knobs, barred=barred)


def kinds(decision):
    return {type(one) for one in (*decision.actions, *decision.standby)}


def test_think__keys_may_not_publish__nothing_that_must_revert_and_the_file_is_kept_fresh():
    """QCL-5: no publication and no add-on is tried; a stale file, which anyone may refresh, does not wait for one."""
    free = kinds(think(inputs()))
    assert {Publish, SetAddOn} <= free
    assert Refresh not in free, "the publication that is due would bring the file up to date"
    barred = think(inputs(WHY))
    assert Refresh in kinds(barred), "QCL-5"
    assert not kinds(barred) & {Publish, SetAddOn}, "QCL-5"


def test_think__keys_may_not_publish__said_with_who_does_and_what_is_due():
    """QCL-5: a person reads who publishes instead, by which command, and what waits for it."""
    alerts = think(inputs(WHY)).alerts
    assert f"no publication and no add-on is sent: {WHY}" in alerts
    assert any("a publication is due and left to those who may" in one for one in alerts)
    assert any("an add-on is due and left to those who may" in one for one in alerts)
    assert not any("left to those who may" in one for one in think(inputs()).alerts)


def test_inputs__barred__stored_and_lived_again():
    """REP-1: what barred the keys is part of what a block saw."""
    seen = inputs(WHY)
    assert dumps(think(loads(CycleInputs, dumps(seen)))) == dumps(think(seen))
