"""Whom a change of parameters would hurt: every account replayed under both, by the functions that judge it each block.

    before   the file in force, recomputed at this block's spot and time: what a refresh would leave
    after    the file that a publication makes at this block

A file's ranges may be set apart from the publication's: they follow their targets slowly, volatilities and forwards
bind at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from keeper.domain.knobs import RiskKnobs
from keeper.domain.margin import Band
from keeper.domain.margin_table import CODES, MarginTable
from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import FileState, Snapshot, StrikeVol, UnderlyingState
from keeper.risk.exact.slew import uplift_pct
from keeper.risk.model import model
from keeper.risk.report import shock

#: Accounts whose requirement moved most that an effect names.
LARGEST: Final = 10
#: Accounts that fall below a line which an effect names; the others are counted.
NAMED: Final = 50
#: Targets play no part here, so nothing is estimated.
_NO_ESTIMATE: Final = RiskKnobs()


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One account under both sets of parameters.  wad USD."""

    account: int
    equity_before: int
    equity_after: int
    mm_before: int
    mm_after: int
    im_before: int
    im_after: int


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change of one underlying's parameters does to everybody who holds something in it.  wad USD."""

    underlying: int
    accounts: int
    """Holders that can be priced under both and must hold something under either."""
    unknown: int
    """Holders that cannot be priced under one of them: nothing is said about these."""
    below_mm: int
    """Accounts below maintenance after and not before."""
    below_im: int
    """Accounts below initial margin after and not before."""
    named_mm: tuple[Moved, ...]
    """Those newly below maintenance, largest requirement first, at most `NAMED`."""
    named_im: tuple[Moved, ...]
    mm_before: int
    """Maintenance of all holders."""
    mm_after: int
    im_before: int
    im_after: int
    mm_fallen: int
    """Maintenance, before, of those newly below it."""
    largest: tuple[Moved, ...]
    """Whose maintenance moved most, at most `LARGEST`, largest move first."""
    bad_debt_before: int
    """What insolvent accounts owe beyond everything they have."""
    bad_debt_after: int
    at_risk_before: int
    """What accounts below maintenance would owe beyond everything they have if their worst row came true before they
    are closed."""
    at_risk_after: int

    @property
    def accounts_ppm(self) -> int:
        """Share of holders newly below maintenance, ppm, rounded up."""
        return _share(self.below_mm, self.accounts)

    @property
    def requirement_ppm(self) -> int:
        """Share of all maintenance that they had to hold, ppm, rounded up."""
        return _share(self.mm_fallen, self.mm_before)


