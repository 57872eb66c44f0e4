"""The venues that settings can name: Deribit's public API over HTTP, and a file that something else keeps fresh."""

from __future__ import annotations

from pathlib import Path

from keeper.errors import Retry
from keeper.marketdata.book_summary import read_summary
from keeper.marketdata.chain import Chain
from keeper.marketdata.web import get_json, host_of, parsed


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

    def fetch(self, underlying: str) -> Chain:
        """See `Venue.fetch`."""
        query = {"currency": underlying, "kind": "option"}
        tree = get_json(self._url, query, timeout_s=self._timeout_s)
        return read_summary(tree, source=self.name, underlying=underlying)


class QuotesFile:
    """`Venue` that is a file: a saved answer of the same API, or a table of quotes.

    It is read again at each look; its quotes carry their own time, so a file that nobody renews grows old.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path

    def fetch(self, underlying: str) -> Chain:
        """See `Venue.fetch`.

        Raises: `Retry` if it is not there or half written: what renews it may be at work.
        """
        try:
            body = self._path.read_bytes()
        except OSError as error:
            raise Retry(f"{self.name} cannot be read: {type(error).__name__}") from error
        tree = parsed(body)
        if tree is None:
            raise Retry(f"{self.name} holds {len(body)} bytes that are no JSON")
        return read_summary(tree, source=self.name, underlying=underlying)
