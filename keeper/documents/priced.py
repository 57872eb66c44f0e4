"""A market document that is ready to value instruments; what has no price says why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from keeper.documents.market import MarketDocument
from keeper.documents.names import InstrumentName, Kind, expiry_name
from keeper.documents.volatility import YEAR_S, NoVol, vol_at
from keeper.risk.kernel.market import Expiry, Market
from keeper.risk.pricing import black76
from keeper.risk.surface.smile import Slice


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A market document, ready to value instruments."""

    document: MarketDocument
    market: Market
    """What the kernel sees."""
    smiles: Mapping[tuple[str, int], Slice | NoVol]
    """By underlying and expiry in unix seconds; an expiry without one takes the underlying's `vol`."""

    in_coin: bool = False
    """Whether the account is counted in the coin of its one underlying, or else in USD."""

    def money(self, usd: float, name: InstrumentName) -> float:
        """An amount of USD in the account's currency; a premium in coin is a share of its expiry's forward."""
        if not self.in_coin:
            return usd
        expiry = self._expiry(name)
        return usd / (self.document.underlyings[name.symbol].spot if expiry is None else expiry.forward)

    def is_inverse(self, name: InstrumentName) -> bool:
        """Whether an instrument is a fixed number of USD, sized and settled in coin."""
        return self.in_coin and name.kind in {Kind.PERP, Kind.FUTURE}

    def vol(self, name: InstrumentName) -> float | NoVol:
        """Volatility of an option."""
        assert name.expiry_s is not None
        assert name.strike is not None
        smile = self.smiles.get((name.symbol, name.expiry_s))
        if smile is not None:
            return vol_at(smile, float(name.strike))
        flat = self.document.underlyings[name.symbol].vol
        return flat if flat is not None else NoVol(reason=f"no smile for this expiry, and {name.symbol} has no vol")

    def mark(self, name: InstrumentName) -> float:
        """USD for one unit of an instrument that has a price; of an option its premium."""
        underlying = self.market.underlying(name.symbol)
        assert underlying is not None
        if name.kind is Kind.PERP:
            return underlying.perp.price if underlying.perp else underlying.spot
        expiry = self._expiry(name)
        assert expiry is not None
        if name.kind is Kind.FUTURE:
            return expiry.forward
        vol = self.vol(name)
        assert not isinstance(vol, NoVol), "asked before"
        years = expiry.seconds / YEAR_S
        price = black76.call if name.kind is Kind.CALL else black76.put
        return float(price(expiry.forward, float(name.strike or 0), vol, years, math.exp(-expiry.rate * years)))

    def unpriceable(self, name: InstrumentName) -> str:
        """Why an instrument has no price here; empty if it has one."""
        underlying = self.document.underlyings.get(name.symbol)
        if underlying is None:
            return f"{name}: the market has no underlying {name.symbol}"
        if name.kind is Kind.PERP or name.expiry_s is None:
            return ""
        if name.expiry_s <= self.document.as_of_s:
            return f"{name}: expired by {self.document.as_of:%Y-%m-%d %H:%M} UTC"
        listed = {one.expiry_s for one in underlying.expiries}
        if name.expiry_s not in listed and underlying.vol is None:
            return (
                f"{name}: the market has no expiry {expiry_name(name.expiry_s)} of {name.symbol}, and no vol for others"
            )
        if name.kind is Kind.FUTURE:
            return ""
        vol = self.vol(name)
        return f"{name}: {vol.reason}" if isinstance(vol, NoVol) else ""

    def _expiry(self, name: InstrumentName) -> Expiry | None:
        underlying = self.market.underlying(name.symbol)
        if underlying is None or name.expiry_s is None:
            return None
        return underlying.expiry(expiry_name(name.expiry_s))
