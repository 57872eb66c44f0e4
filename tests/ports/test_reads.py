"""`BlockReads`: many reads together are each one by itself, in one round trip, at one block (READ-1 … READ-4)."""

import pytest
from eth_hash.auto import keccak
from eth_utils import to_checksum_address

from keeper.abis import load
from keeper.chain.asking.endpoint import endpoint_at
from keeper.chain.asking.reads import CANONICAL_MULTICALL, HASHES_AT_ONCE, BlockReads
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.errors import Reverted, StaleBlock
from keeper.domain.reads import Call, CodeHash, Slot
from keeper.testing.anvil import AnvilChain
from keeper.testing.counter_world import CLOSE, COUNTER, rpc_of
from keeper.testing.embedded import EmbeddedChain

pytestmark = pytest.mark.chain

#: Answers with the number of its block in the first word and the call's data after it.
ECHO = bytes.fromhex("43600052366000602037366020016000f3")
NOBODY = "0x" + "12" * 20


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=pytest.mark.needs_anvil)])
def chain(request):
    if request.param == "embedded":
        yield EmbeddedChain(accounts=3)
        return
    with AnvilChain(accounts=3) as anvil:
        yield anvil


@pytest.fixture
def counter(chain):
    """Poked once, then closed: calling it reverts with 0xdeadbeef."""
    at = chain.deploy_code(COUNTER)
    chain.send(sender=chain.accounts[0], to=at)
    chain.send(sender=chain.accounts[0], to=at, data=CLOSE)
    return at


@pytest.fixture
def asked(chain, counter):
    """One of everything: views that answer, answer nothing and revert, storage, code of a contract and of none."""
    echo = chain.deploy_code(ECHO)
    return [
        *(Call(echo, bytes([i]) * i) for i in range(40)),
        Call(counter, b""),
        Call(NOBODY, b"1234"),
        Slot(counter, 0),
        Slot(counter, 1),
        Slot(counter, 7),
        CodeHash(counter),
        CodeHash(echo),
        CodeHash(NOBODY),
        CodeHash(chain.accounts[0]),
        Call(echo, b"\1"),
    ]


class Between:
    """A provider that changes what passes."""

    def __init__(self, inner, *, before=lambda method, params: params, after=lambda _method, _params, answer: answer):
        self.inner, self.before, self.after = inner, before, after

    def make_request(self, method, params):
        changed = self.before(method, params)
        return self.after(method, params, self.inner.make_request(method, changed))


def through(chain, **changes):
    return Rpc([Endpoint("between", Between(chain.provider, **changes))], chain_id=chain.chain_id)


def multicall3(chain):
    receipt = chain.receipt(chain.send(sender=chain.accounts[0], to=None, data=load("Multicall3").link({})))
    return to_checksum_address(receipt["contractAddress"])


def plain(answers):
    return [("refused", a.data) if isinstance(a, Reverted) else a for a in answers]


def by_itself(chain, block, read):
    """The slow twin: one plain question each."""
    if isinstance(read, Slot):
        return bytes.fromhex(
            chain.request("eth_getStorageAt", read.address, hex(read.position), hex(block.number))[2:].rjust(64, "0")
        )
    if isinstance(read, CodeHash):
        code = bytes.fromhex(chain.request("eth_getCode", read.address, hex(block.number))[2:])
        return keccak(code) if code else b""
    call = {"to": read.to, "data": "0x" + read.data.hex()}
    answer = chain.provider.make_request("eth_call", [call, hex(block.number)])
    return ("refused", bytes.fromhex("deadbeef")) if answer.get("error") else bytes.fromhex(answer["result"][2:])


@pytest.mark.parametrize("bundled", [False, True])
def test_read_at__many__each_as_by_itself(chain, asked, bundled):
    """READ-1: travelling together changes no answer, with a Multicall3 and without."""
    multicall = multicall3(chain) if bundled else None
    block = chain.block()
    chain.mine(2)
    answers = BlockReads(rpc_of(chain), multicall=multicall).read_at(block, asked)
    assert plain(answers) == [by_itself(chain, block, read) for read in asked], "READ-1"
    assert int.from_bytes(answers[0], "big") == block.number


