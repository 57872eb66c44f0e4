"""A venue over HTTP on this machine: whatever it does, `fetch` answers or says why within its time."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from keeper.errors import BadInput, Retry
from keeper.marketdata import web
from keeper.marketdata.board import NoSource, QuoteBoard
from keeper.marketdata.venues import BookSummary
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.settings import load_settings
from keeper.testing.builders import NOW
from keeper.wiring import quote_source, quoted_names
from keeper.wiring.site import ConfiguredSite

pytestmark = pytest.mark.chain

ROW = {
    "instrument_name": "ETH-24NOV23-3000-C",
    "underlying_price": 3_010.0,
    "estimated_delivery_price": 3_000.0,
    "creation_timestamp": NOW * 1_000,
    "mark_iv": 62.5,
    "quote_currency": "ETH",
}
GOOD = json.dumps({"jsonrpc": "2.0", "result": [ROW]}).encode()


@contextmanager
def a_server(behave):
    """Serve `behave(handler)` on a free port.  Yields: the URL, and what was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(parse_qs(urlsplit(self.path).query))
            behave(self)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v2/public/get_book_summary_by_currency", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def say(body, *, status=200, **headers):
    def behave(handler):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def fetch(behave, *, timeout_s=5.0):
    with a_server(behave) as (url, asked):
        return BookSummary(url, timeout_s=timeout_s).fetch("ETH"), asked


def test_fetch__an_answer__a_chain_of_the_currency_asked_for():
    """The question is Deribit's, and the answer is named after the host alone."""
    chain, asked = fetch(say(GOOD))
    assert asked == [{"currency": ["ETH"], "kind": ["option"]}]
    assert (chain.source, chain.taken_s, len(chain.quotes)) == ("127.0.0.1", NOW, 1)


ERROR = b'{"jsonrpc": "2.0", "error": {"code": 10028, "message": "too_many_requests"}}'
#: Promises more than it sends, and hangs up.
CUT = say(GOOD[:40], Content_Length="400")
WRONG = {
    "limited": (say(ERROR, status=429, Retry_After="90"), "limits us"),
    "limited without a word": (say(b"", status=429), "limits us"),
    "an error in JSON": (say(ERROR), "without a result.*too_many_requests"),
    "an error with a status": (say(ERROR, status=400), "HTTP 400: too_many_requests"),
    "broken": (say(b"<html>oops</html>", status=502), "HTTP 502"),
    "moved": (say(b"", status=302, Location="http://192.0.2.1/"), "HTTP 302"),
    "no JSON": (say(b"<html>hello</html>"), "no JSON"),
    "JSON cut short": (say(GOOD[:-30]), "no JSON"),
    "cut off": (CUT, "did not answer"),
    "nothing at all": (say(b""), "no JSON"),
    "no HTTP": (lambda handler: handler.wfile.write(b"\x00\x01\x02\r\n\r\n"), "did not answer"),
    "not gzip": (say(b"no", Content_Encoding="gzip"), "did not answer"),
    "nested too deep": (say(b"[" * 100_000), "no JSON"),
    "nested too deep behind a string": (say(b'["' + b"]" * 100_000 + b'", ' + b"[" * 100_000), "no JSON"),
}


@pytest.mark.parametrize("name", WRONG)
def test_fetch__anything_else__retry_with_the_reason(name):
    """VEN-1: foreign errors stop at the border."""
    behave, said = WRONG[name]
    with pytest.raises(Retry, match=said):
        fetch(behave)


def test_fetch__limited__says_how_long_to_wait():
    with pytest.raises(Retry) as caught:
        fetch(say(b"", status=429, Retry_After="90"))
    assert caught.value.fields["retry_after_s"] == 90


@pytest.mark.parametrize(
    ("plea", "heard"), [("9" * 5_000, 3_600), ("86400", 3_600), ("-5", 0), ("soon", 0), ("\xb2", 0), ("", 0)]
)
def test_fetch__absurd_plea_to_wait__no_longer_than_an_hour(plea, heard):
    """A venue that names no number, or one without end, is asked again within the hour."""
    with pytest.raises(Retry, match="limits us") as caught:
        fetch(say(b"", status=429, Retry_After=plea))
    assert caught.value.fields["retry_after_s"] == heard


@pytest.mark.parametrize("status", [200, 401])
def test_fetch__error_repeats_our_key__neither_shown_nor_stored(status):
    """What a venue says reaches logs, the terminal and the store: short, printable, and without what our URL holds."""
    words = 'no such key "s3cret-s3cret-1", nor user-name-1\x1b[2J\ud800 ' + "é" * 200
    behave = say(json.dumps({"error": {"code": 1, "message": words}}).encode(), status=status)
    with a_server(behave) as (url, _), pytest.raises(Retry) as caught:
        BookSummary(f"{url}?api_key=s3cret-s3cret-1".replace("//", "//user-name-1:pass@"), timeout_s=5.0).fetch("ETH")
    said = caught.value.message
    assert "no such key" in said
    assert "s3cret" not in said
    assert "user-name" not in said
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 150


def test_fetch__an_option_settled_in_a_dollar_coin__listed_under_that_coin():
    row = ROW | {"instrument_name": "SOL_USDC-24NOV23-3000-C", "quote_currency": "USDC", "bid_price": 120.4}
    with a_server(say(json.dumps({"result": [row, ROW]}).encode())) as (url, asked):
        (quote,) = BookSummary(url, timeout_s=5.0).fetch("SOL_USDC").quotes
    assert asked == [{"currency": ["USDC"], "kind": ["option"]}]
    assert quote.bid == pytest.approx(0.04)


