"""A word on stderr while a node keeps a person waiting: a silent program looks like a broken one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from keeper.settings import Settings

#: Seconds of silence that are worth a word; a node that is well answers in a tenth of it.
AFTER_S: Final = 1.0


@contextmanager
def waiting(settings: Settings, *, after_s: float = AFTER_S) -> Iterator[None]:
    """Say once what is waited for, if it takes longer than a moment.

    Args:
        settings: names the nodes, of which hosts alone are told: a path may hold a key.
        after_s: seconds before that.
    """
    chain = settings.chain
    hosts = ", ".join(_host(url.reveal()) for url in chain.rpc_urls)
    said = (
        f"waiting for {hosts}: an endpoint counts as silent after {chain.request_timeout_s:g} s, and none is turned to "
        f"after {chain.call_deadline_s:g} s"
    )
    note = threading.Timer(after_s, print, args=(said,), kwargs={"file": sys.stderr, "flush": True})
    note.daemon = True
    note.start()
    try:
        yield
    finally:
        note.cancel()


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a node"
    return f"{parts.hostname or 'a node'}{port}"
