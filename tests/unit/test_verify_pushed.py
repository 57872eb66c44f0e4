"""What was pushed against what the chain took: every integer counts, save those the fences refused (VER-3)."""

import io
from dataclasses import fields, replace

import pytest
from rich.console import Console

from keeper.cli.show.updates import verdict_tree, verdict_view
from keeper.cycle import thought
from keeper.domain.action import Publish
from keeper.domain.attested import Attested
from keeper.domain.cycle import CycleInputs
from keeper.domain.deployed import Deployed
from keeper.domain.inputs import SCHEMA, Brought, InputsFile, dump, hash_of
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.landed import Landed, RefusedItem
from keeper.domain.overrides import Override
from keeper.domain.quotes import Unquoted
from keeper.domain.snapshot import Observation, Usable
from keeper.errors import BadInput, Refused, Retry
from keeper.ops.updates import UpdateName, kept, landed_one, parse_update
from keeper.ops.verify import verify
from keeper.policy.attested import attested_again
from keeper.policy.parameter import Parameter, What, kept_by, published, room
from keeper.policy.verify import checks_of, pushed
from keeper.risk.calibration.lately import highest_lately
from keeper.testing.builders import NOW, a_block, a_publication, a_snapshot, an_account, an_underlying
from keeper.testing.memory_store import MemoryStore
from keeper.updates import keep_inputs

HOUR, WAD = 3_600, 10**18


@pytest.fixture(scope="module")
def decided():
    history = tuple(
        Observation(time=NOW - HOUR * (400 - i), price=int(3_000 * (1 + 0.02 * (i % 2)) * WAD)) for i in range(401)
    )
    u = an_underlying(history=history, publication=a_publication(last_time=NOW - 10 * HOUR))
    inputs = CycleInputs(
        snapshot=a_snapshot(an_account(7), underlying=u), in_flight=(), called=(), risk=RiskKnobs(),
        policy=PolicyKnobs(heartbeat_s=1),
    )  # fmt: skip
    decision, (file,) = thought(inputs)
    (push,) = [one for one in decision.actions if isinstance(one, Publish)]
    return push, file


@pytest.fixture
def landed(decided):
    push, _ = decided
    return Landed(
        underlying=push.underlying, id=push.id, block=replace(a_block(101), timestamp=NOW + 12), tx_hash="0x1",
        sender="0x2", via="0x3", inputs_hash=push.inputs_hash, ranges=push.params.ranges, expiries=push.params.expiries,
        refused=(),
    )  # fmt: skip


def test_pushed__as_it_landed__no_difference(decided, landed):
    _, file = decided
    check = pushed(file, landed)
    assert check.difference is None
    assert check.said == f"{3 + sum(3 + len(e.sigmas_ppm) for e in landed.expiries)} integers"


@pytest.mark.parametrize("name", ["psr_ppm", "vsr_up_ppm", "vsr_down_ppm"])
@pytest.mark.parametrize("by", [-1, 1])
def test_pushed__a_range_one_off__named(decided, landed, name, by):
    """VER-3: one unit is a difference."""
    _, file = decided
    other = replace(landed.ranges, **{name: getattr(landed.ranges, name) + by})
    found = pushed(file, replace(landed, ranges=other)).difference
    assert found is not None, "VER-3"
    assert found.name == name, "VER-3"
    assert int(found.theirs) - int(found.ours) == by


@pytest.mark.parametrize("name", ["phi_ppb", "df_ppb", "sigma_atm_ppm"])
def test_pushed__an_expirys_number_one_off__named(decided, landed, name):
    """VER-3"""
    _, file = decided
    first, *rest = landed.expiries
    params = replace(first.params, **{name: getattr(first.params, name) + 1})
    found = pushed(file, replace(landed, expiries=(replace(first, params=params), *rest))).difference
    assert found is not None
    assert found.name.endswith(f"params.{name}"), "VER-3"


