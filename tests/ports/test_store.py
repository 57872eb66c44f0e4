"""One suite for the port `Store`, over every adapter."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain import codec
from keeper.domain.account import AccountState
from keeper.domain.action import MarginCall
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord, Decision
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.report import MarginReport
from keeper.domain.roster import Roster
from keeper.domain.snapshot import Observation
from keeper.domain.tx import SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.domain.tx_flow import NEXT_STATES
from keeper.errors import LawBroken, Refused
from keeper.testing.builders import a_snapshot, an_account
from keeper.testing.memory_store import MemoryStore

SENDER = "0x" + "5e" * 20


def a_block(number: int = 1, fork: str = "a") -> BlockRef:
    return BlockRef(
        number, "0x" + fork * 54 + f"{number:010d}", "0x" + fork * 54 + f"{number - 1:010d}", 1_000 + number
    )


def an_intent(key: str = "k1", *, subject: str | None = None) -> TxIntent:
    return TxIntent(
        key=key,
        kind="flag",
        subject=subject or key,
        role=SignerRole.LIQUIDATOR,
        to="0x" + "aa" * 20,
        data=b"\x00\xff",
        gas_limit=2**40,
        decided_at=a_block(),
        deadline_s=2_000,
        why="equity below maintenance",
    )


def an_attempt(tx_hash: str = "0x01", fee: int = 2**256 - 1) -> TxAttempt:
    return TxAttempt(tx_hash=tx_hash, raw=b"\x02raw", max_fee_wei=fee, priority_fee_wei=0, block_number=1)


def planned(key: str = "k1", *, subject: str | None = None) -> TxRecord:
    return TxRecord(intent=an_intent(key, subject=subject), state=TxState.PLANNED)


def signed(key: str = "k1", nonce: int = 7) -> TxRecord:
    attempt = an_attempt("0x" + key)
    return replace(planned(key), state=TxState.SIGNED, sender=SENDER, nonce=nonce, attempts=(attempt,))


def sent(key: str = "k1", nonce: int = 7) -> TxRecord:
    return replace(signed(key, nonce), state=TxState.SENT)


def mined(key: str = "k1", nonce: int = 7) -> TxRecord:
    done = {"mined": a_block(2), "mined_hash": "0x" + key, "gas_used": 21_000}
    return replace(sent(key, nonce), state=TxState.MINED, **done)


def in_state(state: TxState, key: str = "k1", nonce: int = 7) -> TxRecord:
    """A whole record in a given state."""
    if state in (TxState.PLANNED, TxState.EXPIRED, TxState.DROPPED):
        return replace(planned(key), state=state)
    if state in (TxState.MINED, TxState.FINAL, TxState.REVERTED):
        return replace(mined(key, nonce), state=state)
    return replace(signed(key, nonce), state=state)


#: How to reach each state from PLANNED.
PATHS = {
    TxState.PLANNED: [],
    TxState.SIGNED: [TxState.SIGNED],
    TxState.SENT: [TxState.SIGNED, TxState.SENT],
    TxState.MINED: [TxState.SIGNED, TxState.SENT, TxState.MINED],
    TxState.FINAL: [TxState.SIGNED, TxState.SENT, TxState.MINED, TxState.FINAL],
    TxState.REVERTED: [TxState.SIGNED, TxState.SENT, TxState.MINED, TxState.REVERTED],
    TxState.REPLACED: [TxState.SIGNED, TxState.SENT, TxState.REPLACED],
    TxState.EXPIRED: [TxState.EXPIRED],
    TxState.DROPPED: [TxState.DROPPED],
    TxState.ABANDONED: [TxState.SIGNED, TxState.SENT, TxState.ABANDONED],
}


def bring_to(store, state: TxState, key: str = "k1", nonce: int = 7) -> TxRecord:
    store.put_intent(planned(key))
    for step in PATHS[state]:
        store.update_tx(in_state(step, key, nonce))
    return store.tx(key)


def a_cycle(block: BlockRef, *, alert: str = "") -> CycleRecord:
    decision = Decision(
        block=block,
        targets=(),
        report=MarginReport(accounts=(), refreshed=(), previous=()),
        actions=(MarginCall(account=2**256 - 1, health_ppm=1, equity=-5, mm=1, why="short"),),
        alerts=(alert,),
    )
    return CycleRecord(block=block, decision=decision, handed=())


# Transactions


def test_put_intent__new__is_found_by_key(store):
    assert store.put_intent(planned()) == planned()
    assert store.tx("k1") == planned()
    assert store.tx("other") is None


def test_put_intent__known_key__returns_the_stored_record(store):
    """TX-2: the second submission of an intent finds the first, whatever became of it."""
    bring_to(store, TxState.SENT)
    assert store.put_intent(planned()) == sent()
    assert store.txs() == (sent(),)


def test_put_intent__same_subject_open__refused(store):
    """One open intent per (kind, subject), so two racing decisions cannot both be sent."""
    store.put_intent(planned("k1", subject="account:1"))
    with pytest.raises(Refused) as caught:
        store.put_intent(planned("k2", subject="account:1"))
    assert caught.value.fields["open_key"] == "k1"
    store.update_tx(replace(planned("k1", subject="account:1"), state=TxState.DROPPED))
    store.put_intent(planned("k2", subject="account:1"))
    assert [tx.intent.key for tx in store.open_txs()] == ["k2"]


@pytest.mark.parametrize("state", [state for state in TxState if state is not TxState.PLANNED])
def test_put_intent__not_planned__law_broken(store, state):
    with pytest.raises(LawBroken):
        store.put_intent(in_state(state))


@pytest.mark.parametrize("old", list(TxState))
@pytest.mark.parametrize("new", list(TxState))
def test_update_tx__each_pair_of_states__only_legal_steps_pass(store, old, new):
    """The diagram of `keeper.domain.tx`, every arrow and every missing arrow."""
    before = bring_to(store, old)
    after = replace(in_state(new), reason="moved")
    if new in NEXT_STATES[old]:
        store.update_tx(after)
        assert store.tx("k1") == after
    else:
        with pytest.raises(LawBroken):
            store.update_tx(after)
        assert store.tx("k1") == before


@pytest.mark.parametrize("state", list(TxState))
def test_update_tx__same_record_again__is_harmless(store, state):
    """A crash after the write makes recovery write it again."""
    record = bring_to(store, state)
    store.update_tx(record)
    assert store.tx("k1") == record


def update_together(store, *records):
    with store.together():
        for record in records:
            store.update_tx(record)
            assert store.tx(record.intent.key) == record, "what was written is seen inside"


def test_together__several_updates__all_of_them_or_none(store):
    """Updates made together become durable together, and an error undoes every one of them."""
    moved = []
    for i, key in enumerate(("k1", "k2")):
        before = planned(key, subject=key)
        store.put_intent(before)
        moved.append(replace(signed(key, i), intent=before.intent, attempts=(an_attempt(f"0x0{i}"),)))
    with pytest.raises(LawBroken):
        update_together(store, moved[0], signed("unknown", 9))
    assert [one.state for one in store.open_txs()] == [TxState.PLANNED] * 2, "undone"
    update_together(store, *moved)
    assert list(store.open_txs()) == moved
    store.update_tx(replace(moved[0], state=TxState.SENT))
    assert store.tx("k1").state is TxState.SENT, "afterwards each write is one of its own again"


def test_update_tx__unknown_key__law_broken(store):
    with pytest.raises(LawBroken):
        store.update_tx(signed())


@pytest.mark.parametrize(
    "damaged",
    [
        replace(sent(), intent=replace(an_intent(), data=b"other")),
        replace(sent(), nonce=8),
        replace(sent(), sender="0x" + "00" * 20),
        replace(sent(), attempts=()),
        replace(sent(), attempts=(an_attempt("0xother"),)),
        replace(sent(), attempts=(an_attempt("0xk1", fee=1),)),
        replace(sent(), attempts=(*sent().attempts, *sent().attempts)),
        replace(mined(), mined=None),
        replace(mined(), mined_hash="0xforeign"),
    ],
)
def test_update_tx__forgets_or_changes_what_was_signed__law_broken(store, damaged):
    """A forgotten attempt could mine unseen."""
    bring_to(store, TxState.SENT)
    with pytest.raises(LawBroken):
        store.update_tx(damaged)
    assert store.tx("k1") == sent()


def test_update_tx__replacement__keeps_every_attempt_in_order(store):
    bring_to(store, TxState.SENT)
    bumped = replace(sent(), attempts=(*sent().attempts, an_attempt("0xbump")))
    store.update_tx(bumped)
    store.update_tx(replace(bumped, state=TxState.MINED, mined=a_block(3), mined_hash="0xk1", gas_used=1))
    assert [attempt.tx_hash for attempt in store.tx("k1").attempts] == ["0xk1", "0xbump"]


def test_update_tx__reorg__back_to_sent(store):
    bring_to(store, TxState.MINED)
    store.update_tx(sent())
    assert store.tx("k1") == sent()


@pytest.mark.parametrize("second", [TxState.FINAL, TxState.REVERTED])
def test_update_tx__second_end_of_a_nonce__law_broken(store, second):
    """TX-1: at most one record per nonce ends FINAL."""
    bring_to(store, TxState.FINAL, "k1", nonce=7)
    before = bring_to(store, TxState.MINED, "k2", nonce=7)
    with pytest.raises(LawBroken):
        store.update_tx(in_state(second, "k2", nonce=7))
    assert store.tx("k2") == before
    bring_to(store, second, "k3", nonce=8)


def test_update_tx__attempt_of_another_record__law_broken(store):
    bring_to(store, TxState.SENT, "k1")
    store.put_intent(planned("k2"))
    with pytest.raises(LawBroken):
        store.update_tx(replace(signed("k2"), attempts=sent("k1").attempts))
    assert store.tx("k2") == planned("k2")


def test_open_txs__some_done__oldest_first(store):
    for key, state in [("a", TxState.SENT), ("b", TxState.DROPPED), ("c", TxState.PLANNED), ("d", TxState.MINED)]:
        bring_to(store, state, key, nonce=ord(key))
    assert [tx.intent.key for tx in store.open_txs()] == ["a", "c", "d"]
    assert [tx.intent.key for tx in store.txs(limit=3)] == ["d", "c", "b"]


def test_abandoned_txs__given_up__listed_and_its_subject_is_free(store):
    """What never mined frees its subject; it is followed beside the open records until its nonce is final."""
    bring_to(store, TxState.ABANDONED, "k1")
    assert [tx.intent.key for tx in store.abandoned_txs()] == ["k1"]
    assert store.open_txs() == ()
    store.put_intent(replace(planned("k2"), intent=replace(an_intent("k2"), subject="k1")))
    store.update_tx(in_state(TxState.REPLACED, "k1"))
    assert store.abandoned_txs() == ()


def test_update_tx__cancellation__is_kept_and_is_no_success(store):
    """What uses up the nonce is an attempt like the others, except that its mining is not the intent's end FINAL."""
    bring_to(store, TxState.SENT)
    cancelling = replace(an_attempt("0xcancel"), cancels=True)
    cancelled = replace(sent(), attempts=(*sent().attempts, cancelling), reason="nobody wants it")
    store.update_tx(cancelled)
    assert store.tx("k1") == cancelled
    assert store.tx("k1").cancelled
    done = replace(cancelled, mined=a_block(2), mined_hash="0xcancel", gas_used=21_000)
    with pytest.raises(LawBroken):
        store.update_tx(replace(done, state=TxState.FINAL))
    store.update_tx(replace(done, state=TxState.REPLACED))
    assert store.tx("k1").state is TxState.REPLACED


