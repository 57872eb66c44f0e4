"""The venues that settings can name: Deribit's public API over HTTP, and a file that something else keeps fresh."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from keeper.errors import Retry
from keeper.marketdata.book_summary import read_summary
from keeper.marketdata.chain import Chain
from keeper.marketdata.quotes_file import QuoteFile, load_quotes
from keeper.marketdata.web import get_json, host_of

#: Longer than its time-out an answer is waited for, seconds: to read what has come.
SPARE_S: Final = 1.0


class BookSummary:
    """`Venue` over HTTP.

    Args:
        url: of `get_book_summary_by_currency`.
        timeout_s: after which the venue counts as silent.

    Raises: `BadInput` if the URL is none.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.name = host_of(url)
        self._url, self._timeout_s = url, timeout_s
        self._asking: threading.Thread | None = None

    def fetch(self, underlying: str) -> Chain:
        """See `Venue.fetch`."""
        # Options that settle in a dollar coin are named SOL_USDC-… and listed under that coin.
        query = {"currency": underlying.rpartition("_")[2], "kind": "option"}
        return read_summary(self._ask(query), source=self.name, underlying=underlying)

    def _ask(self, query: Mapping[str, str]) -> Any:
        """The answer, waited for in another thread: neither a resolver nor headers that drip know our time-out.

        One that never ends costs that thread and no second, and holds up no exit of the process.
        """
        if self._asking is not None and self._asking.is_alive():
            raise Retry(f"{self.name} has not ended its last answer yet")
        found: list[Any] = []
        failed: list[Exception] = []

        def ask() -> None:
            try:
                found.append(get_json(self._url, query, timeout_s=self._timeout_s))
            except Exception as error:  # noqa: BLE001 - it is raised below, where somebody waits for it
                failed.append(error)

        self._asking = threading.Thread(target=ask, name="quotes", daemon=True)
        self._asking.start()
        self._asking.join(self._timeout_s + SPARE_S)
        if failed:
            raise failed.pop()  # not kept: what it holds, a socket perhaps, goes when it is dealt with
        if not found:
            raise Retry(f"{self.name} did not finish its answer in time")
        return found.pop()


class QuotesFile:
    """`Venue` that is a file: a saved answer of the same API, or a table (`keeper.marketdata.quotes_columns`).

    It is read again when it changed.  Its quotes carry their own time, so a file that nobody renews grows old; of
    several snapshots the newest counts.  A table without an index is taken to have that of its nearest forward.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._file: QuoteFile | None = None

    def fetch(self, underlying: str) -> Chain:
        """See `Venue.fetch`.

        Raises: `Retry` if it is not there: what renews it may be at work; `BadInput` if it cannot be read.
        """
        try:
            at = self._path.stat()
        except OSError as error:
            raise Retry(f"{self.name} cannot be read: {type(error).__name__}") from error
        seen = (at.st_mtime_ns, at.st_size, at.st_ino)
        if self._file is None or seen != self._seen:
            self._file = None
            try:
                self._file, self._seen = load_quotes(self._path), seen
            except OSError as error:  # gone since, or not ours to read
                raise Retry(f"{self.name} cannot be read: {type(error).__name__}") from error
        newest = self._file.at(underlying, self._file.times(underlying)[-1])
        taken_s = min(quote.time_s for quote in newest.quotes)
        near = min((q for q in newest.quotes if q.expiry_s > taken_s), key=lambda q: q.expiry_s, default=None)
        index = newest.index or (near.forward if near else None)
        if index is None or not index > 0.0:
            raise Retry(f"{self.name} quotes no option on {underlying} that has not expired")
        return Chain(source=self.name, taken_s=taken_s, index=index, quotes=newest.quotes)
