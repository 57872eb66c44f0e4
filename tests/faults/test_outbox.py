"""What jams other senders, one by one: stuck keys, vanished and foreign transactions, gaps, caps, rude nodes."""

from contextlib import suppress
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from keeper.chain.errors import Disagreement, Underpriced, Unreachable
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import KeyUnusable, NotSigned, from_key
from keeper.domain.tx import FILL, SignerRole, TxState
from keeper.errors import Halt, Refused, Retry
from keeper.testing.counter_world import CLOSE, FEES, an_intent, count
from keeper.testing.outbox_world import ALL, IMPATIENT, OutboxWorld

pytestmark = pytest.mark.chain

# Many in flight


def round_trips(world, head):
    before = world.rpc.round_trips
    world.outbox.settle(head)
    return world.rpc.round_trips - before


def test_settle__200_open_records__as_many_round_trips_as_for_one():
    """Following what is in flight costs the same whatever its number, waiting and just mined."""
    world = OutboxWorld(fees=FeePolicy(max_fee_wei=10**10, max_priority_fee_wei=10**9))
    world.options["policy"] = replace(IMPATIENT, daily_cap_wei=10**21, replace_after_blocks=50, abandon_after_blocks=99)
    world.restart()
    head = world.chain.block()
    world.submit("first")
    alone = round_trips(world, head)
    for number in range(199):
        world.submit(f"k{number}")
    assert len(world.store.open_txs()) == 200
    assert round_trips(world, head) == alone == 2
    mined = world.chain.mine()
    # A server takes 100 questions at once: nonces, two arrays of receipts and one look at the rest, their block.
    assert round_trips(world, mined) <= 5
    assert count(world.chain, world.counter) > 100  # as many as fit into one block
    assert round_trips(world, mined) <= 2


def test_submit__several_keys__spread_evenly_and_nonces_without_gaps():
    """New work goes to the key with the least in flight."""
    world = OutboxWorld(liquidators=3)
    for number in range(9):
        world.submit(f"k{number}")
    held = {}
    for record in world.store.open_txs():
        held.setdefault(record.sender, []).append(record.nonce)
    assert sorted(held.values()) == [[0, 1, 2]] * 3
    world.blocks(5)
    assert {record.state for record in world.store.txs()} == {TxState.FINAL}


def throughput(*, stuck, blocks=30, per_block=6):
    """Pokes mined in `blocks` blocks by three keys, of which one never gets anything into a block."""
    world = OutboxWorld(liquidators=3, policy=replace(IMPATIENT, abandon_after_blocks=200))
    ill = world.signers[SignerRole.LIQUIDATOR][0].address
    number = 0
    for _ in range(blocks):
        for _ in range(per_block):
            number += 1
            with suppress(Retry):
                world.submit(f"k{number}")
        world.block(lose=ill if stuck else None)
    return count(world.chain, world.counter)


def test_pool__one_of_three_keys_stuck__costs_at_most_a_third():
    """The others take its work once it is seen to be stuck; what it swallowed before that is less than its share."""
    healthy, one_stuck = throughput(stuck=False), throughput(stuck=True)
    assert one_stuck >= healthy * 2 / 3
    assert one_stuck < healthy


def test_pool__every_key_stuck__new_work_waits_and_is_launched_later():
    """Nothing queues behind a stuck transaction; it is not lost either (defect 5)."""
    world = OutboxWorld(policy=replace(IMPATIENT, replace_after_blocks=3))
    world.submit("a")
    world.blocks(5, lose=ALL)
    with pytest.raises(Retry, match="gets anything new"):
        world.submit("b")
    assert world.one("b").state is TxState.PLANNED
    world.blocks(7)
    assert [record.state for record in world.store.txs()] == [TxState.FINAL] * 2


