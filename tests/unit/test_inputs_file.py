"""The canonical inputs file: its bytes, its hash, and that it is kept before anything leaves (INP-1 … INP-5)."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.cycle import Ports, cycle, thought
from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.cycle import CycleInputs
from keeper.domain.deployed import Deployed
from keeper.domain.fitted import FittedSmile
from keeper.domain.inputs import SCHEMA, Brought, dump, hash_of, history_digest, load
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Observation
from keeper.domain.tx import SignerRole, TxIntent
from keeper.errors import BadInput, LawBroken, Retry
from keeper.marketdata.board import NoSource
from keeper.policy.publish import permitted
from keeper.policy.verify import checks_of, first_difference
from keeper.risk.calibration.targets import target_of
from keeper.testing.builders import NOW, a_publication, a_snapshot, an_account, an_underlying
from keeper.testing.memory_store import MemoryStore
from keeper.updates import keep_inputs

HOUR = 3_600
WAD = 10**18
KNOBS = PolicyKnobs(heartbeat_s=1)


def a_history(hours=400):
    return tuple(
        Observation(time=NOW - HOUR * (hours - i), price=int(3_000 * (1 + 0.02 * (i % 2)) * WAD))
        for i in range(hours + 1)
    )


def a_due_snapshot():
    u = an_underlying(history=a_history(), publication=a_publication(last_time=NOW - 10 * HOUR))
    return a_snapshot(an_account(7), underlying=u)


def decided():
    inputs = CycleInputs(snapshot=a_due_snapshot(), in_flight=(), called=(), risk=RiskKnobs(), policy=KNOBS)
    decision, files = thought(inputs)
    (push,) = [one for one in decision.actions if isinstance(one, Publish)]
    return push, files


def test_file__of_a_publication__its_hash_and_its_integers_follow_from_it_alone():
    """INP-1: written, read and written again it is the same bytes, and gives the pushed integers again."""
    push, (file,) = decided()
    data = dump(file)
    assert hash_of(data) == push.inputs_hash, "INP-1"
    again = load(data)
    assert dump(again) == data, "INP-1"
    assert permitted(again) == push.params, "INP-1"
    assert [check.difference for check in checks_of(again)] == [None] * 4, "INP-1"
    assert again.history_sha256 == history_digest(file.state.history)


#: A file as the first keepers wrote it, and the hash under which it stood on a chain.
OLD = Path(__file__).parents[1] / "cases" / "inputs_schema_1.json"
OLD_HASH = "0xc7a97a9d068576e3130c2792dded588ae08ff4f58fdc2a5e17cc71ad17a9a08e"
HERE = Deployed(chain_id=1, contracts=(("ClearingHouse", "0x" + "11" * 20), ("RiskParameters", "0x" + "22" * 20)))


def test_file__of_an_older_schema__same_bytes_and_still_derives():
    """INP-5: what older keepers published verifies for as long as their model runs."""
    data = OLD.read_bytes()
    file = load(data)
    assert (file.schema, file.deployed) == (1, None)
    assert dump(file) == data, "INP-5"
    assert hash_of(data) == OLD_HASH, "INP-5"
    assert [check.difference for check in checks_of(file)] == [None] * 4, "INP-5"
    assert permitted(file).ranges.psr_ppm == 180_000, "INP-5"


def test_derivation__words_of_a_target__compared_where_they_are_todays():
    """INP-5: an older file tells its numbers in the words of its time; today's words follow from them."""
    old, (file,) = load(OLD.read_bytes()), decided()[1]
    today = replace(file, schema=SCHEMA, deployed=HERE)

    def first(file, **changed):
        tampered = replace(file, target=replace(file.target, **changed))
        return next((one.difference for one in checks_of(tampered) if one.difference is not None), None)

    other = ("because", "of that")
    assert first(old, reasons=other) is None, "INP-5"
    assert first(old, ranges=replace(old.target.ranges, psr_ppm=1)) is not None, "INP-5"
    assert first(today, reasons=other).name == "target.reasons[0]", "INP-5"


def test_file__two_deployments__nothing_else_differs_and_the_hashes_do():
    """INP-5: the same market on another chain, or in other contracts of the same chain, is another file."""
    snapshot = a_due_snapshot()
    elsewhere = (
        HERE,
        replace(HERE, chain_id=2),
        replace(HERE, contracts=(("ClearingHouse", "0x" + "33" * 20), HERE.contracts[1])),
    )
    seen = {}
    for where in elsewhere:
        inputs = CycleInputs(
            snapshot=replace(snapshot, deployed=where), in_flight=(), called=(), risk=RiskKnobs(), policy=KNOBS
        )
        decision, (file,) = thought(inputs)
        (push,) = [one for one in decision.actions if isinstance(one, Publish)]
        assert (file.schema, file.deployed) == (4, where)
        assert load(dump(file)) == file, "INP-5"
        seen[push.inputs_hash] = push.params
    assert len(seen) == 3, "INP-5"
    assert len({str(params) for params in seen.values()}) == 1


@pytest.mark.parametrize(("schema", "deployed"), [(1, HERE), (2, None), (3, None), (4, None), (5, HERE)])
def test_load__a_schema_that_contradicts_itself__bad_input(schema, deployed):
    """INP-5: nobody strips a file of its deployment, or gives an old one a name."""
    _, (file,) = decided()
    data = codec.dumps(replace(file, schema=schema, deployed=deployed))
    with pytest.raises(BadInput, match=f"schema {schema}"):
        load(data)


