"""False positives cost ever less, delay nobody, and a changed account starts anew (BCK-1 … BCK-4, defect 9)."""

import pytest

from keeper.cycle import STANDBY_AT_ONCE
from keeper.domain import codec
from keeper.domain.action import Flag, kind, subject
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.tx import TxState
from keeper.domain.worth import Refusal
from keeper.policy import backoff
from keeper.replay import replay
from keeper.testing.builders import a_snapshot, an_account
from keeper.testing.false_positives import Doubts, FalsePositives

KNOBS = PolicyKnobs(max_actions_per_block=5, refused_wait_max_blocks=16)
FALSE = 500


@pytest.mark.parametrize(("count", "blocks"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 16), (10**9, 16)])
def test_wait__doubles__up_to_the_ceiling(count, blocks):
    """BCK-1: min(2^(n−1), ceiling) blocks."""
    assert backoff.wait_blocks(count, KNOBS) == blocks, "BCK-1"


def test_counted__same_state_or_another__on_top_or_anew():
    """BCK-2: a refusal counts on top of the one before unless the account changed in between."""
    old = Refusal(kind="flag", subject="s", count=3, last_block=90, about="x")
    assert backoff.counted(old, kind="flag", subject="s", at_block=98, about="x").count == 4, "BCK-2"
    assert backoff.counted(old, kind="flag", subject="s", at_block=98, about="y").count == 1, "BCK-2"
    assert backoff.counted(None, kind="flag", subject="s", at_block=98, about="y").count == 1


def test_account_of__inverse_of_subject():
    assert backoff.account_of(subject(Flag(account=2**255 + 7, why=""))) == 2**255 + 7
    assert backoff.account_of("underlying:1:expiry:5") is None


def test_cycle__five_hundred_false_positives__the_real_one_goes_out_in_the_same_block():
    """BCK-3, defect 9: the worst accounts are all false; what stood by moves up, and nothing was sent for the rest."""
    market = FalsePositives(false=FALSE, policy=KNOBS)
    record = market.live(100)
    assert market.flagged() == [market.real], "BCK-3"
    assert len(market.recheck.asked) == FALSE + 1
    assert 0 < market.recheck.expected <= STANDBY_AT_ONCE, "together, and no more than may be needed"
    assert sum(one.refused for one in record.handed) == FALSE
    assert all(one.state in ("dropped", TxState.SENT) for one in record.handed)


def test_cycle__false_positives_again_and_again__asked_about_ever_less():
    """BCK-1, BCK-3: over 64 blocks each is asked about as often as the doubling waits allow, and nobody is lost."""
    market = FalsePositives(false=3, policy=KNOBS)
    asked = [len(market.live(100 + i).handed) and len(set(market.recheck.asked) & market.false) for i in range(64)]
    tries = [i for i, n in enumerate(asked) if n]
    assert tries == [0, 1, 3, 7, 15, 31, 47, 63], "BCK-1: waits of 1, 2, 4, 8, 16, 16, 16 blocks"
    assert all(asked[i] == 3 for i in tries)


def test_cycle__account_changes__asked_about_at_once():
    """BCK-2: an account that traded is another account; the next block looks at it again."""
    market = FalsePositives(false=1, policy=KNOBS)
    for i in range(4):
        market.live(100 + i)
    assert market.store.refusals()[0].count == 3
    market.live(104)
    assert market.recheck.asked == []
    market.accounts[0] = an_account(10, cash=-6_000, perp=1)
    market.live(105)
    assert 10 in market.recheck.asked, "BCK-2"
    assert market.store.refusals()[0].count == 1, "BCK-2"


def test_cycle__node_down_while_rechecking__nothing_is_refused_and_few_are_tried():
    """BCK-3, BCK-5: a node that cannot be asked says nothing about any account, and is not asked for all of them."""
    market = FalsePositives(recheck=Doubts(down=True), false=20, policy=KNOBS)
    record = market.live(100)
    assert market.store.refusals() == ()
    assert [one.state for one in record.handed] == ["failed"] * 2 * KNOBS.max_actions_per_block
    assert market.flagged() == []


def test_cycle__refusals__are_inputs_and_replay_to_the_same_bytes():
    """BCK-4, REP-1: what was left alone follows from what is stored."""
    market = FalsePositives(false=3, policy=KNOBS)
    for i in range(3):
        record = market.live(100 + i)
    inputs = market.store.inputs(record.block.hash)
    assert inputs.refused
    assert replay(market.store, record.block.hash).same, "BCK-4"
    assert not [a for a in record.decision.actions if kind(a) == "flag" and a.account in market.false], "BCK-4"


def test_cycle_inputs__stored_before_there_were_refusals__still_read():
    """REP-1: blocks of an earlier version replay; they had nothing to leave alone and weighed nothing."""
    snapshot = a_snapshot(an_account())
    inputs = CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=KNOBS)
    old = codec.dumps(inputs).replace(b'"economics":null,', b"").replace(b'"refused":[],', b"")
    assert b'refused":' not in old
    assert codec.loads(CycleInputs, old) == inputs
