"""Each add-on of a preset as amounts for MM and IM, in the account's currency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk import concentration, liquidity, short_options, state_penalties
from keeper.risk.kernel import charges
from keeper.risk.kernel.legs import NONE, Kind, Legs
from keeper.risk.kernel.market import Liquidity, Market, Underlying
from keeper.risk.kernel.preset import Block
from keeper.risk.kernel.rows import Scanned
from keeper.risk.kernel.tables import scan_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Account:
    """What charges read."""

    market: Market
    legs: Legs
    deltas: Floats
    """Of each leg, signed, in units of its underlying, shape (L,)."""
    notionals: Floats
    """Of each leg, in the account's currency, shape (L,)."""
    units: Floats
    """What one unit of each underlying is worth in the account's currency: spot, or 1 in coin.  Shape (U,)."""
    scenario: float
    """Scenario part of IM before its factor."""
    edges: Floats
    """Price scan range of each underlying, fraction; NaN where the preset has none.  Shape (U,)."""

    def losing(self, scenario: float) -> Account:
        """The same account with its scenario part."""
        return replace(self, scenario=scenario)


@dataclass(frozen=True, kw_only=True)
class Charged:
    """One line."""

    what: str
    maintenance: float
    initial: float
    detail: str = ""


def charge(one: charges.Charge, account: Account) -> Iterator[Charged]:
    """The lines of one add-on; none where nothing is due.

    Raises: `LawBroken` if an amount is not finite, or negative.
    """
    for line in _LINES[type(one)](one, account):
        amounts = np.array([line.maintenance, line.initial])
        if not np.isfinite(amounts).all() or (amounts < 0.0).any():
            raise LawBroken(f"the add-on {line.what} is {amounts.tolist()}")
        if amounts.any():
            yield line


def _rated(
    what: str,
    rates: charges.PerpNotional
    | charges.ShortOptions
    | charges.RollShock
    | charges.FundingProvision
    | charges.FeeProvision
    | charges.CloseCost
    | charges.Concentration,
    amount: float,
    detail: str = "",
) -> Charged:
    return Charged(
        what=what, maintenance=rates.maintenance * float(amount), initial=rates.initial * float(amount), detail=detail
    )


def _naked(one: charges.ShortOptions, account: Account) -> Iterator[Charged]:
    """Naked shorts of every expiry and strike, times what their underlying is worth."""
    legs = account.legs
    net: dict[tuple[int, float], list[float]] = {}
    for i in np.flatnonzero(legs.is_option):
        both = net.setdefault((int(legs.term[i]), float(legs.strike[i])), [0.0, 0.0])
        both[0 if legs.kind[i] == Kind.CALL else 1] += float(legs.size[i])
    calls, puts = np.array(list(net.values())).reshape(-1, 2).T
    unit = account.units[legs.terms.underlying[[term for term, _ in net]]] if net else np.zeros(0)
    yield _rated("short options", one, (short_options.naked_shorts(calls, puts) * unit).sum())


def _haircuts(_: charges.Haircut, account: Account) -> Iterator[Charged]:
    legs = account.legs
    for i in np.flatnonzero((legs.kind == Kind.COLLATERAL) & (legs.size > 0.0)):
        token = account.market.collaterals[legs.token[i]]
        value = float(account.notionals[i])
        mm, im = value * token.mm_haircut, value * (token.mm_haircut + token.im_haircut)
        detail = f"{token.mm_haircut:.4g} for MM, {token.im_haircut:.4g} more for IM"
        yield Charged(what=f"haircut {token.symbol}", maintenance=mm, initial=im, detail=detail)


