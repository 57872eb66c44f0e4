"""What the pushes of the last day did together; nothing but the chain remembers them.

The fences know where every published number stood a day ago: it is the anchor of its budget.  A file made of anchors,
at today's price and time, judges everybody as a day ago's parameters would today.  Who is above maintenance under it
and below under a push is brought down by the pushes of the day: by the last of them or by those before it.

    ranges   the targets set a day ago; one that has been falling ever since, as it stands now
    σ, φ, df the anchors
    smiles   the anchors, which the contract keeps in steps of 8,192 ppm of the level: less than that is no move

Whom a push of the day brought down and an auction already closed or restored is not seen so: the book holds nothing of
it any more.  One still in auction is: it counts if a day ago's parameters would end its auction.  And each push leaves
in its inputs file how many it was to bring down when it was weighed (`Brought`), so what our own pushes did is counted
with nothing left out, whatever became of the accounts; so is what a keeper of a quorum drafted and we signed.

Of a push that somebody else made the anchors alone tell.  It counts against the day's shares for as long as the book
shows whom it brought down: below maintenance, or in an auction.  Whom an auction closed of it nobody counts, so that
the day's shares bind what we sign and send, and not everybody's pushes together: several keepers that each push by a
gate of their own bring down at most a share each, and each adds nothing while another's are still to be seen.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.inputs import Brought
from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.margin_table import MarginTable
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import ExpiryFence, FenceState, FileState, Snapshot, StrikeVol, UnderlyingState
from keeper.policy.effect import NAMED, Moved, moved_at, share_ppm
from keeper.policy.ring import HOUR_S, HOURS, on_lattice

Bools = npt.NDArray[np.bool_]

PPM: Final = 1_000_000
#: What counts as the last day: an anchor is up to 25 hours old.
DAY_S: Final = HOURS * HOUR_S
_SHORT: Final = (Band.LIQUIDATABLE, Band.INSOLVENT)


@dataclass(frozen=True, kw_only=True)
class Day:
    """Whom the parameters of the last day bring down, a push that is weighed included."""

    accounts: int
    """Holders that can be priced under a day ago's parameters and must hold something."""
    below_mm: int
    """Those above maintenance under a day ago's parameters, and below it under the push at once or once ranges have
    arrived, or in an auction that a day ago's parameters would end."""
    in_auction: int
    """Those of them that are in an auction which began within the day."""
    mm_before: int
    """Maintenance of all holders under a day ago's parameters, wad USD."""
    mm_fallen: int
    """Of those brought down."""
    named: tuple[Moved, ...]
    """They, largest requirement first, at most `NAMED`."""
    rows: npt.NDArray[np.int64]
    """Where they stand among the holders, ascending."""

    @property
    def accounts_ppm(self) -> int:
        """Share of holders brought down, ppm, rounded up."""
        return share_ppm(self.below_mm, self.accounts)

    @property
    def requirement_ppm(self) -> int:
        """Share of all maintenance that they had to hold, ppm, rounded up."""
        return share_ppm(self.mm_fallen, self.mm_before)


def file_of_a_day_ago(u: UnderlyingState, *, spot: int, now: int) -> FileState:
    """What was published a day ago, computed at today's price and time.

    What has no anchor, such as a strike of a protocol that fences no smile, is as in force.

    Args:
        u: with a file in force and its fences.
        spot: live, wad USD.
        now: unix seconds.
    """
    live, state = u.live, u.publication
    assert live is not None, "there is something in force"
    assert state is not None, "its fences are known"
    fences = {f.expiry: f for f in state.expiries}
    expiries = tuple(
        e
        if (f := fences.get(e.expiry)) is None
        else replace(e, sigma_atm_ppm=f.sigma_anchor_ppm, phi_ppb=f.phi_anchor_ppb, df_ppb=f.df_anchor_ppb)
        for e in live.expiries
    )
    levels = {e.expiry: (e.sigma_atm_ppm, then.sigma_atm_ppm) for e, then in zip(live.expiries, expiries, strict=True)}
    strikes = tuple(
        (expiry, tuple(_strike(vol, levels[expiry], fences.get(expiry)) for vol in vols))
        for expiry, vols in live.strikes
    )
    by_name = {f.name: f for f in state.fences}
    ranges = Ranges(
        psr_ppm=_range(live.ranges.psr_ppm, by_name["psr"]),
        vsr_up_ppm=_range(live.ranges.vsr_up_ppm, by_name["vsr_up"]),
        vsr_down_ppm=_range(live.ranges.vsr_down_ppm, by_name["vsr_down"]),
    )
    return replace(live, ref_spot=spot, time=now, ranges=ranges, expiries=expiries, strikes=strikes)


def stood_still(u: UnderlyingState, then: FileState) -> bool:
    """Whether everything published stands where it stood a day ago: a push is then the day's first, or as good as that.

    Args:
        u: the underlying.
        then: its `file_of_a_day_ago`.
    """
    assert u.live is not None, "there is something in force"
    assert u.publication is not None, "its fences are known"
    same = (then.expiries, then.strikes) == (u.live.expiries, u.live.strikes)
    return same and all(fence.anchor == fence.current for fence in u.publication.fences)


