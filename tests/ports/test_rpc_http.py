"""HTTP endpoints over loopback: what servers do besides answering."""

import gzip
import json
import socket
import threading
import traceback
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keeper.chain.asking.http_provider import HttpProvider
from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.errors import RateLimited, Unreachable
from keeper.errors import BadInput, KeeperError, Retry
from keeper.testing.http_node import HttpNode
from keeper.testing.node import EmbeddedNode

pytestmark = pytest.mark.chain

KEY = "s3cretKey0123456789abcdef"


@contextmanager
def server(respond):
    """Serve `respond(parsed body) -> (status, headers, body)`; yields its URL and the connections it took."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            connections.append(self.client_address)
            super().setup()

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, body = respond(asked)
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    connections = []
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}/v2/{KEY}?apikey={KEY}", connections
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


@contextmanager
def provider(url, *, timeout_s=5.0):
    found = HttpProvider(url, timeout_s=timeout_s)
    yield found
    found.close()


def answer(asked, result="0x1"):
    if isinstance(asked, list):
        return [answer(one, result) for one in asked]
    return {"jsonrpc": "2.0", "id": asked["id"], "result": result}


def test_http__many_questions__one_connection():
    """Keep-alive: a handshake for each question would cost more than the question."""
    with server(lambda asked: (200, {}, answer(asked))) as (url, connections), provider(url) as http:
        for _ in range(20):
            assert http.make_request("eth_blockNumber", [])["result"] == "0x1"
        http.make_batch([("eth_blockNumber", [])] * 3)
    assert len(connections) == 1


def test_http__array_out_of_order_with_ids_as_text__put_in_order():
    def respond(asked):
        said = [{"id": str(one["id"]), "result": one["params"][0]} for one in asked]
        return 200, {}, said[::-1]

    with server(respond) as (url, _), provider(url) as http:
        found = http.make_batch([("x", [at]) for at in range(5)])
    assert [one["result"] for one in found] == [0, 1, 2, 3, 4]


def test_http__array_with_holes_and_strangers__none_where_missing():
    def respond(asked):
        return 200, {}, [answer(asked[0]), {"id": 10**9, "result": "whose?"}, "what?"]

    with server(respond) as (url, _), provider(url) as http:
        first, second = http.make_batch([("x", []), ("y", [])])
    assert first["result"] == "0x1"
    assert second is None


def test_http__gzip__read():
    def respond(asked):
        return (
            200,
            {"Content-Encoding": "gzip", "Content-Length": None, "Connection": "close"},
            gzip.compress(json.dumps(answer(asked)).encode()),
        )

    with server(respond) as (url, _), provider(url) as http:
        assert http.make_request("x", [])["result"] == "0x1"


def test_http__answer_to_another_question__none():
    """A proxy that mixes up its clients: the id says so."""

    def respond(asked):
        return 200, {}, answer(asked) | {"id": asked["id"] + 1}

    with server(respond) as (url, _), provider(url) as http, pytest.raises(Unreachable, match="another question"):
        http.make_request("eth_getBalance", [])


LIMITED = {
    "seconds": (429, {"Retry-After": "7"}, b"", 7.0),
    "infura's data": (
        429,
        {},
        {"error": {"code": -32005, "message": "rate", "data": {"rate": {"backoff_seconds": 30}}}},
        30.0,
    ),
    "nothing said": (429, {}, b"<html>429</html>", None),
    "unavailable for a time": (503, {"Retry-After": "2"}, b"", 2.0),
}


@pytest.mark.parametrize("name", LIMITED)
def test_http__429__limited_for_as_long_as_it_says(name):
    status, headers, body, wait_s = LIMITED[name]
    with server(lambda _: (status, headers, body)) as (url, _), provider(url) as http:
        for ask in (lambda: http.make_request("x", []), lambda: http.make_batch([("x", []), ("y", [])])):
            with pytest.raises(RateLimited) as caught:
                ask()
            assert caught.value.retry_after_s == wait_s


def test_http__retry_after_as_a_date__against_the_servers_own_clock():
    """RFC 9110 allows a date; our clock may be wrong, so the answer's Date is what it is compared with."""
    said = (
        b"HTTP/1.1 429 Too Many\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n"
        b"Retry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\nConnection: close\r\n\r\n"
    )
    with raw_server(said) as url, provider(url) as http, pytest.raises(RateLimited) as caught:
        http.make_request("x", [])
    assert caught.value.retry_after_s == 30.0


