"""The node over loopback: the same answers by HTTP and WebSocket, batches, heads told as they are mined, clean ends."""

import json
import threading

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from keeper.testing.embedded import EmbeddedChain
from keeper.testing.http_node import HttpNode
from keeper.testing.ws_node import WsNode

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def chain():
    return EmbeddedChain(accounts=2)


def asked(method, *params, number=1):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


class Talk:
    """One client on one WebSocket."""

    def __init__(self, url):
        self._opening = connect(url, compression=None, ping_interval=None, close_timeout=1)

    def ask(self, body):
        self.socket.send(json.dumps(body))
        return self.hear()

    def hear(self):
        return json.loads(self.socket.recv(timeout=10))

    def __enter__(self):
        self.socket = self._opening.__enter__()
        return self

    def __exit__(self, *error):
        return self._opening.__exit__(*error)


@pytest.fixture
def served(chain):
    with WsNode(chain.node) as node:
        yield node


def test_http__batch__answered_in_order_with_errors_in_their_place(chain):
    """A batch is one round trip, and one bad question does not spoil the others."""
    with HttpNode(chain.node) as node, requests.Session() as session:
        batch = [asked("eth_chainId", number=7), asked("eth_nonsense", number=8), asked("eth_blockNumber", number=9)]
        answers = session.post(node.url, json=batch, timeout=10).json()
    assert [one["id"] for one in answers] == [7, 8, 9]
    assert answers[0]["result"] == hex(chain.chain_id)
    assert answers[1]["error"]["code"] == -32601


def test_http__unreadable_body__parse_error(chain):
    """A body that is not JSON is told so in JSON-RPC's words."""
    with HttpNode(chain.node) as node:
        answer = requests.post(node.url, data=b"{", timeout=10).json()
    assert answer["error"]["code"] == -32700


def test_ws__request_and_batch__same_answers_as_in_process(chain, served):
    """A WebSocket carries what HTTP carries."""
    with Talk(served.url) as talk:
        assert talk.ask(asked("eth_blockNumber"))["result"] == chain.node.request("eth_blockNumber", [])
        assert [one["id"] for one in talk.ask([asked("eth_chainId", number=n) for n in (3, 4)])] == [3, 4]


def test_ws__new_heads__each_block_once_in_order_and_a_reorg_told_again(chain, served):
    """Every block is announced as it is mined; after a reorg the new blocks are announced from the fork on."""
    with Talk(served.url) as talk:
        name = talk.ask(asked("eth_subscribe", "newHeads"))["result"]
        blocks = [chain.mine() for _ in range(3)]
        told = [talk.hear()["params"] for _ in blocks]
        assert [one["result"]["hash"] for one in told] == [block.hash for block in blocks]
        assert {one["subscription"] for one in told} == {name}
        chain.reorg(2)
        again = [talk.hear()["params"]["result"] for _ in range(2)]
        assert [int(one["number"], 16) for one in again] == [block.number for block in blocks[1:]]
        assert again[0]["parentHash"] == blocks[0].hash
        assert again[1]["hash"] == chain.block().hash
        assert talk.ask(asked("eth_unsubscribe", name))["result"] is True
        chain.mine()
        assert talk.ask(asked("eth_chainId", number=5))["id"] == 5  # nothing was told in between


def test_ws__unknown_subscription__refused(served):
    """What the node cannot tell is refused, not accepted in silence."""
    with Talk(served.url) as talk:
        assert "error" in talk.ask(asked("eth_subscribe", "syncing"))


def test_ws__dropped_and_refused__client_notices_and_can_return(chain, served):
    """A cut connection ends the client's read; while refusing, nobody gets in; afterwards everybody does."""
    with Talk(served.url) as talk:
        talk.ask(asked("eth_subscribe", "newHeads"))
        served.refuse(on=True)
        served.drop()
        with pytest.raises(ConnectionClosed):
            talk.hear()
    with pytest.raises(InvalidStatus), Talk(served.url):
        pass
    chain.mine()  # nobody listens, nothing breaks
    served.refuse(on=False)
    with Talk(served.url) as talk:
        assert talk.ask(asked("eth_chainId"))["result"]


def test_close__clients_still_connected__no_thread_left(chain):
    """Closing with open connections on both transports leaves no thread of theirs behind."""
    before = set(threading.enumerate())
    http, ws = HttpNode(chain.node).start(), WsNode(chain.node).start()
    session = requests.Session()
    assert session.post(http.url, json=asked("eth_chainId"), timeout=10).ok
    with Talk(ws.url) as client:
        client.ask(asked("eth_subscribe", "newHeads"))
        http.close()
        ws.close()
    session.close()
    assert set(threading.enumerate()) <= before
