"""What each member must bring: enough for every trade on the way, and its own cushion at the end.

Computed with the exact twin over the file that the market opens with, so that every trade passes IM on the chain and
the cushions are what the population says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from keeper.demo.listings import Plan
from keeper.demo.opening import COINS, rules
from keeper.demo.population import Population, Trade
from keeper.deploy import UnderlyingSpec
from keeper.domain.riskfile import File
from keeper.domain.snapshot import Instrument, Kind
from keeper.risk.exact.grid import Leg, assess
from keeper.risk.exact.riskfile import live_call, live_put
from keeper.risk.margin import initial

WAD, PPM = 10**18, 10**6
#: Room above the requirement at each trade: spot and time move a little while the market is being opened.
ON_THE_WAY = 1.05
#: Nobody opens an account with less, USD.
SMALLEST_USD = 400


@dataclass(frozen=True, kw_only=True)
class Deposit:
    """What one member pays in."""

    member: str
    cash_usd: int
    """Whole USD of the settlement token."""
    coin: int
    """Collateral id of the coin; 0 for none."""
    coin_units: int
    """Token units of it."""


class Quotes:
    """Prices and requirements at the opening.

    Args:
        plan: the market.
        files: the opening file of each underlying.
        specs: its rules.
        now: chain time.
    """

    def __init__(self, plan: Plan, files: Sequence[File], specs: Sequence[UnderlyingSpec], *, now: int) -> None:
        self._plan, self._files, self._specs, self._now = plan, files, specs, now

    def price(self, instrument: Instrument) -> int:
        """Mark of one contract, wad USD, at least one wei."""
        spot, file = self._plan.spots[instrument.underlying], self._files[instrument.underlying]
        if instrument.kind is Kind.PERP:
            return spot
        params, array = file.expiries[instrument.expiry], file.arrays[instrument.expiry, instrument.strike]
        mark = live_call(strike=instrument.strike, sigma_ppm=array.sigma_ppm, expiry=params, spot=spot, now=self._now)
        if instrument.kind is Kind.PUT:
            mark = live_put(mark, strike=instrument.strike, expiry=params, spot=spot)
        return max(1, mark)

    def requirement(self, book: dict[Instrument, int]) -> int:
        """IM of a book, wad USD."""
        total = 0
        for underlying, file in enumerate(self._files):
            mine = {i: size for i, size in book.items() if i.underlying == underlying and size}
            if not mine:
                continue
            legs = [
                Leg(expiry=i.expiry, strike=i.strike, is_call=i.kind is Kind.CALL, size=size)
                for i, size in mine.items()
                if i.kind is not Kind.PERP
            ]
            perp = sum(size for i, size in mine.items() if i.kind is Kind.PERP)
            found = assess(file, legs, perp, self._plan.spots[underlying], self._now)
            required = found.grid + found.short_minimum
            total += initial(required, rules(self._specs[underlying]), uplift_ppm=0, stale=False)
        return total


def deposits(population: Population, plan: Plan, quotes: Quotes) -> tuple[Deposit, ...]:
    """What everybody brings, in the order of the members."""
    needed = _peak_requirement(population.trades, quotes)
    found = []
    for member in population.members:
        book = {leg.instrument: leg.size for leg in member.legs}
        wish = int(member.cushion * quotes.requirement(book))
        equity = max(wish, int(ON_THE_WAY * needed[member.name]), SMALLEST_USD * WAD)
        underlying = member.legs[0].instrument.underlying if member.legs else 0
        in_coin = int(equity * member.in_coin)
        coin = underlying + 1 if in_coin else 0
        units = 0
        if coin:
            _, decimals, _, haircut = COINS[coin - 1]
            units = in_coin * PPM * 10**decimals // (plan.spots[underlying] * (PPM - haircut))
        found.append(Deposit(member=member.name, cash_usd=-(-(equity - in_coin) // WAD), coin=coin, coin_units=units))
    return tuple(found)


def _peak_requirement(trades: Sequence[Trade], quotes: Quotes) -> dict[str, int]:
    """Largest IM of each member after any of the trades."""
    books: dict[str, dict[Instrument, int]] = defaultdict(dict)
    peak: dict[str, int] = defaultdict(int)
    for trade in trades:
        for name, size in ((trade.buyer, trade.amount), (trade.seller, -trade.amount)):
            book = books[name]
            book[trade.instrument] = book.get(trade.instrument, 0) + size
            peak[name] = max(peak[name], quotes.requirement(book))
    return peak
