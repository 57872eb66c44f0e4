"""`TxSender` over the embedded chain and anvil, with the store in memory and on disk."""

import pytest

from keeper.chain.errors import FeeAboveCap, Unreachable
from keeper.chain.records import FeeHistory
from keeper.chain.sending.dry import DrySender
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import OutboxPolicy
from keeper.chain.signers import from_key
from keeper.domain.cycle import REHEARSED
from keeper.domain.tx import SignerRole, TxAttempt, TxState
from keeper.errors import BadInput, Refused, Retry
from keeper.testing.anvil import AnvilChain
from keeper.testing.counter_world import CLOSE, COUNTER, FEES, OPEN, an_intent, an_outbox, count, rpc_of, signers_of
from keeper.testing.embedded import EmbeddedChain

pytestmark = pytest.mark.chain


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=pytest.mark.needs_anvil)])
def chain(request):
    if request.param == "embedded":
        yield EmbeddedChain(accounts=4)
        return
    with AnvilChain(accounts=4) as anvil:
        yield anvil


@pytest.fixture
def counter(chain):
    return chain.deploy_code(COUNTER)


def test_submit__twice__acts_once_and_ends_final(chain, store, counter):
    """The second submission finds the first by its key."""
    outbox = an_outbox(chain, store)
    intent = an_intent(counter, chain.block())
    assert outbox.submit(intent).state is TxState.SENT
    outbox.submit(intent)
    assert [record.state for record in outbox.settle(chain.block())] == [TxState.MINED]
    assert [record.state for record in outbox.settle(chain.mine(3))] == [TxState.FINAL]
    assert count(chain, counter) == 1


def test_submit__rival_for_the_same_subject__refused(chain, store, counter):
    """Two open intents never aim at one account."""
    outbox = an_outbox(chain, store)
    outbox.submit(an_intent(counter, chain.block(), key="a", subject="alice"))
    with pytest.raises(Refused):
        outbox.submit(an_intent(counter, chain.block(), key="b", subject="alice"))


def test_submit__simulation_says_no__dropped_with_reason(chain, store, counter):
    """An account that recovered costs nothing: no nonce, no gas."""
    chain.send(sender=chain.accounts[0], to=counter, data=CLOSE)
    record = an_outbox(chain, store).submit(an_intent(counter, chain.block()))
    assert record.state is TxState.DROPPED
    assert "0xdeadbeef" in record.reason
    assert record.nonce is None


def test_settle__recovers_between_simulation_and_mining__reverted(chain, store, counter):
    """Mined and failed is an end of its own, with the gas it cost."""
    outbox = an_outbox(chain, store)
    chain.set_automine(on=False)
    record = outbox.submit(an_intent(counter, chain.block()))
    chain.request("anvil_dropTransaction", record.attempts[0].tx_hash)
    chain.set_automine(on=True)
    chain.send(sender=chain.accounts[0], to=counter, data=CLOSE)
    chain.request("eth_sendRawTransaction", "0x" + record.attempts[0].raw.hex())  # by some other node that kept it
    ended = outbox.settle(chain.mine(4))
    assert [entry.state for entry in ended] == [TxState.REVERTED]
    assert ended[0].gas_used > 21_000
    assert count(chain, counter) == 0


def test_settle__vanished_and_not_wanted_any_more__cancelled_and_never_pushed_again(chain, store, counter):
    """What was decided in another world does not leave again: a transfer of nothing uses its nonce up (CHAOS-8)."""
    outbox = an_outbox(chain, store)
    chain.set_automine(on=False)
    record = outbox.submit(an_intent(counter, chain.block()))
    chain.request("anvil_dropTransaction", record.attempts[0].tx_hash)
    chain.set_automine(on=True)
    chain.send(sender=chain.accounts[0], to=counter, data=CLOSE)
    outbox.settle(chain.block())
    ended = outbox.settle(chain.mine(4))
    assert [(entry.state, entry.cancelled) for entry in ended] == [(TxState.REPLACED, True)]
    assert count(chain, counter) == 0