def drip(handler):
    """A byte now and then, for ever."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(2_000):
            handler.wfile.write(b" " * 70_000)
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        return


def test_fetch__an_answer_without_end__given_up_in_time():
    """Each read is quick, the whole is not: the time-out counts the whole."""
    with pytest.raises(Retry, match="did not finish its answer in time"):
        fetch(drip, timeout_s=0.3)


def test_fetch__headers_without_end__given_up_in_time_and_not_asked_beside(monkeypatch):
    """No single read is slow, so no time-out of a socket strikes; whoever waits is let go, and one thread is all."""
    monkeypatch.setattr("keeper.marketdata.venues.SPARE_S", 0.1)
    leave = threading.Event()

    def endless(handler):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        while not leave.wait(0.01):
            handler.wfile.write(b"x")

    with a_server(endless) as (url, asked):
        venue = BookSummary(url, timeout_s=0.2)
        try:
            with pytest.raises(Retry, match="did not finish its answer in time"):
                venue.fetch("ETH")
            with pytest.raises(Retry, match="has not ended its last answer yet"):
                venue.fetch("BTC")
        finally:
            leave.set()
            venue._asking.join(30)
    assert len(asked) == 1


def test_fetch__too_long__given_up(monkeypatch):
    monkeypatch.setattr(web, "MAX_BYTES", 1_000)
    with pytest.raises(Retry, match="answered more than"):
        fetch(say(b" " * 2_000))


def test_fetch__silent__given_up():
    """A server that takes the question and never answers."""
    done = threading.Event()
    try:
        with pytest.raises(Retry, match="did not answer: ReadTimeout"):
            fetch(lambda _: done.wait(30), timeout_s=0.2)
    finally:
        done.set()


def test_fetch__nobody_there__retry():
    with a_server(say(GOOD)) as (url, _):
        pass
    with pytest.raises(Retry, match=r"127\.0\.0\.1 did not answer"):
        BookSummary(url, timeout_s=1.0).fetch("ETH")


@pytest.mark.parametrize("url", ["ftp://x/y", "www.deribit.com", "file:///etc/passwd", ""])
def test_url__none__bad_input(url):
    with pytest.raises(BadInput) as caught:
        BookSummary(url, timeout_s=1.0)
    assert "quotes.url" in caught.value.hint


def test_reason__a_key_in_the_url__not_quoted():
    with a_server(say(b"", status=500)) as (url, _):
        secret = url.replace("127.0.0.1", "user:hunter2@127.0.0.1") + "?key=hunter3"
        with pytest.raises(Retry) as caught:
            BookSummary(secret, timeout_s=5.0).fetch("ETH")
    assert "hunter" not in str(caught.value) + str(caught.value.fields)


def a_deployment(path):
    deployment = Deployment(
        chain_id=31337,
        block=1,
        addresses=dict.fromkeys(CONTRACTS, "0x" + "11" * 20),
        symbols={0: "WETH", 1: "ARB", 2: "BTC"},
        collaterals={0: "USDC"},
        liquidator_account=None,
    )
    deployment.save(path)
    return deployment


def settings_with(tmp_path, text):
    path = tmp_path / "keeper.toml"
    path.write_text(f'[protocol]\ndeployment_file = "{tmp_path}/deployment.json"\n[quotes]\n{text}')
    return load_settings(path, {})


def test_wiring__each_source__its_adapter(tmp_path):
    """None is the default; a file and a URL give a board; names say what to ask for."""
    deployment = a_deployment(tmp_path / "deployment.json")
    assert isinstance(quote_source(load_settings(None, {}), deployment), NoSource)
    for text in ('source = "http"', f'source = "file"\nfile = "{tmp_path}/quotes.json"'):
        assert isinstance(quote_source(settings_with(tmp_path, text), deployment), QuoteBoard)
    named = settings_with(tmp_path, 'names = ["WETH=ETH", "ARB="]')
    assert quoted_names(named, deployment) == {"WETH": "ETH", "BTC": "BTC"}
    with pytest.raises(BadInput, match="TICKER=NAME"):
        settings_with(tmp_path, 'names = ["WETH"]')


def test_check__configured_venue__asked_for_each_underlying(tmp_path):
    """`keeper check` says what the source quotes, and of which underlying nothing."""
    a_deployment(tmp_path / "deployment.json")
    with a_server(say(GOOD)) as (url, asked):
        site = ConfiguredSite(
            settings_with(tmp_path, f'source = "http"\nurl = "{url}"\nnames = ["WETH=ETH", "ARB="]'), {}
        )
        quoted = {one.symbol: one for one in site.quotes()}
    assert set(quoted) == {"WETH", "BTC"}
    assert quoted["WETH"].taken_s == NOW
    assert "1 options of 1 expiries, index 3,000.00" in quoted["WETH"].said
    assert quoted["BTC"].taken_s is None
    assert "quotes no option on BTC" in quoted["BTC"].said
    assert sorted(one["currency"][0] for one in asked) == ["BTC", "ETH"]
    assert ConfiguredSite(load_settings(None, {}), {}).quotes() == []
