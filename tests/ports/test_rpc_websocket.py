"""WebSocket endpoints over loopback: answers by id, pushes in between, drops."""

import json
import logging
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol
from websockets.sync.server import serve

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.asking.websocket import WsProvider
from keeper.chain.errors import RateLimited, Unreachable
from keeper.chain.following.announcements import Announcements, head_sources
from keeper.errors import KeeperError
from keeper.testing.anvil import AnvilChain
from keeper.testing.node import EmbeddedNode
from keeper.testing.ws_node import WsNode

pytestmark = pytest.mark.chain

#: Longest that a test waits for what another thread must do; a sound run waits for none of it.
PATIENCE_S = 20.0


@pytest.fixture
def node():
    return EmbeddedNode(accounts=3)


@pytest.fixture
def served(node):
    with WsNode(node) as found:
        yield found


@pytest.fixture
def rpc(node, served):
    found = Rpc([http_endpoint(served.url)], chain_id=node.evm.chain_id)
    yield found
    found.close()


def sources_of(rpc):
    return head_sources([member.endpoint for member in rpc.pool.members])


def test_ws__typed_questions__as_over_http(node, rpc):
    head, addresses = rpc.block(), [account.address for account in node.accounts]
    before = rpc.round_trips
    assert rpc.nonces(addresses, head) == (0, 0, 0)
    assert rpc.round_trips == before + 1
    assert rpc.balance(addresses[0], head) > 0


def test_ws__dropped_between_questions__connects_again(node, served, rpc):
    """A broken connection costs at most one question, and says so."""
    rpc.block()
    served.drop()
    with suppress(Unreachable):  # by this question at the latest the break is known
        rpc.block()
    assert rpc.block().number == 0


def test_ws__break_met_by_a_question_first__the_next_one_connects_again(served, rpc, monkeypatch):
    """Whoever asks may meet the break before the reading thread does; the line is not asked a second time."""
    rpc.block()
    (member,) = rpc.pool.members
    line = member.endpoint.provider._line

    def broken(_text):
        raise ConnectionResetError

    monkeypatch.setattr(line._connection, "send", broken)
    with pytest.raises(Unreachable):
        rpc.block()
    assert not line.alive
    assert rpc.block().number == 0


def test_ws__server_refuses_connections__unreachable_then_well(served, rpc):
    served.refuse(on=True)
    with pytest.raises(Unreachable, match="HTTP 503"):
        rpc.block()
    served.refuse(on=False)
    assert rpc.block().number == 0


def test_subscribe__each_new_head__told(node, rpc):
    heard = threading.Semaphore(0)
    (source,) = sources_of(rpc)
    end = source.subscribe(heard.release, lambda why: None)
    for _ in range(3):
        node.mine()
        assert heard.acquire(timeout=PATIENCE_S)
    end()
    end()
    node.mine()
    assert rpc.block().number == 4
    assert not heard.acquire(blocking=False)


def test_subscribe__connection_drops__said_once_with_a_reason(node, served, rpc):
    (source,) = sources_of(rpc)
    why, dropped = [], threading.Event()
    end = source.subscribe(lambda: None, lambda reason: (why.append(reason), dropped.set()))
    served.drop()
    assert dropped.wait(PATIENCE_S)
    assert len(why) == 1
    assert why[0]
    end()


def test_announcements__drop_of_several_blocks__listens_again_and_wakes_for_what_was_missed(node, served, rpc):
    """Defect 16, first half: after a gap the listener wakes once by itself; `Heads` then fetches what it missed."""
    wakes = threading.Semaphore(0)
    end = Announcements(sources_of(rpc), pauses_s=(0.01, 0.02)).listen(wakes.release)
    try:
        assert wakes.acquire(timeout=PATIENCE_S)  # subscribed
        node.mine()
        assert wakes.acquire(timeout=PATIENCE_S)
        served.refuse(on=True)
        served.drop()
        for _ in range(5):
            node.mine()
        served.refuse(on=False)
        assert wakes.acquire(timeout=PATIENCE_S)
        node.mine()
        assert wakes.acquire(timeout=PATIENCE_S)
    finally:
        end()


def test_subscribe__node_without_subscriptions__an_error_not_a_silence():
    def respond(asked):
        return {"id": asked["id"], "error": {"code": -32601, "message": "no"}}

    with provider_of(respond) as provider, pytest.raises(KeeperError):
        provider.subscribe("newHeads", lambda _: None, lambda _: None)


@contextmanager
def websocket(respond, *, first=None):
    """Serve `respond(parsed message) -> what to send, or None`; bytes and text go out as they are."""
    quiet = logging.getLogger("test.websocket")
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())

    def talk(line):
        try:
            if first is not None:
                line.send(first)
            for message in line:
                said = respond(json.loads(message))
                for one in said if isinstance(said, tuple) else (said,):
                    if one is not None:
                        line.send(one if isinstance(one, str) else json.dumps(one))
        except ConnectionClosed:
            pass

    server = serve(talk, "127.0.0.1", 0, logger=quiet, close_timeout=1)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def provider_of(respond, *, timeout_s=PATIENCE_S):
    with websocket(respond) as url:
        found = WsProvider(url, timeout_s=timeout_s)
        yield found
        found.close()


