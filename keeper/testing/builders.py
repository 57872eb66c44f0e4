"""Worlds that are valid by construction; a test names only what matters to it."""

from __future__ import annotations

from keeper.domain.block import BlockRef
from keeper.domain.margin import AccountMargin, Band, UnderlyingMargin
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.roster import Roster
from keeper.domain.snapshot import (
    AccountState,
    AuctionRules,
    AuctionState,
    ExpiryFence,
    FenceState,
    FileState,
    FundState,
    Instrument,
    Kind,
    Listing,
    Observation,
    PerpState,
    Position,
    Price,
    PublicationState,
    Rules,
    Snapshot,
    StrikeVol,
    UnderlyingState,
    Usable,
    VolFences,
)

WAD = 10**18
RAY = 10**27
PPB = 10**9
#: Block time of a built world.
NOW = 1_700_000_000
DAY = 86_400
#: The expiry that built worlds list, and its strikes in USD.
EXPIRY = NOW + 7 * DAY
STRIKES_USD = (2_400, 2_700, 3_000, 3_300, 3_600)


def usd(amount: float) -> int:
    """Dollars as wad, exact to a cent."""
    return round(amount * 100) * 10**16


def strike(dollars: float) -> int:
    """A strike in the instrument id's unit, 1e-8 USD."""
    return round(dollars * 10**8)


def a_block(number: int = 100, *, timestamp: int = NOW) -> BlockRef:
    """A block whose hash follows from its number."""
    return BlockRef(number=number, hash=f"{number:#066x}", parent_hash=f"{number - 1:#066x}", timestamp=timestamp)


def a_perp(underlying: int = 1) -> Instrument:
    """The perp of an underlying."""
    return Instrument(underlying=underlying, expiry=0, strike=0, kind=Kind.PERP)


def an_option(dollars: float, kind: Kind, *, expiry: int = EXPIRY, underlying: int = 1) -> Instrument:
    """An option of the listed expiry."""
    return Instrument(underlying=underlying, expiry=expiry, strike=strike(dollars), kind=kind)


def an_account(
    account: int = 7,
    *,
    cash: float = 10_000,
    perp: float = 0,
    entry: float = 3_000,
    options: tuple[tuple[Instrument, float], ...] = (),
    collateral: tuple[tuple[int, int], ...] = (),
    in_auction: bool = False,
) -> AccountState:
    """An account with a perp of `perp` contracts opened at `entry` and some options."""
    held = [(i, size) for i, size in options if size]
    if perp:
        held.append((a_perp(), perp))
    order = {Kind.PERP: 0, Kind.CALL: 1, Kind.PUT: 2}
    held.sort(key=lambda x: (x[0].underlying, x[0].expiry, x[0].strike, order[x[0].kind]))
    return AccountState(
        account=account,
        cash=usd(cash),
        interest_entry=RAY,
        keep_entry=RAY,
        collateral=collateral,
        positions=tuple(Position(instrument=i, size=usd(size)) for i, size in held),
        perps=(PerpState(underlying=1, open_notional=usd(perp * entry), funding_entry=0),) if perp else (),
        in_auction=in_auction,
    )


def a_file(*, spot: float = 3_000, psr_ppm: int = 150_000, sigma_ppm: int = 700_000, time: int = NOW) -> FileState:
    """A live file with one expiry and a flat smile."""
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=sigma_ppm)
    vols = tuple(StrikeVol(strike=strike(k), sigma_ppm=sigma_ppm) for k in STRIKES_USD)
    return FileState(
        epoch=65_536,
        ref_spot=usd(spot),
        time=time,
        ranges=Ranges(psr_ppm=psr_ppm, vsr_up_ppm=450_000, vsr_down_ppm=300_000),
        expiries=(params,),
        strikes=((EXPIRY, vols),),
    )


def a_fence(name: str = "psr", *, current: int = 150_000, anchor: int | None = None) -> FenceState:
    """A fence of 20 % a step and 50 % a day."""
    return FenceState(
        name=name,
        current=current,
        anchor=current if anchor is None else anchor,
        min=10_000,
        max=900_000,
        step_rel_ppm=200_000,
        step_abs=100_000,
        budget_rel_ppm=500_000,
        budget_abs=200_000,
    )