def test_highest_nonce__only_what_may_still_land(store):
    assert store.highest_nonce(SENDER) is None
    bring_to(store, TxState.SENT, "a", nonce=3)
    bring_to(store, TxState.MINED, "b", nonce=2)
    bring_to(store, TxState.FINAL, "c", nonce=9)
    bring_to(store, TxState.PLANNED, "d")
    assert store.highest_nonce(SENDER) == 3
    assert store.highest_nonce("0x" + "00" * 20) is None


# Cycles, snapshots, prices, notices


def test_append_cycle__again__replaces(store):
    store.append_cycle(a_cycle(a_block(1), alert="first"))
    store.append_cycle(a_cycle(a_block(1), alert="second"))
    assert store.cycle(a_block(1).hash) == a_cycle(a_block(1), alert="second")
    assert len(store.cycles()) == 1
    assert store.cycle("0xnone") is None


def test_cycles__reorg__newest_first_without_orphans(store):
    """An orphaned cycle stays readable by its hash, and comes back if its block does."""
    blocks = [a_block(1), a_block(2), a_block(3), a_block(2, "b")]
    for block in blocks:
        store.append_cycle(a_cycle(block))
    store.orphan_cycles([a_block(2).hash, a_block(3).hash, "0xnever"])
    assert [one.block for one in store.cycles()] == [a_block(2, "b"), a_block(1)]
    assert store.cycle(a_block(3).hash) is not None
    assert [one and one.block for one in map(store.cycle_at, (1, 2, 3, 4))] == [a_block(1), a_block(2, "b"), None, None]
    store.append_cycle(a_cycle(a_block(3)))
    assert [one.block for one in store.cycles(limit=1)] == [a_block(3)]


