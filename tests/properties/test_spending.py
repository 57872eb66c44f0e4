"""The day's cap over random lives: whatever is signed, replaced, mined, lost to reorgs and restarted, it holds."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.chain.sending.spending import DAY_S, DailyCap, gas_of, of_the_last_day
from keeper.domain.block import BlockRef
from keeper.domain.tx import CANCEL_GAS, SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.errors import Halt, Refused, Retry

CAP = 1_000_000_000
GAS = (50_000, 400_000)


def block(at_s):
    return BlockRef(at_s // 12, f"0x{at_s:064x}", "0x", at_s)


def planned(number, at_s, gas, role):
    intent = TxIntent(
        key=f"k{number}",
        kind="poke",
        subject=f"s{number}",
        role=role,
        to="0x",
        data=b"",
        gas_limit=gas,
        decided_at=block(at_s),
        deadline_s=at_s + 60,
        why="",
    )
    return TxRecord(intent=intent, state=TxState.PLANNED)


#: One step: (what, which record, gas, fee, seconds later).
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["new", "new", "new", "raise", "raise", "cancel", "mine", "lose", "final", "abandon", "restart"]
        ),
        st.integers(0, 10**6),
        st.sampled_from(GAS),
        st.integers(1, 2_000),
        st.sampled_from([0, 12, 600, 20_000]),
        st.sampled_from(SignerRole),
    ),
    max_size=60,
)


class Life:
    """Records as an outbox would move them, in the only ways the state laws allow."""

    def __init__(self):
        self.records: dict[str, TxRecord] = {}
        self.cap = DailyCap(CAP, ())
        self.now_s = 10**6
        self.nonce = 0
        self.paid: list[tuple[int, int]] = []
        self.refused = 0

    def attempt(self, record, fee, *, cancels=False):
        number = len(record.attempts)
        one = TxAttempt(
            tx_hash=f"{record.intent.key}:{number}",
            raw=b"",
            max_fee_wei=fee,
            priority_fee_wei=0,
            block_number=0,
            cancels=cancels,
        )
        state = TxState.SENT if record.state is TxState.PLANNED else record.state
        after = replace(record, state=state, attempts=(*record.attempts, one))
        try:
            self.cap.check(after, now_s=self.now_s)
        except (Halt, Refused, Retry):
            self.refused += 1
            return
        self.save(after)

    def save(self, record):
        self.records[record.intent.key] = record
        self.cap.note(record)

    def step(self, step):
        what, which, gas, fee, later, role = step
        self.now_s += later
        if what == "restart":
            newest_first = list(reversed(self.records.values()))
            self.cap = DailyCap(CAP, of_the_last_day(lambda limit: newest_first[:limit]))
            for record in newest_first:
                if record.state.is_open or record.state is TxState.ABANDONED:
                    self.cap.note(record)
            return
        if what == "new":
            record = replace(planned(len(self.records), self.now_s, gas, role), sender=f"0x{role}", nonce=self.nonce)
            self.nonce += 1
            self.attempt(record, fee)
            return
        sent = [one for one in self.records.values() if one.state is TxState.SENT]
        mined = [one for one in self.records.values() if one.state is TxState.MINED]
        chosen = mined if what in ("lose", "final") else sent
        if not chosen:
            return
        record = chosen[which % len(chosen)]
        if what in ("raise", "cancel"):
            self.attempt(record, record.attempts[-1].max_fee_wei + fee, cancels=what == "cancel")
        elif what == "mine":
            one = record.attempts[which % len(record.attempts)]
            used = min(gas_of(record, one), 21_000 + which % GAS[0])
            self.save(
                replace(record, state=TxState.MINED, mined=block(self.now_s), mined_hash=one.tx_hash, gas_used=used)
            )
        elif what == "lose":
            self.save(replace(record, state=TxState.SENT, mined=None, mined_hash=None, gas_used=None))
        elif what == "abandon":
            self.save(replace(record, state=TxState.ABANDONED))
        else:
            one = record.attempt(record.mined_hash)
            self.paid.append((record.mined.timestamp, record.gas_used * one.max_fee_wei))
            self.save(replace(record, state=TxState.REPLACED if one.cancels else TxState.FINAL))

    def worst_wei(self):
        """The plain twin: everything open at its dearest, everything paid in the last day."""
        under_way = 0
        for record in self.records.values():
            young = self.now_s < record.intent.decided_at.timestamp + DAY_S
            if record.state.is_open or (record.state is TxState.ABANDONED and young):
                gas = record.intent.gas_limit
                under_way += max((CANCEL_GAS if a.cancels else gas) * a.max_fee_wei for a in record.attempts)
        return under_way + sum(wei for at_s, wei in self.paid if at_s > self.now_s - DAY_S)


@settings(max_examples=150)
@given(STEPS)
def test_cap__any_life__worst_case_of_a_day_never_above_it(steps):
    """SPEND-1: what was paid in the last day, and what is open at its dearest, together stay within the cap."""
    life = Life()
    for step in steps:
        life.step(step)
        assert life.worst_wei() <= CAP
        assert life.cap.committed_wei(now_s=life.now_s) == life.worst_wei()


def test_cap__attempts_at_one_nonce__only_the_dearest_counts():
    """What excludes each other is not counted twice: a successor on an abandoned nonce costs what it adds."""
    life = Life()
    first = replace(planned(0, life.now_s, 1_000, SignerRole.LIQUIDATOR), sender="0xa", nonce=1)
    life.attempt(first, 700_000)
    life.save(replace(life.records["k0"], state=TxState.ABANDONED))
    second = replace(planned(1, life.now_s, 1_000, SignerRole.LIQUIDATOR), sender="0xa", nonce=1)
    life.attempt(second, 900_000)
    assert life.refused == 0
    assert life.cap.committed_wei(now_s=life.now_s) == 900_000_000


def test_last_day__long_history__read_in_pages_until_old_enough():
    """A restart reads as much of the store as the last day needs, and not all of it."""
    records = [planned(number, number * 60, 50_000, SignerRole.LIQUIDATOR) for number in range(20_000)]
    newest_first = records[::-1]
    asked = []

    def page(limit):
        asked.append(limit)
        return newest_first[:limit]

    found = of_the_last_day(page)
    assert asked == [1_000, 4_000, 16_000]
    assert found[-1].intent.decided_at.timestamp < records[-1].intent.decided_at.timestamp - 3 * DAY_S
