"""The same faults on the wire: statuses, cut bodies and dropped subscriptions as a client of sockets sees them."""

import json
import threading

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from keeper.chain.errors import Unreachable
from keeper.chain.following.announcements import Announcements, PushedHeads
from keeper.testing.anvil import AnvilChain
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.faults import CATALOGUE, Boundary
from keeper.testing.faulty import FaultyNode
from keeper.testing.forwarding import ForwardingNode
from keeper.testing.http_node import HttpNode
from keeper.testing.plan import FaultPlan
from keeper.testing.provider import PushingProvider
from keeper.testing.ws_node import WsNode

CHAIN_ID = {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []}


@pytest.fixture(scope="module")
def chain():
    return EmbeddedChain(accounts=3)


def posted(node, body=CHAIN_ID, timeout=5.0):
    with HttpNode(node) as served:
        return requests.post(served.url, json=body, timeout=timeout)


def raises(error):
    def proof(node):
        with pytest.raises(error):
            posted(node, timeout=0.3).json()

    return proof


def status(code, **headers):
    def proof(node):
        answer = posted(node)
        assert answer.status_code == code
        assert {name: answer.headers.get(name) for name in headers} == headers

    return proof


def late(node):
    answer = posted(node)
    assert answer.json()["id"] == 7
    assert answer.elapsed.total_seconds() >= 0.05


def other_id(node):
    assert posted(node).json()["id"] not in (7, "7", None)


def empty(node):
    assert posted(node).content == b""


ON_HTTP = {
    "timeout": ("timeout", raises(requests.Timeout)),
    "answer_lost": ("answer_lost", raises(requests.Timeout)),
    "sent_then_timeout": ("sent_then_timeout[eth_chainId]", raises(requests.Timeout)),
    "reset": ("reset", raises(requests.ConnectionError)),
    "slow": ("slow{seconds=0.05}", late),
    "rate_limited": ("rate_limited{retry_after_s=3}", status(429, **{"Retry-After": "3"})),
    "server_error": ("server_error{status=503}", status(503)),
    "truncated_json": ("truncated_json", raises(requests.JSONDecodeError)),
    "short_body": ("short_body", raises(requests.exceptions.ChunkedEncodingError)),
    "empty_body": ("empty_body", empty),
    "html_body": ("html_body", raises(requests.JSONDecodeError)),
    "wrong_id": ("wrong_id", other_id),
}


@pytest.mark.chain
@pytest.mark.parametrize("name", sorted(name for name, one in CATALOGUE.items() if one.boundary is Boundary.WIRE))
def test_http__each_wire_fault__is_what_a_socket_sees(name, chain):
    """Over HTTP a fault is not an exception but bytes, statuses and ends of connections."""
    rule, proof = ON_HTTP[name]
    node = FaultyNode(chain.node, FaultPlan.of(rule))
    proof(node)
    assert node.ledger.of(name) == 1


@pytest.mark.chain
def test_http__array_and_fault__struck_as_a_whole(chain):
    """A wire fault strikes an array once; a garbled array was executed."""
    node = FaultyNode(chain.node, FaultPlan.of("wrong_id"))
    answers = posted(node, [CHAIN_ID, CHAIN_ID | {"id": 8}]).json()
    assert len(answers) == 2
    assert not {one["id"] for one in answers} & {7, 8}
    assert node.ledger.counts() == {("wrong_id", "batch"): 1}


class Talk:
    """A client that subscribed to heads."""

    def __init__(self, url):
        self._opening = connect(url, compression=None, ping_interval=None, close_timeout=1)

    def __enter__(self):
        self.socket = self._opening.__enter__()
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
        assert "result" in self.hear()
        return self

    def hear(self):
        return json.loads(self.socket.recv(timeout=10))

    def height(self):
        return int(self.hear()["params"]["result"]["number"], 16)

    def __exit__(self, *error):
        return self._opening.__exit__(*error)


@pytest.mark.chain
def test_ws__drop_for_three_blocks__cut_refused_and_back(chain):
    """The connection is cut, nobody gets in while the spell lasts, and afterwards heads are told again."""
    here = chain.block().number
    node = FaultyNode(chain.node, FaultPlan.of(f"ws_drop@{here + 2}+3"))
    with WsNode(node) as served:
        with Talk(served.url) as talk:
            chain.mine()
            assert talk.height() == here + 1
            chain.mine()
            with pytest.raises(ConnectionClosed):
                talk.hear()
        chain.mine(2)
        with pytest.raises(InvalidStatus), Talk(served.url):
            pass
        chain.mine()
        with Talk(served.url) as talk:
            chain.mine()
            assert talk.height() == here + 6
    node.close()
    assert node.ledger.of("ws_drop") == 3