def test_lived__reorg__blocks_newest_first_without_orphans(store):
    """What was lived is named by its blocks, without reading what was decided on them."""
    for block in [a_block(1), a_block(2), a_block(3), a_block(2, "b")]:
        store.append_cycle(a_cycle(block))
    store.orphan_cycles([a_block(2).hash])
    assert store.lived(limit=10) == (a_block(3), a_block(2, "b"), a_block(1))
    assert store.lived(limit=1) == (a_block(3),)
    assert store.lived(limit=10)[0].parent_hash == a_block(3).parent_hash


def test_strays__prices_without_a_cycle__named_by_their_block(store):
    """A block that was read and never lived left prices; it is named until it is lived, or gone."""
    store.append_cycle(a_cycle(a_block(1)))
    for number in (1, 2, 3):
        store.append_prices(a_block(number), 1, [Observation(time=number, price=1)])
    assert store.strays() == tuple(sorted([a_block(2).hash, a_block(3).hash]))
    store.orphan_cycles([a_block(3).hash])
    store.append_cycle(a_cycle(a_block(2)))
    assert store.strays() == ()
    assert [o.time for o in store.prices(1, since_s=0)] == [1, 2]


def test_called__block_orphaned__call_ended_and_kept(store):
    """A call on a block that is gone silences nobody; the same block come back makes it again (6)."""
    store.append_notices(a_block(1), [a_call(3)])
    store.append_notices(a_block(2), [a_call(7)])
    store.orphan_cycles([a_block(2).hash])
    assert store.called() == (3,)
    assert [(n.call.account, n.ended) for n in store.notices()] == [(7, True), (3, False)]
    store.append_notices(a_block(2), [a_call(7)])
    assert store.called() == (3, 7)