def _share(part: int, whole: int) -> int:
    return -(-part * 1_000_000 // whole) if whole else 0


def file_after(u: UnderlyingState, params: UnderlyingTarget, *, ranges: Ranges, spot: int, now: int) -> FileState:
    """The file that a publication makes at `now`.

    An expiry that the publication leaves out, because it will have passed by its time, stays as it is in force: now it
    is still held.

    Args:
        u: with the strikes that are listed.
        params: what is published.
        ranges: scan ranges in force in it.
        spot: live, wad USD.
        now: unix seconds.
    """
    strikes = {one.expiry: one.strikes for one in u.listings}
    covered = {e.params.expiry for e in params.expiries}
    kept = [e for e in u.live.expiries if e.expiry not in covered and e.expiry > now] if u.live else []
    vols = {expiry: found for expiry, found in u.live.strikes if expiry not in covered} if u.live else {}
    published = {
        e.params.expiry: tuple(
            StrikeVol(strike=strike, sigma_ppm=sigma)
            for strike, sigma in zip(strikes[e.params.expiry], e.sigmas_ppm, strict=True)
        )
        for e in params.expiries
    }
    expiries = sorted((*kept, *(e.params for e in params.expiries)), key=lambda e: e.expiry)
    return FileState(
        epoch=u.live.epoch + 1 if u.live else 1,
        ref_spot=spot,
        time=now,
        ranges=ranges,
        expiries=tuple(expiries),
        strikes=tuple((e.expiry, published.get(e.expiry, vols.get(e.expiry, ()))) for e in expiries),
        im_uplift_pct=uplift(u, ranges, params.ranges),
    )


def uplift(u: UnderlyingState, ranges: Ranges, target: Ranges) -> int:
    """What initial margin is widened by while ranges in force are below their target, percent."""
    if u.publication is None or u.publication.slew is None:
        return 0
    return uplift_pct(ranges, target, tail_ppm=u.rules.tail_ppm, vol_floor_ppm=u.rules.vol_floor_ppm)


def margins_under(snapshot: Snapshot, files: Mapping[int, FileState]) -> MarginTable:
    """Everybody who holds one of some underlyings, under these files of them; the others' files are the live ones."""
    touched = snapshot.accounts.holding(lambda i: i.underlying in files)
    roster = snapshot.accounts.only(np.flatnonzero(touched).astype(np.int64))
    seen = replace(
        snapshot,
        accounts=roster,
        underlyings=tuple(
            replace(u, live=files.get(u.underlying, u.live), previous=None, history=()) for u in snapshot.underlyings
        ),
    )
    return shock(seen, model(seen, _NO_ESTIMATE)).margins(buffer_ppm=0)


def effect(underlying: int, before: MarginTable, after: MarginTable) -> Effect:
    """Compare the same accounts under two sets of parameters."""
    rows = list(_compared(before, after))
    priced = [(one, old, new) for one, old, new in rows if one.mm_before or one.mm_after or old.short or new.short]
    fallen = [one for one, old, new in priced if new.short and not old.short]
    closed = [one for one, _, _ in priced if one.equity_after < one.im_after and not one.equity_before < one.im_before]
    moved = [one for one, _, _ in priced if one.mm_after != one.mm_before]
    moved.sort(key=lambda one: (-abs(one.mm_after - one.mm_before), one.account))
    fallen.sort(key=lambda one: (-one.mm_before, one.account))
    closed.sort(key=lambda one: (-one.im_before, one.account))
    return Effect(
        underlying=underlying,
        accounts=len(priced),
        unknown=len(before) - len(rows),
        below_mm=len(fallen),
        below_im=len(closed),
        named_mm=tuple(fallen[:NAMED]),
        named_im=tuple(closed[:NAMED]),
        mm_before=sum(one.mm_before for one, _, _ in priced),
        mm_after=sum(one.mm_after for one, _, _ in priced),
        im_before=sum(one.im_before for one, _, _ in priced),
        im_after=sum(one.im_after for one, _, _ in priced),
        mm_fallen=sum(one.mm_before for one in fallen),
        largest=tuple(moved[:LARGEST]),
        bad_debt_before=sum(old.owed for _, old, _ in priced),
        bad_debt_after=sum(new.owed for _, _, new in priced),
        at_risk_before=sum(old.at_risk for _, old, _ in priced),
        at_risk_after=sum(new.at_risk for _, _, new in priced),
    )


def short_of(table: MarginTable) -> frozenset[int]:
    """Accounts below maintenance or insolvent."""
    return frozenset(table.where(table.in_bands(Band.LIQUIDATABLE, Band.INSOLVENT)).accounts())


@dataclass(frozen=True, slots=True)
class _Side:
    """One account under one set of parameters."""

    equity: int
    mm: int
    im: int
    required: int
    """Grid and short minimum of all underlyings."""
    short: bool

    @property
    def owed(self) -> int:
        return max(0, -self.equity)

    @property
    def at_risk(self) -> int:
        return max(0, self.required - self.equity) if self.short else 0


def _compared(before: MarginTable, after: MarginTable) -> Iterator[tuple[Moved, _Side, _Side]]:
    """Every account that can be priced under both."""
    assert len(before) == len(after), "both are of one roster"
    sides = zip(before.accounts(), _sides(before), _sides(after), strict=True)
    for account, old, new in sides:
        if old is None or new is None:
            continue
        moved = Moved(
            account=account,
            equity_before=old.equity,
            equity_after=new.equity,
            mm_before=old.mm,
            mm_after=new.mm,
            im_before=old.im,
            im_after=new.im,
        )
        yield moved, old, new


def _sides(table: MarginTable) -> Iterator[_Side | None]:
    """Each row from the columns: a book has a hundred thousand accounts, of which few are named."""
    grid, short = table.grid.ints(), table.short_minimum.ints()
    starts = table.part_start.tolist()
    codes = {CODES[Band.LIQUIDATABLE], CODES[Band.INSOLVENT]}
    rows = zip(
        table.accounts(),
        table.band.tolist(),
        table.equity.ints(),
        table.mm.ints(),
        table.im.ints(),
        starts[:-1],
        starts[1:],
        strict=True,
    )
    for account, band, equity, mm, im, first, stop in rows:
        if band == CODES[Band.UNKNOWN]:
            yield None
        elif account in table.whole:
            yield _whole(table, account)
        else:
            required = sum(grid[first:stop]) + sum(short[first:stop])
            yield _Side(equity=equity, mm=mm, im=im, required=required, short=band in codes)


def _whole(table: MarginTable, account: int) -> _Side | None:
    one = table.priced(account)
    if one is None:
        return None
    return _Side(
        equity=one.equity,
        mm=one.mm,
        im=one.im,
        required=sum(part.grid + part.short_minimum for part in one.underlyings),
        short=one.band in (Band.LIQUIDATABLE, Band.INSOLVENT),
    )
