"""Which of our keys may bid for our account.

The auction takes a bid from the owner of the account that bids, or from a key that the owner approved.  Who is approved
is read with the other views of a block, every block: a key that is revoked is used for no bid from that block on, one
that is approved is used from then on, without restart.  A key that may not bid is no error, it does everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from eth_utils import to_checksum_address

from keeper.domain.block import BlockRef
from keeper.errors import Refused
from keeper.protocols.clearinghouse.ids import owner_of
from keeper.protocols.clearinghouse.published import Search
from keeper.protocols.clearinghouse.views import View, Views

AUCTION: Final = "LiquidationAuction"


def approved(views: Views, account: int, search: Search, *, since: int, block: BlockRef) -> tuple[str, ...]:
    """Every address that the owner of an account approved and that may bid for it at a block, in order of address.

    Args:
        views: the contracts' views.
        account: who bids.
        search: over the auction's events.
        since: height of the block that the auction was deployed in, or one before.
        block: at which.

    Raises: `Retry`.
    """
    topic = views.abis[AUCTION].topic("BidderApproved")
    topics = ["0x" + (topic or b"").hex(), f"{account:#066x}"]
    # An approval's second topic is the key; a later log may have taken it back, so the contract has the last word.
    told = {to_checksum_address(log.topics[2][-20:]) for log in search.logs(since, block.number, topics)}
    told.discard(to_checksum_address(owner_of(account)))
    return Bidders(views, account, sorted(told)).allowed(block)


class Bidders:
    """The keys that bid for one account.

    Args:
        views: the contracts' views.
        account: who bids; None if the keeper has no account, and then nobody does.
        keys: addresses of the liquidator's keys, in the configured order; empty if none is configured.
    """

    def __init__(self, views: Views, account: int | None, keys: Sequence[str] = ()) -> None:
        self._views, self._account = views, account
        self._keys = tuple(to_checksum_address(key) for key in keys)
        self._owner = None if account is None else to_checksum_address(owner_of(account))
        #: Those that could bid at the last look; None before the first.
        self._last: frozenset[str] | None = None

    def asks(self) -> Iterator[View]:
        """Views to gather with the others of a block."""
        for key in self._keys:
            if self._account is not None and key != self._owner:
                yield View(AUCTION, "mayBid", (self._account, key))

    def allowed(self, block: BlockRef) -> tuple[str, ...]:
        """Those of the keys that may bid at a block, in the configured order.  Raises: `Retry`."""
        return tuple(key for key in self._keys if key == self._owner or self._approved(block, key))

    def senders(self, block: BlockRef) -> tuple[str, ...]:
        """Addresses that may send a bid of the account at a block, in the configured order.

        Without any configured key its owner's, so that a bid can be rehearsed.
        Raises: `Refused` if none of the configured keys may; `Retry`.
        """
        if self._owner is None or self._account is None:
            raise Refused("no liquidator account is configured, so nobody bids")
        if not self._keys:
            return (self._owner,)
        found = self.allowed(block)
        if not found:
            raise Refused(
                f"none of our keys may bid for account {self._account:#066x} of {self._owner}",
                hint="keeper bidders tells which call approves them; until then somebody else bids",
            )
        return found

    def look(self, block: BlockRef) -> tuple[str, ...]:
        """What changed since the last look, one line each; at the first, which keys may not bid.  Raises: `Retry`."""
        if self._account is None:
            return ()
        now = frozenset(self.allowed(block))
        before, self._last = self._last, now
        if before is None:
            idle = [key for key in self._keys if key not in now]
            return (f"keys that may not bid, and do everything else: {', '.join(idle)}",) if idle else ()
        return tuple(
            f"{key} {'may bid from now on' if key in now else 'may not bid any more'}"
            for key in self._keys
            if (key in now) != (key in before)
        )

    def _approved(self, block: BlockRef, key: str) -> bool:
        if self._account is None:
            return False
        try:
            return bool(self._views.one(block, AUCTION, "mayBid", self._account, key))
        except Refused:
            return False  # an auction from before there were approvals: the owner alone