def _confidence(one: charges.OracleConfidence, account: Account) -> Iterator[Charged]:
    """Perpetuals and each expiry at the least of their feeds, spot's and a held perpetual's among them."""
    market, legs = account.market, account.legs
    held = {int(u) for u in legs.underlying[(legs.kind == Kind.PERP) & (legs.size != 0.0)]}
    sure = np.array([_index_confidence(u, with_perp=i in held) for i, u in enumerate(market.underlyings)])
    for i, underlying in enumerate(market.underlyings):
        mine = (legs.kind == Kind.PERP) & (legs.underlying == i)
        yield _unsure(one, f"{underlying.symbol}-PERP", sure[i], account.notionals[mine].sum())
    for e, name in enumerate(legs.terms.names):
        u = int(legs.terms.underlying[e])
        expiry = market.underlyings[u].expiry(name.partition(" ")[2])
        assert expiry is not None, "legs were laid out from this market"
        least = min(expiry.forward_confidence, expiry.rate_confidence, expiry.vol_confidence, sure[u])
        yield _unsure(one, name, least, account.notionals[(legs.term == e)].sum())
    for at in np.flatnonzero((legs.kind == Kind.COLLATERAL) & (legs.size > 0.0)):
        token = market.collaterals[legs.token[at]]
        # A market of one underlying settles through that spot, and prices its collateral with it.
        follows = int(legs.underlying[at])
        spots = [follows] if follows != NONE else [0] if len(market.underlyings) == 1 else []
        least = min([token.confidence, *(market.underlyings[spot].confidence for spot in spots)])
        yield _unsure(one, token.symbol, least, account.notionals[at])


def _index_confidence(underlying: Underlying, *, with_perp: bool) -> float:
    perp = underlying.perp
    return min(underlying.confidence, perp.confidence) if with_perp and perp else underlying.confidence


def _unsure(one: charges.OracleConfidence, what: str, least: float, notional: float) -> Charged:
    amount = float(state_penalties.confidence_charge(least, threshold=one.threshold, rate=one.rate, notional=notional))
    return Charged(
        what=f"oracle confidence {what}",
        maintenance=0.0,
        initial=amount,
        detail=f"{least:g}, threshold {one.threshold:g}",
    )


def _net(account: Account) -> Iterator[tuple[int, Underlying, Liquidity, float]]:
    """Each underlying with its depth and the account's net delta, where there are both."""
    for i, underlying in enumerate(account.market.underlyings):
        net = float(account.deltas[account.legs.underlying == i].sum())
        if net and underlying.liquidity is not None:
            if np.isnan(account.edges[i]):
                raise LawBroken(f"a size add-on needs a scan range of {underlying.symbol}")
            yield i, underlying, underlying.liquidity, net


def _ramp(one: charges.OpenInterestRamp, account: Account) -> Iterator[Charged]:
    for i, underlying, depth, net in _net(account):
        interest, safe = depth.open_interest_usd, depth.safe_open_interest_usd
        if interest is None or safe is None:
            continue
        base = min(float(account.edges[i]), 1.0)
        fraction = concentration.open_interest_fraction(
            base, notional=interest, lower=one.lower * safe, upper=one.upper * safe
        )
        amount = (float(fraction) - base) * abs(net) * float(account.units[i])
        detail = f"{interest:,.0f} USD open, {safe:,.0f} safe"
        yield Charged(what=f"open interest {underlying.symbol}", maintenance=0.0, initial=amount, detail=detail)


def _close_cost(one: charges.CloseCost, account: Account) -> Iterator[Charged]:
    for i, underlying, depth, net in _net(account):
        levels = depth.bids if net > 0.0 else depth.asks
        edge = float(account.edges[i])
        if levels:
            mid = (depth.bids[0][0] + depth.asks[0][0]) / 2 if depth.bids and depth.asks else underlying.spot
            side = liquidity.Depth(
                prices=np.array([price for price, _ in levels]), sizes=np.array([size for _, size in levels]), mid=mid
            )
            usd, how = float(liquidity.book_cost(side, abs(net), edge=edge)), "book"
        elif depth.daily_volume_usd is not None and depth.daily_volatility is not None:
            cost = liquidity.impact_cost(
                abs(net),
                price=underlying.spot,
                volume=depth.daily_volume_usd / underlying.spot,
                vol=depth.daily_volatility,
                edge=edge,
                coefficient=one.coefficient,
            )
            usd, how = float(cost), "square-root law"
        else:
            continue
        amount = usd * float(account.units[i]) / underlying.spot
        yield _rated(f"close-out {underlying.symbol}", one, amount, f"net delta {net:+.6g}, {how}")