def _range(in_force: int, fence: FenceState) -> int:
    """One range of a day ago.

    One that is in force above every target of the day has done nothing but fall since: it was no lower then, and those
    whom it holds below maintenance are no push's of the day.
    """
    highest = max(fence.anchor, fence.current, *fence.later)
    return in_force if in_force > highest else fence.anchor


def _strike(vol: StrikeVol, level: tuple[int, int], fence: ExpiryFence | None) -> StrikeVol:
    """One strike's volatility under the level and the ratio of a day ago; `level` is that in force and that of then."""
    in_force, then = level
    smile = None if fence is None else next((s for s in fence.smile if s.strike == vol.strike), None)
    if smile is not None and smile.ratio_ppm and on_lattice(smile.ratio_ppm) != on_lattice(smile.anchor_ppm):
        return replace(vol, sigma_ppm=smile.anchor_ppm * then // PPM)
    return vol if in_force == then else replace(vol, sigma_ppm=vol.sigma_ppm * then // in_force)


def seized(snapshot: Snapshot, before: MarginTable, in_force: MarginTable) -> Bools:
    """Which holders are in an auction that began within the day and that a day ago's parameters would end.

    Args:
        snapshot: the block's state.
        before: holders under a day ago's parameters.
        in_force: the same accounts under those in force; whom they too restore is out of its auction in a moment.
    """
    found = np.zeros(len(before), dtype=np.bool_)
    buffer_ppm = snapshot.auction_rules.buffer_ppm if snapshot.auction_rules else 0

    def restored(margin: AccountMargin | Unpriced) -> bool:
        """As `LiquidationAuction.unflag` asks."""
        if isinstance(margin, Unpriced):
            return False
        return margin.equity >= 0 and margin.equity * PPM >= margin.mm * (PPM + buffer_ppm)

    for running in snapshot.auctions:
        row = before.row(running.account)
        if row is not None and running.start_time > snapshot.block.timestamp - DAY_S:
            found[row] = restored(before[row]) and not restored(in_force[row])
    return found


def day_of(before: MarginTable, afters: Sequence[MarginTable], auctioned: Bools) -> Day:
    """Compare the parameters of a day ago with a push, as it binds at once and once it has arrived.

    Args:
        before: holders under a day ago's parameters.
        afters: the same accounts under the push.
        auctioned: `seized`, of the same accounts.
    """
    known, was = ~before.in_bands(Band.UNKNOWN), before.in_bands(*_SHORT)
    below = [after.in_bands(*_SHORT) for after in afters]
    fallen = known & ~was & (np.logical_or.reduce(below) | auctioned)
    rows = np.flatnonzero(fallen).astype(np.int64)
    large = dict(_large(before))
    must_hold = known & (before.mm.nonzero | was | fallen)
    must_hold[[row for row, mm in large.items() if mm]] = True
    columns = zip(before.mm.at(rows).ints(), rows.tolist(), strict=True)
    weights = [(large.get(row, mm), row) for mm, row in columns]

    def moved(row: int) -> Moved:
        worse = (after for after, low in zip(afters, below, strict=True) if low[row])
        return moved_at(before, next(worse, before), row)

    return Day(
        accounts=int(must_hold.sum()),
        below_mm=len(rows),
        in_auction=int((fallen & auctioned).sum()),
        mm_before=before.mm.total(known) + sum(large.values()),
        mm_fallen=sum(mm for mm, _ in weights),
        named=tuple(moved(row) for _, row in heapq.nsmallest(NAMED, weights, key=lambda one: (-one[0], one[1]))),
        rows=rows,
    )


def maintenance_of(table: MarginTable, rows: npt.NDArray[np.int64]) -> int:
    """What some rows must hold, wad USD."""
    large = dict(_large(table))
    return sum(large.get(row, mm) for row, mm in zip(rows.tolist(), table.mm.at(rows).ints(), strict=True))


def joined(*told: Iterable[Brought]) -> tuple[Brought, ...]:
    """What several tell of one day, oldest first: each push once, as the first of them tells it that does."""
    found: list[Brought] = []
    for its in told:
        known = {one.at_s for one in found}
        found += [one for one in its if one.at_s not in known]
    return tuple(sorted(found, key=lambda one: one.at_s))


def told_of(brought: Iterable[Brought], now: int, own: Brought | None = None) -> tuple[Brought, ...]:
    """Pushes of the last day that brought somebody down, and one that is about to.

    Args:
        brought: those before, oldest first.
        now: unix seconds.
        own: the one that is about to; None if nobody weighed it.
    """
    lately = (one for one in brought if one.at_s > now - DAY_S)
    return (*lately, *([own] if own is not None and own.accounts_ppm else []))


def _large(table: MarginTable) -> Iterator[tuple[int, int]]:
    """Rows whose numbers the columns cannot hold, with their maintenance."""
    for account, margin in table.whole.items():
        row = table.row(account)
        if row is not None and isinstance(margin, AccountMargin):
            yield row, margin.mm