def test_submit__many_in_flight__consecutive_nonces_one_block(chain, store, counter):
    """Nothing waits for the one before it."""
    outbox = an_outbox(chain, store)
    chain.set_automine(on=False)
    records = [outbox.submit(an_intent(counter, chain.block(), key=f"k{i}")) for i in range(5)]
    assert [record.nonce for record in records] == [0, 1, 2, 3, 4]
    outbox.settle(chain.mine())
    outbox.settle(chain.mine(3))
    assert {record.state for record in store.txs()} == {TxState.FINAL}
    assert count(chain, counter) == 5


def test_submit__past_its_deadline__expired(chain, store, counter):
    """A decision that is too old is never signed."""
    at = chain.block()
    record = an_outbox(chain, store).submit(an_intent(counter, at, deadline_s=at.timestamp - 1))
    assert (record.state, record.attempts) == (TxState.EXPIRED, ())


def test_settle__stuck__replaced_legally_and_either_may_mine(chain, store, counter):
    """The replacement pays an eighth more on both fields, and the attempt that mined is the one reported."""
    outbox = an_outbox(chain, store)
    chain.set_automine(on=False)
    outbox.submit(an_intent(counter, chain.block()))
    chain.request("anvil_dropTransaction", store.txs()[0].attempts[0].tx_hash)
    _mine_without(chain, store)
    outbox.settle(chain.block())
    first, second = store.txs()[0].attempts
    assert second.max_fee_wei * 8 >= first.max_fee_wei * 9
    assert second.priority_fee_wei * 8 >= first.priority_fee_wei * 9
    chain.request("anvil_dropTransaction", second.tx_hash)
    chain.request("eth_sendRawTransaction", "0x" + first.raw.hex())
    outbox.settle(chain.mine())
    assert store.txs()[0].mined_hash == first.tx_hash
    assert [record.state for record in outbox.settle(chain.mine(3))] == [TxState.FINAL]
    assert count(chain, counter) == 1


def _mine_without(chain, store):
    """Two blocks that do not include the pending attempt."""
    for _ in range(2):
        for record in store.open_txs():
            chain.request("anvil_dropTransaction", record.attempts[-1].tx_hash)
        chain.mine()


def test_settle__foreign_transaction_on_our_nonce__replaced_and_counter_heals(chain, store, counter):
    """A nonce used by somebody else ends the record; the next intent takes the next nonce."""
    outbox = an_outbox(chain, store)
    chain.set_automine(on=False)
    record = outbox.submit(an_intent(counter, chain.block()))
    chain.request("anvil_dropTransaction", record.attempts[0].tx_hash)
    chain.set_automine(on=True)
    for _ in range(3):
        chain.send(sender=chain.accounts[2], to=chain.accounts[0], gas=21_000)
    assert [entry.state for entry in outbox.settle(chain.mine(4))] == [TxState.REPLACED]
    assert outbox.submit(an_intent(counter, chain.block(), key="next")).nonce == 3
    assert count(chain, counter) == 1


def test_settle__receipt_lost_in_a_reorg__sent_again_then_final(chain, store, counter):
    """A reorg moves MINED back to SENT and the same bytes go out again."""
    outbox = an_outbox(chain, store)
    chain.mine(3)
    outbox.submit(an_intent(counter, chain.block()))
    outbox.settle(chain.block())
    assert store.txs()[0].state is TxState.MINED
    chain.set_automine(on=False)
    chain.reorg(1)
    outbox.settle(chain.block())
    assert store.txs()[0].state is TxState.SENT
    assert store.txs()[0].mined is None
    outbox.settle(chain.mine())
    outbox.settle(chain.mine(4))
    assert store.txs()[0].state is TxState.FINAL
    assert count(chain, counter) == 1


def test_submit__base_fee_above_cap__waits_unsigned(chain, store, counter):
    """The cap is a cap: nothing is signed, and the intent stays open for a cheaper block."""
    outbox = an_outbox(chain, store, fees=FeePolicy(max_fee_wei=1, max_priority_fee_wei=1))
    with pytest.raises(FeeAboveCap):
        outbox.submit(an_intent(counter, chain.block()))
    assert (store.txs()[0].state, store.txs()[0].attempts) == (TxState.PLANNED, ())
    an_outbox(chain, store).settle(chain.block())
    assert store.txs()[0].state is TxState.SENT


