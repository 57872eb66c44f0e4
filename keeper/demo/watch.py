"""From a block's records to the frame that is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.demo.breakers import Opening
from keeper.demo.frames import Frame, UnderlyingFrame
from keeper.demo.tally import Tally
from keeper.demo.words import say, say_opening
from keeper.demo.world import World
from keeper.domain.action import Bid
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleRecord, Handed
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import Snapshot, UnderlyingState, Usable
from keeper.policy.held import held_by
from keeper.policy.standing import standings
from keeper.ports import SnapshotReader

WAD, PPM = 10**18, 10**6


class Tap:
    """A `SnapshotReader` that remembers what it read last, and is otherwise the one it wraps."""

    def __init__(self, reader: SnapshotReader) -> None:
        self._reader = reader
        self.last: Snapshot | None = None

    def read(self, block: BlockRef) -> Snapshot:
        """See `SnapshotReader.read`."""
        self.last = self._reader.read(block)
        return self.last

    def reconcile(self, snapshot: Snapshot, *, sample: int) -> tuple[str, ...]:
        """See `SnapshotReader.reconcile`."""
        return self._reader.reconcile(snapshot, sample=sample)

    def tidy(self) -> None:
        """See `SnapshotReader.tidy`."""
        self._reader.tidy()


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One point of the path, lived: the cycle on the new prices and those that followed up on it."""

    index: int
    first: CycleRecord
    """On the block that brought the prices: its health is what is shown."""
    snapshot: Snapshot
    """Of the first cycle."""
    fund: int
    """Balance of the insurance fund after everything mined, wad USD."""
    handed: tuple[Handed, ...]
    """Of all cycles."""
    calls: int
    """Margin calls since the opening."""
    cycle_ms: float
    """The first cycle."""
    openings: tuple[Opening, ...] = ()
    """Breakers that opened with these prices."""


def frame(world: World, moment: Moment, tally: Tally) -> Frame:
    """What one moment looked like."""
    snapshot, report = moment.snapshot, moment.first.decision.report
    now = snapshot.block.timestamp
    targets = {t.underlying: t for t in moment.first.decision.targets}
    ours = {snapshot.own_account, snapshot.fund.account if snapshot.fund else None}
    members = [a for a in report.accounts if a.account not in ours]
    priced = [a for a in members if isinstance(a, AccountMargin)]
    bands = Counter(a.band if isinstance(a, AccountMargin) else Band.UNKNOWN for a in members)
    holding = [a.im for a in priced if a.underlyings]
    lines = [say(h, names=world.names, symbols=world.deployment.symbols, shift_s=world.shift_s) for h in moment.handed]
    # Who was flagged or bid on in this moment is counted by what was paid, from the next block on by what is left.
    untouched = [
        a
        for a in report.accounts
        if a.account not in {h.action.account for h in moment.handed if isinstance(h.action, Bid)}
    ]
    still_owed = owed(snapshot, untouched)
    return Frame(
        index=moment.index,
        blocks=len(world.path.points),
        block=snapshot.block.number,
        time=world.path.points[moment.index].time,
        underlyings=tuple(_underlying(u, targets.get(u.underlying), now) for u in snapshot.underlyings),
        requirement=sum(a.mm for a in priced) / WAD,
        mean_margin=sum(holding) / len(holding) / WAD if holding else 0.0,
        bands={band: bands.get(band, 0) for band in Band},
        auctions=len(tally.running),
        fund=moment.fund / WAD,
        bad_debt=(tally.from_fund + tally.socialised + still_owed) / WAD,
        pushes=tally.pushes,
        refreshes=tally.refreshes,
        margin_calls=moment.calls,
        liquidations=len(tally.flagged),
        settled=tally.settled,
        # Last, where a small screen still shows it.
        decisions=(*(line for line in lines if line), *map(say_opening, moment.openings)),
        alerts=moment.first.decision.alerts,
        cycle_ms=moment.cycle_ms,
        openings=moment.openings,
    )


def told(last: Frame, moment: Moment, *, risk: RiskKnobs, policy: PolicyKnobs) -> Frame:
    """The last frame of a run, with what keeps each parameter from its target."""
    snapshot, decision = moment.snapshot, moment.first.decision
    targets = {t.underlying: t for t in decision.targets}
    held = {
        u.symbol: held_by(
            snapshot, u, targets.get(u.underlying), risk=risk, policy=policy, gated=u.underlying in decision.gated
        )
        for u in snapshot.underlyings
    }
    return replace(last, underlyings=tuple(replace(u, held=held[u.symbol]) for u in last.underlyings))


def owed(snapshot: Snapshot, accounts: Sequence[object]) -> int:
    """What accounts owe beyond everything they have, collateral at its full price, wad USD."""
    full = {a.account: _uncounted(snapshot, a.collateral) for a in snapshot.accounts}
    return sum(
        max(0, -(a.equity + full.get(a.account, 0)))
        for a in accounts
        if isinstance(a, AccountMargin) and a.band is Band.INSOLVENT
    )


def _uncounted(snapshot: Snapshot, held: Sequence[tuple[int, int]]) -> int:
    """Market value of collateral that equity leaves out, wad USD."""
    assets = {c.collateral: c for c in snapshot.collaterals}
    total = 0
    for collateral, units in held:
        asset = assets[collateral]
        if isinstance(asset.price, Usable):
            value = units * asset.price.wad // 10**asset.decimals
            counted = min(units, asset.cap_per_account) * asset.price.wad // 10**asset.decimals
            total += value - counted * (PPM - asset.haircut_ppm) // PPM
    return total


def _underlying(u: UnderlyingState, target: UnderlyingTarget | None, now: int) -> UnderlyingFrame:
    return UnderlyingFrame(
        symbol=u.symbol,
        price=u.spot.wad / WAD if isinstance(u.spot, Usable) else None,
        psr=u.live.ranges.psr_ppm / PPM if u.live else None,
        psr_target=target.ranges.psr_ppm / PPM if target else None,
        ref_price=u.live.ref_spot / WAD if u.live else None,
        parameters=standings(u, target, now),
        chain_time=now,
        im_uplift_pct=u.live.im_uplift_pct if u.live else 0,
        breaker=u.breaker.why if u.breaker and u.breaker.open else "",
    )