def test_pool__key_without_funds__the_other_sends_and_nobody_is_halted():
    """An unfunded key is that key's trouble; alone it is told at every block, and what is decided waits for money."""
    world = OutboxWorld()
    poor = from_key(b"\x07" * 32)
    keys = {**world.signers, SignerRole.LIQUIDATOR: (poor, *world.signers[SignerRole.LIQUIDATOR])}
    world.restart(signers=keys)
    record = world.submit("a")
    assert record.state is TxState.SENT
    assert record.sender != poor.address
    world.restart(signers={**world.signers, SignerRole.LIQUIDATOR: (poor,)})
    for _ in range(2):
        world.chain.mine()
        with capture_logs() as told, pytest.raises(Retry, match="funds"):
            world.submit("b")
        assert [one["address"] for one in told if one["event"] == "signer.cannot_pay"] == [poor.address]
    world.restart(signers=keys)
    world.block()
    assert world.one("b").state is TxState.SENT


class Silent:
    """A signer that is away, or whose key was disabled."""

    def __init__(self, inner, error=NotSigned):
        self.address, self._error = inner.address, error

    def sign(self, transaction):
        raise self._error("no answer")


def test_pool__key_disabled_at_its_service__the_other_signs_and_alone_it_halts():
    """A key that says no is that key's trouble while another works; where none does a person is called."""
    world = OutboxWorld(liquidators=2)
    first, second = world.signers[SignerRole.LIQUIDATOR]
    disabled = Silent(first, KeyUnusable)
    world.restart(signers={**world.signers, SignerRole.LIQUIDATOR: (disabled, second)})
    assert world.submit("a").sender == second.address
    world.restart(signers={**world.signers, SignerRole.LIQUIDATOR: (disabled,)})
    with pytest.raises(Halt):
        world.submit("b")


def test_pool__signer_does_not_answer__the_other_signs():
    """A remote signer that is away costs its key, not the intent; no nonce is lost by it."""
    world = OutboxWorld(liquidators=2)
    first, second = world.signers[SignerRole.LIQUIDATOR]
    world.restart(signers={**world.signers, SignerRole.LIQUIDATOR: (Silent(first), second)})
    record = world.submit("a")
    assert (record.state, record.sender, record.nonce) == (TxState.SENT, second.address, 0)
    world.restart(signers={**world.signers, SignerRole.LIQUIDATOR: (Silent(first),)})
    with pytest.raises(Retry):
        world.submit("b")
    assert world.one("b").state is TxState.PLANNED


def test_pool__intent_bound_to_one_key__no_other_is_asked():
    """What fills a gap in a key's nonces only that key may send."""
    world = OutboxWorld(liquidators=3)
    last = world.signers[SignerRole.LIQUIDATOR][2].address
    assert {world.submit(f"k{number}", sender=last).sender for number in range(3)} == {last}
    with pytest.raises(Refused, match="whose key is not configured"):
        world.submit("x", sender=world.chain.accounts[0])


def test_pool__intent_bound_to_some_keys__spread_over_them_and_no_other_is_asked():
    """A bid is only taken from keys that may bid for the account: they share it, one of them stuck or not."""
    world = OutboxWorld(liquidators=3)
    first, second, third = (key.address for key in world.signers[SignerRole.LIQUIDATOR])
    allowed = (second, third, world.chain.accounts[0])
    sent = [world.submit(f"k{number}", senders=allowed).sender for number in range(4)]
    assert sorted(sent) == sorted([second, third] * 2)
    world.blocks(5, lose=second)
    assert {world.submit(f"l{number}", senders=allowed).sender for number in range(2)} == {third}
    world.blocks(5, lose=ALL)
    with pytest.raises(Retry, match="gets anything new"):
        world.submit("m", senders=allowed)
    assert world.submit("n").sender == first, "what is bound to nobody goes on"


def test_pool__what_a_stuck_key_swallowed__goes_to_another_when_it_is_decided_again():
    """A key that just gave something up is not the first choice for the same again; with enough to do it is tried."""
    world = OutboxWorld(liquidators=2)
    ill, sound = (key.address for key in world.signers[SignerRole.LIQUIDATOR])
    assert world.submit("a").sender == ill
    world.blocks(13, lose=ill)
    assert world.one().state is TxState.ABANDONED
    assert [world.submit(f"again{number}").sender for number in range(2)] == [sound, ill]


