"""What each part of an account is worth and requires, in the contract's integers and roundings.

Mirrors contracts/src/house/MarginLib.sol: every term of equity is rounded down, every requirement up.
"""

from __future__ import annotations

from typing import Final

from keeper.domain.margin import Band
from keeper.domain.snapshot import AccountState, CollateralState, Instrument, Kind, Rules
from keeper.risk.exact.riskfile import PPM, WAD

#: Settlement prices of a strike's unit: 1e-8 USD to wad.
STRIKE_TO_WAD: Final = 10**10


def cash_now(account: AccountState, interest_index: int) -> int:
    """Cash after the interest that negative cash owes since it was last written, wad USD.  Interest rounds up."""
    if account.cash >= 0:
        return account.cash
    owed = -(account.cash * (interest_index - account.interest_entry) // account.interest_entry)
    return account.cash - owed


def collateral_value(units: int, asset: CollateralState, *, price: int) -> tuple[int, int]:
    """Counted value of a collateral balance, and what haircut and cap leave out of it, wad USD.

    Args:
        units: token units.
        asset: decimals, cap and haircut.
        price: wad USD per whole token.
    """
    unit = 10**asset.decimals
    value: int = units * price // unit
    counted: int = min(units, asset.cap_per_account) * price // unit
    counted = counted * (PPM - asset.haircut_ppm) // PPM
    return counted, value - counted


def perp_value(size: int, *, spot: int, open_notional: int, funding_index: int, funding_entry: int) -> int:
    """Unrealised profit of a perp less the funding it owes, wad USD, rounded down."""
    owed = -(-size * (funding_index - funding_entry) // WAD)
    return size * spot // WAD - open_notional - owed


def payoff(size: int, instrument: Instrument, price: int) -> int:
    """Value of an expired option position at a settlement (or live) price, wad USD, rounded down."""
    strike = instrument.strike * STRIKE_TO_WAD
    intrinsic = price - strike if instrument.kind is Kind.CALL else strike - price
    return size * max(0, intrinsic) // WAD


def pending_loss(equity: int, *, keep_ray: int, keep_entry: int) -> int:
    """Share of losses socialised since the account last pulled, wad USD, rounded up."""
    if equity <= 0 or keep_entry <= keep_ray:
        return 0
    return -(-equity * (keep_entry - keep_ray) // keep_entry)


def maintenance_e6(required: int, rules: Rules) -> int:
    """Maintenance part of one underlying times 1e6; the account's sum is divided once and rounded up."""
    return required * (rules.kappa_ppm + rules.flag_fee_ppm)


def initial_ppm(rules: Rules, *, uplift_ppm: int, stale: bool) -> int:
    """Initial requirement over what the grid requires, ppm.  A stale file and its surcharge widen this alone."""
    return PPM + rules.im_add_on_ppm + uplift_ppm + (rules.stale_add_on_ppm if stale else 0)


def initial(required: int, rules: Rules, *, uplift_ppm: int, stale: bool) -> int:
    """Initial requirement of one underlying, wad USD, rounded up.

    Args:
        required: grid and short-option minimum, wad USD.
        rules: of the underlying.
        uplift_ppm: surcharge of the file that judges, while its ranges move up to the published ones.
        stale: whether that file is stale.
    """
    factor = initial_ppm(rules, uplift_ppm=uplift_ppm, stale=stale)
    return -(-required * factor // PPM)


def band(equity: int, mm: int, *, buffer_ppm: int) -> Band:
    """Where an account stands; compared without division, so that no rounding decides."""
    if equity < 0:
        return Band.INSOLVENT
    if equity < mm:
        return Band.LIQUIDATABLE
    if mm and equity * PPM < mm * (PPM + buffer_ppm):
        return Band.WARNING
    return Band.HEALTHY