def test_pushed__a_strike_or_an_expiry__named(decided, landed):
    """VER-3"""
    _, file = decided
    first, *rest = landed.expiries
    bent = replace(first, sigmas_ppm=(*first.sigmas_ppm[:-1], first.sigmas_ppm[-1] + 1))
    found = pushed(file, replace(landed, expiries=(bent, *rest))).difference
    assert found.name.endswith(f"sigmas_ppm[{len(first.sigmas_ppm) - 1}]"), "VER-3"
    missing = pushed(file, replace(landed, expiries=tuple(rest))).difference
    assert missing.theirs == "not published", "VER-3"
    later = replace(first, params=replace(first.params, expiry=first.params.expiry + 7))
    strange = pushed(file, replace(landed, expiries=(*landed.expiries, later))).difference
    assert strange.ours == "not published", "VER-3"


def test_pushed__items_the_fences_refused__are_not_ours_to_answer_for(decided, landed):
    """LND-2: a refused item kept what was in force; everything else must still be what was derived."""
    _, file = decided
    first = landed.expiries[0]
    old = replace(landed.ranges, psr_ppm=1, vsr_up_ppm=2, vsr_down_ppm=3)

    def refusing(expiry, what):
        return RefusedItem(expiry=expiry, what=what, reason="too far")

    joint = replace(landed, ranges=old, refused=(refusing(0, "joint"),))
    assert pushed(file, joint).difference is None, "LND-2"
    assert "1 item(s) refused" in pushed(file, joint).said
    alone = replace(landed, ranges=old, refused=(refusing(0, "psr"),))
    assert pushed(file, alone).difference.name == "vsr_up_ppm", "LND-2"
    gone = replace(landed, expiries=landed.expiries[1:], refused=(refusing(first.params.expiry, "smile"),))
    assert pushed(file, gone).difference is None, "LND-2"
    assert kept_by(Parameter(what=What.SCAN_RANGE), alone) == "too far"
    assert kept_by(Parameter(what=What.VOL_UP), alone) == ""
    assert kept_by(Parameter(what=What.VOL_UP), joint) == "too far"
    assert kept_by(Parameter(what=What.SIGMA, expiry=first.params.expiry), gone) == "too far"
    assert kept_by(Parameter(what=What.SCAN_RANGE), gone) == ""


@pytest.mark.parametrize("kept_ppm", [0, -1, 1_000_001, 2_000_000])
def test_kept__more_than_the_step_or_nothing__named(decided, kept_ppm):
    """VER-12: a gate shortens a step; a file that goes on beyond its target is none of a keeper's."""
    _, file = decided
    wrong = [one for one in checks_of(replace(file, kept_ppm=kept_ppm)) if one.difference is not None]
    assert [one.difference.name for one in wrong] == ["kept_ppm"], "VER-12"
    assert not any(one.difference for one in checks_of(replace(file, kept_ppm=1))), "VER-12"


def test_lately__left_out_where_a_range_was_to_be_lowered__named(decided):
    """VER-11: who leaves out what was aimed at in the hours before holds a range up; the rounds tell what it was."""
    _, file = decided
    fences = file.state.publication
    high = tuple(replace(one, current=one.max, anchor=one.max) for one in fences.fences)
    lowered = replace(file, state=replace(file.state, publication=replace(fences, fences=high)), lately=None)

    def lately(of):
        (found,) = [one for one in checks_of(of) if one.what == "highest target lately"]
        return found

    found = lately(lowered).difference
    assert (found.name, found.theirs) == ("lately", "None"), "VER-11"
    told = highest_lately(file.state, NOW, file.risk, over_s=file.policy.loosen_after_s)[0]
    assert lately(replace(lowered, lately=told)).difference is None, "VER-11"
    young = replace(lowered, state=replace(lowered.state, history=file.state.history[-1:]))
    assert lately(young) == replace(lately(young), said="nothing is known of the hours before", difference=None)


def test_room__each_number__what_was_pushed_lay_inside(decided, landed):
    """VER-5: the fences told beside a value are those it was decided under."""
    push, file = decided
    first = landed.expiries[0].params.expiry
    wanted = [Parameter(what=what) for what in What if what.ranged]
    wanted += [Parameter(what=what, expiry=first) for what in What if not what.ranged]
    for parameter in wanted:
        found = room(parameter, file, push.params)
        value = published(parameter, landed, ())
        assert found.low <= value <= found.high, "VER-5"
        assert found.budget_low <= found.low or found.low == found.current, "VER-5"
        assert found.left_up >= 0, "VER-5"
        assert found.left_down >= 0, "VER-5"


