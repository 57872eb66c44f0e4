"""Which way signed bytes leave, over loopback HTTP: never public too early, never private for ever (REL-1 … REL-6)."""

import json
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keeper.chain.errors import NonceUsed, Unreachable
from keeper.chain.sending.relay import (
    METHODS,
    HttpRelay,
    PublicBroadcast,
    RelayBroadcast,
    RelayRules,
    auth_headers,
    poster,
)
from keeper.domain.tx import SignerRole, TxIntent, TxRecord, TxState
from keeper.errors import BadInput, Retry
from keeper.store import open_store
from keeper.testing.builders import a_block

pytestmark = pytest.mark.chain

RULES = RelayRules(kinds=frozenset({"flag", "bid"}), fallback_after_blocks=3, public_when_down=True)
SECRET = "s3cret-path"


@dataclass
class FakeRelay:
    """A relay over loopback HTTP that says what it is told to."""

    status: int = 200
    error: dict | None = None
    body: bytes | None = None
    asked: list = field(default_factory=list)
    headers: list = field(default_factory=list)

    def __enter__(self):
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                relay.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                relay.headers.append(dict(self.headers))
                said = {"jsonrpc": "2.0", "id": 1} | ({"error": relay.error} if relay.error else {"result": "0x1"})
                body = json.dumps(said).encode() if relay.body is None else relay.body
                self.send_response(relay.status)
                if 300 <= relay.status < 400:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/{SECRET}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def relay(self, method=METHODS[1], **headers):
        return HttpRelay(poster(self.url, timeout_s=5), method=method, headers=headers)


@dataclass
class Pool:
    """The public mempool."""

    seen: list = field(default_factory=list)
    error: Exception | None = None

    def send_raw(self, raw):
        if self.error:
            raise self.error
        self.seen.append(raw)


@pytest.fixture
def fake():
    with FakeRelay() as relay:
        yield relay


def a_record(store, kind="flag", key="k"):
    intent = TxIntent(
        key=key, kind=kind, subject=key, role=SignerRole.LIQUIDATOR, to="0x" + "11" * 20, data=b"", gas_limit=1,
        decided_at=a_block(), deadline_s=0, why="",
    )  # fmt: skip
    return store.put_intent(TxRecord(intent=intent, state=TxState.PLANNED))


def way(fake, pool, store, **rules):
    return RelayBroadcast(fake.relay(), PublicBroadcast(pool), store, replace(RULES, **rules))


def test_send__before_the_fallback__relay_only_and_the_last_block_stands(fake, store):
    """REL-1: nothing leaks before block n, replacements neither; all name the same last block."""
    pool, record = Pool(), a_record(store)
    broadcast = way(fake, pool, store)
    for number, raw in ((100, b"\x01"), (101, b"\x01"), (102, b"\x02")):
        broadcast.send(raw, record, a_block(number))
    assert pool.seen == [], "REL-1"
    assert [one["method"] for one in fake.asked] == ["eth_sendPrivateTransaction"] * 3
    assert [one["params"][0] for one in fake.asked] == [
        {"tx": "0x01", "maxBlockNumber": hex(103)},
        {"tx": "0x01", "maxBlockNumber": hex(103)},
        {"tx": "0x02", "maxBlockNumber": hex(103)},
    ], "REL-1"


def test_send__not_included_after_n_blocks__public_for_good(fake, store):
    """REL-2: from block n on everything of this intent is public, and the relay is left out."""
    pool, record = Pool(), a_record(store)
    broadcast = way(fake, pool, store)
    broadcast.send(b"\x01", record, a_block(100))
    broadcast.send(b"\x02", record, a_block(103))
    broadcast.send(b"\x03", record, a_block(104))
    assert pool.seen == [b"\x02", b"\x03"], "REL-2"
    assert len(fake.asked) == 1, "REL-2"
    assert store.sent("k") == {"relay": 100, "public": 103}


def test_send__restart_in_between__counts_on_and_leaks_nothing(fake, tmp_path):
    """REL-3: where and since when an intent went out is in the store, so a new process goes on."""
    url, pool = f"sqlite:///{tmp_path}/keeper.sqlite", Pool()
    for number in (100, 102, 103, 104):
        store = open_store(url)
        way(fake, pool, store).send(b"\x01", a_record(store), a_block(number))
        store.close()
        assert pool.seen == [b"\x01"] * max(0, number - 102), "REL-3"
    assert len(fake.asked) == 2