def test_submit__publishing_all_day__refused_at_its_part_and_liquidation_goes_on(chain, store, counter):
    """A market that has us publish without end never takes the gas that liquidating needs."""
    policy = OutboxPolicy(confirmations=3, replace_after_blocks=2, daily_cap_wei=200_000 * FEES.max_fee_wei // 6)
    outbox = an_outbox(chain, store, policy=policy)

    def publish(number):
        return outbox.submit(an_intent(counter, chain.block(), key=f"p{number}", role=SignerRole.PUBLISHER))

    assert publish(0).state is TxState.SENT
    with pytest.raises(Refused, match="liquidation goes on"):
        list(map(publish, range(1, 100)))
    assert outbox.submit(an_intent(counter, chain.block(), key="bid")).state is TxState.SENT


def test_submit__unfunded_key__said_and_asked_again(chain, store, counter):
    """An empty key needs money, which comes while the keeper runs: it is told, and nothing else ends for it."""
    poor = signers_of(chain) | {SignerRole.LIQUIDATOR: (from_key(b"\x07" * 32),)}
    with pytest.raises(Retry, match="funds"):
        an_outbox(chain, store, signers=poor).submit(an_intent(counter, chain.block()))


def test_outbox__one_key_for_two_roles__refused(chain, store):
    """The publisher and the liquidator are never the same key."""
    one = from_key(chain.key(1))
    with pytest.raises(BadInput):
        an_outbox(chain, store, signers={SignerRole.PUBLISHER: (one,), SignerRole.LIQUIDATOR: (one,)})


def test_settle__one_record_cannot_be_asked__the_next_is(chain, store, counter):
    """Item k failing does not stop k + 1."""
    rpc = rpc_of(chain)
    outbox = an_outbox(chain, store, rpc=rpc)
    first = outbox.submit(an_intent(counter, chain.block(), key="a"))
    outbox.submit(an_intent(counter, chain.block(), key="b"))
    real = rpc.batch

    def batch(asked):
        if any(first.attempts[0].tx_hash in params for _, params in asked):
            raise Unreachable("no answer")
        return real(asked)

    rpc.batch = batch
    assert [record.intent.key for record in outbox.settle(chain.block())] == ["b"]


def test_dry_sender__leaves_nothing_behind(chain, store, counter):
    """A rehearsal says what would happen and is no obstacle to the real thing."""
    dry = DrySender(rpc_of(chain), {role: keys[0].address for role, keys in signers_of(chain).items()})
    intent = an_intent(counter, chain.block())
    assert dry.submit(intent).reason == REHEARSED == "dry run: would be sent"
    assert store.txs() == ()
    assert an_outbox(chain, store).submit(intent).state is TxState.SENT
    chain.send(sender=chain.accounts[0], to=counter, data=CLOSE)
    assert "0xdeadbeef" in dry.submit(an_intent(counter, chain.block(), key="b")).reason
    chain.send(sender=chain.accounts[0], to=counter, data=OPEN)


def test_fees__bump__legal_to_the_wei_or_not_at_all():
    """Under the cap a replacement pays a tenth more on both fields; where it cannot, there is none."""
    history = FeeHistory(10**9, (10**9,))
    for last_fee in (10**9 + 7, 50 * 10**9 + 3, 90 * 10**9, 95 * 10**9):
        last = TxAttempt(tx_hash="0x", raw=b"", max_fee_wei=last_fee, priority_fee_wei=10**9 + 1, block_number=1)
        offer = FEES.bump(last, history)
        if last_fee * 11 > FEES.max_fee_wei * 10:
            assert offer is None
        else:
            assert offer.max_fee_wei * 10 >= last_fee * 11
            assert offer.priority_fee_wei * 10 >= (10**9 + 1) * 11
            assert offer.max_fee_wei <= FEES.max_fee_wei