def test_orphan_cycles__thousands__all_marked(store):
    store.append_cycle(a_cycle(a_block(1)))
    store.orphan_cycles([f"0x{n:064x}" for n in range(40_000)] + [a_block(1).hash])
    assert store.cycles() == ()


def some_inputs(block: BlockRef, *accounts: AccountState, called: tuple[int, ...] = ()) -> CycleInputs:
    """What a block saw of these accounts."""
    snapshot = replace(a_snapshot(*accounts), block=block)
    return CycleInputs(snapshot=snapshot, in_flight=(), called=called, risk=RiskKnobs(), policy=PolicyKnobs())


def some_rosters(count: int) -> list[Roster]:
    """Rosters of which each comes from the one before by a few accounts: changed, new, closed, too wide for columns."""
    rosters = [Roster.of(an_account(i, cash=i, perp=1) for i in range(1, 41))]
    for i in range(1, count):
        wide = replace(an_account(500 + i), cash=2**200 + i)
        changed = {i: an_account(i, cash=-i), 100 + i: an_account(100 + i), 41 - i: None, 500 + i: wide}
        rosters.append(rosters[-1].replaced(changed))
    return rosters


def test_append_lived__one_transaction__inputs_record_and_calls(store):
    """What a block saw, decided and ended is found again as it was; the same block again replaces it."""
    store.append_notices(a_block(1), [a_call(3), a_call(4)])
    seen = some_inputs(a_block(2), an_account(7, perp=1), called=(3, 4))
    store.append_lived(seen, a_cycle(a_block(2)), ended=[3])
    assert store.inputs(a_block(2).hash) == seen
    assert store.cycle(a_block(2).hash) == a_cycle(a_block(2))
    assert store.called() == (4,)
    other = some_inputs(a_block(2), an_account(8))
    store.append_lived(other, a_cycle(a_block(2), alert="again"), ended=[])
    assert store.inputs(a_block(2).hash) == other
    assert store.inputs(a_block(9).hash) is None
    assert store.cycle(a_block(2).hash) == a_cycle(a_block(2), alert="again")


