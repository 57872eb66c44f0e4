"""Markets and accounts of the float kernel, valid by construction; a test names only what matters to it."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from keeper.risk.kernel.market import (
    Collateral,
    Expiry,
    History,
    Liquidity,
    Market,
    Perp,
    ScanRange,
    Underlying,
)
from keeper.risk.kernel.portfolio import FuturePosition, Holding, OptionPosition, PerpPosition, Portfolio

DAY = 86_400.0
#: Portfolio margins in USD whose requirement is a worst row and charges.
SCANNING = ("keeper", "span16", "derive_pmrm2", "paradex")
LINEAR = ("dydx", "synthetix", "drift")
LENDING = ("aave", "morpho")


def a_history(*symbols, rows=120, seed=7):
    """Joint daily returns with fat tails and a common part."""
    rng = np.random.default_rng(seed)
    moves = 0.02 * (rng.standard_t(4, (rows, len(symbols))) + rng.standard_t(4, (rows, 1)))
    tags = tuple(str(np.datetime64("2025-01-01") + i) for i in range(rows))
    return History(tags=tags, underlyings=symbols, returns=moves)


def an_underlying(symbol="ETH", spot=2_500.0, *, rate=0.04, **changes):
    """One with a perpetual and three expiries, the first inside an hour of the settlement window."""
    expiries = tuple(
        Expiry(name=name, seconds=seconds, forward=spot * carry, rate=rate)
        for name, seconds, carry in (("soon", 1_200.0, 1.0), ("week", 7 * DAY, 1.001), ("year", 300 * DAY, 1.04))
    )
    fields = {
        "perp": Perp(price=spot * 1.0005, funding_rate=0.0001),
        "expiries": expiries,
        "scan": ScanRange(price=0.12, vol_up=0.45, vol_down=0.3),
    }
    return Underlying(symbol=symbol, spot=spot, **(fields | changes))


def a_market(*, underlyings=None, **changes):
    """ETH and BTC, a stablecoin and wrapped ETH."""
    fields = {
        "underlyings": underlyings or (an_underlying(), an_underlying("BTC", 60_000.0)),
        "collaterals": (
            Collateral(symbol="USDC", price=1.0, mm_haircut=0.02, im_haircut=0.01),
            Collateral(symbol="WETH", price=2_500.0, underlying="ETH", mm_haircut=0.1, im_haircut=0.05),
        ),
    }
    return Market(**(fields | changes))


def deep(**changes):
    """Depth and volumes of a large market."""
    fields = {
        "daily_volume_usd": 5e9,
        "daily_volatility": 0.04,
        "open_interest_usd": 1e8,
        "safe_open_interest_usd": 1e9,
    }
    return Liquidity(**(fields | changes))


SIZES = st.floats(-20.0, 20.0).filter(lambda x: x == 0.0 or abs(x) > 1e-6)


@st.composite
def options(draw, symbol="ETH", spot=2_500.0, size=SIZES):
    """One option of any expiry of `an_underlying`."""
    return OptionPosition(
        underlying=symbol,
        expiry=draw(st.sampled_from(["soon", "week", "year"])),
        strike=spot * draw(st.sampled_from([0.5, 0.9, 1.0, 1.1, 2.0])),
        is_call=draw(st.booleans()),
        size=draw(size),
        vol=draw(st.sampled_from([0.3, 0.6, 1.1])),
    )


@st.composite
def portfolios(draw, *, symbols=(("ETH", 2_500.0), ("BTC", 60_000.0)), collateral=True, options_too=True):
    """Anything an account may hold of `a_market`."""
    perps, futures, held = [], [], []
    for symbol, spot in symbols:
        if draw(st.booleans()):
            perps.append(PerpPosition(underlying=symbol, size=draw(SIZES), unrealised=draw(st.floats(-100.0, 100.0))))
        if options_too and draw(st.booleans()):
            futures.append(FuturePosition(underlying=symbol, expiry="week", size=draw(SIZES)))
        if options_too:
            held += draw(st.lists(options(symbol, spot), max_size=3))
    tokens = []
    if collateral:
        tokens = [
            Holding(symbol=name, amount=draw(st.floats(0.0, 1_000.0)))
            for name in ("USDC", "WETH")
            if draw(st.booleans())
        ]
    return Portfolio(
        cash=draw(st.floats(-1e5, 1e6)),
        collateral=tuple(tokens),
        perps=tuple(perps),
        futures=tuple(futures),
        options=tuple(held),
    )


def scaled(portfolio, k):
    """Every position k times; cash too."""
    return Portfolio(
        cash=portfolio.cash * k,
        collateral=tuple(Holding(symbol=h.symbol, amount=h.amount * k) for h in portfolio.collateral),
        perps=tuple(_times(p, k) for p in portfolio.perps),
        futures=tuple(_times(p, k) for p in portfolio.futures),
        options=tuple(_times(p, k) for p in portfolio.options),
    )


def joined(a, b):
    """One account with the positions of two."""
    return Portfolio(
        cash=a.cash + b.cash,
        collateral=a.collateral + b.collateral,
        perps=a.perps + b.perps,
        futures=a.futures + b.futures,
        options=a.options + b.options,
    )


def _times(position, k):
    return replace(position, size=position.size * k)


def gross(portfolio, market):
    """Money that passes through an account: the measure of rounding."""
    spots = {u.symbol: u.spot for u in market.underlyings}
    lots = (*portfolio.perps, *portfolio.futures, *portfolio.options)
    prices = {c.symbol: c.price for c in market.collaterals}
    return (
        1.0
        + abs(portfolio.cash)
        + sum(8.0 * abs(lot.size) * spots[lot.underlying] for lot in lots)
        + sum(abs(h.amount) * prices[h.symbol] for h in portfolio.collateral)
    )
