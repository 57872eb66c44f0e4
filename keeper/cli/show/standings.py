"""Published parameters beside their targets: budget left, and the way of those in force; for a person and a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.tables import table as plain_table
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import UnderlyingState
from keeper.ops.status import Status
from keeper.policy.held import Key
from keeper.policy.standing import Standing, standings


def standings_view(status: Status) -> list[RenderableType]:
    """A line a parameter; nothing where none can be published."""
    if status.snapshot is None or status.last is None:
        return []
    now = status.snapshot.block.timestamp
    targets = {t.underlying: t for t in status.last.decision.targets}
    left = ("budget left up, points", "down, points")
    titles = ("target", "published", "in force", *left, "may move", "arrives", "held by")
    table = plain_table("parameter", *titles, numbers=7)
    for u in status.snapshot.underlyings:
        for one in standings(u, targets.get(u.underlying), now):
            name = Text(f"{u.symbol} ", style="bold").append(one.said, style="not bold")
            by = status.held.get(u.underlying, {}).get((one.name, one.expiry), "")
            table.add_row(name, *_cells(one, now), Text(by, style="yellow"))
    widened = [
        Text(f"{u.symbol}: IM is {u.live.im_uplift_pct} % higher until scan ranges in force are there", style="yellow")
        for u in status.snapshot.underlyings
        if u.live is not None and u.live.im_uplift_pct
    ]
    return [table, *widened] if table.row_count else []


def _cells(one: Standing, now: int) -> list[Text]:
    colour = "yellow" if one.ramps else ""
    return [
        Text("–" if one.target_ppm is None else _percent(one.target_ppm)),
        Text(_percent(one.published_ppm), style="bold"),
        Text("–" if one.in_force_ppm is None else _percent(one.in_force_ppm), style=colour),
        _left(one.left_up_ppm, one.left_up_share_ppm),
        _left(one.left_down_ppm, one.left_down_share_ppm),
        Text(_when(one.next_allowed_s, now)),
        Text(_when(one.arrives_s, now) if one.ramps else "arrived", style=colour),
    ]


def _left(points_ppm: int, share_ppm: int) -> Text:
    """What the day's budget leaves, in points and as a part of it; red when there is next to nothing."""
    said = f"{points_ppm / 10_000:.2f} ({share_ppm / 10_000:.0f} %)"
    return Text(said, style="red" if share_ppm < 50_000 else "")


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:.2f} %"


def _when(at_s: int | None, now: int) -> str:
    if at_s is None:
        return "never"
    return "now" if at_s <= now else words.minute(at_s)


def standings_tree(
    u: UnderlyingState, target: UnderlyingTarget | None, now: int, held: Mapping[Key, str]
) -> list[dict[str, Any]]:
    """One object a parameter; numbers in ppm, moments in unix seconds, null for never and for none."""
    return [asdict(one) | {"held_by": held.get((one.name, one.expiry)) or None} for one in standings(u, target, now)]
