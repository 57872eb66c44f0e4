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
    """

    def __init__(self, views: Views, *, chain_id: int) -> None:
        self._views, self._chain_id = views, chain_id

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
        history, older = self._history(block, written, asset)
        market = views.one(block, "ClearingHouse", "marketState", u)
        gone = tuple(x for x in written.listings if x.expiry <= block.timestamp)
        state = replace(
            written,
            spot=views.price(block, asset),
            history=history,
            rules=rules_of(views.one(block, "RiskParameters", "effective", u)),
            listings=tuple(sorted((*gone, *_listings(publication)), key=lambda x: x.expiry)),
            settled=tuple((expiry, self._settled(block, u, expiry)) for expiry, _ in written.settled),
            live=self._live(block, written),
            publication=publication,
            funding_index=market["fundingIndex"],
            funding_rate_ppm_per_day=market["ratePpmPerDay"],
            breaker=breaker_of(views, block, asset),
        )
        return Attested(deployed=deployed, state=state, older_rounds=older, untold=tuple(_untold(block, written)))

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
        if written.live is not None:
            yield View("RiskFile", "header", (u, LIVE))
            for expiry, vols in written.live.strikes:
                yield View("RiskFile", "expiryParams", (u, expiry, LIVE))
                yield from (View("RiskFile", "strikeArray", (u, expiry, one.strike, LIVE)) for one in vols)

    def _settled(self, block: BlockRef, underlying: int, expiry: int) -> int:
        found = self._views.at(block, "ClearingHouse", "settlement", underlying, expiry)
        return int(found["price"]) if found["settled"] else 0

    def _live(self, block: BlockRef, written: UnderlyingState) -> FileState | None:
        """The bank in force, in what was written down of it.  Expired rows stay as they are: nobody computes them."""
        views, u, file = self._views, written.underlying, written.live
        if file is None:
            return None
        raw = views.one(block, "RiskFile", "header", u, LIVE)

        def params(one: ExpiryParams) -> ExpiryParams:
            its = views.one(block, "RiskFile", "expiryParams", u, one.expiry, LIVE)
            numbers = {"phi_ppb": its["phiPpb"], "df_ppb": its["dfPpb"], "sigma_atm_ppm": its["sigmaAtmPpm"]}
            return one if one.expiry <= block.timestamp else replace(one, **numbers)

        def vol(expiry: int, one: StrikeVol) -> StrikeVol:
            if expiry <= block.timestamp:
                return one
            its = views.at(block, "RiskFile", "strikeArray", u, expiry, one.strike, LIVE)
            return replace(one, sigma_ppm=its["sigmaPpm"])

        return FileState(
            epoch=raw["epoch"],
            ref_spot=raw["refSpot"],
            time=raw["time"],
            ranges=Ranges(psr_ppm=raw["psrPpm"], vsr_up_ppm=raw["vsrUpPpm"], vsr_down_ppm=raw["vsrDownPpm"]),
            expiries=tuple(params(one) for one in file.expiries),
            strikes=tuple((expiry, tuple(vol(expiry, one) for one in vols)) for expiry, vols in file.strikes),
            im_uplift_pct=raw["imUpliftPct"],
        )

    def _history(self, block: BlockRef, written: UnderlyingState, asset: bytes) -> tuple[tuple[Observation, ...], int]:
        """The feed's rounds since the first that was written down, and how many of those the feed has no more."""
        if not written.history:
            return (), 0
        first, u, kept = written.history[0].time, written.underlying, _Kept()
        rounds = RoundHistory(self._views, kept, history_s=block.timestamp - first, whole=True)
        rounds.refresh(block, {u: asset})
        seen = rounds.of(block, u)
        begins = seen[0].time if seen else block.timestamp + 1
        older = tuple(one for one in written.history if one.time < begins)
        return (*older, *seen), len(older)


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


def _untold(block: BlockRef, written: UnderlyingState) -> Iterator[str]:
    if written.previous is not None:
        yield "the bank before the one in force"
    if any(x.expiry <= block.timestamp for x in written.listings):
        yield "which expired expiries still await settlement"
    yield f"that underlying {written.underlying} is called {written.symbol}: tickers are the deployment file's"
