"""The protocol at one block: accounts from the index, prices and shared state from views at the same block."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from keeper.domain.block import BlockRef
from keeper.domain.roster import Roster
from keeper.domain.snapshot import (
    AccountState,
    AuctionRules,
    AuctionState,
    CollateralState,
    FundState,
    Listing,
    Observation,
    PerpState,
    Rules,
    Snapshot,
    UnderlyingState,
)
from keeper.errors import Retry
from keeper.ports import Store
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.protocols.clearinghouse.fences import publication_state
from keeper.protocols.clearinghouse.ids import unpack_position
from keeper.protocols.clearinghouse.index import HouseIndex, Setting
from keeper.protocols.clearinghouse.views import Views

DAY = 86_400
#: Rounds fetched one by one when the keeper starts for the first time, or looks again after a while.
MAX_BACKFILL = 500


class HouseReader:
    """`SnapshotReader` of the clearing house.

    Args:
        views: the contracts' views.
        index: what their events say; `advance` brings it to a block before it is read.
        advance: bring the index to a block.  Raises `Retry`.
        deployment: addresses and tickers.
        store: keeps oracle rounds over restarts.
        history_days: how much of them a snapshot carries.
    """

    def __init__(
        self,
        *,
        views: Views,
        index: HouseIndex,
        advance: Callable[[BlockRef], None],
        deployment: Deployment,
        store: Store,
        history_days: int,
    ) -> None:
        self._views = views
        self._index = index
        self._advance = advance
        self._deployment = deployment
        self._store = store
        self._history_s = history_days * DAY

    def read(self, block: BlockRef) -> Snapshot:
        """See `SnapshotReader.read`."""
        self._advance(block)
        markets = self._settings("MarketSet")
        if not markets:
            # An empty answer at boot is a node that does not have the logs, not a protocol without accounts.
            raise Retry(f"no market was ever listed before block {block.number}; the node may be missing logs")
        house = self._views.one(block, "ClearingHouse", "houseState")
        # Closed accounts stay in the index, where events of theirs may follow, and out of everybody's way here.
        accounts = Roster.of(a for a in self._index.accounts.values() if not _is_closed(a))
        return Snapshot(
            protocol="clearinghouse",
            block=block,
            underlyings=tuple(self._underlying(block, m) for m in markets),
            collaterals=tuple(self._collateral(block, c) for c in self._settings("CollateralSet") if c.subject != 0),
            accounts=accounts,
            interest_index=house["interestIndexRay"],
            keep_ray=house["keepRay"],
            auctions=tuple(self._auction(block, account) for account in accounts.auctioned()),
            auction_rules=self._auction_rules(block),
            fund=self._fund(block, house),
            own_account=self._deployment.liquidator_account,
            problems=(),
        )

    def reconcile(self, snapshot: Snapshot, *, sample: int) -> tuple[str, ...]:
        """See `SnapshotReader.reconcile`.  The sample starts where the block number points, so it goes round."""
        count = len(snapshot.accounts)
        start = snapshot.block.number * sample % count if count else 0
        chosen = [snapshot.accounts[(start + i) % count] for i in range(min(sample, count))]
        differences = []
        for ours in chosen:
            theirs = self.account(snapshot.block, ours.account)
            if theirs != ours:
                differences.append(f"account {ours.account:#066x}: events say {ours}, the contract says {theirs}")
                self._index.replace_account(theirs)
        return tuple(differences)

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

    # --- parts --------------------------------------------------------------------------------------------------------

    def _settings(self, event: str) -> Sequence[Setting]:
        return [s for (name, _), s in sorted(self._index.settings.items()) if name == event]

    def _underlying(self, block: BlockRef, market: Setting) -> UnderlyingState:
        u = market.subject
        asset = market.octets("asset")
        spot = self._views.price(block, asset)
        funding = self._views.one(block, "ClearingHouse", "marketState", u)
        config = self._index.settings["UnderlyingConfigured", u]
        return UnderlyingState(
            underlying=u,
            symbol=self._deployment.symbols.get(u, f"U{u}"),
            spot=spot,
            history=self._history(block, u, asset),
            rules=Rules(
                tail_ppm=config.number("tailPpm"),
                short_min_ppm=config.number("shortMinPpm"),
                kappa_ppm=config.number("kappaPpm"),
                flag_fee_ppm=config.number("flagFeePpm"),
                stale_add_on_ppm=config.number("staleAddOnPpm"),
                im_add_on_ppm=config.number("imAddOnPpm"),
                vol_floor_ppm=config.number("volFloorPpm"),
                max_age_s=config.number("maxAgeS"),
            ),
            listings=tuple(
                Listing(expiry=e, strikes=x.strikes) for (v, e), x in sorted(self._index.listings.items()) if v == u
            ),
            settled=tuple((e, price) for (v, e), price in sorted(self._index.settled.items()) if v == u),
            live=self._index.live.get(u),
            previous=self._index.previous.get(u),
            publication=publication_state(self._views, block, u),
            funding_index=funding["fundingIndex"],
            funding_rate_ppm_per_day=funding["ratePpmPerDay"],
        )

    def _collateral(self, block: BlockRef, config: Setting) -> CollateralState:
        asset = config.octets("asset")
        return CollateralState(
            collateral=config.subject,
            symbol=self._deployment.collaterals.get(config.subject, f"C{config.subject}"),
            decimals=config.number("decimals"),
            price=self._views.price(block, asset),
            haircut_ppm=config.number("haircutPpm"),
            cap_per_account=config.number("capPerAccount"),
        )

    def _history(self, block: BlockRef, underlying: int, asset: bytes) -> tuple[Observation, ...]:
        """Stored rounds up to this block, the newest and those we missed among them."""
        feed = self._views.feed(block, asset)
        newest = self._views.round(block, feed)
        since = block.timestamp - self._history_s
        if newest is not None:
            known = {o.time for o in self._store.prices(underlying, since_s=since)}
            rounds = [newest[1]]
            if newest[1].time not in known:
                rounds += self._missed_rounds(block, feed, newest[0], since, known)
            # What the oracle would refuse is no observation of a price.
            low, high = self._views.bounds(block, asset)
            self._store.append_prices(block, underlying, [r for r in rounds if low <= r.price <= high])
        return tuple(o for o in self._store.prices(underlying, since_s=since) if o.time <= block.timestamp)

    def _missed_rounds(
        self, block: BlockRef, feed: str, newest: int, since: int, known: Container[int]
    ) -> list[Observation]:
        """Rounds before the newest, back to `since`, until one is known already or the feed has no more.

        What is stored has no holes, because every new round is joined to it here.
        """
        found = []
        for round_id in range(newest - 1, newest - 1 - MAX_BACKFILL, -1):
            answer = self._views.round(block, feed, round_id)
            if answer is None or answer[1].time < since or answer[1].time in known:
                break
            found.append(answer[1])
        return found

    def _auction(self, block: BlockRef, account: int) -> AuctionState:
        raw = self._views.one(block, "LiquidationAuction", "auction", account)
        return AuctionState(
            account=account,
            start_time=raw["startTime"],
            flag_block=raw["flagBlock"],
            insolvent_since=raw["insolventSince"],
            reserved=raw["reserved"],
            paid_by_fund=raw["paidByFund"],
        )

    def _auction_rules(self, block: BlockRef) -> AuctionRules:
        raw = self._views.one(block, "LiquidationAuction", "params")
        return AuctionRules(
            fast_s=raw["fastS"],
            slow_s=raw["slowS"],
            start_ppm=raw["startPpm"],
            cutoff_ppm=raw["cutoffPpm"],
            insolvent_s=raw["insolventS"],
            buffer_ppm=raw["bufferPpm"],
            dust_usd=raw["dustUsd"],
        )

    def _fund(self, block: BlockRef, house: dict[str, Any]) -> FundState:
        return FundState(
            account=self._views.one(block, "InsuranceFund", "account"),
            balance=self._views.one(block, "InsuranceFund", "balance"),
            cap_per_auction=self._views.one(block, "InsuranceFund", "capPerAuction"),
            social_receivable=house["socialReceivable"],
        )


def _is_closed(account: AccountState) -> bool:
    """Whether nothing of an account is left."""
    return not (account.cash or account.collateral or account.positions or account.in_auction)