# Deadlines, health, cancelling


def test_cancel__deadline_passes_in_the_pool__nonce_is_freed_and_nothing_acts():
    """What is too late must not act any more: a transfer of nothing takes its place."""
    world = OutboxWorld()
    at = world.chain.block()
    world.submit("a", deadline_s=at.timestamp + 20)
    world.submit("b")
    world.blocks(2, lose=ALL)
    assert world.one().cancelled
    world.blocks(6)
    assert world.one().state is TxState.REPLACED
    assert "past its deadline" in world.one().reason
    assert world.one().gas_used == 21_000
    assert world.one("b").state is TxState.FINAL
    assert count(world.chain, world.counter) == 1


def test_cancel__the_original_mines_instead__is_a_success(tmp_path):
    """Defect 4: whichever attempt mines is what happened."""
    world = OutboxWorld()
    at = world.chain.block()
    first = world.submit("a", deadline_s=at.timestamp + 20).attempts[0]
    world.blocks(2, lose=ALL)
    assert world.one().cancelled
    world.lose()
    world.chain.request("eth_sendRawTransaction", "0x" + first.raw.hex())
    world.blocks(5)
    assert (world.one().state, world.one().mined_hash) == (TxState.FINAL, first.tx_hash)
    assert count(world.chain, world.counter) == 1


class Answering:
    """A recheck whose answer the test sets."""

    def __init__(self):
        self.why, self.asked = "", 0

    def expect(self, intents):
        pass

    def standing(self, intent, head):
        self.asked += 1
        return self.why


def test_recheck__not_wanted__dropped_for_nothing_and_the_next_goes_on():
    """A false positive costs no nonce, no gas, and nobody waits for it (defect 14)."""
    recheck = Answering()
    world = OutboxWorld(recheck=recheck)
    recheck.why = "its health is 1.2 by now"
    for number in range(50):
        assert world.submit(f"false{number}").state is TxState.DROPPED
    recheck.why = ""
    record = world.submit("true")
    assert (record.state, record.nonce) == (TxState.SENT, 0)
    world.blocks(4)
    assert world.one("true").state is TxState.FINAL
    assert world.chain.request("eth_getTransactionCount", record.sender, "latest") == "0x1"


def test_recheck__no_longer_wanted_while_stuck__cancelled_instead_of_raised():
    """Before each replacement the protocol is asked again."""
    recheck = Answering()
    world = OutboxWorld(recheck=recheck)
    world.submit("a")
    recheck.why = "recovered"
    world.blocks(2, lose=ALL)
    assert world.one().cancelled
    world.blocks(5)
    assert (world.one().state, world.one().reason) == (TxState.REPLACED, "cancelled: recovered")
    assert count(world.chain, world.counter) == 0


def test_replacement__would_revert_by_now__cancelled():
    """A replacement is simulated like a first attempt."""
    world = OutboxWorld()
    world.submit("a")
    world.chain.send(sender=world.chain.accounts[0], to=world.counter, data=CLOSE)
    world.blocks(2, lose=ALL)
    assert world.one().cancelled
    world.blocks(5)
    assert world.one().state is TxState.REPLACED
    assert "0xdeadbeef" in world.one().reason


# Fees


def test_replacement__node_says_its_own_rule__obeyed_at_once():
    """A node that wants 30 % gets 30 %, in the same block."""
    world = OutboxWorld()
    world.chain.node.pool.bump_percent = 30
    world.submit("a")
    real = world.rpc.send_raw

    def strict(raw):
        try:
            real(raw)
        except Underpriced as error:
            raise Underpriced(f"{error.message}: needs a 30% bump") from error

    world.rpc.send_raw = strict
    held = world.one().attempts[0]
    world.outbox.settle(world.chain.block())
    head = world.chain.block()
    world.outbox.settle(replace(head, number=head.number + 2))
    attempts = world.one().attempts
    assert len(attempts) == 3
    assert attempts[-1].max_fee_wei * 10 >= held.max_fee_wei * 13
    assert world.chain.node.pool.get(bytes.fromhex(attempts[-1].tx_hash[2:])) is not None