@contextmanager
def raw_server(*pieces, until=None):
    """Send these bytes, whatever is asked; then wait for `until`, if given, before closing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            line, _ = listener.accept()
        except OSError:
            return
        with line:
            line.recv(65536)
            for piece in pieces:
                line.sendall(piece)
            if until is not None:
                until.wait(10)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/{KEY}"
    finally:
        if until is not None:
            until.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in `accept`
        listener.close()
        thread.join()


UNREADABLE = {
    "html with 200": (200, b"<html>Welcome</html>"),
    "502": (502, b"Bad Gateway"),
    "500 without a body": (500, b""),
    "truncated JSON": (200, b'{"jsonrpc":"2.0","id":1,"resu'),
    "a number": (200, b"5"),
    "redirect": (302, b""),
    "401": (401, b""),
    "403": (403, b'{"error":"forbidden"}'),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_http__unreadable_answer__unreachable(name):
    status, body = UNREADABLE[name]
    headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else {}
    with server(lambda _: (status, headers, body)) as (url, _), provider(url) as http:
        with pytest.raises(Unreachable) as caught:
            http.make_request("x", [])
        assert ("chain.rpc_urls" in caught.value.hint) == (status in (401, 403))


def test_http__error_object_with_a_bad_status__its_words_are_read():
    """Some providers answer 400 or 500 with a good JSON-RPC error."""
    said = {"id": 1, "error": {"code": 3, "message": "execution reverted", "data": "0xdeadbeef"}}
    with server(lambda _: (400, {}, said)) as (url, _), provider(url) as http:
        assert http.make_request("eth_call", [])["error"]["code"] == 3


@pytest.mark.parametrize("status", [200, 400, 405, 413, 501])
def test_http__array_refused__one_by_one_from_then_on(status):
    """As an error object, or by status alone; found out once."""
    arrays = []

    def respond(asked):
        if not isinstance(asked, list):
            return 200, {}, answer(asked)
        arrays.append(asked)
        refusal = {"id": None, "error": {"code": -32600, "message": "batch requests are not supported"}}
        return status, {}, refusal if status == 200 else b""

    with server(respond) as (url, _):
        endpoint = http_endpoint(url)
        questions = [("x", [])] * 4
        assert endpoint.ask_batch(questions) == ["0x1"] * 4
        seen = len(arrays)
        assert endpoint.ask_batch(questions[: endpoint.batch_size]) == ["0x1"] * min(4, endpoint.batch_size)
        assert len(arrays) == seen
        endpoint.close()
    assert endpoint.batches is False or endpoint.batch_size == 1


def test_http__drips_for_ever__the_time_out_counts_for_the_whole_answer():
    """Each byte arrives in time; the answer never does.  The clock is the test's, so nobody waits."""
    ticks = iter(range(0, 10**6, 3))
    until = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    with raw_server(head, b"x" * 600_000, until=until) as url:
        http = HttpProvider(url, timeout_s=5.0, steady=lambda: float(next(ticks)))
        with pytest.raises(Unreachable, match="TimeoutError"):
            http.make_request("x", [])
        http.close()


def test_http__hangs_up_in_the_middle__unreachable():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"
    with raw_server(head) as url, provider(url) as http, pytest.raises(Unreachable):
        http.make_request("x", [])


def test_http__silent__unreachable_after_the_time_out():
    until = threading.Event()
    with raw_server(until=until) as url, provider(url, timeout_s=0.05) as http, pytest.raises(Unreachable):
        http.make_request("x", [])


def everything_said(error):
    """What a log, a traceback or a person could see of an error, chained ones included."""
    said = [str(error), repr(error), repr(error.fields), "".join(traceback.format_exception(error))]
    chain = [error]
    while chain:
        one = chain.pop()
        said += [str(one), repr(one), repr(one.args)]
        chain += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "\n".join(said)


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize("failure", ["refused", "status", "garbage", "timeout"])
def test_url__with_a_key__never_in_an_error(scheme, failure, capsys, caplog):
    """The host is all that leaves: not the path, not the query, not the user, in no chained exception either."""
    if scheme == "ws":  # urllib3 is kept from writing paths by `keeper.logs`
        caplog.set_level("DEBUG")
    until = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    said = {"status": [b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"], "garbage": [b"garbage\r\n\r\n"]}
    pieces = said.get(failure, [])
    with raw_server(*pieces, until=until) as url:
        port = closed if failure == "refused" else int(url.split(":")[2].split("/")[0])
        endpoint = http_endpoint(
            f"{scheme}://user:{KEY}@127.0.0.1:{port}/v3/{KEY}?key={KEY}",
            timeout_s=0.2 if failure in ("timeout", "garbage") else 5,
        )
        with pytest.raises(KeeperError) as caught:
            Rpc([endpoint], chain_id=1).block()
        endpoint.close()
    shown = everything_said(caught.value) + "".join(capsys.readouterr()) + repr(endpoint) + caplog.text
    assert KEY not in shown
    assert f"127.0.0.1:{port}" in shown


@pytest.mark.parametrize("url", ["", "localhost:8545", "ftp://x", "http://", "ws://", f"http://user:{KEY}@/"])
def test_url__none__bad_input_without_it(url):
    with pytest.raises(BadInput) as caught:
        http_endpoint(url)
    assert KEY not in everything_said(caught.value)


def test_http__node_of_the_kit__typed_questions_in_few_round_trips():
    """Blocks, nonces, receipts and calls of one decision: one array each."""
    node = EmbeddedNode(accounts=3)
    web = HttpNode(node).start()
    endpoint = http_endpoint(web.url)
    rpc = Rpc([endpoint], chain_id=node.evm.chain_id)
    try:
        head, addresses = rpc.block(), [account.address for account in node.accounts]
        before = rpc.round_trips
        assert rpc.nonces(addresses, head) == (0, 0, 0)
        assert rpc.blocks([head.number, head.number + 1]) == (head, None)
        assert rpc.receipts(["0x" + "11" * 32]) == (None,)
        assert rpc.calls_at(head, [(address, b"") for address in addresses]) == (b"", b"", b"")
        assert rpc.round_trips == before + 4
        assert endpoint.learn_pins() is True
        with pytest.raises(Retry):
            rpc.block(10**9)
    finally:
        endpoint.close()
        web.close()