class Chain:
    """What a chain remembers, made up."""

    def __init__(self, landed):
        self.landed, self.asked = landed, []

    protocol = "clearinghouse"
    deployed = Deployed(chain_id=1, contracts=(("ClearingHouse", "0xAA"), ("RiskParameters", "0xBB")))

    def underlying(self, symbol):
        return 1

    def find(self, underlying, publication, *, since, until_s):
        self.asked.append((since.number, until_s))
        return self.landed if self.landed is not None and publication == self.landed.id else None

    def block(self, number):
        return a_snapshot(an_account(7)).block


def test_verify__one_id_decided_twice__the_file_that_landed_is_taken(decided, landed):
    """VER-1: of several decisions with one id the hash on-chain tells which."""
    push, file = decided
    other = dump(replace(file, kept_ppm=file.kept_ppm - 1))
    name = UpdateName(symbol=file.state.symbol, publication=push.id)
    chain = Chain(landed)
    verdict = verify(name, [other, dump(file)], chain)
    assert verdict.matches, verdict.first
    assert chain.asked == [(file.block.number, NOW + file.policy.intent_ttl_s)]
    alone = verify(name, [other], chain)
    assert alone.first is not None
    assert not alone.matches, "VER-1"


def apart(file, *, chain_id=1, **moved):
    contracts = {**Chain.deployed.addresses, **moved}
    return replace(file, schema=3, deployed=Deployed(chain_id=chain_id, contracts=tuple(sorted(contracts.items()))))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: replace(f, model=99), "made by model 99"),
        (lambda f: replace(f, schema=SCHEMA + 1), f"schema {SCHEMA + 1}, this keeper reads 1, 2, 3"),
        (lambda f: replace(f, schema=2), "does not say which deployment"),
        (lambda f: apart(f, chain_id=5), "of chain 5, this deployment of chain 1"),
        (lambda f: apart(f, ClearingHouse="0xCC"), "of the ClearingHouse at 0xCC, this deployment's is at 0xAA"),
        (lambda f: apart(f, RiskParameters="0xCC"), "of the RiskParameters at 0xCC"),
        (lambda f: replace(f, protocol="another"), "of protocol another"),
        (lambda f: replace(f, state=replace(f.state, symbol="XRP")), "is of XRP"),
        (lambda f: replace(f, state=replace(f.state, publication=None)), "cannot be published to"),
        (lambda f: replace(f, state=replace(f.state, underlying=5)), "another underlying"),
    ],
)
def test_verify__a_file_that_cannot_be_judged__bad_input(decided, landed, change, said):
    """VER-3: another model, schema or update is not a mismatch: it is the wrong tool or the wrong file."""
    push, file = decided
    with pytest.raises(BadInput, match=said):
        verify(UpdateName(symbol=file.state.symbol, publication=push.id), [dump(change(file))], Chain(landed))


def test_verify__never_landed__bad_input(decided):
    push, file = decided
    with pytest.raises(BadInput, match="did not go live"):
        verify(UpdateName(symbol=file.state.symbol, publication=push.id), [dump(file)], Chain(None))


def test_kept__by_name_or_hash__and_what_there_is_otherwise(decided):
    push, file = decided
    store = MemoryStore()
    with pytest.raises(BadInput, match="not in the store") as told:
        kept(store, parse_update("ETH:3"))
    assert "this store has none" in told.value.hint
    keep_inputs([push], [file], store)
    data = dump(file)
    for name in (
        f"{file.state.symbol}:{push.id}",
        f"{file.state.symbol.lower()}:{push.id}",
        hash_of(data),
        hash_of(data).upper().replace("0X", "0x"),
    ):
        ((index, found),) = kept(store, parse_update(name))
        assert found == data
        assert landed_one(store, ((index, found),)) == (index, data)
    with pytest.raises(BadInput, match="not in the store") as told:
        kept(store, parse_update("ETH:999"))
    assert f"the newest here is {file.state.symbol}:{push.id}" in told.value.hint


def seen_by(file, **changed):
    """What contracts would say that agree with the file but in what is changed."""
    deployed = file.deployed or Chain.deployed
    return Attested(deployed=deployed, state=replace(file.state, **changed), older_rounds=0, untold=())


