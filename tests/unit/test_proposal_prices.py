"""Whose prices `keeper proposal check` asks for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from keeper.errors import Refused
from keeper.governance.drift import Drift, prices_of


class Chain:
    """A chain on which no price can be used."""

    def __init__(self, collaterals: dict[int, str]) -> None:
        self.deployment = SimpleNamespace(symbols={0: "ETH"}, collaterals=collaterals)

    def one(self, contract: str, function: str, *args: object) -> object:
        """Its views."""
        if function == "collateral":
            return {"asset": self.deployment.collaterals[args[0]].encode().ljust(32, b"\0")}
        raise Refused("StalePrice")


@pytest.mark.parametrize("collaterals", [{0: "USDC", 1: "WBTC"}, {1: "WBTC", 0: "USDC"}])
def test_prices__collaterals_in_any_order__all_but_the_settlement_tokens(collaterals: dict[int, str]) -> None:
    """GOV-12: a price that is unusable is told of every asset that has a feed, whatever the order of a deployment."""
    found = list(prices_of(Chain(collaterals)))
    assert {one.drift for one in found} == {Drift.ORACLE}, "GOV-12"
    assert [one.said for one in found] == ["the price of ETH: StalePrice", "the price of WBTC: StalePrice"], "GOV-12"
