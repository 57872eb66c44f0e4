"""What our account can still take on, and what it has promised already.

All bids of one account share its margin, whichever keys send them and in whatever order they mine.  So what open bids
may still take is set aside before anything new is decided.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from keeper.policy.auction import WAD
from keeper.policy.backoff import account_of


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """Accounts that an open bid of ours is for."""

    bid_on: AbstractSet[int] = frozenset()
    """All of them: nobody is bid on twice."""
    unmined: AbstractSet[int] = frozenset()
    """Those whose bid no block has: it may still take its slice."""

    @staticmethod
    def of(in_flight: AbstractSet[tuple[str, str]], unmined: AbstractSet[tuple[str, str]]) -> UnderWay:
        """From the (kind, subject) of open transactions."""
        return UnderWay(bid_on=_bid_on(in_flight), unmined=_bid_on(unmined))


NONE_UNDER_WAY: Final = UnderWay()


def _bid_on(transactions: AbstractSet[tuple[str, str]]) -> frozenset[int]:
    found = (account_of(subject) for kind, subject in transactions if kind == "bid")
    return frozenset(account for account in found if account is not None)


@dataclass
class Room:
    """What our account may still take on.  wad USD."""

    spare: int
    """Equity above IM."""
    inventory: int
    """Requirement before factors, up to the operator's limit."""

    def most(self, use: int, risk: int) -> int:
        """Largest fraction, wad, of an account that uses so much of both if taken whole."""
        by_margin = self.spare * WAD // use if use > 0 else WAD
        by_inventory = self.inventory * WAD // risk if risk > 0 else WAD
        return min(by_margin, by_inventory)

    def take(self, use: int, risk: int, fraction: int) -> None:
        """Use up a fraction's share, rounded up.  What frees margin is not counted on before it has mined."""
        self.spare = max(0, self.spare - -(-max(0, use) * fraction // WAD))
        self.inventory = max(0, self.inventory - -(-risk * fraction // WAD))
