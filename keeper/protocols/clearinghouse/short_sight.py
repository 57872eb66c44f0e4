"""Whether breakers see the whole of the time they judge: a feed with more rounds than they look at cuts it short.

The contract judges what it sees, so a dense feed shortens window and hold and keeps nothing from working.  A person
should know all the same: of a running keeper once when it begins and once when it ends, looked at now and then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from keeper.domain.block import BlockRef
from keeper.errors import Refused
from keeper.protocols.clearinghouse.deployment import BREAKER
from keeper.protocols.clearinghouse.views import View, Views

#: Seconds between two looks: a feed's pace changes over hours, and a look reads every round of the window.
LOOK_EVERY_S: Final = 600


class ShortSight:
    """Looks at the breaker of every underlying.

    Args:
        views: the contracts' views.
        symbols: ticker by underlying.
    """

    def __init__(self, views: Views, symbols: Mapping[int, str]) -> None:
        self._views, self._symbols = views, symbols
        #: Per underlying what the last look asked the oracle for: asset, seconds, rounds.
        self._asked: dict[int, tuple[bytes, int, int]] = {}
        self._looked_s = 0
        #: Tickers that were told of.
        self._told: frozenset[str] = frozenset()
        #: What was said of the block of the last look: one that is read again says the same.
        self._said: tuple[str, tuple[str, ...]] = ("", ())

    def asks(self, block: BlockRef) -> Iterator[View]:
        """Views to gather with the others of a block, where a look is due."""
        if not self._due(block):
            return
        for u, (asset, wanted, rounds) in self._asked.items():
            yield View("RiskFile", "assetOf", (u,))
            yield View(BREAKER, "config", (asset,))
            yield View("PriceOracle", "rounds", (asset, wanted, rounds))

    def look(self, block: BlockRef) -> tuple[str, ...]:
        """What began or ended since the last look, one line each; nothing where none is due.  Raises: `Retry`."""
        if block.hash == self._said[0]:
            return self._said[1]
        if not self._due(block):
            return ()
        now = self.seen(block)
        lines = [
            f"{symbol}: its breaker sees {seen} s of rounds, of {wanted} s: the feed is too quick for maxRounds, or "
            "began anew; keeper check tells more"
            for symbol, (seen, wanted) in now.items()
            if symbol not in self._told
        ]
        lines += [f"{symbol}: its breaker sees its whole window again" for symbol in sorted(self._told - now.keys())]
        self._looked_s, self._told, self._said = block.timestamp, frozenset(now), (block.hash, tuple(lines))
        return self._said[1]

    def seen(self, block: BlockRef) -> dict[str, tuple[int, int]]:
        """Tickers whose breaker does not see its whole window: seconds of rounds that it sees, and that it wants.

        Raises: `Retry`.
        """
        found: dict[str, tuple[int, int]] = {}
        if not self._views.breaker(block):
            return found
        for underlying, symbol in sorted(self._symbols.items()):
            try:
                cut = self._cut(block, underlying)
            except Refused:
                continue  # not listed yet, or a price that cannot be read, which is told by itself
            if cut is not None:
                found[symbol] = cut
        return found

    def _cut(self, block: BlockRef, underlying: int) -> tuple[int, int] | None:
        asset = self._views.one(block, "RiskFile", "assetOf", underlying)
        config = self._views.one(block, BREAKER, "config", asset)
        wanted, rounds = 2 * config["windowS"] + config["holdS"], config["maxRounds"]
        self._asked[underlying] = asset, wanted, rounds
        path = self._views.at(block, "PriceOracle", "rounds", asset, wanted, rounds)
        if not wanted or path["whole"]:
            return None
        first: dict[bool, int] = {}
        for one in path["list"]:
            first.setdefault(one["second"], one["time"])
        return (path["list"][-1]["time"] - max(first.values()) if first else 0), wanted

    def _due(self, block: BlockRef) -> bool:
        return not 0 <= block.timestamp - self._looked_s < LOOK_EVERY_S
