"""Everybody's margin the obvious way, one account after the other: the slow twin of `keeper.risk.swept`.

It serves a few accounts, those with numbers that columns cannot hold, and `keeper explain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from keeper.domain.margin import AccountMargin, UnderlyingMargin, Unpriced, health_ppm
from keeper.domain.market import MarketModel, UnderlyingMarket
from keeper.domain.riskfile import File
from keeper.domain.snapshot import AccountState, Kind, PerpState, Position, Snapshot, UnderlyingState, Unusable
from keeper.risk import margin
from keeper.risk.exact.book import Book
from keeper.risk.exact.grid import NO_ROW, Leg
from keeper.risk.exact.riskfile import PPM
from keeper.risk.exact.sweep import assess_book


@dataclass(frozen=True, kw_only=True)
class Required:
    """What the grid says about one account in one underlying.  wad USD."""

    option_mark: int
    grid: int
    short_minimum: int
    worst_row: int
    im_uplift_ppm: int = 0
    """Surcharge on initial margin of the file that judged."""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What an account has in one underlying."""

    account: int
    legs: tuple[Leg, ...]
    """Unexpired options."""
    expired: tuple[Position, ...]
    perp_size: int
    perp: PerpState | None


@dataclass(frozen=True, kw_only=True)
class Shocked:
    """The worst row of every account in every underlying it holds."""

    required: Mapping[tuple[int, int], Required | Unpriced]
    """By (account, underlying)."""
    held: Mapping[int, Mapping[int, Holding]]
    """What each account has, by account and underlying."""


def holdings(account: AccountState, now: int) -> Mapping[int, Holding]:
    """Sort an account's positions by underlying, and options by whether they have expired at `now`."""
    perps = {p.underlying: p for p in account.perps}
    call, perp = Kind.CALL, Kind.PERP  # looking a member up costs as much as comparing it
    found = {}
    for underlying, positions in groupby(account.positions, key=lambda p: p.instrument.underlying):
        legs, expired, size = [], [], 0
        for p in positions:
            instrument = p.instrument
            kind, expiry = instrument.kind, instrument.expiry
            if kind is perp:
                size += p.size
            elif expiry > now:
                legs.append(Leg(expiry=expiry, strike=instrument.strike, is_call=kind is call, size=p.size))
            else:
                expired.append(p)
        found[underlying] = Holding(
            account=account.account,
            legs=tuple(legs),
            expired=tuple(expired),
            perp_size=size,
            perp=perps.get(underlying) if size else None,
        )
    return found


class Under(Enum):
    """Which file an account is judged by."""

    LIVE = "live"
    REFRESHED = "refreshed"
    """The live one as a refresh at this block would leave it."""
    PREVIOUS = "previous"
    """The one before the publication whose notice window runs."""


def margins(
    accounts: Iterable[AccountState], snapshot: Snapshot, market: MarketModel, under: Under, *, buffer_ppm: int
) -> list[AccountMargin | Unpriced]:
    """Assess every account in every underlying it holds, and put its margin together."""
    everyone = list(accounts)
    required = shocked(everyone, snapshot, market, under)
    return [together(account, snapshot, market, required, buffer_ppm=buffer_ppm) for account in everyone]


def shocked(accounts: Iterable[AccountState], snapshot: Snapshot, market: MarketModel, under: Under) -> Shocked:
    """The worst row of every account in every underlying it holds."""
    settled = {u.underlying: frozenset(expiry for expiry, _ in u.settled) for u in snapshot.underlyings}
    required: dict[tuple[int, int], Required | Unpriced] = {}
    by_underlying: dict[int, list[Holding]] = {}
    everything = {account.account: holdings(account, market.now) for account in accounts}
    for of_account in everything.values():
        for underlying, held in of_account.items():
            by_underlying.setdefault(underlying, []).append(held)
    for underlying, group in by_underlying.items():
        required |= _assess(group, market.of(underlying), market.now, settled=settled[underlying], under=under)
    return Shocked(required=required, held=everything)


def _assess(
    held: Iterable[Holding], u: UnderlyingMarket, now: int, *, settled: AbstractSet[int], under: Under
) -> dict[tuple[int, int], Required | Unpriced]:
    found: dict[tuple[int, int], Required | Unpriced] = {}
    books: dict[Under, list[Holding]] = {choice: [] for choice in Under}
    for h in held:
        problem = _why_not(u, h, settled)
        if problem:
            found[h.account, u.underlying] = Unpriced(account=h.account, reason=problem, in_auction=False)
        elif h.legs or h.perp_size:
            books[_judge(u, h, under)].append(h)
        else:
            found[h.account, u.underlying] = Required(option_mark=0, grid=0, short_minimum=0, worst_row=NO_ROW)
    files = {Under.LIVE: u.file, Under.REFRESHED: u.refreshed, Under.PREVIOUS: u.previous}
    for choice, group in books.items():
        file = files[choice]
        if group and file is not None and u.spot is not None:
            swept = assess_book(file, Book.of([(h.legs, h.perp_size) for h in group]), spot=u.spot, now=now)
            for i, h in enumerate(group):
                found[h.account, u.underlying] = Required(
                    option_mark=int(swept.option_mark[i]),
                    grid=int(swept.grid[i]),
                    short_minimum=int(swept.short_minimum[i]),
                    worst_row=int(swept.worst_row[i]),
                    im_uplift_ppm=file.im_uplift_ppm,
                )
    return found