def test_read_at__many__one_round_trip(chain, asked):
    """READ-2: everything that is known before it is asked goes out once."""
    endpoint = endpoint_at(chain.url) if isinstance(chain, AnvilChain) else Endpoint("local", chain.provider)
    rpc = Rpc([endpoint], chain_id=chain.chain_id)
    reads = BlockReads(rpc, multicall=multicall3(chain))
    reads.read_at(chain.block(), asked[:3])
    chain.mine()
    before = rpc.round_trips
    reads.read_at(chain.block(), asked)
    assert rpc.round_trips - before == 1, "READ-2"


def test_read_at__block_reorganised_away__stale(chain, asked):
    """READ-3: a block that is gone is an error, never another block's answer."""
    reads = BlockReads(rpc_of(chain), multicall=multicall3(chain))
    chain.mine()
    gone = chain.block()
    chain.reorg(1)
    with pytest.raises(StaleBlock):
        reads.read_at(gone, asked)


def test_read_at__node_that_answers_from_its_newest_block__caught(chain, asked):
    """READ-4: a node that ignores which block it is asked for is noticed by what the multicall says of itself."""
    multicall = multicall3(chain)
    block = chain.block()
    chain.mine(3)

    honest = [True]

    def newest(method, params):
        return params if honest or method != "eth_call" else [params[0], "latest"]

    reads = BlockReads(through(chain, before=newest), multicall=multicall)
    reads.read_at(chain.block(), asked)
    honest.clear()
    with pytest.raises(StaleBlock, match="answered from block"):
        reads.read_at(block, asked)


def test_read_at__no_multicall_there__one_by_one(chain, asked):
    """A wrong address costs a round trip, not the block."""
    block = chain.block()
    rpc = rpc_of(chain)
    answers = BlockReads(rpc, multicall=NOBODY).read_at(block, asked)
    assert plain(answers) == [by_itself(chain, block, read) for read in asked]


def test_read_at__node_that_runs_no_program__code_itself(chain, asked):
    """Where a call without a contract is refused, code is read and hashed here."""
    block = chain.block()

    def refuses(method, params, answer):
        if method == "eth_call" and "to" not in params[0]:
            return {"error": {"code": 3, "message": "execution reverted", "data": "0x"}}
        return answer

    answers = BlockReads(through(chain, after=refuses)).read_at(block, asked)
    assert plain(answers) == [by_itself(chain, block, read) for read in asked]


def test_read_at__word_without_leading_zeros__padded(chain, counter):
    """Some nodes write a word as a number."""
    short = through(
        chain,
        after=lambda method, _, answer: {"result": "0x1"} if method == "eth_getStorageAt" else answer,
    )
    assert BlockReads(short).read_at(chain.block(), [Slot(counter, 0)]) == (bytes(31) + b"\1",)


def test_read_at__more_hashes_than_one_program_returns__all_of_them(chain, counter):
    """What the program returns counts as code, which has a limit; more addresses go into a second one."""
    many = [CodeHash(f"0x{i:040x}") for i in range(1 << 32, (1 << 32) + 2 * HASHES_AT_ONCE)] + [CodeHash(counter)]
    answers = BlockReads(rpc_of(chain)).read_at(chain.block(), many)
    assert set(answers[:-1]) == {b""}
    assert answers[-1] == keccak(COUNTER)


@pytest.mark.needs_anvil
def test_read_at__code_at_the_usual_address__used_from_then_on():
    """A public chain's Multicall3 is found by looking, once, and never believed in unseen."""
    with AnvilChain(accounts=3) as chain:
        code = chain.request("eth_getCode", multicall3(chain), "latest")
        counter, echo = chain.deploy_code(COUNTER), chain.deploy_code(ECHO)
        own = [Call(echo, b"\1"), Call(echo, b"\2"), CodeHash(counter)]
        rpc = rpc_of(chain)
        reads = BlockReads(rpc)
        chain.request("anvil_setCode", CANONICAL_MULTICALL, code)
        chain.mine()
        expected = reads.read_at(chain.block(), own)
        sent = []
        rpc.batch, real = lambda questions: sent.append(questions) or real(questions), rpc.batch
        assert reads.read_at(chain.block(), own) == expected
        (questions,) = sent
        assert [q[1][0].get("to") for q in questions] == [CANONICAL_MULTICALL, None]
