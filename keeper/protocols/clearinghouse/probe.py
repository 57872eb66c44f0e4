"""What `keeper check` asks the contracts before anything depends on them."""

from __future__ import annotations

from keeper.domain.block import BlockRef
from keeper.domain.snapshot import Price, Usable
from keeper.protocols.clearinghouse.bidders import Bidders
from keeper.protocols.clearinghouse.deployment import QUORUM, Deployment
from keeper.protocols.clearinghouse.ids import owner_of
from keeper.protocols.clearinghouse.publishers import PUBLISHER_ROLE
from keeper.protocols.clearinghouse.short_sight import ShortSight
from keeper.protocols.clearinghouse.views import Views

#: `FileVersion.Live` of the contracts.
LIVE = 0
#: Collateral that is settlement cash: priced at one dollar by definition.
CASH = 0


class HouseProbe:
    """Questions about one deployment at one block.  Each raises as `Calls.call_at`."""

    def __init__(self, views: Views, deployment: Deployment) -> None:
        self._views = views
        self._deployment = deployment

    def may_publish(self, address: str, block: BlockRef) -> bool:
        """Whether a key holds the publisher's role."""
        return bool(self._views.one(block, "RiskParameters", "hasRole", PUBLISHER_ROLE, address))

    def publishing_quorum(self, block: BlockRef) -> str:
        """Address of the quorum of keepers if it holds the publisher's role; empty if not, or there is none."""
        if not self._views.knows(QUORUM):
            return ""
        at = self._views.address(QUORUM)
        return at if self.may_publish(at, block) else ""

    def keeps(self, address: str, block: BlockRef) -> bool:
        """Whether a key is one of the quorum's keepers."""
        keepers = self._views.one(block, QUORUM, "keepers") if self._views.knows(QUORUM) else ()
        return address.lower() in [str(one).lower() for one in keepers]

    def equity(self, account: int, block: BlockRef) -> int:
        """An account's equity, wad USD."""
        margin = self._views.one(block, "ClearingHouse", "margin", account, LIVE)
        return int(margin["equity"])

    def owner(self, account: int) -> str:
        """Who may act for an account, lower case."""
        return owner_of(account)

    def may_bid(self, account: int, address: str, block: BlockRef) -> bool:
        """Whether a key may bid for an account."""
        return bool(Bidders(self._views, account, [address]).allowed(block))

    def prices(self, block: BlockRef) -> dict[str, Price]:
        """The oracle's answer by ticker, underlyings first."""
        assets = {
            symbol: self._views.one(block, "RiskFile", "assetOf", underlying)
            for underlying, symbol in sorted(self._deployment.symbols.items())
        }
        for collateral, symbol in sorted(self._deployment.collaterals.items()):
            if collateral != CASH:
                assets[symbol] = self._views.one(block, "ClearingHouse", "collateral", collateral)["asset"]
        return {symbol: self._views.price(block, asset) for symbol, asset in assets.items()}

    def short_sighted(self, block: BlockRef) -> dict[str, tuple[int, int]]:
        """Tickers whose breaker does not see its whole window at the feeds' recent pace: seconds seen, and wanted."""
        return ShortSight(self._views, self._deployment.symbols).seen(block)

    def stale_files(self, block: BlockRef, prices: dict[str, Price]) -> tuple[str, ...]:
        """Tickers of underlyings whose risk file is stale; those without a usable price are left out."""
        return tuple(
            symbol
            for underlying, symbol in sorted(self._deployment.symbols.items())
            if isinstance(price := prices[symbol], Usable)
            and self._views.one(block, "RiskFile", "isStale", underlying, price.wad)
        )
