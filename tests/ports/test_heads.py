"""`Heads` over the embedded chain and anvil: gaps, reorgs, lagging endpoints."""

import json
from dataclasses import replace

import pytest
import requests
import web3.exceptions as w

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.errors import StaleBlock, Unreachable, WrongChain
from keeper.chain.following.heads import Advance, ChainHeads
from keeper.errors import Retry
from keeper.testing.anvil import AnvilChain
from keeper.testing.counter_world import rpc_of
from keeper.testing.embedded import EmbeddedChain

pytestmark = pytest.mark.chain


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=pytest.mark.needs_anvil)])
def chain(request):
    if request.param == "embedded":
        yield EmbeddedChain(accounts=3)
        return
    with AnvilChain(accounts=3) as anvil:
        yield anvil


def test_follow__gap__every_block_once_in_order(chain):
    """Blocks mined while nobody looked are all reported, oldest first."""
    heads = ChainHeads(rpc_of(chain))
    start = heads.follow(None).head
    chain.mine(5)
    advance = heads.follow(start)
    assert [block.number for block in advance.new] == [start.number + i for i in range(1, 6)]
    assert advance.new[0].parent_hash == start.hash
    assert heads.follow(advance.head).new == ()


def test_follow__asked_again_with_the_same_past__same_answer(chain):
    """A cycle that failed asks again and misses nothing."""
    heads = ChainHeads(rpc_of(chain))
    start = heads.follow(None).head
    chain.mine(3)
    assert heads.follow(start) == heads.follow(start)


def test_follow__reorg__names_orphans_newest_first(chain):
    """Removed blocks are named, so that what was decided on them can be marked."""
    heads = ChainHeads(rpc_of(chain))
    start = heads.follow(None).head
    chain.mine(4)
    before = heads.follow(start)
    chain.reorg(2)
    chain.mine(1)
    after = heads.follow(before.head)
    assert after.orphaned == (before.new[3], before.new[2])
    assert after.new[0].parent_hash == before.new[1].hash
    assert after.head == heads.head()


def test_follow__gap_longer_than_depth__says_how_much_was_skipped(chain):
    """A long absence is not filled block by block, and not hidden."""
    heads = ChainHeads(rpc_of(chain), depth=4)
    start = heads.follow(None).head
    chain.mine(10)
    advance = heads.follow(start)
    assert (len(advance.new), advance.skipped, advance.orphaned) == (4, 6, ())


def test_follow__lagging_endpoint__nothing_new(chain):
    """An old head answered with 200 moves nothing and orphans nothing."""
    heads = ChainHeads(rpc_of(chain))
    start = heads.follow(None).head
    chain.mine(2)
    now = heads.follow(start)
    heads.follow(now.head)
    heads._rpc.block, real = lambda _which="latest": start, heads._rpc.block
    assert heads.follow(now.head).new == ()
    heads._rpc.block = real


def test_at__not_there_yet__retry(chain):
    """A height above the head is a reason to come back."""
    with pytest.raises(Retry):
        ChainHeads(rpc_of(chain)).at(10**6)


def test_call_at__block_reorganised_away__stale(chain):
    """A read pinned to a removed block is an error, never the answer of another block."""
    chain.mine(2)
    rpc, gone = rpc_of(chain), chain.block()
    chain.reorg(1)
    with pytest.raises(StaleBlock):
        rpc.call_at(gone, chain.accounts[0], b"")
    with pytest.raises(StaleBlock):
        rpc.balance(chain.accounts[0], gone)


def test_rpc__wrong_chain__halts_before_the_first_answer(chain):
    """Another network's node is a reason to stop, not to read."""
    rpc = Rpc([Endpoint("other", chain.provider)], chain_id=chain.chain_id + 1)
    with pytest.raises(WrongChain):
        rpc.block()


class Broken:
    """A provider that raises or answers as told."""

    def __init__(self, outcome):
        self.outcome = outcome

    def make_request(self, _method, _params):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


def test_rpc__first_endpoint_fails__second_answers():
    """One dead node does not stop reading."""
    chain = EmbeddedChain(accounts=1)
    endpoints = [Endpoint("dead", Broken(ConnectionRefusedError())), Endpoint("alive", chain.provider)]
    assert Rpc(endpoints, chain_id=chain.chain_id).block() == chain.block()


def _everything_foreign():
    yield from (ConnectionResetError(), TimeoutError(), OSError(), json.JSONDecodeError("x", "", 0), KeyError("result"))
    yield UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")
    for name in ("ConnectionError", "Timeout", "HTTPError", "TooManyRedirects", "ChunkedEncodingError", "InvalidURL"):
        yield getattr(requests.exceptions, name)()
    for value in vars(w).values():
        if isinstance(value, type) and issubclass(value, w.Web3Exception):
            yield value.__new__(value)


@pytest.mark.parametrize("foreign", list(_everything_foreign()), ids=lambda error: type(error).__name__)
def test_rpc__any_foreign_exception__is_translated(foreign):
    """None of the libraries' exceptions crosses the border."""
    with pytest.raises(Unreachable):
        Rpc([Endpoint("x", Broken(foreign))], chain_id=1).block()


@pytest.mark.parametrize("answer", [None, [], "", {}, {"id": 1}, {"result": 5}, {"result": {}}, {"result": []}])
def test_rpc__unreadable_answer__retry(answer):
    """An answer of the wrong shape is no answer."""
    endpoint = Endpoint("x", Broken(answer), verified=True)
    with pytest.raises(Retry):
        Rpc([endpoint], chain_id=1).block()


# After a restart, and where endpoints differ


def test_gone__reorg__blocks_of_the_other_branch(chain):
    """What was lived on a removed block is told from what stands, and a block not there yet is no answer."""
    heads = ChainHeads(rpc_of(chain))
    chain.mine(4)
    lived = [heads.at(n) for n in range(4, 0, -1)]
    assert heads.gone(lived) == ()
    assert heads.gone([]) == ()
    chain.reorg(2)
    assert heads.gone(lived) == tuple(lived[:2])
    ahead = replace(lived[0], number=10**6)
    with pytest.raises(Retry):
        heads.gone([ahead])


def test_find__by_hash__none_for_a_stranger(chain):
    """A block is found by its hash; one that nobody has is None, not an error."""
    heads = ChainHeads(rpc_of(chain))
    chain.mine(1)
    head = heads.head()
    assert heads.find(head.hash) == head
    assert heads.find("0x" + "ab" * 32) is None


def test_follow__restarted_and_the_endpoint_lags__nothing_new_and_nothing_orphaned(chain):
    """A process that remembers one block must not take a node that is behind for a reorg, nor live backwards."""
    chain.mine(8)
    ahead, behind = chain.block(), chain.block(5)
    restarted = ChainHeads(rpc_of(chain))
    restarted.follow(None)
    restarted._rpc.block, real = lambda _which="latest": behind, restarted._rpc.block
    assert restarted.follow(ahead) == Advance(())
    restarted._rpc.block = real
    chain.mine(1)
    assert restarted.follow(ahead).new == (chain.block(),)


def test_follow__deep_gap_and_reorg_in_it__everything_remembered_is_in_doubt(chain):
    """Where the walk cannot reach what was seen, that is named, so that the store is compared with the chain."""
    heads = ChainHeads(rpc_of(chain), depth=4)
    chain.mine(6)
    start = heads.follow(None).head
    chain.reorg(2)
    chain.mine(10)
    advance = heads.follow(start)
    assert advance.orphaned == (start,)
    assert advance.skipped == 6