def test_file__from_before_the_day_was_counted__same_bytes_and_no_such_key():
    """INP-5: files of schema 2 stand on chains under their hashes; none of them can tell of the day's pushes."""
    _, (file,) = decided()
    old = replace(file, schema=2, deployed=HERE)
    assert b"brought" not in dump(old), "INP-5"
    assert load(dump(old)) == old, "INP-5"
    assert dump(load(dump(old))) == dump(old), "INP-5"
    told = replace(old, brought=(Brought(at_s=1, accounts_ppm=2, requirement_ppm=3),))
    assert load(dump(replace(told, schema=3))).brought == told.brought
    with pytest.raises(BadInput, match="schema 2 and says whom the pushes"):
        load(codec.dumps(told))


@given(st.integers(0, 400), st.integers(-(10**15), 10**15).filter(bool))
def test_history_digest__any_round_moved__another_digest(at, by):
    """INP-1: the digest tells histories apart."""
    rounds = a_history()
    moved = (*rounds[:at], replace(rounds[at], price=rounds[at].price + by), *rounds[at + 1 :])
    assert history_digest(moved) != history_digest(rounds)


class Outbox:
    """A sender that looks into the store when it is handed something, and then dies."""

    def __init__(self, store):
        self.store, self.seen = store, []

    def settle(self, head):
        return ()

    def submit(self, intent):
        self.seen.append((intent, self.store.kept_inputs()))
        raise Retry("the process ends here")


class Encoder:
    def encode(self, action, *, block):
        return TxIntent(
            key=action.why, kind="publish", subject="underlying:1", role=SignerRole.PUBLISHER, to="0x" + "11" * 20,
            data=b"", gas_limit=1, decided_at=block, deadline_s=0, why=action.why,
        )  # fmt: skip


class Reader:
    def read(self, block):
        return a_due_snapshot()


def test_cycle__a_push__its_file_is_there_before_it_is_handed_over():
    """INP-2: whatever leaves, its inputs are stored already; a crash in between loses nothing."""
    store = MemoryStore()
    outbox = Outbox(store)
    ports = Ports(reader=Reader(), quotes=NoSource(), encoder=Encoder(), sender=outbox, store=store)
    cycle(a_due_snapshot().block, ports, RiskKnobs(), KNOBS)
    ((_, kept),) = [(intent, kept) for intent, kept in outbox.seen if "heartbeat" in intent.key or kept]
    (one,) = kept
    push, _ = decided()
    assert one.hash == push.inputs_hash, "INP-2"
    assert hash_of(store.inputs_file(one.hash)) == one.hash, "INP-2"
    assert (one.publication, one.model) == (push.id, 1)


def test_keep_inputs__another_file__law_broken_and_nothing_kept():
    """INP-2: a hash that its file does not have never leaves."""
    push, (file,) = decided()
    store = MemoryStore()
    for files in ((), (replace(file, kept_ppm=file.kept_ppm - 1),)):
        with pytest.raises(LawBroken, match="not the one whose hash"):
            keep_inputs([push], files, store)
    assert store.kept_inputs() == ()


def test_load__not_a_file__says_where():
    """INP-3: what cannot be read is a sentence, with the path of what is wrong."""
    _, (file,) = decided()
    with pytest.raises(BadInput, match=r"state\.rules"):
        load(dump(file).replace(b'"tail_ppm":', b'"tail_bps":'))


def test_first_difference__any_two_records__the_first_in_the_order_of_fields():
    """INP-3: paths name fields and places; slack is for the fields it names, and the rest must be the same."""
    _, (file,) = decided()
    assert first_difference(file, file) is None
    spot = replace(file, state=replace(file.state, funding_index=file.state.funding_index + 1), kept_ppm=1)
    assert first_difference(file, spot).name == "state.funding_index", "INP-3"
    short = replace(file, state=replace(file.state, history=file.state.history[:-1]))
    assert first_difference(file, short).name == "length of state.history", "INP-3"
    moved = replace(file.fitted, vol_ppm=file.fitted.vol_ppm + 1)
    assert first_difference(file.fitted, moved, slack={"vol_ppm": 1}) is None, "INP-3"
    assert first_difference(file.fitted, moved, slack={"mean_vol_ppm": 1}).name == "vol_ppm", "INP-3"


LIBM = ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "pow", "sin", "cos", "tanh", "erf", "fsum")


def test_derivation__without_a_math_library__the_same_integers(monkeypatch):
    """INP-4: from fitted numbers to pushed integers nothing is asked of the processor but integers."""
    _, (file,) = decided()
    fitted = file.fitted
    smiles = tuple(
        FittedSmile(
            expiry=one.expiry,
            phi_ppb=1_003_000_007,
            atm_ppm=612_345,
            vols_ppm=tuple(612_345 + 7_001 * abs(i - 2) for i in range(len(one.strikes))),
        )
        for one in file.state.listings
    )
    quoted = replace(fitted, quotes_used=True, quotes_said="a venue's", smiles=smiles)
    now = file.block.timestamp

    def derived(found):
        target = target_of(found, file.state, now, file.risk)
        return target, permitted(replace(file, fitted=found, target=target))

    before = [derived(fitted), derived(quoted)]
    assert before[0] != before[1]

    def absent(*_args, **_named):
        raise AssertionError("INP-4: a function of the machine's math library was called")

    for name in LIBM:
        for module in (math, np):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, absent)
    assert [derived(fitted), derived(quoted)] == before, "INP-4"
