"""An account laid out as columns: one leg per position, one term per expiry it holds.

Order is the portfolio's own: perpetuals, futures, options, collateral.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from keeper.risk.kernel.market import Expiry, Market
from keeper.risk.kernel.portfolio import FuturePosition, Holding, OptionPosition, PerpPosition, Portfolio, Position
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.pricing.forward import split

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

SECONDS_PER_YEAR = 365.0 * 86_400.0
#: Index of a leg that has no underlying, expiry or token.
NONE = -1


class Kind(IntEnum):
    """What a leg is."""

    PERP = 0
    FUTURE = 1
    CALL = 2
    PUT = 3
    COLLATERAL = 4


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The E expiries an account holds."""

    def __len__(self) -> int:
        """E."""
        return len(self.keys)

    keys: tuple[tuple[str, str], ...]
    """Underlying and name of each: (`ETH`, `20260327`)."""
    underlying: Indices
    """Of each, an index into the market's underlyings."""
    seconds: Floats
    years: Floats
    variable: Floats
    """Part of the forward that still moves, USD."""
    fixed: Floats
    """Part that is already averaged, USD."""
    rate: Floats
    """max(rate, 0)."""
    df: Floats
    """e^(−rate·years)."""


@dataclass(frozen=True, kw_only=True)
class Legs:
    """The L positions of one account."""

    positions: tuple[Position, ...]
    kind: Indices
    """`Kind` of each, shape (L,)."""
    underlying: Indices
    """Index into the market's underlyings; `NONE` for collateral that follows none."""
    token: Indices
    """Index into the market's collaterals, else `NONE`."""
    term: Indices
    """Index into `terms`, else `NONE`."""
    size: Floats
    """Signed, shape (L,)."""
    price: Floats
    """Of one unit where the kernel is given it, in USD: a perpetual's mark, a collateral's price / stable; else 0."""
    strike: Floats
    vol: Floats
    terms: Terms

    def __len__(self) -> int:
        """L."""
        return len(self.positions)

    @property
    def is_option(self) -> npt.NDArray[np.bool_]:
        """Shape (L,)."""
        return np.asarray((self.kind == Kind.CALL) | (self.kind == Kind.PUT))


def lay_out(market: Market, portfolio: Portfolio) -> Legs | Unpriced:
    """The account's legs, or why it cannot be priced: a position in something that the market does not know."""
    underlyings = {one.symbol: i for i, one in enumerate(market.underlyings)}
    tokens = {one.symbol: i for i, one in enumerate(market.collaterals)}
    for position in portfolio.positions:
        if reason := _unknown(market, position):
            return Unpriced(reason=reason)
    held = dict.fromkeys(_expiries(portfolio))
    terms = {key: i for i, key in enumerate(held)}
    rows = []
    for position in portfolio.positions:
        match position:
            case PerpPosition():
                u = underlyings[position.underlying]
                perp = market.underlyings[u].perp
                rows.append((Kind.PERP, u, NONE, NONE, position.size, perp.price if perp else 0.0, 0.0, 0.0))
            case FuturePosition():
                term = terms[position.underlying, position.expiry]
                rows.append((Kind.FUTURE, underlyings[position.underlying], NONE, term, position.size, 0.0, 0.0, 0.0))
            case OptionPosition():
                kind = Kind.CALL if position.is_call else Kind.PUT
                term = terms[position.underlying, position.expiry]
                u = underlyings[position.underlying]
                rows.append((kind, u, NONE, term, position.size, 0.0, position.strike, position.vol))
            case Holding():
                token = market.collaterals[tokens[position.symbol]]
                follows = NONE if token.underlying is None else underlyings[token.underlying]
                price = token.price / market.stable
                rows.append((Kind.COLLATERAL, follows, tokens[position.symbol], NONE, position.amount, price, 0.0, 0.0))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    kinds, us, ts, es = (np.array(column, dtype=np.int64) for column in columns[:4])
    size, price_, strike, vol = (np.array(column, dtype=np.float64) for column in columns[4:])
    return Legs(
        positions=portfolio.positions,
        kind=kinds,
        underlying=us,
        token=ts,
        term=es,
        size=size,
        price=price_,
        strike=strike,
        vol=vol,
        terms=_terms(market, tuple(held), underlyings),
    )


def _unknown(market: Market, position: Position) -> str:
    """Why a position cannot be priced; empty if it can."""
    if isinstance(position, Holding):
        token = market.collateral(position.symbol)
        if token is None:
            return f"the market has no collateral {position.symbol}"
        if token.underlying is not None and market.underlying(token.underlying) is None:
            return f"collateral {token.symbol} follows {token.underlying}, which the market does not have"
        return ""
    underlying = market.underlying(position.underlying)
    if underlying is None:
        return f"the market has no underlying {position.underlying}"
    if isinstance(position, PerpPosition):
        return "" if underlying.perp is not None else f"the market has no perpetual {position.name}"
    known = underlying.expiry(position.expiry) is not None
    return "" if known else f"the market has no expiry {position.expiry} of {position.underlying}"


def _expiries(portfolio: Portfolio) -> Iterator[tuple[str, str]]:
    for future in portfolio.futures:
        yield future.underlying, future.expiry
    for option in portfolio.options:
        yield option.underlying, option.expiry


def _terms(market: Market, held: tuple[tuple[str, str], ...], underlyings: dict[str, int]) -> Terms:
    expiries: list[Expiry] = []
    for symbol, name in held:
        expiry = market.underlyings[underlyings[symbol]].expiry(name)
        assert expiry is not None, "lay_out has looked"
        expiries.append(expiry)
    seconds = np.array([one.seconds for one in expiries], dtype=np.float64)
    forward = split([one.forward for one in expiries], seconds)
    years = seconds / SECONDS_PER_YEAR
    rate = np.maximum(np.array([one.rate for one in expiries], dtype=np.float64), 0.0)
    return Terms(
        keys=held,
        underlying=np.array([underlyings[symbol] for symbol, _ in held], dtype=np.int64),
        seconds=seconds,
        years=years,
        variable=forward.variable,
        fixed=forward.fixed,
        rate=rate,
        df=np.exp(-rate * years),
    )