def test_append_inputs__thinking_failed__kept_without_a_cycle(store):
    """What could not be thought about is there for a person to look at."""
    seen = some_inputs(a_block(3), an_account(7))
    store.append_inputs(seen)
    assert store.inputs(a_block(3).hash) == seen
    assert store.cycle(a_block(3).hash) is None


def test_inputs__blocks_that_differ_a_little__each_comes_back(store):
    """REP-1: whatever of a block is stored as a change gives back all of it, in the order lived and after a reorg."""
    rosters = some_rosters(8)
    order = [0, 1, 2, 2, 3, 1, 4, 5, 0, 6, 7]  # unchanged, and back to what it was
    lived = {}
    for number, i in enumerate(order):
        block = a_block(number)
        lived[block.hash] = replace(
            some_inputs(block), snapshot=replace(a_snapshot(), block=block, accounts=rosters[i])
        )
        store.append_lived(lived[block.hash], a_cycle(block), ended=())
    store.orphan_cycles([a_block(4).hash])
    for block_hash, inputs in lived.items():
        assert codec.dumps(store.inputs(block_hash)) == codec.dumps(inputs), "REP-1"


@pytest.mark.parametrize(("keep", "left"), [(0, []), (1, [1]), (2, [3, 1]), (9, [0, 2, 3, 1])])
def test_prune__oldest_go__cycles_and_transactions_stay(store, keep, left):
    """What is kept is kept whole: accounts that a kept block's change builds on do not go with the blocks before."""
    rosters = some_rosters(5)
    for number, i in ((0, 0), (1, 1), (2, 2), (3, 3), (1, 4)):
        inputs = some_inputs(a_block(number))
        inputs = replace(inputs, snapshot=replace(inputs.snapshot, accounts=rosters[i]))
        store.append_lived(inputs, a_cycle(a_block(number)), ended=())
    store.put_intent(planned())
    assert store.prune(keep_blocks=keep) == 4 - len(left)
    assert store.prune(keep_blocks=keep) == 0
    found = {number: store.inputs(a_block(number).hash) for number in range(4)}
    assert {number for number, inputs in found.items() if inputs} == set(left)
    for number, i in ((0, 0), (2, 2), (3, 3), (1, 4)):
        assert number not in left or found[number].snapshot.accounts == rosters[i], "REP-1"
    after = some_inputs(a_block(9), an_account(1, cash=-9))
    store.append_lived(after, a_cycle(a_block(9)), ended=())
    assert store.inputs(a_block(9).hash) == after
    assert store.cycle(a_block(1).hash)
    assert store.txs()


def test_prices__restart_safe_history__oldest_first(store):
    rounds = [Observation(time=t, price=p) for t, p in [(30, 2**256 - 1), (10, 1), (20, 2**200)]]
    store.append_prices(a_block(1), 1, rounds)
    store.append_prices(a_block(1), 2, [Observation(time=20, price=5)])
    assert store.prices(1, since_s=20) == (rounds[2], rounds[0])
    assert store.prices(3, since_s=0) == ()


def test_prices__asked_again__as_they_are_now(store):
    """What is remembered of rounds never hides a newer one, a corrected one, or an older one that is asked for."""
    store.append_prices(a_block(1), 0, [Observation(time=10, price=1), Observation(time=20, price=2)])
    assert [o.price for o in store.prices(0, since_s=15)] == [2]
    assert [o.price for o in store.prices(0, since_s=0)] == [1, 2], "further back than before"
    assert [o.price for o in store.prices(0, since_s=15)] == [2]
    store.append_prices(a_block(2), 0, [Observation(time=20, price=5)])
    store.append_prices(a_block(2), 0, [Observation(time=30, price=3)])
    assert [o.price for o in store.prices(0, since_s=0)] == [1, 5, 3]
    store.orphan_cycles([a_block(2).hash])
    assert [o.price for o in store.prices(0, since_s=0)] == [1]


