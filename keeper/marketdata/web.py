"""One GET, one JSON object, within a time and a size, or `Retry` with the reason.

A public venue is a stranger: it may be silent, slow, limited, cut off in the middle, or not JSON at all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import requests

from keeper.domain.nested import json_of
from keeper.errors import BadInput, Retry

#: Longest answer read.  A whole chain of a large venue is a few megabytes.
MAX_BYTES: Final = 32 * 2**20
_CHUNK: Final = 65_536
#: Longest plea to wait that is heard, seconds; a venue may not silence itself for good.
LONGEST_WAIT_S: Final = 3_600
#: Shorter parts of a URL are words, no keys.
_LEAST_KEY: Final = 8
_OK, _TOO_MANY = 200, 429


def host_of(url: str) -> str:
    """What a URL is called in logs: its host, never its path or credentials.

    Raises: `BadInput` if it is no http(s) URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no address
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput("a quotes endpoint must be an http:// or https:// URL", hint="check quotes.url")
    return parts.hostname


def get_json(url: str, query: Mapping[str, str], *, timeout_s: float) -> Any:
    """Ask once.

    Args:
        url: of the endpoint.
        query: appended to it.
        timeout_s: for the whole answer.

    Raises:
        Retry: no answer in time, another status than 200, too long, or no JSON; with `retry_after_s` if the venue
            said how long to wait.
    """
    host = host_of(url)
    deadline = time.monotonic() + timeout_s
    try:
        with requests.get(url, params=dict(query), timeout=timeout_s, stream=True, allow_redirects=False) as answer:
            body = _body(answer, host, deadline)
            status, wait = answer.status_code, answer.headers.get("Retry-After", "")
    except (requests.RequestException, OSError, ValueError) as error:
        raise Retry(f"{host} did not answer: {type(error).__name__}") from error
    if status == _TOO_MANY:
        raise Retry(f"{host} limits us (HTTP 429)", retry_after_s=_seconds(wait))
    tree = parsed(body)
    if status != _OK:
        raise Retry(f"{host} answered HTTP {status}{_said(tree, url)}", status=status)
    if isinstance(tree, dict) and "error" in tree and "result" not in tree:
        raise Retry(f"{host} answered without a result{_said(tree, url)}")
    if tree is None:
        raise Retry(f"{host} answered {len(body)} bytes that are no JSON")
    return tree


def parsed(body: bytes) -> Any:
    """The JSON in it; None if it is none, or nested deeper than any document."""
    try:
        return json_of(body)
    except (ValueError, RecursionError):
        return None


def _body(answer: requests.Response, host: str, deadline: float) -> bytes:
    parts, size = [], 0
    for part in answer.iter_content(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise Retry(f"{host} answered more than {MAX_BYTES >> 20} MiB")
        # The library's time-out counts each read; a server that drips could hold us for ever.
        if time.monotonic() > deadline:
            raise Retry(f"{host} did not finish its answer in time")
    return b"".join(parts)


def said_by(tree: Any) -> str:
    """The message of a JSON-RPC error, if the body is one: short, and of printable ASCII alone."""
    error = tree.get("error") if isinstance(tree, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str):
        return ""
    # It reaches logs, terminals and the store.
    return ": " + "".join(c if c.isascii() and c.isprintable() else "?" for c in message[:80])


def _said(tree: Any, url: str) -> str:
    """The same, without what the venue repeats of our URL that may be a key."""
    message, parts = said_by(tree), urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)] + parts.path.split("/")
    for value in (*values, parts.username or "", parts.password or ""):
        if len(value) >= _LEAST_KEY:
            # A message cut short may hold the beginning of a key.
            message = re.sub(rf"{re.escape(value[:_LEAST_KEY])}\S*", "***", message)
    return message


def _seconds(wait: str) -> int:
    """A plea to wait; 0 if it is none."""
    if not wait.isascii() or not wait.isdecimal():
        return 0
    return min(int(wait[:9]), LONGEST_WAIT_S)  # nine digits are too long already
