"""One HTTP request to a service that holds a key: bounded in time and size, never redirected, never quoted.

What comes back may hold a key or a token, so neither a body nor a URL beyond its host ever reaches an error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from keeper.chain.signers.port import NotSigned
from keeper.domain.nested import json_of
from keeper.errors import BadInput

#: Largest answer read, bytes.  Keys and signatures take a few hundred.
MAX_BYTES = 1 << 20
#: Status of a service that throttles, and of one that is ill: the same request may work later.
THROTTLED, ILL = 429, 500


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a service said."""

    status: int
    body: bytes = field(repr=False)
    """May hold a secret."""
    source: str
    """Who, for messages."""

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked."""
        return 200 <= self.status < 300

    def tree(self) -> dict[str, Any]:
        """The JSON object in it.  Raises: `NotSigned` if there is none."""
        found = self.json()
        if not isinstance(found, dict):
            raise NotSigned(f"{self.source} answered {len(self.body)} bytes that are no JSON object")
        return found

    def json(self) -> Any:
        """The JSON in it.  Raises: `NotSigned` if it is none."""
        try:
            return json_of(self.body)
        except ValueError:  # its message would quote the body
            problem = f"{self.source} answered {len(self.body)} bytes that are no JSON"
            raise NotSigned(problem, status=self.status) from None


def host_of(url: str, *, setting: str) -> str:
    """Host and port of a service's URL.  Raises: `BadInput` naming the setting if it is no http(s) URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
        port = parts.port
    except ValueError:  # brackets that hold no address, or a port that is no number
        host, port = None, None
    if not host:
        raise BadInput(f"{setting} is no http:// or https:// URL", hint=f"write {setting} with its scheme and host")
    return f"{host}:{port}" if port else host


def on_this_machine(url: str) -> bool:
    """Whether a URL stays on the loopback interface."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def ask(
    session: requests.Session,
    method: str,
    url: str,
    *,
    source: str,
    timeout_s: float,
    headers: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> Answer:
    """Ask once.

    Args:
        session: carries certificates and credentials.
        method: GET or POST.
        url: of the endpoint.
        source: who is asked, for messages.
        timeout_s: for the whole answer.
        headers: sent with it.
        body: sent as JSON.

    Raises: `NotSigned`: no complete answer in time, too long a one, throttled (429) or ill (5xx).
    """
    deadline = time.monotonic() + timeout_s
    try:
        with session.request(
            method,
            url,
            headers=headers,
            json=body,
            timeout=timeout_s,
            stream=True,
            allow_redirects=False,
            verify=session.verify,  # given here too: else REQUESTS_CA_BUNDLE would win over the configured file
        ) as answer:
            found, status = _read(answer, source, deadline), answer.status_code
    except (requests.RequestException, OSError, ValueError) as error:
        # Without the cause's text: it quotes the URL.
        problem = f"{source} did not answer: {type(error).__name__}"
        raise NotSigned(problem, hint="check its URL, that it runs, and that this machine may reach it") from None
    if status == THROTTLED or status >= ILL:
        raise NotSigned(f"{source} answered HTTP {status}", status=status)
    return Answer(status=status, body=found, source=source)


def _read(answer: requests.Response, source: str, deadline: float) -> bytes:
    parts, size = [], 0
    for part in answer.iter_content(1 << 14):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise NotSigned(f"{source} answered more than {MAX_BYTES >> 20} MiB")
        # The library's time-out counts each read; a service that drips could hold us for ever.
        if time.monotonic() > deadline:
            raise NotSigned(f"{source} did not finish its answer in time")
    return b"".join(parts)
