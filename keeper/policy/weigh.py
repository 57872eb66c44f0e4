"""What a push would do to everybody, by itself and with all pushes of the last day.

A push is weighed twice: as it binds at once (volatilities and forwards, while scan ranges are still where they are),
and as it binds when the ranges have arrived at their targets.  Whoever falls below maintenance in either counts.

It is held against what is in force now, so that a series of small pushes, while ranges are still on their way, weighs
as much as one large push.  And it is held, with everything that the last day's pushes did, against the parameters of a
day ago (`keeper.policy.day`): the same shares bind for all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.columns import id_column
from keeper.domain.inputs import Brought
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin_table import MarginTable
from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Snapshot, UnderlyingState, Usable
from keeper.policy.day import Day, day_of, file_of_a_day_ago, maintenance_of, seized, stood_still, told_of
from keeper.policy.effect import Effect, effect, share_ppm, short_of
from keeper.policy.guard import current
from keeper.policy.impact import file_after, holders, margins_under, uplift
from keeper.policy.part import published
from keeper.risk.exact.slew import begun

Ints = npt.NDArray[np.int64]

PPM: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What a push would do, and whether it may."""

    passes: bool
    at_once: Effect
    """As it binds in its own block."""
    arrived: Effect
    """As it binds once scan ranges are at their targets, if price and time stood still."""
    adds: int
    """Accounts below maintenance that the targets already set would not bring there."""
    suspects: Ints
    """Rows among the holders, ascending: theirs, and of those whom the day's pushes bring down with it."""
    alone: bool
    """Whether it is within the shares at once, and once it has arrived, by itself."""
    day_passes: bool
    """Whether it is with all pushes of the last day, as far as the book still shows whom they bring down."""
    day: Day
    """Whom it brings down at once or once it has arrived, with all pushes of the last day."""
    first: bool
    """Whether no push of the last day moved anything."""
    brings: Brought
    """Whom it adds, as shares."""
    brought: Brought
    """The same of our own pushes of the day before it, all together, as each was weighed."""
    blind: bool
    """Whether it changes something while more holders than may fall cannot be priced: nobody knows whom it brings
    down."""

    @property
    def worst(self) -> Effect:
        """The one of the two that brings more below maintenance."""
        return max(self.at_once, self.arrived, key=lambda one: (one.below_mm, one.mm_fallen))


