"""The last quotes known: filled from a venue in the background, read from memory by the cycle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog

from keeper.domain.quotes import Quoted, QuoteSheet, Unquoted
from keeper.domain.snapshot import Snapshot
from keeper.errors import KeeperError
from keeper.marketdata.chain import Chain, Venue, sheet

log = structlog.get_logger(__name__)

#: After failures in a row the venue is left alone for 1, 3, 7 polls, at most this many.
MOST_SKIPPED = 7
#: Quotes further ahead of the newest block than this give way to any others, seconds: they are of a wrong clock, and
#: right ones would never be newer.
AHEAD_S = 60


class NoSource:
    """`QuoteSource` where none is configured: volatilities are realised, and nobody is alarmed."""

    def refresh(self) -> None:
        """See `QuoteSource.refresh`."""

    def read(self, snapshot: Snapshot) -> tuple[Quoted, ...]:  # noqa: ARG002 - the port's signature
        """See `QuoteSource.read`."""
        return ()


class QuoteBoard:
    """`QuoteSource` of one venue.

    Args:
        venue: where chains come from.
        names: the venue's name of each underlying by our ticker; one that is not here is not quoted there.
        poll_every_s: how often `refresh` is called, by which a venue's plea to wait is counted.
        max_per_expiry: most quotes of one expiry that cross into a cycle.
        prepare: told of each new sheet before a cycle reads it, to do there what is slow (the fit, which is kept).
    """

    def __init__(
        self,
        venue: Venue,
        names: Mapping[str, str],
        *,
        poll_every_s: int,
        max_per_expiry: int,
        prepare: Callable[[QuoteSheet], object] = lambda _: None,
    ) -> None:
        self._venue, self._names, self._prepare = venue, dict(names), prepare
        self._poll_every_s, self._max_per_expiry = poll_every_s, max_per_expiry
        # Each value is replaced whole, so that a reader in another thread sees the one before or the one after.
        self._chains: dict[str, Chain] = {}
        self._trouble: dict[str, str] = {}
        # Underlying id and listed expiries by name, as the last cycle saw them.
        self._listed: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._block_s = 0  # time of the newest block; 0 before the first
        # Failures in a row by name, and polls to leave out: one that is not quoted there slows no other down.
        self._failures: dict[str, int] = {}
        self._skip: dict[str, int] = {}
        self._skip_all = 0
        self._asking = threading.Lock()  # the first look and the job's may meet

    def refresh(self) -> None:
        """See `QuoteSource.refresh`."""
        with self._asking:
            if self._skip_all > 0:
                self._skip_all -= 1
                return
            wait_s = max((self._ask(name) for name in sorted(set(self._names.values()))), default=0)
            self._skip_all = -(-wait_s // self._poll_every_s) - 1 if wait_s else 0

    def _ask(self, name: str) -> int:
        """Ask for one underlying, unless it is left alone for now.  Returns: how long the venue asks us to wait."""
        if self._skip.get(name, 0) > 0:
            self._skip[name] -= 1
            return 0
        wait_s = 0
        try:
            self._take(name, self._venue.fetch(name))
        except KeeperError as error:
            asked = error.fields.get("retry_after_s")
            wait_s = asked if isinstance(asked, int) else 0
            self._trouble[name] = error.message
            log.warning("quotes.failed", venue=self._venue.name, underlying=name, error=error.message)
        except Exception as error:
            # Whatever a stranger's bytes break, blocks and other underlyings go on.
            self._trouble[name] = f"{self._venue.name} answered what breaks us: {type(error).__name__}"
            log.exception("quotes.broken", venue=self._venue.name, underlying=name)
        else:
            self._failures[name] = 0
            return 0
        self._failures[name] = failures = self._failures.get(name, 0) + 1
        self._skip[name] = min(2**failures - 1, MOST_SKIPPED) if failures > 1 else 0
        return wait_s

    def _take(self, name: str, chain: Chain) -> None:
        """Keep a chain unless the one that is held is newer: a cache on the way may answer with older ones."""
        held = self._chains.get(name)
        wrong = held is not None and 0 < self._block_s < held.taken_s - AHEAD_S
        if held is None or wrong or chain.taken_s >= held.taken_s:
            self._prepare_for(name, chain)
            self._chains[name] = chain
            self._trouble.pop(name, None)
        else:
            self._trouble[name] = f"{self._venue.name} answers with older quotes than before"
        log.debug("quotes.fetched", venue=self._venue.name, underlying=name, quotes=len(chain.quotes))

    def _prepare_for(self, name: str, chain: Chain) -> None:
        """Make the sheet that the next cycle will read; before the first cycle, one of the nearest expiries."""
        nearest = tuple(sorted({quote.expiry_s for quote in chain.quotes}))[:2]
        underlying, listed = self._listed.get(name, (0, nearest))
        made = sheet(chain, underlying, listed, max_per_expiry=self._max_per_expiry)
        if isinstance(made, QuoteSheet):
            self._prepare(made)

    def read(self, snapshot: Snapshot) -> tuple[Quoted, ...]:
        """See `QuoteSource.read`."""
        found: list[Quoted] = []
        self._block_s = snapshot.block.timestamp
        for u in snapshot.underlyings:
            name = self._names.get(u.symbol)
            listed = [one.expiry for one in u.listings if one.expiry > snapshot.block.timestamp]
            if name is None or not listed:
                continue
            self._listed[name] = (u.underlying, tuple(listed))
            chain, trouble = self._chains.get(name), self._trouble.get(name, "")
            if chain is None:
                reason = trouble or f"{self._venue.name} has not answered yet"
                found.append(Unquoted(underlying=u.underlying, reason=reason))
                continue
            found.append(sheet(chain, u.underlying, listed, max_per_expiry=self._max_per_expiry, trouble=trouble))
        return tuple(found)
