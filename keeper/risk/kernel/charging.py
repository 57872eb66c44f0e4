"""Each add-on of a preset as amounts for MM and IM, in the account's currency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from keeper.domain.text import percent
from keeper.errors import LawBroken
from keeper.risk.charges import liquidity, short_options, state_penalties
from keeper.risk.kernel import charges
from keeper.risk.kernel.account import Account, Charged, rated
from keeper.risk.kernel.legs import NONE, Kind
from keeper.risk.kernel.market import Underlying
from keeper.risk.kernel.size_charges import close_cost, concentrated, crowded, ramp


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


def _naked(one: charges.ShortOptions, account: Account) -> Iterator[Charged]:
    """Naked shorts of every expiry and strike, times what their underlying is worth."""
    legs = account.legs
    net: dict[tuple[int, float], list[float]] = {}
    for i in np.flatnonzero(legs.is_option):
        both = net.setdefault((int(legs.term[i]), float(legs.strike[i])), [0.0, 0.0])
        both[0 if legs.kind[i] == Kind.CALL else 1] += float(legs.size[i])
    calls, puts = np.array(list(net.values())).reshape(-1, 2).T
    unit = account.units[legs.terms.underlying[[term for term, _ in net]]] if net else np.zeros(0)
    yield rated("short options", one, (short_options.naked_shorts(calls, puts) * unit).sum())


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
    for e, (symbol, name) in enumerate(legs.terms.keys):
        u = int(legs.terms.underlying[e])
        expiry = market.underlyings[u].expiry(name)
        assert expiry is not None, "legs were laid out from this market"
        least = min(expiry.forward_confidence, expiry.rate_confidence, expiry.vol_confidence, sure[u])
        yield _unsure(one, f"{symbol}-{name}", least, account.notionals[(legs.term == e)].sum())
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


def _roll(one: charges.RollShock, account: Account) -> Iterator[Charged]:
    """|net delta| of each expiry, perpetuals being one, times what their underlying is worth."""
    legs = account.legs
    traded = legs.kind != Kind.COLLATERAL
    total = 0.0
    for u, term in sorted({(int(legs.underlying[i]), int(legs.term[i])) for i in np.flatnonzero(traded)}):
        mine = traded & (legs.underlying == u) & (legs.term == term)
        total += abs(float(account.deltas[mine].sum())) * float(account.units[u])
    yield rated("roll", one, total)


def _funding(one: charges.FundingProvision, account: Account) -> Iterator[Charged]:
    legs = account.legs
    owed = 0.0
    for i in np.flatnonzero(legs.kind == Kind.PERP):
        perp = account.market.underlyings[legs.underlying[i]].perp
        if perp is not None:
            worth = account.units[legs.underlying[i]] / account.market.underlyings[legs.underlying[i]].spot
            owed += max(0.0, float(legs.size[i] * perp.price * perp.funding_rate * worth))
    yield rated("funding provision", one, owed)


def _perps(one: charges.PerpNotional, account: Account) -> Iterator[Charged]:
    yield rated("perpetuals", one, account.notionals[account.legs.kind == Kind.PERP].sum())


def _vol_spread(one: charges.VolSpread, account: Account) -> Iterator[Charged]:
    legs, market = account.legs, account.market
    for e, (symbol, name) in enumerate(legs.terms.keys):
        expiry = market.underlyings[int(legs.terms.underlying[e])].expiry(name)
        assert expiry is not None, "legs were laid out from this market"
        net = float(account.vegas[legs.term == e].sum())
        usd = float(liquidity.vol_spread_cost(net, half_spread=expiry.vol_half_spread))
        detail = f"net vega {net:+,.0f} USD, half spread {percent(expiry.vol_half_spread)}"
        yield rated(f"vol spread {symbol}-{name}", one, usd / account.numeraire, detail)


def _peg(one: charges.Peg, account: Account) -> Iterator[Charged]:
    stable = account.market.stable
    factor = float(state_penalties.peg_factor(stable, threshold=one.threshold, slope=one.slope))
    detail = f"settlement token at {stable:g} USD"
    yield Charged(what="peg", maintenance=0.0, initial=account.scenario * factor, detail=detail)


def _fees(one: charges.FeeProvision, account: Account) -> Iterator[Charged]:
    traded = account.legs.kind != Kind.COLLATERAL
    yield rated("fee provision", one, account.notionals[traded].sum())


#: What computes each add-on.
_LINES: Final[Mapping[type, Callable[[Any, Account], Iterator[Charged]]]] = {
    charges.PerpNotional: _perps,
    charges.ShortOptions: _naked,
    charges.Haircut: _haircuts,
    charges.OracleConfidence: _confidence,
    charges.Peg: _peg,
    charges.OpenInterestRamp: ramp,
    charges.CloseCost: close_cost,
    charges.VolSpread: _vol_spread,
    charges.Crowding: crowded,
    charges.Concentration: concentrated,
    charges.RollShock: _roll,
    charges.FundingProvision: _funding,
    charges.FeeProvision: _fees,
}