def a_publication(*, next_allowed_s: int = 0, last_time: int = NOW - 3_600) -> PublicationState:
    """Fences with room all round."""
    return PublicationState(
        last_id=4,
        last_time=last_time,
        next_allowed_s=next_allowed_s,
        in_notice=False,
        fences=(a_fence("psr"), a_fence("vsr_up", current=450_000), a_fence("vsr_down", current=300_000)),
        expiries=(
            ExpiryFence(expiry=EXPIRY, sigma_ppm=700_000, sigma_anchor_ppm=700_000, phi_ppb=PPB, phi_anchor_ppb=PPB),
        ),
        vol=VolFences(
            sigma_min_ppm=50_000,
            sigma_max_ppm=4_000_000,
            atm_step_ppm=200_000,
            atm_budget_ppm=450_000,
            smile_min_ppm=700_000,
            smile_max_ppm=2_000_000,
            phi_min_ppb=900_000_000,
            phi_max_ppb=1_100_000_000,
            phi_step_ppb=5_000_000,
            phi_budget_ppb=20_000_000,
            carry_max_ppm=300_000,
            df_min_ppb=800_000_000,
            forward_step_s=3_600,
        ),
    )


def an_underlying(
    *,
    spot: Price | float = 3_000,
    file: FileState | None = None,
    history: tuple[Observation, ...] = (),
    publication: PublicationState | None = None,
) -> UnderlyingState:
    """ETH with one listed expiry."""
    return UnderlyingState(
        underlying=1,
        symbol="ETH",
        spot=Usable(wad=usd(spot)) if isinstance(spot, int | float) else spot,
        history=history,
        rules=Rules(
            tail_ppm=750_000,
            short_min_ppm=10_000,
            kappa_ppm=800_000,
            flag_fee_ppm=10_000,
            stale_add_on_ppm=250_000,
            im_add_on_ppm=0,
            vol_floor_ppm=300_000,
            max_age_s=7_200,
        ),
        listings=(Listing(expiry=EXPIRY, strikes=tuple(strike(k) for k in STRIKES_USD)),),
        settled=(),
        live=a_file() if file is None else file,
        previous=None,
        publication=publication,
        funding_index=0,
        funding_rate_ppm_per_day=0,
    )


def auction_rules() -> AuctionRules:
    """98 % falling to 80 % in fifteen minutes, then to nothing in two hours."""
    return AuctionRules(
        fast_s=900, slow_s=7_200, start_ppm=980_000, cutoff_ppm=800_000, insolvent_s=3_600, buffer_ppm=100_000,
        dust_usd=usd(50),
    )  # fmt: skip


def an_auction(
    account: int = 7, *, started_s_ago: int = 60, reserved: float = 0, insolvent_since: int = 0
) -> AuctionState:
    """A running auction."""
    return AuctionState(
        account=account,
        start_time=NOW - started_s_ago,
        flag_block=90,
        insolvent_since=insolvent_since,
        reserved=usd(reserved),
        paid_by_fund=0,
    )


def a_snapshot(
    *accounts: AccountState,
    underlying: UnderlyingState | None = None,
    auctions: tuple[AuctionState, ...] = (),
    own_account: int | None = None,
    timestamp: int = NOW,
) -> Snapshot:
    """A whole protocol with one underlying."""
    return Snapshot(
        protocol="clearinghouse",
        block=a_block(timestamp=timestamp),
        underlyings=(an_underlying() if underlying is None else underlying,),
        collaterals=(),
        accounts=Roster.of(accounts),
        interest_index=RAY,
        keep_ray=RAY,
        auctions=auctions,
        auction_rules=auction_rules(),
        fund=FundState(account=1, balance=usd(100_000), cap_per_auction=usd(50_000), social_receivable=0),
        own_account=own_account,
        problems=(),
    )


def a_margin(
    account: int = 7,
    *,
    equity: float = 1_000,
    mm: float = 500,
    im: float | None = None,
    band: Band = Band.HEALTHY,
    in_auction: bool = False,
    haircut: float = 0,
    pending_loss: float = 0,
) -> AccountMargin:
    """A margin with one underlying; `im` defaults to mm / 0.81."""
    initial = mm / 0.81 if im is None else im
    return AccountMargin(
        account=account,
        equity=usd(equity),
        mm=usd(mm),
        im=usd(initial),
        health_ppm=0 if equity < 0 else round(equity / mm * 10**6) if mm else 2**256 - 1,
        band=band,
        cash=usd(equity),
        collateral_value=0,
        haircut=usd(haircut),
        pending_loss=usd(pending_loss),
        underlyings=(
            UnderlyingMargin(
                underlying=1,
                option_mark=0,
                expired_value=0,
                perp_value=0,
                grid=usd(initial),
                short_minimum=0,
                worst_row=12,
            ),
        ),
        stale=False,
        unsettled=False,
        in_auction=in_auction,
    )
