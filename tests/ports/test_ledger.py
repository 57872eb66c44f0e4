"""`Ledger`, in memory and in SQL: refusals, outcomes, ways out (LED-1 … LED-3)."""

from dataclasses import replace

from keeper.domain.tx import SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.domain.worth import Realised, Refusal
from keeper.testing.builders import a_block

SENDER = "0x" + "22" * 20


def a_refusal(subject="a", *, count=1, last_block=100, about="x"):
    return Refusal(kind="flag", subject=subject, count=count, last_block=last_block, about=about)


def an_outcome(key="a", *, at_s=1_000, gain_usd=-3 * 10**18, native_usd=None):
    return Realised(
        key=key, kind="bid", subject=key, at_s=at_s, beneficiary=2**255, gain_usd=gain_usd, gas_wei=10**17,
        native_usd=native_usd, note="why",
    )  # fmt: skip


def put(store, key, *, end=None, nonce=0):
    """An intent as far as `end`."""
    intent = TxIntent(
        key=key, kind="flag", subject=key, role=SignerRole.LIQUIDATOR, to=SENDER, data=b"", gas_limit=1,
        decided_at=a_block(), deadline_s=0, why="",
    )  # fmt: skip
    record = store.put_intent(TxRecord(intent=intent, state=TxState.PLANNED))
    if end is not None:
        attempt = TxAttempt(tx_hash=f"0x{nonce:064x}", raw=b"", max_fee_wei=1, priority_fee_wei=1, block_number=1)
        record = replace(record, sender=SENDER, nonce=nonce, attempts=(attempt,), mined=a_block(), gas_used=1)
        for state in (TxState.SIGNED, end):
            store.update_tx(replace(record, state=state, mined_hash=attempt.tx_hash))
    return record


def test_refusals__again_forgiven_and_old__only_what_stands(store):
    """LED-1: one line for each subject, the newest; a success and age take it away."""
    store.refuse([a_refusal("b"), a_refusal("a")], forget_before=0)
    store.refuse([a_refusal("a", count=2, last_block=103)], forget_before=0)
    assert store.refusals() == (a_refusal("a", count=2, last_block=103), a_refusal("b")), "LED-1"
    store.forgive([("flag", "a"), ("bid", "b")])
    assert store.refusals() == (a_refusal("b"),), "LED-1"
    store.refuse([], forget_before=101)
    assert store.refusals() == (), "LED-1"


def test_refusals__thousands_at_once__kept(store):
    """LED-1: a block of false positives is one transaction."""
    store.refuse([a_refusal(f"{i:05}") for i in range(2_000)], forget_before=0)
    store.refuse([a_refusal(f"{i:05}", count=2) for i in range(2_000)], forget_before=0)
    assert {one.count for one in store.refusals()} == {2}
    store.forgive([("flag", f"{i:05}") for i in range(2_000)])
    assert store.refusals() == ()


def test_realised__unknowns_and_negatives__read_back(store):
    """LED-2: unknown stays None, a loss keeps its sign; the newest measurement stands."""
    put(store, "a", end=TxState.FINAL)
    put(store, "b", end=TxState.REVERTED, nonce=1)
    store.append_realised(an_outcome("a", gain_usd=None))
    store.append_realised(an_outcome("a"))
    store.append_realised(an_outcome("b", at_s=500, native_usd=2_000 * 10**18))
    assert store.realised(since_s=0) == (an_outcome("b", at_s=500, native_usd=2_000 * 10**18), an_outcome("a")), "LED-2"
    assert store.realised(since_s=501) == (an_outcome("a"),), "LED-2"


def test_unmeasured__settled_only__until_measured(store):
    """LED-2: what used its nonce for good is measured once, the oldest first; what is open is not."""
    put(store, "open")
    put(store, "a", end=TxState.FINAL)
    put(store, "b", end=TxState.REVERTED, nonce=1)
    assert [tx.intent.key for tx in store.unmeasured(limit=9)] == ["a", "b"], "LED-2"
    assert [tx.intent.key for tx in store.unmeasured(limit=1)] == ["a"], "LED-2"
    store.append_realised(an_outcome("a"))
    assert [tx.intent.key for tx in store.unmeasured(limit=9)] == ["b"], "LED-2"


def test_sent__twice_the_same_way__first_block_stays(store):
    """LED-3: counting blocks does not start anew with a replacement."""
    put(store, "a")
    assert store.sent("a") == {}
    store.note_sent("a", "relay", 100)
    store.note_sent("a", "relay", 102)
    store.note_sent("a", "public", 103)
    assert store.sent("a") == {"relay": 100, "public": 103}, "LED-3"
