"""A model change is an event: its version guards its outputs, and only what is signed off pushes (MOD-1 … MOD-3)."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.control.sight import Sight
from keeper.cycle import think, thought
from keeper.demo.stylised import stylised_crash
from keeper.demo.venue import quote
from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import Listing, Observation, Usable
from keeper.errors import BadInput
from keeper.ops.models import model_state, sign_off
from keeper.policy.signed import unsigned
from keeper.risk.calibration.implied import see
from keeper.risk.calibration.targets import target
from keeper.risk.model import model
from keeper.risk.version import MODEL_CHANGELOG, MODEL_VERSION
from keeper.testing.builders import a_publication, a_snapshot, an_account, an_underlying
from keeper.testing.memory_store import MemoryStore

#: Digest of the model's outputs, by version.
GOLDEN = Path(__file__).parents[1] / "cases" / "model_digests.json"
HOUR = 3_600
WAD = 10**18


def a_state(seed, *, hours, symbol="ETH"):
    """An underlying some way into a made-up crash, with expiries from hours to months."""
    path = stylised_crash(seed=seed, blocks=60)
    points = [*path.warmup, *path.points[:hours]]
    history = tuple(Observation(time=p.time, price=round(p.prices[symbol] * 10**8) * 10**10) for p in points)
    now, spot = history[-1].time, history[-1].price
    strikes = tuple(spot * share // (100 * 10**10) for share in (60, 80, 90, 100, 110, 125, 160))
    listings = tuple(Listing(expiry=now + h * HOUR, strikes=strikes) for h in (5, 24, 72, 168, 720, 2_160))
    return replace(an_underlying(history=history), spot=Usable(wad=spot), listings=listings, live=None), now


def outputs():
    """What the model makes of a dozen states: with quotes and without, calm and in a crash."""
    knobs = RiskKnobs()
    for seed in (1, 2):
        for hours in (10, 30, 50):
            state, now = a_state(seed, hours=hours)
            for sheet in (None, quote(state, now, seed=seed)):
                found = target(state, now, knobs, see(sheet, spot=state.spot.wad, now=now, knobs=knobs.implied))
                assert isinstance(found, UnderlyingTarget), found
                yield found


def digest():
    """Of the published numbers alone: the words of a reason may be bettered without a new model."""
    integers = [(one.ranges, one.expiries) for one in outputs()]
    plain = [
        [codec.dumps(ranges).decode(), [codec.dumps(e).decode() for e in expiries]] for ranges, expiries in integers
    ]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def test_model__outputs_moved__version_and_changelog_must_move_too():
    """MOD-1: whoever changes what the model makes of the same inputs raises its version and says what changed.

    If this fails: add a line to MODEL_CHANGELOG in keeper/risk/version.py, and the new digest to model_digests.json.
    """
    golden = json.loads(GOLDEN.read_text())
    assert golden.get(str(MODEL_VERSION)) == digest(), "MOD-1"
    assert sorted(golden) == sorted(map(str, MODEL_CHANGELOG)), "MOD-1"
    assert len(set(golden.values())) == len(golden), "MOD-1: a version is a change"


def test_changelog__versions__are_counted_up_and_say_something():
    """MOD-1"""
    assert list(MODEL_CHANGELOG) == list(range(1, MODEL_VERSION + 1))
    assert all(len(said) > 40 for said in MODEL_CHANGELOG.values())


def due():
    """Inputs of a block at which a publication is due."""
    history = tuple(
        Observation(time=1_800_000_000 - HOUR * (400 - i), price=int(3_000 * (1 + 0.02 * (i % 2)) * WAD))
        for i in range(401)
    )
    u = an_underlying(history=history, publication=a_publication(last_time=1))
    snapshot = a_snapshot(an_account(7), underlying=u)
    history = tuple(replace(o, time=o.time + snapshot.block.timestamp - 1_800_000_000) for o in history)
    snapshot = replace(snapshot, underlyings=(replace(snapshot.underlyings[0], history=history),))
    knobs = replace(PolicyKnobs(), heartbeat_s=1)
    return CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=knobs)


def pushes(decision):
    return [one for one in (*decision.actions, *decision.standby) if isinstance(one, Publish)]


def test_think__model_not_signed_off__nothing_is_published_and_why():
    """MOD-2: no push, and an alert that names the version and both commands."""
    inputs = due()
    assert pushes(think(inputs)), "a push is due"
    for signed in ((), (MODEL_VERSION + 1,), (0,)):
        decision, _ = thought(replace(inputs, signed=signed))
        assert not pushes(decision), "MOD-2"
        (alert,) = [one for one in decision.alerts if "not signed off" in one]
        assert f"model {MODEL_VERSION} is not signed off: run keeper shadow" in alert, "MOD-2"
        assert f"keeper model sign-off {MODEL_VERSION}" in alert, "MOD-2"
    assert pushes(think(replace(inputs, signed=(MODEL_VERSION,)))) == pushes(think(inputs)), "MOD-2"


def test_proposal__by_hand__held_by_the_same_word():
    """MOD-2: a push by hand needs the sign-off as well."""
    inputs = replace(due(), signed=())
    market = model(inputs.snapshot, inputs.risk, inputs.quotes)
    proposal = Sight(inputs=inputs, market=market).proposal(inputs.snapshot.underlyings[0], asked="by hand")
    assert proposal.push is None, "MOD-2"
    assert proposal.waits == unsigned(()), "MOD-2"


def lived():
    """A store that has lived one block."""
    store, inputs = MemoryStore(), due()
    record = CycleRecord(block=inputs.snapshot.block, decision=think(inputs), handed=())
    store.append_lived(inputs, record, ended=())
    return store, inputs


def test_sign_off__with_numbers_on_the_table__kept_with_the_word():
    """MOD-3: who, when, why, and live and proposed numbers side by side."""
    store, inputs = lived()
    assert not model_state(store).may_push
    signed = sign_off(store, MODEL_VERSION, operator=" Ada ", reason="a week in the shadow", now_s=1_000)
    assert (signed.operator, signed.at_s) == ("Ada", 1_000)
    assert signed.evidence.splitlines()[0] == f"at block {inputs.snapshot.block.number} {inputs.snapshot.block.hash}"
    symbol = inputs.snapshot.underlyings[0].symbol
    assert any(line.startswith(f"{symbol}.scan_range 15 % → ") for line in signed.evidence.splitlines()), "MOD-3"
    assert any(f"{symbol}.sigma@" in line for line in signed.evidence.splitlines()), "MOD-3"
    assert model_state(store).may_push, "MOD-3"
    assert store.sign_offs() == (signed,)


@pytest.mark.parametrize(
    ("version", "operator", "reason", "said"),
    [
        (MODEL_VERSION + 1, "Ada", "why", "this keeper has model"),
        (MODEL_VERSION, "  ", "why", "a name and a reason"),
        (MODEL_VERSION, "Ada", "", "a name and a reason"),
    ],
)
def test_sign_off__another_version_or_no_word__refused(version, operator, reason, said):
    """MOD-3: nobody signs what is not running, or in nobody's name."""
    store, _ = lived()
    with pytest.raises(BadInput, match=said):
        sign_off(store, version, operator=operator, reason=reason, now_s=1_000)
    assert store.sign_offs() == ()


def test_sign_off__nothing_lived__nothing_to_look_at():
    """MOD-3: a fresh store has no numbers, so its first model is not signed blindly either."""
    with pytest.raises(BadInput, match="no numbers to look at"):
        sign_off(MemoryStore(), MODEL_VERSION, operator="Ada", reason="why", now_s=1_000)
