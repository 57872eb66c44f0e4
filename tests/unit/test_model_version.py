"""A model change is an event: its version guards its outputs, and only what is signed off pushes (MOD-1 … MOD-6)."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from keeper.control.shadow import Shadowed, shadow
from keeper.control.shadow_run import kept
from keeper.control.sight import Sight
from keeper.cycle import Ports, think, thought
from keeper.demo.stylised import stylised_crash
from keeper.demo.venue import quote
from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Listing, Observation, Unusable, Usable
from keeper.domain.updates import ShadowRun
from keeper.errors import BadInput
from keeper.ops.models import model_state, sign_off
from keeper.policy.choices import digest as digest_of_knobs
from keeper.policy.effect import Effect
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
#: Of the inputs that are lived here.
WITH = {"risk": RiskKnobs(), "policy": PolicyKnobs(heartbeat_s=1)}
KNOBS = digest_of_knobs(**WITH)
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
    u = an_underlying(history=history, publication=replace(a_publication(last_time=1), last_id=1))
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


def test_think__other_knobs_than_were_signed_off__an_alert_and_the_push_goes_on():
    """MOD-6: knobs move targets as a model does; the keeper says with each block that they are not what was signed."""
    inputs = replace(due(), signed=(MODEL_VERSION,))

    def alerts(knobs):
        decision, _ = thought(replace(inputs, signed_knobs=knobs))
        assert pushes(decision), "MOD-6"
        return [one for one in decision.alerts if "signed off with" in one]

    assert alerts("") == alerts(KNOBS) == []
    (said,) = alerts(digest_of_knobs(RiskKnobs(), PolicyKnobs(heartbeat_s=2)))
    assert f"keeper model sign-off {MODEL_VERSION}" in said, "MOD-6"


def test_ports__signed_again_with_other_knobs__the_newest_word_counts():
    """MOD-6"""
    store, _ = lived()
    ports = Ports(reader=None, quotes=None, encoder=None, sender=None, store=store, needs_sign_off=True)
    assert ports.signed_knobs() == ""
    sign(store, first=True)
    assert ports.signed_knobs() == KNOBS, "MOD-6"
    other = {"risk": RiskKnobs(), "policy": PolicyKnobs(heartbeat_s=2)}
    shadowed(store, 300, knobs=digest_of_knobs(**other))
    sign(store, **other)
    assert ports.signed_knobs() == digest_of_knobs(**other), "MOD-6"
    assert replace(ports, needs_sign_off=False).signed_knobs() == ""


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


def shadowed(store, blocks, **changed):
    """A run of the shadow of so many blocks."""
    run = ShadowRun(
        number=0, model=MODEL_VERSION, symbol="", begun_s=900, first_block=10, last_block=9 + blocks, last_hash="0x",
        blocks=blocks, numbers="ETH: side by side", knobs=KNOBS,
    )  # fmt: skip
    return store.keep_shadow(replace(run, **changed))


def sign(store, **changed):
    return sign_off(
        store,
        MODEL_VERSION,
        **({"operator": "Ada", "reason": "why", "now_s": 1_000, "shadow_blocks": 300} | WITH | changed),
    )


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (None, "for 0 blocks in a run; 300 are asked for"),
        ({"blocks": 299}, "for 299 blocks in a run; 300 are asked for"),
        ({"blocks": 500, "symbol": "ETH"}, "for 0 blocks in a run, over every underlying"),
        ({"blocks": 500, "knobs": "0x12"}, "for 0 blocks in a run, over every underlying and with these knobs"),
        ({"blocks": 500, "knobs": ""}, "for 0 blocks in a run, over every underlying and with these knobs"),
        ({"blocks": 500, "model": MODEL_VERSION + 1}, "for 0 blocks in a run; 300"),
    ],
    ids=["no run", "too short", "one underlying", "other knobs", "knobs not kept", "another model"],
)
def test_sign_off__not_held_beside_the_live_ones_for_long_enough__refused(run, said):
    """MOD-4: nobody signs off what did not run in the shadow; many short runs are no long one."""
    store, _ = lived()
    if run is not None:
        shadowed(store, **run)
        shadowed(store, **run)
    with pytest.raises(BadInput, match=said) as told:
        sign(store)
    assert "keeper shadow --blocks 300" in told.value.hint, "MOD-4"
    assert store.sign_offs() == ()
    assert sign(store, first=True).shadowed_blocks == 0


def test_sign_off__the_first_of_a_house__once_and_on_record():
    """MOD-4: what has nothing beside it is signed as the first; a second is never the first."""
    store, _ = lived()
    first = sign(store, first=True)
    assert first.evidence.splitlines()[-1].startswith("the first model signed off"), "MOD-4"
    already = "model 1 is signed off already, since 1970-01-01 00:16:40 UTC, by Ada: why"
    with pytest.raises(BadInput, match=already):
        sign(store, first=True)
    with pytest.raises(BadInput, match=r"for 0 blocks in a run; .*; it is signed off as it is, since 1970-.*, by Ada"):
        sign(store)
    with pytest.raises(BadInput, match="it is not the first: model 1 was signed off by Ada"):
        sign(store, first=True, risk=RiskKnobs(psr_floor_ppm=90_000))
    shadowed(store, 300)
    assert sign(store).shadowed_blocks == 300
    assert len(store.sign_offs()) == 2
    for again in ({"first": True}, {}):
        with pytest.raises(BadInput, match=already):
            sign(store, **again)
    assert len(store.sign_offs()) == 2, "MOD-4: a word that adds nothing is no event"


def lived_live(last_id):
    """A store of a house that was published to so often."""
    store, inputs = MemoryStore(), due()
    (u,) = inputs.snapshot.underlyings
    u = replace(u, publication=replace(u.publication, last_id=last_id))
    inputs = replace(inputs, snapshot=replace(inputs.snapshot, underlyings=(u,)))
    store.append_lived(inputs, CycleRecord(block=inputs.snapshot.block, decision=think(inputs), handed=()), ended=())
    return store


@pytest.mark.parametrize("last_id", [0, 1])
def test_sign_off__first_of_a_house_that_was_only_opened__taken(last_id):
    """MOD-4"""
    assert sign(lived_live(last_id), first=True).shadowed_blocks == 0


def test_sign_off__first_from_an_empty_store_of_a_live_house__refused_unless_said_why():
    """MOD-4: an empty store is no new house; what was published is there to be held beside."""
    store = lived_live(2)
    with pytest.raises(BadInput, match="not the first of this house: ETH:2 is live") as told:
        sign(store, first=True)
    assert "--house-is-live" in told.value.hint, "MOD-4"
    with pytest.raises(BadInput, match="not the first"):
        sign(store, first=True, house_is_live="  ")
    assert store.sign_offs() == ()
    signed = sign(store, first=True, house_is_live="the disk was lost")
    assert "ETH:2 was live; signed as the first all the same: the disk was lost" in signed.evidence, "MOD-4"


def test_sign_off__with_other_knobs_than_were_lived__their_numbers_are_on_the_table():
    """MOD-6: what is signed is what these settings would publish, and no shadow run of other knobs counts for it."""
    store, _ = lived()
    shadowed(store, 300)
    other = {"risk": RiskKnobs(psr_floor_ppm=300_000), "policy": WITH["policy"]}
    with pytest.raises(BadInput, match="over every underlying and with these knobs"):
        sign(store, **other)
    shadowed(store, 301, knobs=digest_of_knobs(**other))
    signed = sign(store, **other)
    assert (signed.knobs, signed.shadowed_blocks) == (digest_of_knobs(**other), 301), "MOD-6"
    assert any(line.endswith(".scan_range 15 % → 30 %") for line in signed.evidence.splitlines()), "MOD-6"


def effect_of(below_mm):
    return Effect(
        **{
            name: below_mm if name == "below_mm" else [] if "tuple" in str(kind) else 0
            for name, kind in Effect.__annotations__.items()
        }
    )


def a_sight(number, symbol="ETH", *, below_mm=0, pushed="", whole=False):
    ranges = Ranges(psr_ppm=150_000, vsr_up_ppm=400_000, vsr_down_ppm=300_000)
    return Shadowed(
        block=BlockRef(number, f"0x{number:064x}", "0x", 12 * number), symbol=symbol, live=ranges,
        shadow=replace(ranges, psr_ppm=162_500), target=None, pushed=pushed, waits="", effect=effect_of(below_mm),
        whole=whole,
    )  # fmt: skip


def test_kept__a_run_broken_off__counts_the_blocks_it_saw():
    """MOD-5: a block counts once all its underlyings were looked at, and is on record before the next is."""
    store = MemoryStore()
    seen = kept(
        iter(
            [
                a_sight(10), a_sight(10, "BTC", whole=True), a_sight(12, pushed="scan range", below_mm=3),
                a_sight(12, "BTC", whole=True), a_sight(13),
            ]
        ),
        store, symbol=None, now_s=77, knobs=KNOBS,
    )  # fmt: skip
    assert store.shadows() == ()
    assert next(seen).block.number == 10
    (run,) = store.shadows()
    assert (run.blocks, run.symbol, run.model, run.begun_s) == (0, "", MODEL_VERSION, 77), "MOD-5"
    assert run.knobs == KNOBS, "MOD-6"
    next(seen)
    assert store.shadows()[0].blocks == 1, "MOD-5"
    list(seen)
    (run,) = store.shadows()
    assert (run.blocks, run.first_block, run.last_block) == (2, 10, 13), "MOD-5: BTC was not looked at in block 13"
    btc, eth = run.numbers.splitlines()
    assert eth.startswith("ETH: scan_range 15 % live 16.25 % shadow"), "MOD-5"
    assert eth.endswith("1 shadow pushes; at worst 3 newly below MM, at block 12"), "MOD-5"
    assert btc.startswith("BTC: ")


def test_shadow__an_underlying_without_a_price__its_blocks_are_not_whole():
    """MOD-5: what could not be looked at is no block of a whole run; an underlying with no numbers yet is not asked."""
    inputs = due()
    (eth,) = inputs.snapshot.underlyings
    btc, young = replace(eth, underlying=2, symbol="BTC"), replace(eth, underlying=3, symbol="SOL", live=None)

    def seen(*underlyings):
        snapshot = replace(inputs.snapshot, underlyings=underlyings)
        nobody = SimpleNamespace(refresh=lambda: None, read=lambda _: ())
        ports = SimpleNamespace(
            quotes=nobody, reader=SimpleNamespace(read=lambda _: snapshot), store=MemoryStore(), signed=lambda: None
        )
        heads = SimpleNamespace(head=lambda: snapshot.block)
        found = shadow(heads, ports, inputs.risk, inputs.policy, symbol=None, blocks=1, wait=lambda: None)
        return [(one.symbol, one.whole) for one in found]

    assert seen(eth, btc, young) == [("ETH", False), ("BTC", True)], "MOD-5"
    for blind in (replace(btc, spot=Unusable(reason="the feed is late")), replace(btc, publication=None)):
        assert seen(eth, blind) == seen(blind, eth) == [("ETH", False)], "MOD-5"


def test_sign_off__with_numbers_on_the_table__kept_with_the_word():
    """MOD-3: who, when, why, and live and proposed numbers side by side."""
    store, inputs = lived()
    assert not model_state(store, **WITH).may_push
    shadowed(store, 299)
    long_enough = shadowed(store, 301)
    shadowed(store, 5)
    signed = sign(store, operator=" Ada ", reason="a week in the shadow")
    assert signed.knobs == KNOBS, "MOD-6"
    assert (signed.operator, signed.at_s, signed.shadowed_blocks) == ("Ada", 1_000, 301)
    assert f"shadow run {long_enough.number}, 301 blocks, 10 to 310:" in signed.evidence.splitlines(), "MOD-3"
    assert signed.evidence.splitlines()[-1] == "ETH: side by side", "MOD-3"
    assert signed.evidence.splitlines()[0] == f"at block {inputs.snapshot.block.number} {inputs.snapshot.block.hash}"
    symbol = inputs.snapshot.underlyings[0].symbol
    assert any(line.startswith(f"{symbol}.scan_range 15 % → ") for line in signed.evidence.splitlines()), "MOD-3"
    assert any(f"{symbol}.sigma@" in line for line in signed.evidence.splitlines()), "MOD-3"
    assert model_state(store, **WITH).may_push, "MOD-3"
    assert store.sign_offs() == (signed,)


@pytest.mark.parametrize(
    ("version", "operator", "reason", "said"),
    [
        (MODEL_VERSION + 1, "Ada", "why", "this keeper has model"),
        (MODEL_VERSION, "  ", "why", "needs a"),
        (MODEL_VERSION, "Ada", "", "needs a"),
    ],
)
def test_sign_off__another_version_or_no_word__refused(version, operator, reason, said):
    """MOD-3: nobody signs what is not running, or in nobody's name."""
    store, _ = lived()
    with pytest.raises(BadInput, match=said):
        sign_off(store, version, operator=operator, reason=reason, now_s=1_000, shadow_blocks=1, first=True, **WITH)
    assert store.sign_offs() == ()


def test_sign_off__nothing_lived__nothing_to_look_at():
    """MOD-3: a fresh store has no numbers, so its first model is not signed blindly either."""
    with pytest.raises(BadInput, match="no numbers to look at"):
        sign(MemoryStore(), first=True)