def ask(push, file, attest):
    name = UpdateName(symbol=file.state.symbol, publication=push.id)
    return verify(name, [dump(file)], Chain(landed_of(push)), attest=attest)


def landed_of(push):
    return Landed(
        underlying=push.underlying, id=push.id, block=replace(a_block(101), timestamp=NOW + 12), tx_hash="0x1",
        sender="0x2", via="0x3", inputs_hash=push.inputs_hash, ranges=push.params.ranges, expiries=push.params.expiries,
        refused=(),
    )  # fmt: skip


def test_verify__contracts_asked__what_they_say_otherwise_is_named(decided):
    """VER-7: the chain's word on the raw inputs is compared value by value."""
    push, file = decided
    assert ask(push, file, seen_by).matches
    first = ask(push, file, lambda f: seen_by(f, spot=Usable(wad=f.state.spot.wad + 1))).first
    assert first.name == "state.spot.wad", "VER-7"
    assert int(first.ours) == int(first.theirs) + 1


def test_verify__node_without_that_state__told_and_no_difference(decided):
    """VER-7: what could not be asked is said, with the digest of what was believed; it is no mismatch."""
    push, file = decided

    def pruned(_):
        raise Retry("missing trie node")

    verdict = ask(push, file, pruned)
    assert verdict.matches, "VER-7"
    (state,) = [one for one in verdict.unattested if one.what.startswith("the state at block")]
    assert "archive node: missing trie node" in state.where, "VER-7"
    assert len(state.digest) == 66
    assert not any(one.what.startswith("the state at") for one in ask(push, file, seen_by).unattested)


def test_verify__what_earlier_pushes_brought__listed_as_the_publishers_word(decided):
    """VER-13: the gate's day rests on files of pushes before this one; who publishes could leave one out."""
    push, file = decided

    def told(of):
        verdict = verify(UpdateName(symbol=of.state.symbol, publication=push.id), [dump(of)], Chain(landed_of(push)))
        (one,) = [one for one in verdict.unattested if "pushes of the day before" in one.what]
        return one

    known = replace(file, schema=SCHEMA, deployed=Chain.deployed)
    before = Brought(at_s=NOW - HOUR, accounts_ppm=10_000, requirement_ppm=5_000)
    its_own = replace(before, at_s=file.block.timestamp)
    assert told(replace(known, brought=(its_own,))).what.endswith("brought nobody down"), "VER-13"
    listed = told(replace(known, brought=(before, its_own)))
    assert listed.what.endswith("brought down what 1 of them say"), "VER-13"
    assert listed.digest.startswith("0x"), "VER-13"
    assert any("no other floor stood" in one.what for one in ask(push, file, seen_by).unattested), "VER-13"


def printed(verdict):
    """What a person reads, on one line."""
    console = Console(width=200, file=io.StringIO())
    console.print(verdict_view(verdict))
    return " ".join(console.file.getvalue().split())


def test_verdict__state_not_seen__is_said_to_follow_from_its_file_alone(decided):
    """VER-10: no reader takes what was believed for what was checked."""
    push, file = decided

    def pruned(_):
        raise Retry("missing trie node")

    blind, seen = ask(push, file, pruned), ask(push, file, seen_by)
    assert (verdict_tree(blind)["state_seen"], verdict_tree(seen)["state_seen"]) == (False, True), "VER-10"
    assert (verdict_tree(blind)["matches"], verdict_tree(seen)["matches"]) == (True, True), "VER-10"
    assert (verdict_tree(blind)["verified"], verdict_tree(seen)["verified"]) == (False, True), "VER-10"
    assert "follows from its file; the state that the file tells was not seen" in printed(blind), "VER-10"
    assert "follows from its inputs" not in printed(blind), "VER-10"
    assert "what stands on the chain follows from its inputs" in printed(seen)


@pytest.mark.parametrize(("lag_s", "listed"), [(12, False), (900, False), (901, True), (86_000, True)])
def test_verdict__decided_long_before_it_landed__block_not_borne_out(decided, lag_s, listed):
    """VER-10: whoever may choose among the blocks of a day is seen to."""
    push, file = decided
    name = UpdateName(symbol=file.state.symbol, publication=push.id)
    landed = replace(landed_of(push), block=replace(a_block(101), timestamp=file.block.timestamp + lag_s))
    verdict = verify(name, [dump(file)], Chain(landed), attest=seen_by)
    assert f"decided at block {file.block.number:,}, {lag_s:,} s before it landed" in printed(verdict), "VER-10"
    assert verdict_tree(verdict)["decided_at"]["seconds_before_it_landed"] == lag_s, "VER-10"
    assert any("was not picked" in one.what for one in verdict.unattested) is listed, "VER-10"