def _judge(u: UnderlyingMarket, held: Holding, under: Under) -> Under:
    """The file that judges a holding.

    As the contract: a file that is not stale is not refreshed, and a strike that the live file published first has no
    earlier requirement to compare with.
    """
    if under is Under.REFRESHED and u.refreshed is not None and held.legs:
        return under
    if under is Under.PREVIOUS and u.previous is not None and _covers(u.previous, held):
        return under
    return Under.LIVE


def _why_not(u: UnderlyingMarket, held: Holding, settled: AbstractSet[int]) -> str:
    """Why a holding cannot be assessed; empty if it can.  Settled options need no price."""
    needs_spot = held.legs or held.perp_size or any(p.instrument.expiry not in settled for p in held.expired)
    if u.spot is None and needs_spot:
        return f"{u.symbol} price unusable: {u.why_unpriced}"
    if u.file is None and (held.legs or held.perp_size):
        return f"{u.symbol} has no risk file"
    if u.file is not None and not _covers(u.file, held):
        return f"{u.symbol} file lacks an option of the account"
    return ""


def _covers(file: File, held: Holding) -> bool:
    return all((leg.expiry, leg.strike) in file.arrays for leg in held.legs)


def together(
    account: AccountState, snapshot: Snapshot, market: MarketModel, pnl: Shocked, *, buffer_ppm: int
) -> AccountMargin | Unpriced:
    """One account's margin from what the grid requires of it."""
    states = {u.underlying: u for u in snapshot.underlyings}
    held = pnl.held[account.account]
    parts, mm_e6, im, stale, unsettled = [], 0, 0, False, False
    for underlying, h in held.items():
        required = pnl.required[account.account, underlying]
        if isinstance(required, Unpriced):
            return Unpriced(account=account.account, reason=required.reason, in_auction=account.in_auction)
        rules, u = states[underlying].rules, market.of(underlying)
        # Perps need only the scan range: their file is never stale.
        old = u.stale and bool(h.legs)
        r = required.grid + required.short_minimum
        mm_e6 += margin.maintenance_e6(r, rules)
        im += margin.initial(r, rules, uplift_ppm=required.im_uplift_ppm, stale=old)
        stale = stale or old
        settled = {expiry for expiry, _ in states[underlying].settled}
        unsettled = unsettled or any(p.instrument.expiry not in settled for p in h.expired)
        parts.append(_part(h, states[underlying], required))

    counted = haircut = 0
    assets = {c.collateral: c for c in snapshot.collaterals}
    for collateral, units in account.collateral:
        asset = assets[collateral]
        if isinstance(asset.price, Unusable):
            reason = f"{asset.symbol} price unusable: {asset.price.reason}"
            return Unpriced(account=account.account, reason=reason, in_auction=account.in_auction)
        value, left_out = margin.collateral_value(units, asset, price=asset.price.wad)
        counted, haircut = counted + value, haircut + left_out

    is_fund = snapshot.fund is not None and account.account == snapshot.fund.account
    cash = account.cash if is_fund else margin.cash_now(account, snapshot.interest_index)
    equity = cash + counted + sum(p.option_mark + p.expired_value + p.perp_value for p in parts)
    loss = 0 if is_fund else margin.pending_loss(equity, keep_ray=snapshot.keep_ray, keep_entry=account.keep_entry)
    equity -= loss
    mm = -(-mm_e6 // PPM)
    return AccountMargin(
        account=account.account,
        equity=equity,
        mm=mm,
        im=im,
        health_ppm=health_ppm(equity, mm),
        band=margin.band(equity, mm, buffer_ppm=buffer_ppm),
        cash=cash,
        collateral_value=counted,
        haircut=haircut,
        pending_loss=loss,
        underlyings=tuple(parts),
        stale=stale,
        unsettled=unsettled,
        in_auction=account.in_auction,
    )


def _part(held: Holding, state: UnderlyingState, required: Required) -> UnderlyingMargin:
    spot = 0 if isinstance(state.spot, Unusable) else state.spot.wad
    settled = dict(state.settled)
    value = 0
    if held.perp is not None:
        value = margin.perp_value(
            held.perp_size,
            spot=spot,
            open_notional=held.perp.open_notional,
            funding_index=state.funding_index,
            funding_entry=held.perp.funding_entry,
        )
    return UnderlyingMargin(
        underlying=state.underlying,
        option_mark=required.option_mark,
        expired_value=sum(
            margin.payoff(p.size, p.instrument, settled.get(p.instrument.expiry, spot)) for p in held.expired
        ),
        perp_value=value,
        grid=required.grid,
        short_minimum=required.short_minimum,
        worst_row=required.worst_row,
    )