def test_prices__reorg__rounds_of_removed_blocks_go(store):
    """A round that only an orphaned block showed is forgotten; one seen before it stays."""
    old, new = Observation(time=10, price=1), Observation(time=20, price=2)
    store.append_prices(a_block(1), 1, [old])
    store.append_prices(a_block(2), 1, [old, new])
    store.orphan_cycles([a_block(2).hash])
    assert store.prices(1, since_s=0) == (old,)
    store.append_prices(a_block(2, "b"), 1, [Observation(time=10, price=3)])
    assert store.prices(1, since_s=0) == (Observation(time=10, price=3),)


def a_call(account: int = 1, equity: int = 5) -> MarginCall:
    return MarginCall(account=account, health_ppm=1_050_000, equity=equity, mm=2**256 - 1, why="close")


def test_notices__signed_numbers__exact_and_newest_first(store):
    for block, equity in [(1, -(2**255)), (2, 2**255 - 1)]:
        store.append_notices(a_block(block), [a_call(equity=equity)])
    store.append_notices(a_block(2), [a_call(equity=0)])
    assert [notice.call.equity for notice in store.notices()] == [0, -(2**255)]
    assert store.notices(limit=1)[0].block == a_block(2)


def test_called__account_recovers__a_new_call_may_follow(store):
    big = 2**256 - 1
    store.append_notices(a_block(1), [a_call(big), a_call(3)])
    store.append_notices(a_block(1), [])
    assert store.called() == (3, big)
    store.end_calls([big, 99])
    assert store.called() == (3,)
    store.append_notices(a_block(5), [a_call(big)])
    assert store.called() == (3, big)
    assert [notice.ended for notice in store.notices()] == [False, False, True]


# Progress


def test_sync__saved_twice__last_one(store):
    assert store.load_sync() is None
    store.save_sync(a_block(1), b"one")
    store.save_sync(a_block(2), b"two" * 10_000)
    assert store.load_sync() == (a_block(2), b"two" * 10_000)


def test_sync__appended__behind_the_last_whole_one(store):
    """What is added comes back behind what was saved, with the newest cursor; saving starts anew."""
    with pytest.raises(LawBroken):
        store.append_sync(a_block(1), b"nothing to stand on")
    store.save_sync(a_block(1), b"one ")
    store.append_sync(a_block(2), b"two ")
    store.append_sync(a_block(3), b"three")
    assert store.load_sync() == (a_block(3), b"one two three")
    store.save_sync(a_block(4), b"four")
    assert store.load_sync() == (a_block(4), b"four")


def test_heartbeats__each_loop__last_progress(store):
    store.heartbeat("loop", 10, 1)
    store.heartbeat("loop", 20, 2)
    store.heartbeat("jobs", 15, 1)
    assert store.heartbeats() == {"jobs": (15, 1), "loop": (20, 2)}


def test_store__two_threads__nothing_lost(store):
    """The block loop and the scheduler's jobs write at the same time."""
    failures = []

    def work(name: str):
        try:
            for number in range(25):
                store.put_intent(planned(f"{name}{number}"))
                store.heartbeat(name, number, number)
                store.save_sync(a_block(number), name.encode())
                store.open_txs()
        except Exception as error:  # noqa: BLE001 - any of them fails the test, on the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.open_txs()) == 50
    assert store.heartbeats() == {"x": (24, 24), "y": (24, 24)}


@given(st.lists(st.sampled_from(list(TxState)), max_size=8))
def test_memory_store__any_steps__ends_as_the_diagram_says(steps):
    """A walk over states goes exactly as far as legal steps carry it."""
    store = MemoryStore()
    state = TxState.PLANNED
    store.put_intent(planned())
    for step in steps:
        try:
            store.update_tx(in_state(step))
        except LawBroken:
            assert step not in NEXT_STATES[state]
        else:
            assert step is state or step in NEXT_STATES[state]
            state = step
    assert store.tx("k1").state is state