def test_verify__contracts_that_refuse__a_difference(decided):
    """VER-7: where the contracts do not answer at all, the file is of something else."""
    push, file = decided

    def refusing(_):
        raise Refused("there is no contract")

    verdict = ask(push, file, refusing)
    assert not verdict.matches, "VER-7"
    assert "there is no contract" in verdict.first.ours


def test_verify__rounds_older_than_the_feed__counted_among_what_is_not_borne_out(decided):
    """VER-7: a feed that was replaced does not have what the one before it said."""
    push, file = decided
    verdict = ask(push, file, lambda f: replace(seen_by(f), older_rounds=7, untold=("x",)))
    said = {one.what for one in verdict.unattested}
    assert {"the 7 oldest oracle rounds", "x"} <= said, "VER-7"


#: Fields that say what the file is of: another value there is refused, not compared.
OF_SOMETHING_ELSE = {"schema", "deployed", "model", "protocol"}
#: Each field that may differ without the file being of something else, tampered with.
TAMPERED = {
    "block": lambda f: replace(f.block, timestamp=f.block.timestamp + 1),
    "state": lambda f: replace(f.state, funding_index=f.state.funding_index + 1),
    "history_sha256": lambda f: "0x00",
    "quotes": lambda f: Unquoted(underlying=1, reason="nobody quotes"),
    "risk": lambda f: replace(f.risk, psr_floor_ppm=f.risk.psr_floor_ppm + 1),
    "policy": lambda f: replace(f.policy, heartbeat_s=f.policy.heartbeat_s + 1),
    "fitted": lambda f: replace(f.fitted, rounds=f.fitted.rounds + 1),
    "target": lambda f: replace(f.target, reasons=("because",)),
    "overrides": lambda f: (
        Override(
            number=1, underlying=1, parameter="psr", floor_ppm=1, reason="r", operator="o", set_at_s=0, expires_at_s=1
        ),
    ),
    "lately": lambda f: replace(f.target.ranges, psr_ppm=1),
    "kept_ppm": lambda f: f.kept_ppm - 1,
    "brought": lambda f: (Brought(at_s=1, accounts_ppm=1, requirement_ppm=1),),
}


@pytest.mark.parametrize("name", sorted({field.name for field in fields(InputsFile)} - OF_SOMETHING_ELSE))
def test_verify__any_field_tampered_with_beside_the_stored_file__that_field_is_named(decided, landed, name):
    """VER-3: whoever has the file that was hashed is told the very field, whether a number follows from it or not."""
    push, file = decided[0], apart(decided[1])
    tampered = replace(file, **{name: TAMPERED[name](file)})
    found = verify(
        UpdateName(symbol=file.state.symbol, publication=push.id),
        [dump(tampered)],
        Chain(replace(landed, inputs_hash=hash_of(dump(file)))),
        original=dump(file),
    )
    assert name in found.first.name.removeprefix("length of ").split(".")[0], "VER-3"


@pytest.mark.parametrize(("schema", "same"), [(3, True), (4, False)])
def test_attested__fences_of_contracts_before_the_hourly_step__as_the_file_of_then_held_them(decided, schema, same):
    """VER-3: a file from before forwards earned their step is no mismatch; one of today that leaves it out is."""
    _, file = decided
    fences = file.state.publication
    old = replace(fences, vol=replace(fences.vol, forward_step_s=0))
    file = replace(file, schema=schema, deployed=Chain.deployed, state=replace(file.state, publication=old))
    seen = Attested(deployed=Chain.deployed, state=replace(file.state, publication=fences), older_rounds=0, untold=())
    (state,) = [one for one in attested_again(file, seen) if one.what == "state on the chain"]
    assert fences.vol.forward_step_s == 3_600, "else nothing is told apart"
    assert (state.difference is None) is same, "VER-3"
