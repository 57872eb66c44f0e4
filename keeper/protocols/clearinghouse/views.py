"""The contracts' own views, each at one block."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from keeper.abis import load
from keeper.domain.block import BlockRef
from keeper.domain.snapshot import Observation, Price, Unusable, Usable
from keeper.errors import Refused
from keeper.protocols.abi import Abi, explain_revert
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment

#: What every feed looks like.  Source: Chainlink's AggregatorV3Interface, the part we use.
FEED = "AggregatorV3Interface"
_ROUND = [
    {"name": name, "type": kind}
    for name, kind in (
        ("roundId", "uint80"),
        ("answer", "int256"),
        ("startedAt", "uint256"),
        ("updatedAt", "uint256"),
        ("answeredInRound", "uint80"),
    )
]
FEED_ABI = (
    {"type": "function", "name": "decimals", "inputs": [], "outputs": [{"name": "decimals", "type": "uint8"}]},
    {"type": "function", "name": "latestRoundData", "inputs": [], "outputs": _ROUND},
    {"type": "function", "name": "getRoundData", "inputs": [{"name": "id", "type": "uint80"}], "outputs": _ROUND},
)
#: A feed answers with this many fewer decimals than a wad has.
WAD_DECIMALS = 18


class Calls(Protocol):
    """Reading contracts at a block."""

    def call_at(self, block: BlockRef, to: str, data: bytes) -> bytes:
        """Return data of a call in the state after `block`.

        Raises: `Refused` if the contract reverts, with the decoded reason; `Retry` if the node could not be asked or
        `block` is no longer canonical.
        """


class Views:
    """Typed calls to one deployment."""

    def __init__(self, calls: Calls, deployment: Deployment) -> None:
        self._calls = calls
        self._addresses = deployment.addresses
        self._decimals: dict[str, int] = {}

    @cached_property
    def abis(self) -> dict[str, Abi]:
        """ABI by contract name."""
        return {name: Abi(name, load(name).abi) for name in CONTRACTS} | {FEED: Abi(FEED, FEED_ABI)}

    def at(self, block: BlockRef, contract: str, function: str, *args: Any, address: str = "") -> dict[str, Any]:
        """Outputs of one view by name.  Raises: as `Calls.call_at`."""
        abi = self.abis[contract]
        to = address or self._addresses[contract]
        return abi.result(function, self._calls.call_at(block, to, abi.call(function, *args)))

    def one(self, block: BlockRef, contract: str, function: str, *args: Any) -> Any:
        """The single output of one view."""
        return next(iter(self.at(block, contract, function, *args).values()))

    def price(self, block: BlockRef, asset: bytes) -> Price:
        """The oracle's price, or its reason for having none.  Raises: `Retry` only."""
        try:
            return Usable(wad=self.one(block, "PriceOracle", "price", asset))
        except Refused as refusal:
            return Unusable(reason=self.explain(refusal))

    def explain(self, refusal: Refused) -> str:
        """A revert in the contracts' own words."""
        data = getattr(refusal, "data", None)
        return refusal.message if data is None else explain_revert(data, self.abis.values())

    def feed(self, block: BlockRef, asset: bytes) -> str:
        """Address of the asset's primary feed."""
        return str(self.one(block, "PriceOracle", "feed", asset)["primary"])

    def bounds(self, block: BlockRef, asset: bytes) -> tuple[int, int]:
        """Lowest and highest price the oracle lets pass, wad."""
        feed = self.one(block, "PriceOracle", "feed", asset)
        return feed["minPrice"], feed["maxPrice"]

    def round(self, block: BlockRef, feed: str, round_id: int | None = None) -> tuple[int, Observation] | None:
        """One round of a feed (the newest without `round_id`), or None if the feed has no such round."""
        try:
            if round_id is None:
                answer = self.at(block, FEED, "latestRoundData", address=feed)
            else:
                answer = self.at(block, FEED, "getRoundData", round_id, address=feed)
            if feed not in self._decimals:  # fixed when a feed is deployed
                self._decimals[feed] = self.at(block, FEED, "decimals", address=feed)["decimals"]
        except Refused:
            return None
        if answer["updatedAt"] == 0 or answer["answer"] <= 0:
            return None
        price = answer["answer"] * 10 ** (WAD_DECIMALS - self._decimals[feed])
        return answer["roundId"], Observation(time=answer["updatedAt"], price=price)