class Scale:
    """Weighs pushes of one underlying at one block; what is in force is measured once.

    Args:
        snapshot: the block's state.
        u: the underlying; with a file in force, fences and a usable price.
        knobs: the shares.
        brought: whom our own pushes of the last day were to bring down.
    """

    def __init__(
        self, snapshot: Snapshot, u: UnderlyingState, knobs: PolicyKnobs, brought: Sequence[Brought] = ()
    ) -> None:
        assert u.live is not None, "there is nothing in force to compare with"
        assert u.publication is not None, "its fences are known"
        assert isinstance(u.spot, Usable), "its price is usable"
        self._u, self._knobs = u, knobs
        self._snapshot = replace(snapshot, accounts=holders(snapshot, u.underlying))
        self._spot, self._now = u.spot.wad, snapshot.block.timestamp
        self.before = self.under_file(u.live.ranges)
        """Everybody under what is in force, recomputed at this block."""
        self._maintenance = effect(u.underlying, self.before, self.before).mm_before
        self._short = short_of(self.before)
        target = current(u.publication)
        self._doomed = self._short if target == u.live.ranges else short_of(self.under_file(target))
        then = file_of_a_day_ago(u, spot=self._spot, now=self._now)
        self._first = stood_still(u, then)
        lately = told_of(brought, self._now)
        self._brought = Brought(
            at_s=self._now,
            accounts_ppm=sum(one.accounts_ppm for one in lately),
            requirement_ppm=sum(one.requirement_ppm for one in lately),
        )
        self._then = (
            self.before
            if self._first and then.ranges == u.live.ranges
            else margins_under(self._snapshot, {u.underlying: then})
        )
        """Everybody under the parameters of a day ago."""
        self._maintenance_then = effect(u.underlying, self._then, self._then).mm_before
        self._seized = seized(snapshot, self._then, self.before)

    def under_file(self, ranges: Ranges) -> MarginTable:
        """Everybody under what is in force with other scan ranges."""
        live, state = self._u.live, self._u.publication
        assert live is not None, "there is something in force"
        assert state is not None, "its fences are known"
        widened = live.im_uplift_pct if ranges == live.ranges else uplift(self._u, ranges, current(state))
        file = replace(live, ref_spot=self._spot, time=self._now, ranges=ranges, im_uplift_pct=widened)
        return margins_under(self._snapshot, {self._u.underlying: file})

    def under(self, params: UnderlyingTarget, ranges: Ranges, *, among: Ints | None = None) -> MarginTable:
        """Everybody, or the holders in some rows, under a publication while these scan ranges are in force."""
        file = file_after(self._u, params, ranges=ranges, spot=self._spot, now=self._now)
        seen = self._snapshot
        if among is not None:
            seen = replace(seen, accounts=seen.accounts.only(among))
        return margins_under(seen, {self._u.underlying: file})

    def begun(self, target: Ranges) -> Ranges:
        """Scan ranges in force right after a publication at this block."""
        slew = self._u.publication.slew if self._u.publication else None
        return begun(self._u.live, slew, target, self._u.rules, now=self._now)[0]

    def weigh(self, params: UnderlyingTarget) -> Weighed:
        """Replay every account under a publication."""
        at_once, arrived = self.under(params, self.begun(params.ranges)), self.under(params, params.ranges)
        effects = [effect(self._u.underlying, self.before, after) for after in (at_once, arrived)]
        adds = self._added(at_once) | self._added(arrived)
        alone, day = all(self._few(one) for one in effects), self._day(at_once, arrived)
        added = np.flatnonzero(np.isin(self.before.ids, id_column(sorted(adds)))).astype(np.int64)
        brings = Brought(
            at_s=self._now,
            accounts_ppm=share_ppm(len(adds), effects[1].accounts),
            requirement_ppm=share_ppm(maintenance_of(self.before, added), self._maintenance),
        )
        within = alone and self._few(day) and self._few(brings, self._brought)
        few_unknown = all(
            one.unknown * PPM <= self._knobs.impact_max_accounts_ppm * len(self.before) for one in effects
        )
        blind = not few_unknown and params != published(self._u, params)
        return Weighed(
            passes=(within or not adds) and not blind,
            at_once=effects[0],
            arrived=effects[1],
            adds=len(adds),
            suspects=np.union1d(added, day.rows),
            alone=alone,
            day_passes=self._few(day),
            day=day,
            first=self._first,
            brings=brings,
            brought=self._brought,
            blind=blind,
        )

    def _few(self, *parts: Effect | Day | Brought) -> bool:
        """Whether both shares are kept, of some parts together."""
        return (
            sum(one.accounts_ppm for one in parts) <= self._knobs.impact_max_accounts_ppm
            and sum(one.requirement_ppm for one in parts) <= self._knobs.impact_max_requirement_ppm
        )

    def _day(self, *afters: MarginTable, among: Ints | None = None) -> Day:
        """What the last day's pushes do with one that leaves these margins, to all holders or those in some rows."""
        if among is None:
            return day_of(self._then, afters, self._seized)
        return day_of(self._then.only(among), afters, self._seized[among])

    def surely_fails(self, params: UnderlyingTarget, suspects: Ints) -> bool:
        """Whether a push fails by what it does to some holders alone; the others could only add to that.

        Args:
            params: the push.
            suspects: rows of `before`, ascending: whom the whole step adds, and whom the day's pushes bring down.
        """
        before = self.before.only(suspects)
        afters = [self.under(params, ranges, among=suspects) for ranges in (self.begun(params.ranges), params.ranges)]
        adds = frozenset[int]().union(*(self._added(after) for after in afters))
        if not adds:
            return False
        # Of a larger whole: no part is overstated.
        left = self._knobs.impact_max_accounts_ppm - self._brought.accounts_ppm
        if len(adds) * PPM > left * len(self.before):
            return True
        done: tuple[Effect | Day, ...] = (
            *(effect(self._u.underlying, before, one) for one in afters),
            self._day(*afters, among=suspects),
        )
        # Shares of everything there is, so that none is overstated.
        return any(
            one.below_mm * PPM > self._knobs.impact_max_accounts_ppm * len(self.before)
            or one.mm_fallen * PPM > self._knobs.impact_max_requirement_ppm * self._whole(one)
            for one in done
        )

    def _whole(self, one: Effect | Day) -> int:
        """Maintenance of everybody under what a comparison begins with."""
        return self._maintenance_then if isinstance(one, Day) else self._maintenance

    def _added(self, after: MarginTable) -> frozenset[int]:
        """Below maintenance, where neither what is in force nor the targets already set would bring them."""
        return short_of(after) - self._doomed - self._short
