"""What the contracts say of one underlying at one block, by their views alone: no log is read, no account, no store.

Needs a node that still has the state of that block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from eth_utils import to_checksum_address

from keeper.domain.attested import Attested
from keeper.domain.block import BlockRef
from keeper.domain.deployed import Deployed
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import FileState, Listing, Observation, PublicationState, StrikeVol, UnderlyingState
from keeper.protocols.clearinghouse.fences import publication_asks, publication_state
from keeper.protocols.clearinghouse.markets import breaker_of, rules_of
from keeper.protocols.clearinghouse.rounds import RoundHistory
from keeper.protocols.clearinghouse.views import View, Views

#: The bank in force, of `FileVersion` in contracts/src/interfaces/IRiskFile.sol.
LIVE = 0
#: How the house names its contracts.
_NAMED = {
    "PriceOracle": "oracle",
    "RiskFile": "riskFile",
    "RiskParameters": "parameters",
    "LiquidationAuction": "auction",
    "InsuranceFund": "fund",
}


class HouseAttest:
    """Asks the contracts about what was written down.

    Args:
        views: the contracts' views; only the house's address is taken for granted.
        chain_id: of the chain that answers.
        history_s: how far back a fit looks, seconds: rounds of then that were not written down are counted.
    """

    def __init__(self, views: Views, *, chain_id: int, history_s: int = 0) -> None:
        self._views, self._chain_id, self._history_s = views, chain_id, history_s

    def ask(self, block: BlockRef, written: UnderlyingState) -> Attested:
        """The same underlying at a block in the contracts' words.

        Raises: `Retry` if the node cannot be asked or does not have that state (any more); `Refused` if a contract says
        no.
        """
        views, u = self._views, written.underlying
        deployed = self._deployed(block)
        for name, address in deployed.contracts:
            views.follow(name, address)
        asset = views.one(block, "RiskFile", "assetOf", u)
        views.gather(block, self._asks(block, written, asset))
        publication = publication_state(views, block, u)
        history, older, left_out = self._history(block, written, asset)
        market = views.one(block, "ClearingHouse", "marketState", u)
        gone = tuple(x for x in written.listings if x.expiry <= block.timestamp)
        state = replace(
            written,
            spot=views.price(block, asset),
            history=history,
            rules=rules_of(views.one(block, "RiskParameters", "effective", u)),
            listings=tuple(sorted((*gone, *_listings(publication)), key=lambda x: x.expiry)),
            settled=tuple((expiry, self._settled(block, u, expiry)) for expiry, _ in written.settled),
            live=self._live(block, written, publication),
            publication=publication,
            funding_index=market["fundingIndex"],
            funding_rate_ppm_per_day=market["ratePpmPerDay"],
            breaker=breaker_of(views, block, asset),
        )
        return Attested(
            deployed=deployed, state=state, older_rounds=older, left_out=left_out, untold=tuple(_untold(written))
        )

    def _deployed(self, block: BlockRef) -> Deployed:
        self._views.gather(block, [View("ClearingHouse", function) for function in _NAMED.values()])
        found = {"ClearingHouse": self._views.address("ClearingHouse")}
        for name, function in _NAMED.items():
            found[name] = to_checksum_address(self._views.one(block, "ClearingHouse", function))
        return Deployed(chain_id=self._chain_id, contracts=tuple(sorted(found.items())))

    def _asks(self, block: BlockRef, written: UnderlyingState, asset: bytes) -> Iterator[View]:
        """All that is known before, in one round trip."""
        u = written.underlying
        yield View("PriceOracle", "price", (asset,))
        yield View("ClearingHouse", "marketState", (u,))
        yield View("RiskParameters", "effective", (u,))
        yield from publication_asks(u, [x.expiry for x in written.listings if x.expiry > block.timestamp])
        yield View("RiskFile", "header", (u, LIVE))
        for listing in written.listings:
            if listing.expiry > block.timestamp:
                yield View("RiskFile", "expiryParams", (u, listing.expiry, LIVE))
                yield from (View("RiskFile", "strikeArray", (u, listing.expiry, k, LIVE)) for k in listing.strikes)

    def _settled(self, block: BlockRef, underlying: int, expiry: int) -> int:
        found = self._views.at(block, "ClearingHouse", "settlement", underlying, expiry)
        return int(found["price"]) if found["settled"] else 0

    def _live(self, block: BlockRef, written: UnderlyingState, publication: PublicationState) -> FileState | None:
        """The bank in force: what is listed and of its epoch.  Expired rows are as written: nobody computes them."""
        views, u, file = self._views, written.underlying, written.live
        raw = views.one(block, "RiskFile", "header", u, LIVE)
        if not raw["epoch"]:
            return None
        gone = () if file is None else tuple(one for one in file.expiries if one.expiry <= block.timestamp)
        gone_vols = () if file is None else tuple(one for one in file.strikes if one[0] <= block.timestamp)
        params, strikes = [], []
        for listing in _listings(publication):
            its = views.one(block, "RiskFile", "expiryParams", u, listing.expiry, LIVE)
            if its["epoch"] != raw["epoch"]:
                continue
            params.append(
                ExpiryParams(
                    expiry=listing.expiry,
                    phi_ppb=its["phiPpb"],
                    df_ppb=its["dfPpb"],
                    sigma_atm_ppm=its["sigmaAtmPpm"],
                )
            )
            strikes.append((listing.expiry, tuple(self._vols(block, u, listing, raw["epoch"]))))
        return FileState(
            epoch=raw["epoch"],
            ref_spot=raw["refSpot"],
            time=raw["time"],
            ranges=Ranges(psr_ppm=raw["psrPpm"], vsr_up_ppm=raw["vsrUpPpm"], vsr_down_ppm=raw["vsrDownPpm"]),
            expiries=tuple(sorted((*gone, *params), key=lambda one: one.expiry)),
            strikes=tuple(sorted((*gone_vols, *strikes), key=lambda one: one[0])),
            im_uplift_pct=raw["imUpliftPct"],
        )

    def _vols(self, block: BlockRef, u: int, listing: Listing, epoch: int) -> Iterator[StrikeVol]:
        for strike in listing.strikes:
            its = self._views.at(block, "RiskFile", "strikeArray", u, listing.expiry, strike, LIVE)
            if its["epoch"] == epoch:
                yield StrikeVol(strike=strike, sigma_ppm=its["sigmaPpm"])

    def _history(
        self, block: BlockRef, written: UnderlyingState, asset: bytes
    ) -> tuple[tuple[Observation, ...], int, int]:
        """The feed's rounds since the first that was written down.

        Returns: them; how many of those written the feed has no more; how many before them were left out.
        """
        if not written.history:
            return (), 0, 0
        first, u, kept = written.history[0].time, written.underlying, _Kept()
        length_s = max(block.timestamp - first, self._history_s)
        rounds = RoundHistory(self._views, kept, history_s=length_s, whole=True)
        rounds.refresh(block, {u: asset})
        heard = rounds.of(block, u)
        seen = tuple(one for one in heard if one.time >= first)
        begins = seen[0].time if seen else block.timestamp + 1
        older = tuple(one for one in written.history if one.time < begins)
        return (*older, *seen), len(older), len(heard) - len(seen)


class _Kept:
    """Rounds remembered for as long as one question takes."""

    def __init__(self) -> None:
        self._rounds: dict[int, Observation] = {}

    # The name is the port's.
    def append_prices(self, block: BlockRef, underlying: int, rounds: Sequence[Observation]) -> None:  # noqa: ARG002
        """See `Prices.append_prices`."""
        self._rounds.update({one.time: one for one in rounds})

    # The same.
    def prices(self, underlying: int, *, since_s: int) -> tuple[Observation, ...]:  # noqa: ARG002
        """See `Prices.prices`."""
        return tuple(one for at, one in sorted(self._rounds.items()) if at >= since_s)


def _listings(publication: PublicationState) -> Iterator[Listing]:
    for one in publication.expiries:
        yield Listing(expiry=one.expiry, strikes=tuple(fence.strike for fence in one.smile))


def _untold(written: UnderlyingState) -> Iterator[str]:
    yield "the bank before the one in force, or that there is none"
    yield "which expiries are over, and at what they settled or that they await it"
    yield f"that underlying {written.underlying} is called {written.symbol}: tickers are the deployment file's"