def test_ws__answers_out_of_order__each_to_its_question():
    """Two threads ask at once; the second is answered first."""
    held, both = [], threading.Event()

    def respond(asked):
        held.append({"id": asked["id"], "result": asked["method"]})
        if len(held) < 2:
            return None
        both.set()
        return tuple(held[::-1])

    with provider_of(respond) as provider:
        found = {}
        asks = [
            threading.Thread(target=lambda name=name: found.update({name: provider.make_request(name, [])["result"]}))
            for name in ("first", "second")
        ]
        for ask in asks:
            ask.start()
        for ask in asks:
            ask.join(PATIENCE_S)
    assert found == {"first": "first", "second": "second"}


def test_ws__array_answered_one_by_one_and_reversed__put_in_order():
    def respond(asked):
        return tuple({"id": str(one["id"]), "result": one["params"][0]} for one in asked[::-1])

    with provider_of(respond) as provider:
        assert [one["result"] for one in provider.make_batch([("x", [at]) for at in range(4)])] == [0, 1, 2, 3]


def test_ws__pushes_between_answers__not_taken_for_answers():
    push = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": "0x9", "result": {}}}

    with provider_of(lambda asked: (push, {"id": asked["id"], "result": 5}, push)) as provider:
        assert provider.make_request("x", [])["result"] == 5


def test_subscribe__push_in_the_same_breath_as_the_answer__heard():
    """The first head may follow its subscription's answer at once."""
    push = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": "0x9", "result": {"n": 1}}}
    heard = threading.Event()
    with provider_of(lambda asked: ({"id": asked["id"], "result": "0x9"}, push)) as provider:
        provider.subscribe("newHeads", lambda _: heard.set(), lambda _: None)
        assert heard.wait(PATIENCE_S)


def test_subscribe__callback_fails__connection_goes_on():
    push = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": "0x9", "result": {}}}

    def fail(_):
        raise RuntimeError("a listener's fault")

    with provider_of(lambda asked: ({"id": asked["id"], "result": "0x9"}, push)) as provider:
        provider.subscribe("newHeads", fail, lambda _: None)
        assert provider.make_request("x", [])["result"] == "0x9"


def test_ws__array_refused_by_an_error_without_id__one_by_one():
    def respond(asked):
        if isinstance(asked, list):
            return {"id": None, "error": {"code": -32600, "message": "batch not supported"}}
        return {"id": asked["id"], "result": 1}

    with websocket(respond) as url:
        endpoint = http_endpoint(url)
        assert endpoint.ask_batch([("x", [])] * 3) == [1, 1, 1]
        assert endpoint.batches is False
        endpoint.close()


def test_ws__limited_without_id__limited():
    said = {"id": None, "error": {"code": 1015, "message": "rate limited"}}
    with websocket(lambda _: said) as url:
        endpoint = http_endpoint(url)
        with pytest.raises(RateLimited):
            endpoint.ask("x", [])
        with pytest.raises(RateLimited):
            endpoint.ask_batch([("x", [])] * 3)
        endpoint.close()


@pytest.mark.parametrize("said", ['{"id": 1, "resu', "\x00", "[1, null", '"text"'])
def test_ws__unreadable_message__unreachable_and_not_for_ever(said):
    with provider_of(lambda _: said, timeout_s=0.3) as provider, pytest.raises(Unreachable):
        provider.make_request("x", [])


def test_ws__no_answer__unreachable_after_the_time_out_and_late_ones_are_nobodys():
    asked_first = []

    def respond(asked):
        if not asked_first:
            asked_first.append(asked["id"])
            return None
        return {"id": asked_first[0], "result": "late"}, {"id": asked["id"], "result": "good"}

    with provider_of(respond, timeout_s=0.2) as provider:
        with pytest.raises(Unreachable, match=r"within 0\.2 s"):
            provider.make_request("x", [])
        assert provider.make_request("x", [])["result"] == "good"


def test_ws__other_side_stops_reading__sending_ends_too():
    """A full pipe must not hold the connection's lock for ever: sending has a time-out of its own."""
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def shake_hands_and_stop():
        line, _ = listener.accept()
        with line:
            protocol = ServerProtocol()
            while not (events := protocol.events_received()):
                protocol.receive_data(line.recv(65536))
            protocol.send_response(protocol.accept(events[0]))
            for data in protocol.data_to_send():
                line.sendall(data)
            done.wait(PATIENCE_S)

    thread = threading.Thread(target=shake_hands_and_stop)
    thread.start()
    provider = WsProvider(f"ws://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)
    with pytest.raises(Unreachable):
        provider.make_request("x", ["y" * 50_000_000])
    done.set()
    provider.close()
    thread.join()
    listener.close()


@pytest.mark.needs_anvil
def test_ws__anvil__questions_and_heads_of_a_real_node():
    with AnvilChain(accounts=2) as anvil:
        rpc = Rpc([http_endpoint(anvil.url.replace("http", "ws"))], chain_id=anvil.chain_id)
        head = rpc.block()
        heard = threading.Semaphore(0)
        (source,) = sources_of(rpc)
        end = source.subscribe(heard.release, lambda _: None)
        anvil.mine(2)
        assert heard.acquire(timeout=PATIENCE_S)
        assert heard.acquire(timeout=PATIENCE_S)
        assert rpc.blocks([head.number, head.number + 2])[1] == anvil.block()
        assert rpc.pool.members[0].endpoint.learn_pins() is True
        end()
        rpc.close()
