"""The flash-crash breaker in the demo: when it opened, why, and whose flags waited for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.domain.report import MarginReport
from keeper.domain.snapshot import Snapshot, Usable
from keeper.policy.breaker import Deferrals
from keeper.policy.liquidate import SHORT, flags
from keeper.policy.priced import Priced


@dataclass(frozen=True, kw_only=True)
class Opening:
    """The breaker of one market, opened by one round of its feed.  Market time, unix seconds."""

    symbol: str
    since_s: int
    until_s: int
    """When it releases by itself; the next round may do so before."""
    why: str
    """`jump` or `feeds`."""
    move: float | None
    """How far the price left the one before it, as a part of that; None if either was unusable."""
    waited: int = 0
    """Accounts whose flag would have gone out at once, and waited for it."""
    flagged: int = 0
    """Of those, put in auction when it was over, before prices moved again."""


def opened(snapshot: Snapshot, before: Snapshot | None, *, shift_s: int) -> tuple[Opening, ...]:
    """Breakers that are open at a block and were not at the one before.

    Args:
        snapshot: the block's state.
        before: state at the prices before it; None at the first.
        shift_s: chain time less market time.
    """
    known = {} if before is None else {u.underlying: u for u in before.underlyings}
    found = []
    for u in snapshot.underlyings:
        was = known.get(u.underlying)
        last = was.breaker if was is not None else None
        if u.breaker is None or not u.breaker.open or (last is not None and last.until_s == u.breaker.until_s):
            continue
        old = was.spot.wad if was is not None and isinstance(was.spot, Usable) else 0
        move = u.spot.wad / old - 1 if old and isinstance(u.spot, Usable) else None
        since_s, until_s = snapshot.block.timestamp - shift_s, u.breaker.until_s - shift_s
        found.append(Opening(symbol=u.symbol, since_s=since_s, until_s=until_s, why=u.breaker.why, move=move))
    return tuple(found)


def waiting(snapshot: Snapshot, report: MarginReport) -> dict[int, str]:
    """Accounts that the keeper would flag at a block if no breaker were open, and the ticker of the one they wait for.

    Args:
        snapshot: the block's state.
        report: its margins.
    """
    waits = Deferrals(snapshot)
    closed = replace(
        snapshot,
        underlyings=tuple(replace(u, breaker=None) for u in snapshot.underlyings),
        collaterals=tuple(replace(c, breaker=None) for c in snapshot.collaterals),
    )
    again = [a for table in (report.refreshed, report.previous) for a in table.where(~table.in_bands(*SHORT))]
    found = {flag.account: waits.of(flag.account) for flag in flags(closed, Priced(report.accounts), again)}
    return {account: deferral.symbol for account, deferral in found.items() if deferral is not None}