def _concentration(one: charges.Concentration, account: Account) -> Iterator[Charged]:
    for i, underlying, depth, net in _net(account):
        if depth.daily_volume_usd is None or depth.open_interest_usd is None:
            continue
        rate = concentration.concentration_rate(
            abs(net),
            volume=depth.daily_volume_usd / underlying.spot,
            open_interest=depth.open_interest_usd / underlying.spot,
            edge=float(account.edges[i]),
            volume_share=one.volume_share,
            open_interest_share=one.open_interest_share,
        )
        amount = float(rate) * abs(net) * float(account.units[i])
        yield _rated(f"concentration {underlying.symbol}", one, amount, f"net delta {net:+.6g}")


def _roll(one: charges.RollShock, account: Account) -> Iterator[Charged]:
    """|net delta| of each expiry, perpetuals being one, times what their underlying is worth."""
    legs = account.legs
    traded = legs.kind != Kind.COLLATERAL
    total = 0.0
    for u, term in sorted({(int(legs.underlying[i]), int(legs.term[i])) for i in np.flatnonzero(traded)}):
        mine = traded & (legs.underlying == u) & (legs.term == term)
        total += abs(float(account.deltas[mine].sum())) * float(account.units[u])
    yield _rated("roll", one, total)


def _funding(one: charges.FundingProvision, account: Account) -> Iterator[Charged]:
    legs = account.legs
    owed = 0.0
    for i in np.flatnonzero(legs.kind == Kind.PERP):
        perp = account.market.underlyings[legs.underlying[i]].perp
        if perp is not None:
            worth = account.units[legs.underlying[i]] / account.market.underlyings[legs.underlying[i]].spot
            owed += max(0.0, float(legs.size[i] * perp.price * perp.funding_rate * worth))
    yield _rated("funding provision", one, owed)


def _perps(one: charges.PerpNotional, account: Account) -> Iterator[Charged]:
    yield _rated("perpetuals", one, account.notionals[account.legs.kind == Kind.PERP].sum())


def _peg(one: charges.Peg, account: Account) -> Iterator[Charged]:
    stable = account.market.stable
    factor = float(state_penalties.peg_factor(stable, threshold=one.threshold, slope=one.slope))
    detail = f"settlement token at {stable:g} USD"
    yield Charged(what="peg", maintenance=0.0, initial=account.scenario * factor, detail=detail)


def _fees(one: charges.FeeProvision, account: Account) -> Iterator[Charged]:
    traded = account.legs.kind != Kind.COLLATERAL
    yield _rated("fee provision", one, account.notionals[traded].sum())


def scan_edges(blocks: Sequence[Block], market: Market) -> Floats:
    """Price scan range of each underlying that a preset's first grid uses, NaN where there is none."""
    for block in blocks:
        if isinstance(block.rows, Scanned):
            ranges = [scan_of(one, block.rows) for one in market.underlyings]
            return np.array([np.nan if one is None else one.price for one in ranges])
    return np.full(len(market.underlyings), np.nan)


#: What computes each add-on.
_LINES: Final[Mapping[type, Callable[[Any, Account], Iterator[Charged]]]] = {
    charges.PerpNotional: _perps,
    charges.ShortOptions: _naked,
    charges.Haircut: _haircuts,
    charges.OracleConfidence: _confidence,
    charges.Peg: _peg,
    charges.OpenInterestRamp: _ramp,
    charges.CloseCost: _close_cost,
    charges.Concentration: _concentration,
    charges.RollShock: _roll,
    charges.FundingProvision: _funding,
    charges.FeeProvision: _fees,
}
