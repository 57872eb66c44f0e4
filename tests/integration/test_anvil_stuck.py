"""Transactions that a real anvil with mining off does not take: a base fee that jumps, an empty pool, a foreign one."""

from collections import Counter
from contextlib import contextmanager
from itertools import pairwise

import pytest
from eth_account import Account

from keeper.domain.tx import TxState
from keeper.testing.faulty import FaultyNode
from keeper.testing.forwarding import ForwardingNode
from keeper.testing.http_node import HttpNode
from keeper.testing.plan import FaultPlan
from keeper.testing.wire import JsonRpcError, number
from keeper.testing.ws_node import WsNode
from tests.cases.anvil_life import CRASH, Life, flagged, hold_laws, open_market, push_prices

pytestmark = [pytest.mark.needs_anvil, pytest.mark.chain, pytest.mark.timeout(300)]

GWEI = 10**9
#: Prices at which accounts are below maintenance and still worth a fee.
FALL = 5
#: What other nodes want a replacement to pay more; anvil itself is content with one percent.
BUMP = 10


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return open_market(tmp_path_factory.mktemp("market"))


@pytest.fixture
def world(market):
    """The market on an anvil that mines when told."""
    with market.on_anvil() as world:
        world.chain.set_automine(on=False)
        yield world


@contextmanager
def life_in_a_strict_pool(world, folder, **options):
    """A keeper that reaches anvil through a node with the rule for replacements that other nodes have."""
    plan = FaultPlan.parse(f"1: stricter_bump{{percent={BUMP}}}")
    with ForwardingNode(world.chain.url) as anvil:
        node = FaultyNode(anvil, plan)
        with HttpNode(node) as http, WsNode(node) as ws, Life(world, folder, [ws.url, http.url], **options) as life:
            yield life, node
        node.close()


def flags_in_the_pool(world, life, point=CRASH):
    """Let prices fall, and mine what sets them.  Returns: the flags that wait."""
    push_prices(world, point)
    assert life.reaches(world.chain.mine())
    waiting = life.of_kind("flag", TxState.SENT)
    assert waiting
    return sorted(waiting, key=lambda tx: tx.nonce)


def test_base_fee_spike__flags_stuck__replaced_by_the_rule_and_mined(world, tmp_path):
    """Under a base fee above what was offered nothing mines; it is offered again at ten percent more, same nonce.

    A flag that earns too little for the spike waits until gas is cheaper again.
    """
    chain = world.chain
    with life_in_a_strict_pool(world, tmp_path, fees={"replace_after_blocks": 2}) as (life, node):
        waiting = flags_in_the_pool(world, life, FALL)
        spike = 2 * max(tx.attempts[-1].max_fee_wei for tx in waiting)
        rich = [tx.intent.key for tx in waiting if tx.intent.worth_wei > 2 * spike * tx.intent.gas_to_pay]
        assert rich, "worth more gas than the spike asks"
        for _ in range(3):
            chain.request("anvil_setNextBlockBaseFeePerGas", hex(spike))
            assert life.reaches(chain.mine())
        assert not flagged(world), "nobody was flagged at that price"
        for tx in map(life.store.tx, rich):
            assert len(tx.attempts) > 1
            for old, new in pairwise(tx.attempts):
                assert 100 * new.max_fee_wei >= (100 + BUMP) * old.max_fee_wei
                assert 100 * new.priority_fee_wei >= (100 + BUMP) * old.priority_fee_wei
        assert "stricter_bump" not in {fault for fault, _ in node.ledger.counts()}, "never offered too little"
        hold_laws(life, life.drain(blocks=30))
        assert set(flagged(world).values()) == {1}
        for tx in waiting:
            ended = life.store.tx(tx.intent.key)
            assert (ended.state, ended.nonce) == (TxState.FINAL, tx.nonce)
            assert ended.mined_hash != tx.attempts[0].tx_hash, "a dearer one"


def test_strict_pool__one_percent_more__refused_in_front_of_anvil(world):
    """What the test above rests on: anvil would take a replacement at one percent more, the node in front does not."""
    with ForwardingNode(world.chain.url) as anvil:
        strict = FaultyNode(anvil, FaultPlan.parse(f"1: stricter_bump{{percent={BUMP}}}"))

        def offer(node, fee):
            raw = signed(
                world, fee=fee, nonce=number(node.request("eth_getTransactionCount", [address(world), "latest"]))
            )
            return node.request("eth_sendRawTransaction", [raw])

        offer(strict, 1_000 * GWEI)
        with pytest.raises(JsonRpcError, match="underpriced"):
            offer(strict, 1_010 * GWEI)
        assert offer(anvil, 1_010 * GWEI)


def test_dropped_from_the_pool__sent_again__acts_once(world, tmp_path):
    """A pool that forgets what it accepted is handed the same bytes again; nothing is signed anew at that nonce."""
    chain = world.chain
    with Life(world, tmp_path, [chain.ws_url, chain.url]) as life:
        waiting = flags_in_the_pool(world, life)
        for tx in waiting:
            chain.request("anvil_dropTransaction", tx.attempts[-1].tx_hash)
        empty = chain.mine()
        assert not flagged(world), "they were really gone"
        assert life.reaches(empty)
        hold_laws(life, life.drain(blocks=12))
        for tx in waiting:
            ended = life.store.tx(tx.intent.key)
            assert (ended.state, ended.mined_hash) == (TxState.FINAL, tx.attempts[0].tx_hash)
        assert set(flagged(world).values()) == {1}


def test_foreign_transaction_on_the_key__takes_a_nonce__its_flag_goes_out_under_another(world, tmp_path):
    """Somebody else with our key outbids a flag in the pool: that intent is over, its account is flagged anyway."""
    chain = world.chain
    with Life(world, tmp_path, [chain.ws_url, chain.url]) as life:
        waiting = flags_in_the_pool(world, life)
        outbid = waiting[0]
        raw = signed(world, fee=1_000 * GWEI, nonce=outbid.nonce)
        foreign = chain.request("eth_sendRawTransaction", raw)
        assert life.reaches(chain.mine())
        assert chain.receipt(foreign)
        hold_laws(life, life.drain(blocks=20))
        assert life.store.tx(outbid.intent.key).state is TxState.REPLACED
        accounts = [int(tx.intent.subject.removeprefix("account:"), 16) for tx in waiting]
        assert flagged(world) | Counter(accounts) == flagged(world), "the outbid one's too"
        assert set(flagged(world).values()) == {1}


def address(world):
    """The liquidator's."""
    return world.chain.accounts[2]


def signed(world, *, fee, nonce):
    """A transfer of nothing by somebody else who has the liquidator's key."""
    fields = {"chainId": world.chain.chain_id, "gas": 21_000, "to": address(world), "value": 0, "nonce": nonce}
    fees = {"maxFeePerGas": fee, "maxPriorityFeePerGas": fee}
    return "0x" + Account.sign_transaction(fields | fees, world.chain.key(2)).raw_transaction.hex()
