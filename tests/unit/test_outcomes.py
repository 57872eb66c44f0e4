"""What is learnt from what was sent: measured once, one by one, and put where the next decision sees it (OCM-1 … 3)."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.tx import SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.domain.worth import PRIVATE, PUBLIC, Realised
from keeper.errors import Retry
from keeper.ops.money import money
from keeper.outcomes import DAY_S, economics, measure
from keeper.testing.builders import NOW, a_block
from keeper.testing.false_positives import FalsePositives
from keeper.testing.memory_store import MemoryStore

WAD = 10**18
SENDER = "0x" + "22" * 20


class Books:
    """`Economy` that was told every outcome."""

    gas = (("flag", 1),)

    def __init__(self, *, stuck=(), **fields):
        self.stuck, self.fields, self.asked = set(stuck), fields, []

    def gas_price_wei(self, head):
        return 7

    def realise(self, record, head):
        self.asked.append(record.intent.key)
        if record.intent.key in self.stuck:
            raise Retry("no receipt yet")
        given = {"beneficiary": 5, "gain_usd": 0, "gas_wei": WAD // 100, "native_usd": 3_000 * WAD} | self.fields
        intent = record.intent
        return Realised(key=intent.key, kind=intent.kind, subject=intent.subject, at_s=NOW, **given)


def put(store, key, end=TxState.FINAL, *, nonce=0, subsidy_wei=0):
    intent = TxIntent(
        key=key, kind="flag", subject=key, role=SignerRole.LIQUIDATOR, to=SENDER, data=b"", gas_limit=1,
        decided_at=a_block(90), deadline_s=0, why="", worth_wei=9, subsidy_wei=subsidy_wei,
    )  # fmt: skip
    record = store.put_intent(TxRecord(intent=intent, state=TxState.PLANNED))
    attempt = TxAttempt(tx_hash=f"0x{nonce:064x}", raw=b"", max_fee_wei=1, priority_fee_wei=1, block_number=91)
    record = replace(record, sender=SENDER, nonce=nonce, attempts=(attempt,))
    store.update_tx(replace(record, state=TxState.SIGNED))
    if end is not TxState.SIGNED:
        landed = {} if end is TxState.ABANDONED else {"mined": a_block(95), "mined_hash": attempt.tx_hash}
        store.update_tx(replace(record, state=end, **landed))
    return record


def test_measure__one_cannot_be_asked__the_others_are():
    """OCM-1, defect 14: item k that fails does not stop k + 1, and is measured as soon as it can be."""
    store = MemoryStore()
    for i, key in enumerate("abc"):
        put(store, key, nonce=i)
    books = Books(stuck={"a"})
    assert [tx.intent.key for tx in measure(a_block(), books, store)] == ["b", "c"], "OCM-1"
    books.stuck.clear()
    assert [tx.intent.key for tx in measure(a_block(), books, store)] == ["a"], "OCM-1"
    assert measure(a_block(), books, store) == ()
    assert books.asked == ["a", "b", "c", "a"], "measured once"


def test_measure__by_relay_or_in_public__told_apart_with_its_wait():
    """OCM-2: inclusion is tracked by block, for what went out privately and for what had to be public."""
    store = MemoryStore()
    for i, key in enumerate("abcd"):
        put(store, key, nonce=i)
    store.note_sent("a", PRIVATE, 91)
    store.note_sent("b", PRIVATE, 91)
    store.note_sent("b", PUBLIC, 94)
    store.note_sent("d", PUBLIC, 91)  # a kind that the relay is not for
    measure(a_block(), Books(), store)
    found = {one.key: (one.via, one.waited_blocks) for one in store.realised(since_s=0)}
    assert found == {"a": (PRIVATE, 4), "b": (PUBLIC, 4), "c": ("", 4), "d": ("", 4)}, "OCM-2"
    ways = money(store, None, now_s=NOW).ways
    assert [(way.via, way.count, way.median_blocks) for way in ways] == [(PRIVATE, 1, 4), (PUBLIC, 1, 4)]


@pytest.mark.parametrize(
    ("fields", "lost", "unpriced"),
    [
        ({"gain_usd": 0}, 30 * WAD, 0),
        ({"gain_usd": 10 * WAD}, 20 * WAD, 0),
        ({"gain_usd": 40 * WAD}, 0, 0),
        ({"gain_usd": None}, 30 * WAD, 0),
        ({"gain_usd": 40 * WAD, "native_usd": None}, 0, WAD // 100),
        ({"beneficiary": None}, 0, 0),
    ],
    ids=["nothing", "less", "more", "unknown gain", "no price", "a duty"],
)
def test_economics__yesterday__only_its_losses_and_each_by_itself(fields, lost, unpriced):
    """OCM-3: a profit refills no budget, an unknown gain is none, gas without a price counts in full."""
    store = MemoryStore()
    put(store, "a")
    measure(a_block(), Books(**fields), store)
    found = economics(a_block(), Books(), store)
    assert (found.lost_usd, found.unpriced_gas_wei) == (lost, unpriced), "OCM-3"
    later = replace(a_block(), timestamp=NOW + DAY_S + 1)
    assert economics(later, Books(), store).lost_usd == 0, "OCM-3: a day later it is forgotten"


def test_economics__pledges__open_given_up_and_not_measured_yet():
    """OCM-3: what may still mine may still lose, given up or not; what mined, until it is known what came of it."""
    store = MemoryStore()
    put(store, "a", TxState.SIGNED, subsidy_wei=3)
    put(store, "b", TxState.ABANDONED, nonce=1, subsidy_wei=4)
    put(store, "c", TxState.FINAL, nonce=2, subsidy_wei=5)
    assert economics(a_block(), Books(), store).pledged_wei == 12, "OCM-3"
    measure(a_block(), Books(), store)
    assert economics(a_block(), Books(), store).pledged_wei == 7, "OCM-3"
    assert economics(a_block(), None, store) is None


def test_refusals__a_success__forgives(monkeypatch):
    """BCK-2: an account that was flagged in the end starts anew; a revert counts as one refusal more."""
    market = FalsePositives(false=1, policy=PolicyKnobs())
    market.live(100)
    assert [r.count for r in market.store.refusals()] == [1]
    done = TxRecord(
        intent=TxIntent(
            key="k", kind="flag", subject=f"account:{10:#066x}", role=SignerRole.LIQUIDATOR, to=SENDER, data=b"",
            gas_limit=1, decided_at=a_block(), deadline_s=0, why="",
        ),
        state=TxState.REVERTED,
    )  # fmt: skip
    monkeypatch.setattr("keeper.cycle.measure", lambda *_: (done,))
    market.recheck.of.clear()
    market.live(101)
    assert [(r.count, r.last_block) for r in market.store.refusals()] == [(2, 101)], "BCK-2"
    monkeypatch.setattr("keeper.cycle.measure", lambda *_: (replace(done, state=TxState.FINAL),))
    market.live(102)
    assert market.store.refusals() == (), "BCK-2"
