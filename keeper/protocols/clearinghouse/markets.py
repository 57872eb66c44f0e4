"""What all accounts share, at one block: underlyings, collateral, auctions, the fund."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from eth_utils import to_checksum_address

from keeper.domain.block import BlockRef
from keeper.domain.snapshot import (
    AuctionRules,
    AuctionState,
    BreakerState,
    CollateralState,
    FundState,
    Listing,
    PublicationState,
    Rules,
    UnderlyingState,
)
from keeper.errors import Refused
from keeper.protocols.clearinghouse.deployment import BREAKER, Deployment
from keeper.protocols.clearinghouse.fences import publication_asks, publication_state
from keeper.protocols.clearinghouse.index import HouseIndex, Setting
from keeper.protocols.clearinghouse.rounds import RoundHistory
from keeper.protocols.clearinghouse.views import View, Views


class Markets:
    """Shared state from the events' settings and the contracts' views.

    Args:
        views: the contracts' views.
        index: what the events say.
        deployment: tickers.
        rounds: history of the feeds.
    """

    def __init__(self, views: Views, index: HouseIndex, deployment: Deployment, rounds: RoundHistory) -> None:
        self._views, self._index, self._deployment, self._rounds = views, index, deployment, rounds

    def listed(self) -> tuple[Setting, ...]:
        """Markets that the house has, ascending by underlying."""
        return self._settings("MarketSet")

    def asks(self, block: BlockRef, auctions: Iterable[int]) -> Iterator[View]:
        """Everything the other methods will ask of this block, as far as it is known before.

        Args:
            block: the block.
            auctions: accounts in auction.
        """
        yield View("ClearingHouse", "houseState")
        for market in self._markets():
            u, asset = market.subject, market.octets("asset")
            yield View("PriceOracle", "price", (asset,))
            yield View("ClearingHouse", "marketState", (u,))
            yield View("RiskParameters", "effective", (u,))
            yield from self._rounds.asks(asset)
            yield from publication_asks(u, [e for v, e in self._index.listings if v == u and e > block.timestamp])
        for collateral in self._coins():
            for function in ("price", "feed"):
                yield View("PriceOracle", function, (collateral.octets("asset"),))
        yield View("ClearingHouse", "breaker")
        if self._views.knows(BREAKER):
            for priced in (*self._markets(), *self._coins()):
                yield View(BREAKER, "state", (priced.octets("asset"),))
        for account in auctions:
            yield View("LiquidationAuction", "auction", (account,))
        yield View("LiquidationAuction", "params")
        for function in ("account", "balance", "capPerAuction"):
            yield View("InsuranceFund", function)
        for function in ("sequencerFeed", "sequencerGraceS"):
            yield View("PriceOracle", function)

    def feeds(self, block: BlockRef) -> dict[str, str]:
        """Address of every price feed that counts, by what we call it first."""
        found: dict[str, str] = {}
        priced = [(self._symbol(m), m) for m in self._markets()] + [(self._coin(c), c) for c in self._coins()]
        for symbol, setting in priced:
            try:
                feed = self._views.one(block, "PriceOracle", "feed", setting.octets("asset"))
                found[f"feed of {symbol}"] = feed["primary"]
                found[f"second feed of {symbol}"] = feed["secondary"]
            except Refused:
                continue  # the price says so too, with the reason
        with suppress(Refused):  # likewise
            found["sequencer feed"] = self._views.one(block, "PriceOracle", "sequencerFeed")
        first = {address: name for name, address in reversed(found.items()) if int(address, 16)}
        return {name: to_checksum_address(address) for address, name in reversed(first.items())}

    def tokens(self) -> dict[str, str]:
        """Address of every collateral token, by what we call it."""
        coins = self._settings("CollateralSet")
        return {f"token of {self._coin(c)}": to_checksum_address(dict(c.texts)["token"]) for c in coins}

    def underlyings(self, block: BlockRef) -> tuple[tuple[UnderlyingState, ...], tuple[str, ...]]:
        """Every underlying that can be read, and one line for each that cannot."""
        markets = self._markets()
        self._rounds.refresh(block, {m.subject: m.octets("asset") for m in markets})
        problems = [
            f"{self._symbol(m)}: it has a market and no configuration; it is left out until it is listed"
            for m in self.listed()
            if m not in markets
        ]
        states = tuple(self._underlying(block, m, problems) for m in markets)
        return states, tuple(problems)

    def collaterals(self, block: BlockRef) -> tuple[CollateralState, ...]:
        """Every collateral but the settlement token."""
        return tuple(self._collateral(block, c) for c in self._coins())

    def auction(self, block: BlockRef, account: int) -> AuctionState:
        """One running auction."""
        raw = self._views.one(block, "LiquidationAuction", "auction", account)
        return AuctionState(
            account=account,
            start_time=raw["startTime"],
            flag_block=raw["flagBlock"],
            insolvent_since=raw["insolventSince"],
            reserved=raw["reserved"],
            paid_by_fund=raw["paidByFund"],
        )

    def auction_rules(self, block: BlockRef) -> AuctionRules:
        """The shape of auctions."""
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

    def fund(self, block: BlockRef, house: dict[str, Any]) -> FundState:
        """The insurance fund.

        Args:
            block: the block.
            house: `houseState` of the same block.
        """
        return FundState(
            account=self._views.one(block, "InsuranceFund", "account"),
            balance=self._views.one(block, "InsuranceFund", "balance"),
            cap_per_auction=self._views.one(block, "InsuranceFund", "capPerAuction"),
            social_receivable=house["socialReceivable"],
        )

    # --- parts --------------------------------------------------------------------------------------------------------

    def _settings(self, event: str) -> tuple[Setting, ...]:
        return tuple(s for (name, _), s in sorted(self._index.settings.items()) if name == event)

    def _markets(self) -> Sequence[Setting]:
        """Markets that can be read: governance may open a market before it lists its underlying."""
        return [m for m in self.listed() if ("UnderlyingConfigured", m.subject) in self._index.settings]

    def _coins(self) -> Sequence[Setting]:
        return [c for c in self._settings("CollateralSet") if c.subject != 0]

    def _symbol(self, market: Setting) -> str:
        return self._deployment.symbols.get(market.subject, f"U{market.subject}")

    def _coin(self, collateral: Setting) -> str:
        return self._deployment.collaterals.get(collateral.subject, f"C{collateral.subject}")

    def _underlying(self, block: BlockRef, market: Setting, problems: list[str]) -> UnderlyingState:
        u = market.subject
        funding = self._views.one(block, "ClearingHouse", "marketState", u)
        # As it binds at this block: an emergency ramps, and add-ons lapse, without an event.
        config = self._views.one(block, "RiskParameters", "effective", u)
        return UnderlyingState(
            underlying=u,
            symbol=self._symbol(market),
            spot=self._views.price(block, market.octets("asset")),
            history=self._rounds.of(block, u),
            rules=rules_of(config),
            listings=tuple(
                Listing(expiry=e, strikes=x.strikes) for (v, e), x in sorted(self._index.listings.items()) if v == u
            ),
            settled=tuple((e, price) for (v, e), price in sorted(self._index.settled.items()) if v == u),
            live=self._index.live.get(u),
            previous=self._index.previous.get(u),
            publication=self._publication(block, market, problems),
            funding_index=funding["fundingIndex"],
            funding_rate_ppm_per_day=funding["ratePpmPerDay"],
            breaker=self._breaker(block, market),
        )

    def _publication(self, block: BlockRef, market: Setting, problems: list[str]) -> PublicationState | None:
        try:
            return publication_state(self._views, block, market.subject)
        except Refused as refusal:
            said = self._views.explain(refusal)
            problems.append(f"{self._symbol(market)}: its fences cannot be read, so nothing is published: {said}")
            return None

    def _breaker(self, block: BlockRef, priced: Setting) -> BreakerState | None:
        return breaker_of(self._views, block, priced.octets("asset"))

    def _collateral(self, block: BlockRef, config: Setting) -> CollateralState:
        return CollateralState(
            collateral=config.subject,
            symbol=self._coin(config),
            decimals=config.number("decimals"),
            price=self._views.price(block, config.octets("asset")),
            haircut_ppm=config.number("haircutPpm"),
            cap_per_account=config.number("capPerAccount"),
            breaker=self._breaker(block, config),
        )


def rules_of(config: dict[str, Any]) -> Rules:
    """What governance fixed, out of `RiskParameters.effective`."""
    return Rules(
        tail_ppm=config["tailPpm"],
        short_min_ppm=config["shortMinPpm"],
        kappa_ppm=config["kappaPpm"],
        flag_fee_ppm=config["flagFeePpm"],
        stale_add_on_ppm=config["staleAddOnPpm"],
        im_add_on_ppm=config["imAddOnPpm"],
        vol_floor_ppm=config["volFloorPpm"],
        max_age_s=config["maxAgeS"],
    )


def breaker_of(views: Views, block: BlockRef, asset: bytes) -> BreakerState | None:
    """None if the house has no breaker, or one that does not answer: then no flag passes the simulation either."""
    if not views.breaker(block):
        return None
    try:
        raw = views.one(block, BREAKER, "state", asset)
    except Refused:
        return None
    why = raw["why"].rstrip(b"\0").decode(errors="replace")
    return BreakerState(open=raw["open"], until_s=raw["untilS"], why=why, told=raw["told"])