@pytest.mark.chain
def test_ws__wire_faults__silent_cut_or_garbled(chain):
    """A WebSocket has no statuses: an answer stays away, comes damaged, or the connection ends."""
    for rule in ("timeout[eth_chainId]", "truncated_json[eth_chainId]", "server_error[eth_chainId]"):
        node = FaultyNode(chain.node, FaultPlan.of(rule))
        with WsNode(node) as served, Talk(served.url) as talk:
            talk.socket.send(json.dumps(CHAIN_ID))
            if rule.startswith("timeout"):
                with pytest.raises(TimeoutError):
                    talk.socket.recv(timeout=0.2)
            elif rule.startswith("truncated"):
                with pytest.raises(json.JSONDecodeError):
                    talk.hear()
            else:
                with pytest.raises(ConnectionClosed):
                    talk.hear()
        node.close()
        assert len(node.ledger.firings) == 1


@pytest.mark.chain
def test_pushing__link_cut__dropped_once_and_found_again(chain):
    """In this process too: the keeper's own listening is told of the cut, and subscribes again when it may."""
    here = chain.block().number
    node = FaultyNode(chain.node, FaultPlan.of(f"ws_drop@{here + 2}+2"))
    provider = PushingProvider(node)
    told, drops = [], []
    end = provider.subscribe("newHeads", lambda head: told.append(int(head["number"], 16)), drops.append)
    chain.mine(3)
    assert told == [here + 1]
    assert drops == ["the connection was cut"]
    with pytest.raises(Unreachable):
        provider.subscribe("newHeads", told.append, drops.append)
    chain.mine()
    end()  # again is harmless
    woken = threading.Event()
    stop = Announcements([PushedHeads("node", provider)], pauses_s=(0.01, 0.02)).listen(woken.set)
    assert woken.wait(10)  # it looks once when it has subscribed
    woken.clear()
    chain.mine()
    assert woken.wait(10)
    stop()
    node.close()


@pytest.fixture(scope="module")
def anvil():
    with AnvilChain(accounts=3) as chain:
        yield chain


@pytest.mark.needs_anvil
def test_anvil__wrapped__ten_percent_rule_and_the_rest_of_the_kit(anvil):
    """anvil is content with one percent more; behind the kit it has the rule of real nodes, and its faults."""
    with ForwardingNode(anvil.url) as inner:
        node = FaultyNode(inner, FaultPlan.of("stricter_bump{percent=10}", "lagging[eth_blockNumber]{blocks=1}"))
        account, to = anvil.accounts[1], anvil.accounts[2]

        def offer(max_fee):
            transaction = {
                "type": 2,
                "chainId": anvil.chain_id,
                "nonce": int(anvil.request("eth_getTransactionCount", account, "latest"), 16),
                "gas": 21_000,
                "to": to,
                "value": 1,
                "maxFeePerGas": max_fee,
                "maxPriorityFeePerGas": max_fee // 2,
            }
            signed = anvil.w3.eth.account.sign_transaction(transaction, anvil.key(1))
            return node.request("eth_sendRawTransaction", [signed.raw_transaction.to_0x_hex()])

        offer(10**11)
        with pytest.raises(Exception, match="replacement transaction underpriced"):
            offer(102 * 10**9)
        sent = offer(110 * 10**9)
        head = anvil.mine()
        assert anvil.receipt(sent)
        assert node.request("eth_blockNumber", []) == hex(head.number - 1)


@pytest.mark.needs_anvil
@pytest.mark.parametrize("keep", ["kept", "none"])
def test_anvil__reorg_and_spike__through_the_kit(anvil, keep):
    """Chain faults work on anvil as on the embedded node; heads come over its WebSocket."""
    with ForwardingNode(anvil.url) as inner:
        anvil.mine(2)
        sent = anvil.send(sender=anvil.accounts[1], to=anvil.accounts[2], gas=21_000)
        before = anvil.block(int(anvil.receipt(sent)["blockNumber"], 16))
        plan = f"reorg@{before.number}{{depth=1,keep={keep}}}; base_fee_spike@{before.number}{{gwei=77}}"
        node = FaultyNode(inner, FaultPlan.parse(plan))
        told = threading.Event()
        end = node.subscribe_heads(lambda head: told.set() if head["baseFeePerGas"] == hex(77 * 10**9) else None)
        node.request("evm_mine", [])
        assert anvil.block(before.number).hash != before.hash
        assert (anvil.request("eth_getTransactionReceipt", sent) is not None) == (keep == "kept")
        assert int(anvil.request("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16) == 77 * 10**9
        assert node.ledger.counts() == {("reorg", "evm_mine"): 1, ("base_fee_spike", "evm_mine"): 1}
        assert told.wait(10)
        end()
        node.close()
