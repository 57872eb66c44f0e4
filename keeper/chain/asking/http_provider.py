"""JSON-RPC over HTTP(S): one keep-alive session to one URL, with a limit on how long an answer takes in all.

The URL often carries an API key, in its path or its query.  Nothing of it but the host leaves this file: the errors of
`requests` name the whole URL, so they are described and never chained.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from keeper.chain.asking.wire import Asked, BatchRefused, by_id, is_answer
from keeper.chain.clock import steady_s
from keeper.chain.errors import RateLimited, Unreachable, translate

#: Most bytes of one answer.  A million logs are about 600 MB of JSON and are never asked for at once.
MAX_BYTES = 256 * 1024 * 1024
#: Bytes taken from the socket at a time.
_PIECE = 256 * 1024
#: Connections kept open: the block loop, the jobs beside it, and the questions a quorum asks at once.
_CONNECTIONS = 8
#: Statuses with which servers turn down an array of requests while taking single ones.
_REFUSES_ARRAYS = (400, 405, 413, 415, 422, 501)


class HttpProvider:
    """Asks one URL.  Safe to use from several threads, and in a forked child.

    Args:
        url: http:// or https://; user:password@ becomes basic authentication.
        timeout_s: seconds for a connection, and for a whole answer however slowly it drips.
        steady: seconds that never go back.
    """

    def __init__(self, url: str, *, timeout_s: float, steady: Callable[[], float] = steady_s) -> None:
        self._url = url
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._timeout_s = timeout_s
        self._steady = steady
        self._ids = count(1)
        self._session: requests.Session | None = None
        self._owner = 0

    def make_request(self, method: str, params: Any) -> Any:
        """Ask once.  Raises: `Unreachable`, `RateLimited`."""
        at = next(self._ids)
        status, answer = self._post(_request(at, method, params), method)
        if is_answer(answer) and "result" in answer and str(answer.get("id")) != str(at):
            raise Unreachable(f"{self.host}: an answer to another question on {method}", method=method)
        if not is_answer(answer):
            raise Unreachable(f"{self.host}: HTTP {status} without a JSON-RPC answer", method=method, status=status)
        return answer

    def make_batch(self, asked: Sequence[Asked]) -> list[Any]:
        """Ask several in one request.  Returns: an answer each in the order of asking, None where one is missing.

        Raises: `BatchRefused`, `Unreachable`, `RateLimited`.
        """
        ids = [next(self._ids) for _ in asked]
        body = [_request(at, method, params) for at, (method, params) in zip(ids, asked, strict=True)]
        status, answers = self._post(body, "batch")
        if isinstance(answers, list):
            return by_id(ids, answers)
        if is_answer(answers) and answers.get("error"):
            error = translate(answers["error"], method="batch")
            raise error if isinstance(error, RateLimited) else BatchRefused(error.message, status=status)
        if status in _REFUSES_ARRAYS:
            raise BatchRefused(f"HTTP {status} for an array of requests", status=status)
        raise Unreachable(f"{self.host}: HTTP {status} without a JSON-RPC answer", method="batch", status=status)

    def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            self._session.close()

    def _post(self, body: Any, method: str) -> tuple[int, Any]:
        """Status and parsed body; None for a body that is no JSON."""
        got = self._exchange(orjson.dumps(body))
        if isinstance(got, str):  # raised out here, so that no chained exception carries the URL
            raise Unreachable(f"{self.host}: {got} on {method}", method=method)
        status, headers, raw = got
        if status == requests.codes.too_many_requests or (
            status == requests.codes.service_unavailable and "Retry-After" in headers
        ):
            raise RateLimited(
                f"{self.host}: HTTP {status} on {method}", retry_after_s=_retry_after_s(headers, raw), method=method
            )
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            hint = f"the provider at {self.host} does not accept the key in chain.rpc_urls"
            raise Unreachable(f"{self.host}: HTTP {status} on {method}", hint=hint, method=method, status=status)
        try:
            return status, orjson.loads(raw)
        except orjson.JSONDecodeError:
            return status, None

    def _exchange(self, body: bytes) -> tuple[int, Any, bytes] | str:
        """Status, headers and body; or the name of what went wrong."""
        try:
            return self._post_raw(body)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return type(error).__name__

    def _post_raw(self, body: bytes) -> tuple[int, Any, bytes]:
        until = self._steady() + self._timeout_s
        response = self._open().post(self._url, data=body, timeout=self._timeout_s, stream=True, allow_redirects=False)
        with response:
            pieces, size = [], 0
            # Each read has the time-out to itself; a server that drips could hold us for ever without this clock.
            while piece := response.raw.read1(_PIECE, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_BYTES:
                    raise ValueError("answer too large")
                if self._steady() > until:
                    raise TimeoutError
            return response.status_code, response.headers, b"".join(pieces)

    def _open(self) -> requests.Session:
        """The session; a child process makes its own, as two processes on one connection read each other's answers."""
        if self._session is None or self._owner != os.getpid():
            session = requests.Session()
            session.headers.update({"Content-Type": "application/json", "User-Agent": "margin-keeper"})
            adapter = HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS, max_retries=0)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            self._session, self._owner = session, os.getpid()
        return self._session


def _request(at: int, method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": at, "method": method, "params": list(params)}


def _retry_after_s(headers: Any, raw: bytes) -> float | None:
    """What a rate-limit answer says about when to come back: its header in either spelling, or Infura's data."""
    said = headers.get("Retry-After", "")
    if said.strip().isdigit():
        return float(said)
    try:
        # Against the server's own clock, so that ours does not matter.
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(headers["Date"])
        return max(0.0, wait.total_seconds())
    except (ValueError, TypeError, KeyError):
        pass
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    error = translate(answer.get("error") or {}, method="") if isinstance(answer, dict) else None
    return error.retry_after_s if isinstance(error, RateLimited) else None