def test_replacement__worth_little__bump_budget_binds_and_is_never_exceeded():
    """What the action is worth over its gas is a ceiling like the operator's own."""
    world = OutboxWorld(policy=replace(IMPATIENT, abandon_after_blocks=60))
    worth = 5 * 10**9 * 200_000
    world.submit("a", worth_wei=worth)
    world.blocks(30, lose=ALL)
    attempts = world.one().attempts
    assert len(attempts) > 2
    assert all(attempt.max_fee_wei * 200_000 <= worth for attempt in attempts)
    assert attempts[-1].max_fee_wei * 200_000 * 12 > worth * 10  # it was used, too
    with pytest.raises(Retry, match="the cap"):
        OutboxWorld().submit("b", worth_wei=100)


def test_waiting__behind_a_stuck_nonce__is_not_raised_for_it():
    """Only whose turn it is pays more."""
    world = OutboxWorld()
    world.submit("a")
    world.submit("b")
    first = world.one("a")
    for _ in range(3):
        world.lose(first.sender)
        world.chain.request("eth_sendRawTransaction", "0x" + world.one("b").attempts[0].raw.hex())
        world.block()
    assert len(world.one("a").attempts) > 1
    assert len(world.one("b").attempts) == 1
    world.blocks(5)
    assert [record.state for record in world.store.txs()] == [TxState.FINAL] * 2


def test_daily_cap__runaway__waits_for_what_is_in_flight_then_halts_for_good():
    """What is only reserved is waited for; when the money is really gone a person is called, after a restart too."""
    world = OutboxWorld(policy=replace(IMPATIENT, daily_cap_wei=10**15))

    def spend():
        for number in range(100):
            try:
                world.submit(f"k{number}")
            except Retry:
                world.blocks(4)

    with pytest.raises(Halt, match="cap"):
        spend()
    ended = [record for record in world.store.txs(limit=1_000) if record.state is TxState.FINAL]
    assert len(ended) > 3
    assert sum(record.gas_used * record.attempts[0].max_fee_wei for record in ended) <= 10**15
    world.restart()
    with pytest.raises(Halt, match="cap"):
        world.submit("again")


# Giving up


def stuck_at_cap(**options):
    world = OutboxWorld(fees=FeePolicy(max_fee_wei=25 * 10**8, max_priority_fee_wei=2 * 10**9), **options)
    world.submit("a", subject="alice")
    world.blocks(13, lose=ALL)
    return world


def test_never_mined__abandoned_with_its_subject_and_nonce_free():
    """Defect 10: after n blocks it is told and nobody waits for it; what it offered is remembered over a restart."""
    world = stuck_at_cap()
    given_up = world.one()
    assert given_up.state is TxState.ABANDONED
    assert "not mined within" in given_up.reason
    assert world.store.open_txs() == ()
    world.restart(fees=FEES)
    world.submit("b", subject="alice")
    successor = world.one("b")
    assert (successor.state, successor.nonce) == (TxState.SENT, given_up.nonce)
    dearest = max(attempt.max_fee_wei for attempt in given_up.attempts)
    assert successor.attempts[0].max_fee_wei * 10 >= dearest * 11
    world.blocks(5)
    assert world.one("b").state is TxState.FINAL
    assert world.one("a").state is TxState.REPLACED
    assert count(world.chain, world.counter) == 1


def test_abandoned_at_the_cap__nothing_outbids_it__its_successor_offers_the_cap_and_mines():
    """What was given up at the cap is a memory, no law: a pool that lost it takes what comes next (CHAOS-9)."""
    world = stuck_at_cap()
    cap_wei, given_up = 25 * 10**8, world.one()
    assert max(attempt.max_fee_wei for attempt in given_up.attempts) * 11 > cap_wei * 10
    world.restart()
    world.submit("b", subject="alice")
    assert (world.one("b").nonce, world.one("b").attempts[0].max_fee_wei) == (given_up.nonce, cap_wei)
    world.blocks(5)
    assert (world.one("a").state, world.one("b").state) == (TxState.REPLACED, TxState.FINAL)
    assert count(world.chain, world.counter) == 1


