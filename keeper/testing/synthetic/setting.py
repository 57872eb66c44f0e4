"""The protocol around the accounts: markets, listings, one publication each, and the parameters that governance set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keeper.testing.synthetic.logs import Emitted, emitted
from keeper.testing.synthetic.population import GENESIS_S, RAY, WAD, Population

TICKERS: Final = ("ETH", "BTC", "SOL", "AVAX", "LINK", "UNI", "AAVE", "MKR")
PPB: Final = 10**9
SIGMA_PPM: Final = 700_000
PSR_PPM, VSR_UP_PPM, VSR_DOWN_PPM = 150_000, 450_000, 300_000
#: The first publication of every underlying; the number in the low bits counts refreshes.
EPOCH: Final = 65_536
#: Whether a computation was a mere refresh.
REFRESH: Final = False
FUND_ACCOUNT: Final = 0xF00D << 96
#: UnderlyingConfig: tail, short min, kappa, flag fee, stale, IM add-on, vol floor, age, notice, listed, slew, breaker.
CONFIG: Final = (750_000, 10_000, 800_000, 10_000, 250_000, 0, 300_000, 7_200, 50, True, 10_000, 250_000)
#: LiquidationAuction.Params.
AUCTION: Final = (900, 7_200, 980_000, 800_000, 3_600, 100_000, 600, 50 * WAD, 0)
CAP_PER_AUCTION: Final = 50_000 * WAD


def asset(underlying: int) -> bytes:
    """Name of an underlying at the oracle."""
    return TICKERS[underlying - 1].encode().ljust(32, b"\0")


USDC: Final = b"USDC".ljust(32, b"\0")


def market(underlying: int) -> tuple[object, ...]:
    """UnderlyingMarket: asset, band, caps, funding fences, listed."""
    return (asset(underlying), 50_000, 10**30, 10**30, 10**31, 10**30, 10_000, 2_000, 3_600, True)


def collateral(number: int) -> tuple[object, ...]:
    """CollateralConfig: token, decimals, asset, haircut, caps."""
    if number == 0:
        return "0x" + "aa" * 20, 6, USDC, 0, 10**30, 10**30
    return "0x" + "bb" * 20, 18, asset(1), 150_000, 10**24, 10**27


def opening_events(population: Population) -> Iterator[Emitted]:
    """What a deployment and its first publications emit."""
    yield emitted("ClearingHouse", "LossPulled", FUND_ACCOUNT, 0, RAY)
    yield emitted("LiquidationAuction", "ParamsSet", AUCTION)
    yield emitted("InsuranceFund", "CapSet", CAP_PER_AUCTION)
    yield emitted("ClearingHouse", "InterestSet", 50_000, RAY)
    for number in (0, 1):
        yield emitted("ClearingHouse", "CollateralSet", number, collateral(number))
    for u in range(1, population.plan.underlyings + 1):
        yield emitted("RiskParameters", "UnderlyingConfigured", u, CONFIG)
        yield emitted("ClearingHouse", "MarketSet", u, market(u))
        for expiry in population.expiries:
            yield emitted("RiskParameters", "ExpiryListed", u, expiry, population.strikes, SIGMA_PPM, PPB, PPB)
        yield from publication(population, u, number=1, sigma_ppm=SIGMA_PPM)


def publication(population: Population, underlying: int, *, number: int, sigma_ppm: int) -> Iterator[Emitted]:
    """A publication with one volatility everywhere; `number` counts from 1."""
    epoch = EPOCH * number
    for expiry in population.expiries:
        sigmas = [sigma_ppm] * len(population.strikes)
        yield emitted("RiskParameters", "ExpiryPublished", underlying, expiry, PPB, PPB, sigma_ppm, sigmas)
    ranges = PSR_PPM, VSR_UP_PPM, VSR_DOWN_PPM
    header = spot_wad(3_000), GENESIS_S, epoch, *ranges, 0
    strikes = len(population.strikes) * len(population.expiries)
    yield emitted("RiskFile", "FileComputed", underlying, epoch, header, strikes, REFRESH)
    yield emitted("RiskParameters", "Published", underlying, number, epoch, b"\1" * 32, *ranges)


def spot_wad(spot_usd: int) -> int:
    """Every underlying costs the same here."""
    return spot_usd * WAD


def symbols(population: Population) -> dict[int, str]:
    """Ticker by underlying."""
    return {u: TICKERS[u - 1] for u in range(1, population.plan.underlyings + 1)}
