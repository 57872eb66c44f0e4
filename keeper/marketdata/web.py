"""One GET, one JSON object, within a time and a size, or `Retry` with the reason.

A public venue is a stranger: it may be silent, slow, limited, cut off in the middle, or not JSON at all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import requests

from keeper.errors import BadInput, Retry

#: Longest answer read.  A whole chain of a large venue is a few megabytes.
MAX_BYTES: Final = 32 * 2**20
#: Deepest nesting read.  The C parser recurses as deep as its input, and a large recursion limit, which some libraries
#: set, lets a stranger's answer end the process.
MAX_DEPTH: Final = 64
_OPEN: Final = np.frombuffer(b"[{", dtype=np.uint8)
_CLOSE: Final = np.frombuffer(b"]}", dtype=np.uint8)
_CHUNK: Final = 65_536
_OK, _TOO_MANY = 200, 429


def host_of(url: str) -> str:
    """What a URL is called in logs: its host, never its path or credentials.

    Raises: `BadInput` if it is no http(s) URL.
    """
    parts = urlsplit(url)
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
        raise Retry(f"{host} limits us (HTTP 429)", retry_after_s=int(wait) if wait.isdecimal() else 0)
    tree = parsed(body)
    if status != _OK:
        raise Retry(f"{host} answered HTTP {status}{_said(tree)}", status=status)
    if tree is None:
        raise Retry(f"{host} answered {len(body)} bytes that are no JSON")
    return tree


def parsed(body: bytes) -> Any:
    """The JSON in it; None if it is none, or nested deeper than any venue's."""
    marks = np.frombuffer(body, dtype=np.uint8)
    steps = np.isin(marks, _OPEN).astype(np.int8) - np.isin(marks, _CLOSE).astype(np.int8)
    depth = np.cumsum(steps, dtype=np.int64)
    # Brackets inside strings count too, so a depth is measured from the lowest point before it.
    if depth.size and int(np.max(depth - np.minimum(np.minimum.accumulate(depth), 0))) > MAX_DEPTH:
        return None
    try:
        return json.loads(body)
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


def _said(tree: Any) -> str:
    """The message of a JSON-RPC error, if the body is one."""
    error = tree.get("error") if isinstance(tree, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return f": {message[:80]}" if isinstance(message, str) else ""
