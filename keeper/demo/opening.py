"""What the market opens with: knobs of the demo's keeper, first parameters, and the spec of the house.

The knobs are an operator's choice like any other, set for a market whose blocks are ten minutes and whose history is a
day: a shorter memory and a shorter closing-out time than a keeper of a live market would start with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keeper.demo.listings import Plan, to_wad
from keeper.demo.paths import PricePath
from keeper.demo.venue import quote
from keeper.deploy import (
    AuctionSpec,
    BreakerSpec,
    CollateralSpec,
    ExpirySpec,
    FeedSpec,
    HouseSpec,
    UnderlyingSpec,
    VolFenceSpec,
)
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import File
from keeper.domain.snapshot import Observation, Rules, UnderlyingState, Usable
from keeper.errors import BadInput
from keeper.policy.smile import straighten
from keeper.risk.calibration.implied import see
from keeper.risk.calibration.targets import Untargeted, target
from keeper.risk.exact.riskfile import PPM, strike_array

WAD = 10**18
#: Collateral after the settlement token: ticker, decimals, asset, haircut, ppm.
COINS = (("WETH", 18, "ETH", 100_000), ("WBTC", 8, "BTC", 80_000))
SETTLEMENT = ("USDC", 6)
#: Paid into the insurance fund before the market opens, USD.
FUND_USD = 250_000
#: What the keeper's own account has to bid with, USD.
LIQUIDATOR_USD = 5_000_000

RISK = RiskKnobs(ewma_lambda=0.3, horizon_hours=2.0, history_days=3, psr_floor_ppm=60_000)


def policy(block_s: int) -> PolicyKnobs:
    """Decisions of the demo's keeper; what is counted in seconds scales with the length of a block."""
    return PolicyKnobs(
        hysteresis_ppm=100_000,
        refresh_distance_ppm=950_000,
        refresh_age_s=max(3_600, 3 * block_s),
        heartbeat_s=max(21_600, 24 * block_s),
        intent_ttl_s=max(900, 2 * block_s),
        max_inventory_usd=LIQUIDATOR_USD,
        max_actions_per_block=40,
        # The path crams days of a crash into hours, so a day's volatility is many times a market's.
        hedge_impact=0.1,
    )


def first_targets(path: PricePath, plan: Plan, *, shift_s: int, seed: int) -> tuple[UnderlyingTarget, ...]:
    """What the keeper would publish at the opening, from warm-up and quotes: the numbers the market opens with.

    Raises: `BadInput` if the warm-up shows no volatility.
    """
    found = []
    for i, symbol in enumerate(plan.symbols):
        history = tuple(
            Observation(time=p.time + shift_s, price=to_wad(p.prices[symbol])) for p in (*path.warmup, path.points[0])
        )
        state = UnderlyingState(
            underlying=i,
            symbol=symbol,
            spot=Usable(wad=plan.spots[i]),
            history=history,
            rules=rules(_underlying(symbol, path.block_s)),
            listings=plan.listings[i],
            settled=(),
            live=None,
            previous=None,
            publication=None,
            funding_index=0,
            funding_rate_ppm_per_day=0,
        )
        now = plan.opening_s
        view = see(quote(state, now, seed=seed), spot=plan.spots[i], now=now, knobs=RISK.implied)
        aim = target(state, now, RISK, view)
        if isinstance(aim, Untargeted):
            raise BadInput(
                f"{symbol}: the prices before the opening allow no estimate: {aim.reason}",
                hint="choose a --start with moving prices before it",
            )
        listed = straighten(_in_band(aim), plan.listings[i], spot=plan.spots[i], now=now, latest_s=now)
        found.append(listed)
    return tuple(found)


