"""A house that is hardly older than a reorg may reach is read like any other (RD-6), and nothing is still no house."""

import pytest

from keeper.chain.following import log_reader
from keeper.chain.following.log_reader import LogReader
from keeper.domain import codec
from keeper.errors import Retry
from keeper.testing.memory_store import MemoryStore
from keeper.testing.node import JsonRpcError
from keeper.testing.small_house import SmallHouse
from tests.defects.houses import watching

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

#: Of its first blocks: those before any log that is followed, and a few after.
AGES = (1, 2, 9, 16, 17, 25)


@pytest.fixture(scope="module")
def built():
    return SmallHouse()


@pytest.fixture
def house(built):
    """As it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def at_age(house, blocks, store=None):
    """A keeper to which only the first `blocks` blocks of the house are too deep to be reorganised."""
    return watching(house, store, reorg_depth=house.chain.block().number - house.deployment.block - blocks + 1)


def read(keeper, house):
    return keeper.reader.read(house.chain.block())


def answering(house, monkeypatch, **answers):
    """The node, but for these methods."""
    request = house.chain.node.request

    def other(method, params):
        return answers[method](params) if method in answers else request(method, params)

    monkeypatch.setattr(house.chain.node, "request", other)


def refusing(_params):
    raise JsonRpcError(-32601, "the method does not exist")


@pytest.mark.parametrize("blocks", AGES)
def test_young_house__at_any_age__the_same_snapshot_and_after_a_restart(house, blocks):
    """RD-6: libraries log nothing when they are made; the keeper does not wait for the first contract that does."""
    known, store = codec.dumps(read(watching(house), house)), MemoryStore()
    assert codec.dumps(read(at_age(house, blocks, store), house)) == known, "RD-6"
    assert codec.dumps(read(at_age(house, blocks, store), house)) == known, "RD-6: again from what was stored"
    house.chain.mine(3)
    keeper = at_age(house, blocks, store)
    assert codec.dumps(read(keeper, house)) == codec.dumps(read(watching(house), house)), "RD-6"


@pytest.mark.parametrize("blocks", AGES)
def test_young_house__node_without_logs__retry_at_any_age(house, monkeypatch, blocks):
    """RD-4: an empty answer is borne out by the blocks or waited for, at any age (12)."""
    answering(house, monkeypatch, eth_getLogs=lambda _: [])
    store = MemoryStore()
    for _ in range(2):
        with pytest.raises(Retry):
            read(at_age(house, blocks, store), house)
    monkeypatch.undo()
    assert len(read(at_age(house, blocks, store), house).underlyings) == 1, "RD-4"


def without(block, **changed):
    return block if block is None else {**block, **changed}


def test_young_house__headers_that_say_nothing__receipts_do_or_nobody_does(house, monkeypatch):
    """RD-6: a chain that fills no blooms bears out an empty past by its receipts; without them it is not believed."""
    known, ask = codec.dumps(read(watching(house), house)), house.chain.node.request
    blank = "0x" + "00" * 256

    def headers(params):
        return without(ask("eth_getBlockByNumber", params), logsBloom=blank)

    answering(house, monkeypatch, eth_getBlockByNumber=headers)
    assert codec.dumps(read(at_age(house, 9), house)) == known, "RD-6"
    answering(house, monkeypatch, eth_getBlockReceipts=refusing)
    with pytest.raises(Retry, match="no log at all"):
        read(at_age(house, 9), house)
    answering(house, monkeypatch, eth_getBlockReceipts=lambda _: [])
    with pytest.raises(Retry, match="no log at all"):
        read(at_age(house, 9), house)


def test_young_house__too_long_a_silence__not_believed(house, monkeypatch):
    """RD-4: the exception is for the young; it does not grow with the range."""
    monkeypatch.setattr(log_reader, "PROVABLE", 8)
    with pytest.raises(Retry, match="no log at all"):
        read(at_age(house, 9), house)
    assert len(read(at_age(house, 8), house).underlyings) == 1


def test_young_house__then_long_quiet__what_was_read_is_not_forgotten(house, monkeypatch):
    """RD-6: a house that was read whole block by block and then sleeps is no house without logs."""
    keeper = watching(house, reorg_depth=house.chain.block().number)  # as deep as the chain: nothing is a base yet
    known = read(keeper, house)
    monkeypatch.setattr(LogReader, "proves_empty", lambda *_: False)
    house.chain.mine(3 * house.chain.block().number + 70)
    assert read(keeper, house).underlyings[0].symbol == known.underlyings[0].symbol, "RD-6"