def test_send__other_kinds__public_at_once(fake, store):
    """REL-4: publishing has nothing to hide."""
    pool = Pool()
    way(fake, pool, store).send(b"\x01", a_record(store, kind="publish"), a_block(100))
    assert (pool.seen, fake.asked) == ([b"\x01"], []), "REL-4"


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500, "body": b"oops"},
        {"status": 429, "body": b'{"error": {"code": 429, "message": "slow down"}}'},
        {"status": 302, "body": b"{}"},
        {"body": b"[]"},
        {"error": {"code": -32601, "message": "the method does not exist"}},
        {"error": {"code": -32000, "message": "insufficient funds for gas"}},
        {"error": {"code": -32000, "message": "no such customer"}},
    ],
    ids=["500", "429", "redirect", "not an object", "lacks the method", "funds", "refuses us"],
)
def test_send__relay_down__public_at_once_or_later_by_choice(fake, store, trouble):
    """REL-5: whatever the relay says that is no answer of the chain, liquidation goes on the way the operator chose."""
    for name, value in trouble.items():
        setattr(fake, name, value)
    pool, patient, hasty = Pool(), a_record(store, key="patient"), a_record(store, key="hasty")
    with pytest.raises(Retry):
        way(fake, pool, store, public_when_down=False).send(b"\x01", patient, a_block(100))
    assert pool.seen == [], "REL-5"
    with pytest.raises(Retry):
        way(fake, pool, store, public_when_down=False).send(b"\x01", patient, a_block(102))
    way(fake, pool, store, public_when_down=False).send(b"\x01", patient, a_block(103))
    assert pool.seen == [b"\x01"], "REL-5: n blocks count from the first try, whoever was down"
    way(fake, pool, store).send(b"\x02", hasty, a_block(100))
    assert pool.seen == [b"\x01", b"\x02"], "REL-5"
    fake.status, fake.error, fake.body = 200, None, None
    asked = len(fake.asked)
    way(fake, pool, store).send(b"\x03", hasty, a_block(101))
    assert pool.seen[-1] == b"\x03"
    assert len(fake.asked) == asked, "REL-2: what was public once is never sent as private"


def test_send__nobody_listens__public_and_the_url_is_told_nobody(store):
    """REL-6: the relay's URL may hold a key; no message of ours holds the URL."""
    with FakeRelay() as gone:
        url = gone.url
    relay = HttpRelay(poster(url, timeout_s=1), method=METHODS[0])
    with pytest.raises(Unreachable) as caught:
        relay.submit(b"\x01", last_block=1)
    assert SECRET not in caught.value.message, "REL-6"
    assert caught.value.__cause__ is None
    pool = Pool()
    RelayBroadcast(relay, PublicBroadcast(pool), store, RULES).send(b"\x01", a_record(store), a_block(100))
    assert pool.seen == [b"\x01"], "REL-5"


def test_send__relay_knows_it_or_the_nonce_is_used__as_a_node(fake, store):
    """REL-4: a relay's answers about the chain mean what a node's mean."""
    pool, record = Pool(), a_record(store)
    fake.error = {"code": -32000, "message": "already known"}
    way(fake, pool, store).send(b"\x01", record, a_block(100))
    fake.error = {"code": -32000, "message": "nonce too low"}
    with pytest.raises(NonceUsed):
        way(fake, pool, store).send(b"\x01", record, a_block(100))
    assert pool.seen == []


def test_send__killed_before_the_public_send__taken_for_public(fake, store):
    """REL-3: the way is noted before the bytes leave; killed in between, we take private for public."""
    pool, record = Pool(error=Unreachable("killed here")), a_record(store)
    broadcast = way(fake, pool, store)
    broadcast.send(b"\x01", record, a_block(100))
    with pytest.raises(Unreachable):
        broadcast.send(b"\x01", record, a_block(103))
    assert store.sent("k") == {"relay": 100, "public": 103}, "REL-3"


def test_headers__from_a_file__sent_and_never_quoted(fake, tmp_path):
    """REL-6: credentials come from a file; a malformed one is named by its line only."""
    path = tmp_path / "auth"
    path.write_text("Authorization: Bearer abc:def\n\nX-Customer: 7\n")
    fake.relay(METHODS[0], **auth_headers(path)).submit(b"\x01", last_block=1)
    assert fake.headers[0]["Authorization"] == "Bearer abc:def"
    assert fake.headers[0]["X-Customer"] == "7"
    assert fake.asked[0]["params"] == ["0x01"]
    path.write_text("Authorization: fine\nhunter2 hunter2\n")
    with pytest.raises(BadInput) as caught:
        auth_headers(path)
    assert "line 2" in caught.value.message
    assert "hunter2" not in caught.value.message, "REL-6"
    with pytest.raises(BadInput):
        auth_headers(tmp_path / "missing")
    assert auth_headers(None) == {}


def test_relay__unusable_settings__refused():
    with pytest.raises(BadInput):
        HttpRelay(lambda *_: (200, {}), method="eth_sendBundle")
    with pytest.raises(BadInput):
        poster("relay.example", timeout_s=1)