def test_abandoned__mines_after_all__is_final_and_its_successor_replaced():
    """Every attempt's hash stays tracked: what we gave up may still be the one that mines (defect 4)."""
    world = stuck_at_cap()
    late = world.one().attempts[0]
    world.restart(fees=FEES)
    world.submit("b", subject="alice")
    world.lose()
    world.chain.request("eth_sendRawTransaction", "0x" + late.raw.hex())
    world.chain.mine()
    world.blocks(5)
    assert (world.one("a").state, world.one("a").mined_hash) == (TxState.FINAL, late.tx_hash)
    assert world.one("b").state is TxState.REPLACED
    assert late.tx_hash in world.one("b").reason
    assert count(world.chain, world.counter) == 1


def test_never_mined__what_waited_above_it__drains():
    """The nonce given up is used by a transfer of nothing if no new work wants it."""
    world = OutboxWorld()
    world.submit("a")
    for _ in range(11):
        world.block(lose=ALL)
    head = world.chain.block()
    late = an_intent(world.counter, head, key="b")
    world.outbox.pool._stuck_after = 100  # let one more queue up behind it
    world.outbox.submit(late)
    world.blocks(3, lose=ALL)
    assert world.one("a").state is TxState.ABANDONED
    world.blocks(8)
    assert {record.state for record in world.store.open_txs()} == set()
    assert count(world.chain, world.counter) >= 1


# Nonces


def test_counter_633_ahead__new_work_goes_on_at_the_chains_nonce():
    """Defect 17: a store whose nonces ran away from the chain jams nothing; what it holds is given up and followed."""
    world = OutboxWorld()
    for number in range(3):
        world.plant(f"drifted{number}", 633 + number)
    world.restart()
    world.outbox.recover(world.chain.block())
    assert [record.state for record in world.store.txs()] == [TxState.ABANDONED] * 3
    assert world.submit("new").nonce == 0
    world.blocks(5)
    assert world.one("new").state is TxState.FINAL
    assert world.store.open_txs() == ()


def test_small_gap__nothing_at_all_in_it__filled_and_the_queue_drains():
    """Lost lower nonces are used up by transfers of nothing, and what waited above them mines."""
    world = OutboxWorld()
    world.plant("waiting", 3)
    world.restart()
    world.outbox.recover(world.chain.block())
    fills = [record for record in world.store.txs() if record.intent.kind == FILL]
    assert sorted(record.nonce for record in fills) == [0, 1, 2]
    world.blocks(6)
    assert {record.state for record in world.store.txs()} == {TxState.FINAL}
    assert count(world.chain, world.counter) == 1
    assert world.submit("next").nonce == 4


def test_small_gap__new_work__takes_the_gap_first():
    """A gap is filled by something useful if there is something."""
    world = OutboxWorld()
    world.plant("waiting", 1)
    world.restart()
    assert world.submit("useful").nonce == 0
    world.blocks(5)
    assert {record.state for record in world.store.txs()} == {TxState.FINAL}
    assert len(world.store.txs()) == 2


def test_vanished_from_every_pool__pushed_again():
    """A pool that lost our transactions gets the very same bytes again."""
    world = OutboxWorld()
    records = [world.submit(f"k{number}") for number in range(4)]
    world.lose()
    world.outbox.settle(world.chain.block())
    held = {bytes.fromhex(record.attempts[0].tx_hash[2:]) for record in records}
    assert held == set(world.chain.node.pool.hashes())
    world.blocks(4)
    assert {record.state for record in world.store.txs()} == {TxState.FINAL}
    assert all(len(record.attempts) == 1 for record in world.store.txs())