def _in_band(aim: UnderlyingTarget) -> UnderlyingTarget:
    """The target with every smile inside the band that its fences will have."""
    band = VolFenceSpec()
    expiries = []
    for one in aim.expiries:
        atm = one.params.sigma_atm_ppm
        low, high = -(-atm * band.smile_min_ppm // PPM), atm * band.smile_max_ppm // PPM
        expiries.append(replace(one, sigmas_ppm=tuple(min(max(sigma, low), high) for sigma in one.sigmas_ppm)))
    return replace(aim, expiries=tuple(expiries))


def rules(u: UnderlyingSpec) -> Rules:
    """The part of a spec that margin depends on."""
    return Rules(
        tail_ppm=u.tail_ppm,
        short_min_ppm=u.short_min_ppm,
        kappa_ppm=u.kappa_ppm,
        flag_fee_ppm=u.flag_fee_ppm,
        stale_add_on_ppm=u.stale_add_on_ppm,
        im_add_on_ppm=u.im_add_on_ppm,
        vol_floor_ppm=u.vol_floor_ppm,
        max_age_s=u.max_age_s,
    )


def first_file(aim: UnderlyingTarget, plan: Plan, u: UnderlyingSpec, *, now: int) -> File:
    """The risk file that the first publication makes, computed without a chain."""
    spot = plan.spots[aim.underlying]
    arrays = {}
    for listing, expiry in zip(plan.listings[aim.underlying], aim.expiries, strict=True):
        for strike, sigma in zip(listing.strikes, expiry.sigmas_ppm, strict=True):
            arrays[listing.expiry, strike] = strike_array(
                strike=strike,
                sigma_ppm=sigma,
                expiry=expiry.params,
                ranges=aim.ranges,
                vol_floor_ppm=u.vol_floor_ppm,
                ref_spot=spot,
                now=now,
            )
    return File(
        ref_spot=spot,
        ranges=aim.ranges,
        tail_ppm=u.tail_ppm,
        short_min_ppm=u.short_min_ppm,
        expiries={e.params.expiry: e.params for e in aim.expiries},
        arrays=arrays,
    )


def house_spec(
    path: PricePath,
    plan: Plan,
    targets: Sequence[UnderlyingTarget],
    *,
    feeds: Mapping[str, str],
    tokens: Mapping[str, str],
    publisher: str,
    liquidator: str,
    guardian: str,
    breaker: BreakerSpec | None = None,
) -> HouseSpec:
    """The demo's house over mock feeds and tokens, with the first targets as its first parameters."""
    block_s = path.block_s
    return HouseSpec(
        feeds=tuple(
            FeedSpec(asset=symbol, primary=feeds[symbol], max_age_s=max(3_600, 3 * block_s)) for symbol in plan.symbols
        ),
        collaterals=(
            CollateralSpec(symbol=SETTLEMENT[0], token=tokens[SETTLEMENT[0]], decimals=SETTLEMENT[1], asset="USD"),
            *(
                CollateralSpec(symbol=name, token=tokens[name], decimals=decimals, asset=asset, haircut_ppm=haircut)
                for name, decimals, asset, haircut in COINS
            ),
        ),
        underlyings=tuple(underlying_spec(aim, plan, block_s) for aim in targets),
        publisher=publisher,
        liquidator=liquidator,
        guardian=guardian,
        auction=AuctionSpec(
            # A block moves prices by percents: what is restored must stay so for a few of them.
            buffer_ppm=250_000,
            dust_usd=2_000 * WAD,
            fast_s=max(900, 2 * block_s),
            slow_s=max(7_200, 12 * block_s),
            insolvent_s=max(3_600, 6 * block_s),
            cool_off_s=max(3_600, 6 * block_s),
        ),
        breaker=breaker,
        fund_seed=FUND_USD * 10 ** SETTLEMENT[1],
    )


def underlying_spec(aim: UnderlyingTarget, plan: Plan, block_s: int) -> UnderlyingSpec:
    """One market with the numbers it opens with."""
    return _underlying(
        plan.symbols[aim.underlying],
        block_s,
        psr_ppm=aim.ranges.psr_ppm,
        expiries=tuple(
            ExpirySpec(
                expiry=listing.expiry,
                strikes=listing.strikes,
                sigma_atm_ppm=expiry.params.sigma_atm_ppm,
                phi_ppb=expiry.params.phi_ppb,
                df_ppb=expiry.params.df_ppb,
                sigmas_ppm=expiry.sigmas_ppm,
            )
            for listing, expiry in zip(plan.listings[aim.underlying], aim.expiries, strict=True)
        ),
    )


def _underlying(
    symbol: str, block_s: int, *, psr_ppm: int = 100_000, expiries: tuple[ExpirySpec, ...] = ()
) -> UnderlyingSpec:
    return UnderlyingSpec(
        asset=symbol,
        psr_ppm=psr_ppm,
        vsr_up_ppm=RISK.vsr_up_ppm,
        vsr_down_ppm=RISK.vsr_down_ppm,
        max_age_s=max(7_200, 6 * block_s),
        # As fast as the path is crammed; a real market has the defaults: maintenance by 2.5 % an hour, and an emergency
        # lane; forwards by 0.25 % an hour and 1 % a day.
        slew_ppm_per_hour=500_000,
        vol_fences=VolFenceSpec(min_delay_s=3 * block_s, phi_step_ppb=20_000_000, phi_budget_ppb=60_000_000),
        expiries=expiries,
    )
