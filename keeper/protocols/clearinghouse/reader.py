"""The protocol at one block: accounts from the index, prices and shared state from views at the same block.

A block costs one round trip for everything that is known before it is asked, and another where a feed has a new round
or an address moved; the logs of the block and the block itself are one each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from keeper.domain.block import BlockRef
from keeper.domain.columns import id_column
from keeper.domain.roster import Roster
from keeper.domain.snapshot import AccountState, PerpState, Snapshot
from keeper.errors import Refused, Retry
from keeper.protocols.clearinghouse.bidders import Bidders
from keeper.protocols.clearinghouse.consumer import amendment
from keeper.protocols.clearinghouse.ids import unpack_position
from keeper.protocols.clearinghouse.index import HouseIndex
from keeper.protocols.clearinghouse.markets import Markets
from keeper.protocols.clearinghouse.publishers import Publishers
from keeper.protocols.clearinghouse.short_sight import ShortSight
from keeper.protocols.clearinghouse.views import View, Views
from keeper.protocols.clearinghouse.watch import Watch


class HouseReader:
    """`SnapshotReader` of the clearing house.

    Args:
        views: the contracts' views.
        index: what their events say; `advance` brings it to a block before it is read.
        advance: bring the index to a block.  Raises `Retry`.
        amend: correct the index where it stands, as `HouseConsumer.amend` takes it.
        tidy: do for the index what can wait.
        markets: what all accounts share.
        watch: what could change without an event.
        own_account: the keeper's own account in the house.
        bidders: which keys may bid for it; told of every block.
        publishers: which keys may publish; asked about with everything else.
        short_sight: whether breakers see their whole window; looked at now and then.
    """

    def __init__(
        self,
        *,
        views: Views,
        index: HouseIndex,
        advance: Callable[[BlockRef], None],
        amend: Callable[[bytes], None],
        tidy: Callable[[], None],
        markets: Markets,
        watch: Watch,
        own_account: int | None,
        bidders: Bidders,
        publishers: Publishers,
        short_sight: ShortSight,
    ) -> None:
        self._views = views
        self._index = index
        self._advance = advance
        self._amend = amend
        self._tidy = tidy
        self._compared_to = 0
        self._markets = markets
        self._watch = watch
        self._own_account = own_account
        self._bidders, self._publishers, self._short_sight = bidders, publishers, short_sight
        #: Whether the house was met.
        self._met = False

    def read(self, block: BlockRef) -> Snapshot:
        """See `SnapshotReader.read`."""
        with self._whole(block):
            self._meet(block)
        self._advance(block)
        with self._whole(block):
            return self._read(block)

    @contextmanager
    def _whole(self, block: BlockRef) -> Iterator[None]:
        """What the whole house rests on has no stand-in: a node may lie, or the house was upgraded, or is another."""
        try:
            yield
        except Refused as refusal:
            raise Retry(
                f"block {block.number} cannot be read: {self._views.explain(refusal)}",
                hint="if this lasts, compare the contracts with the deployment file: keeper check",
                block=block.number,
            ) from refusal

    def _meet(self, block: BlockRef) -> None:
        """Before the first block is read, have the house say who it is.

        What is stored of the logs is continued or else replaced, and a file that names no house at all, by a digit or
        by chain, must not cost the index of the one that it was kept for.
        Raises: `Refused` where nothing answers as the house does.
        """
        if not self._met:
            self._views.gather(block, self._watch.asks())
            self._watch.meet(block)
            self._met = True

    def _read(self, block: BlockRef) -> Snapshot:
        auctions = self._index.open_accounts().auctioned()
        asked = list(self._markets.asks(block, auctions))
        keys = (*self._bidders.asks(), *self._publishers.asks(), *self._short_sight.asks(block))
        self._views.gather(block, [*asked, *self._watch.asks(), *keys], self._watch.reads())
        moved = self._watch.follow(block)
        self._advance(block)  # again, over the logs of whatever was found elsewhere
        if not self._markets.listed():
            # An empty answer at boot is a node that does not have the logs, not a protocol without accounts.
            raise Retry(f"no market was ever listed before block {block.number}; the node may be missing logs")
        # Closed accounts stay in the index, where events of theirs may follow, and out of everybody's way here.
        accounts = self._index.open_accounts()
        auctions = accounts.auctioned()
        self._views.gather(block, self._markets.asks(block, auctions))  # likewise
        changed = self._watch.look(block, feeds=self._markets.feeds(block), tokens=self._markets.tokens())
        house = self._views.one(block, "ClearingHouse", "houseState")
        underlyings, unread = self._markets.underlyings(block)
        return Snapshot(
            protocol="clearinghouse",
            block=block,
            underlyings=underlyings,
            collaterals=self._markets.collaterals(block),
            accounts=accounts,
            interest_index=house["interestIndexRay"],
            keep_ray=house["keepRay"],
            auctions=tuple(self._markets.auction(block, account) for account in auctions),
            auction_rules=self._markets.auction_rules(block),
            fund=self._markets.fund(block, house),
            own_account=self._own_account,
            problems=(*moved, *changed, *self._bidders.look(block), *self._short_sight.look(block), *unread),
            deployed=self._views.deployed,
        )

    def reconcile(self, snapshot: Snapshot, *, sample: int) -> tuple[str, ...]:
        """See `SnapshotReader.reconcile`.  Each sample goes on where the last one ended, so that it goes round.

        Closed accounts take part: one that the contract says is open must not stay out of sight.  One that it says
        nothing of is told, and stays as its events have it.
        """
        self._advance(snapshot.block)
        everybody = self._index.roster()
        count = len(everybody)
        rows = (np.arange(min(sample, count)) + (self._row_after(everybody) if count else 0)) % max(1, count)
        chosen = list(everybody.only(np.sort(rows)))
        if not chosen:
            return ()
        self._compared_to = everybody.only(rows[-1:]).accounts()[0]
        self._views.gather(snapshot.block, [View("ClearingHouse", "accountState", (one.account,)) for one in chosen])
        differences = []
        for ours in chosen:
            try:
                theirs = self.account(snapshot.block, ours.account)
            except Refused as refusal:
                why = self._views.explain(refusal)
                differences.append(f"account {ours.account:#066x}: the contract does not say what it holds: {why}")
                continue
            if theirs != ours:
                differences.append(f"account {ours.account:#066x}: events say {ours}, the contract says {theirs}")
                self._amend(amendment(theirs))
        return tuple(differences)

    def tidy(self) -> None:
        """See `SnapshotReader.tidy`."""
        self._tidy()

    def _row_after(self, everybody: Roster) -> int:
        """The row behind the account that the last sample ended with."""
        return int(np.searchsorted(everybody.ids, id_column([self._compared_to]), side="right")[0]) % len(everybody)

    def account(self, block: BlockRef, account: int) -> AccountState:
        """One account in the contract's own words."""
        raw = self._views.one(block, "ClearingHouse", "accountState", account)
        return AccountState(
            account=account,
            cash=raw["cash"],
            interest_entry=raw["interestEntryRay"],
            keep_entry=raw["keepEntryRay"],
            collateral=tuple((c, units) for c, units in enumerate(raw["collateral"]) if units),
            positions=tuple(unpack_position(word) for word in raw["positions"]),
            perps=tuple(
                PerpState(underlying=p["underlying"], open_notional=p["openNotional"], funding_entry=p["fundingEntry"])
                for p in raw["perps"]
            ),
            in_auction=raw["inAuction"],
        )