def test_foreign_transaction__mined_at_our_nonce__replaced_naming_it():
    """Chain ahead of us: what it overtook ends, its subject is free, and the reason names what took the nonce."""
    world = OutboxWorld()
    world.submit("a", subject="alice")
    world.submit("b")
    world.lose()
    taken = world.foreign(0, gwei=50)
    world.chain.mine()
    world.blocks(5)
    assert world.one("a").state is TxState.REPLACED
    assert taken in world.one("a").reason
    assert world.one("b").state is TxState.FINAL
    assert world.submit("c", subject="alice").nonce == 2


def test_foreign_transaction__pending_at_our_nonce__outbid_within_the_caps():
    """Somebody's transaction of unknown fees holds our nonce in the pool: ours is doubled until it passes."""
    world = OutboxWorld()
    foreign = world.foreign(0, gwei=30, tip=6)
    assert world.submit("a").state is TxState.SIGNED
    for _ in range(6):
        world.outbox.settle(world.chain.block())
    assert world.one().state is TxState.SENT
    assert world.chain.node.pool.get(bytes.fromhex(foreign[2:])) is None
    assert all(attempt.max_fee_wei <= FEES.max_fee_wei for attempt in world.one().attempts)
    world.blocks(5)
    assert world.one().state is TxState.FINAL


def test_foreign_transaction__pending_and_dearer_than_our_caps__the_next_steps_over_it():
    """What cannot be outbid is waited for; the work behind it takes the next nonces and mines with it."""
    world = OutboxWorld()
    world.foreign(0, gwei=99, tip=19)
    assert world.submit("a").state is TxState.SIGNED
    assert world.submit("b").nonce == 1
    world.blocks(5)
    assert [world.one(key).state for key in "ab"] == [TxState.REPLACED, TxState.FINAL]


def test_receipt_withheld__transaction_is_in_the_block__nothing_is_concluded():
    """A node that answers null for a mined transaction does not make us take it for a foreign one."""
    world = OutboxWorld()
    world.submit("a")
    real = world.rpc.batch

    def without_receipts(asked):
        answers = real(asked)
        hidden = ("eth_getTransactionReceipt", "eth_getTransactionByHash")
        return tuple(None if method in hidden else answer for (method, _), answer in zip(asked, answers, strict=True))

    world.rpc.batch = without_receipts
    world.blocks(6)
    assert world.one().state is TxState.SENT
    world.rpc.batch = real
    world.block()
    assert world.one().state is TxState.FINAL


# Disagreement


def test_endpoints_disagree__nothing_is_signed_or_sent_and_all_is_well_later():
    """No send while they disagree; settlement goes on reading, and the next block that is agreed upon sends."""
    world = OutboxWorld()
    world.submit("sent")
    sent = []
    real = world.rpc.send_raw
    world.rpc.send_raw = lambda raw: (sent.append(raw), real(raw))
    asked = []

    def disagree(head):
        asked.append(head)
        raise Disagreement("2 of 2 endpoints differ")

    world.rpc.agree = disagree
    world.block(lose=ALL)
    for number in range(4):
        with pytest.raises(Retry):
            world.submit(f"k{number}")
    world.lose()
    asked.clear()
    world.outbox.settle(world.chain.mine())
    assert len(asked) == 1  # once, not once a record
    assert sent == []
    assert {record.state for record in world.store.txs()} == {TxState.PLANNED, TxState.SENT}
    world.rpc.agree = lambda _head: None
    world.blocks(6)
    assert {record.state for record in world.store.txs()} == {TxState.FINAL}


def test_launch__one_cannot_be_simulated__the_next_is_sent():
    """Defect 14: item k failing does not stop k + 1."""
    world = OutboxWorld()
    real = world.rpc.batch

    def batch(asked):
        if any(isinstance(params[0], dict) and params[0].get("data") == "0xbad0" for _, params in asked):
            raise Unreachable("timed out")
        return real(asked)

    world.rpc.batch = batch
    with pytest.raises(Retry):
        world.submit("bad", data=b"\xba\xd0")
    assert world.submit("good").state is TxState.SENT
    world.blocks(5)
    assert (world.one("good").state, world.one("bad").state) == (TxState.FINAL, TxState.PLANNED)
