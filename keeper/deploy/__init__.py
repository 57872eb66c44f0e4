"""Deployment as a use case: the demo, the tests and `scripts/deploy.py` all come through here."""

from keeper.deploy.hand import Hand
from keeper.deploy.house import account_id, deploy_house
from keeper.deploy.market_spec import ExpirySpec, FenceSpec, UnderlyingSpec, VolFenceSpec
from keeper.deploy.spec import (
    AuctionSpec,
    BreakerSpec,
    CollateralSpec,
    FeedSpec,
    HouseSpec,
    QuorumSpec,
)
from keeper.deploy.structs import asset_id

__all__ = [
    "AuctionSpec",
    "BreakerSpec",
    "CollateralSpec",
    "ExpirySpec",
    "FeedSpec",
    "FenceSpec",
    "Hand",
    "HouseSpec",
    "QuorumSpec",
    "UnderlyingSpec",
    "VolFenceSpec",
    "account_id",
    "asset_id",
    "deploy_house",
]
