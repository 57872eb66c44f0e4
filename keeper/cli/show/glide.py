"""`keeper glide` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.numbers import bound, bound_tree, number, span, when
from keeper.cli.show.tables import table as plain_table
from keeper.cli.show.targets import targets_tree
from keeper.control.glide import GlidePath
from keeper.policy.binding import FENCES, NAMES
from keeper.policy.glide import Glide, Step

#: Publications of a long path that are shown before and after what is left out.
SHOWN = 16


def glides_view(found: Sequence[GlidePath]) -> RenderableType:
    """Each path: its publications, when the target is set, when margins arrive, and what stays out of reach."""
    if not found:
        return Text("nothing can be moved: keeper recalibrate tells why", style="yellow")
    parts: list[RenderableType] = []
    for one in found:
        parts += [*_one(one), Text()]
    return Group(*parts[:-1])


def _one(one: GlidePath) -> list[RenderableType]:
    g = one.glide
    parts: list[RenderableType] = [Text(f"{one.symbol}, from {words.utc(g.begins_s)}", style="bold")]
    if g.steps:
        table = plain_table("publication", "comes in", "scan range", "in force then", "held back by", numbers=3)
        table.columns[0].no_wrap = True
        rows: list[Step | None] = list(g.steps)
        after = dict(zip((step.at_s for step in g.steps), g.steps[1:], strict=False))
        if len(rows) > 2 * SHOWN:
            rows = [*rows[:SHOWN], None, *rows[-SHOWN // 2 :]]
        for step in rows:
            if step is None:
                table.add_row("…", "", "", "", Text(f"{len(g.steps)} in all", style="bright_black"))
                continue
            at = step.at_s - g.begins_s
            table.add_row(
                words.minute(step.at_s),
                "now" if at == 0 else span(at),
                number("psr", step.params.ranges.psr_ppm),
                number("psr", step.in_force.psr_ppm),
                Text(_held(step, after.get(step.at_s)), style="bright_black"),
            )
        parts.append(Padding(table, (0, 0, 0, 2)))
    said = [
        f"target set: {when(g.set_at_s, g.begins_s)}" if g.steps or g.stops else "the target is set already",
        f"margins arrive: {when(g.arrives_at_s, g.begins_s)}",
    ]
    if one.loosens_from_s > g.begins_s:
        said.append(f"scan ranges are lowered from {when(one.loosens_from_s, g.begins_s)} at the earliest")
    parts.append(Padding(Text("\n".join(said)), (0, 0, 0, 2)))
    wrong = [g.stops] if g.stops else []
    wrong += [
        f"out of reach: {NAMES[b.name]}{' ' + words.day(b.expiry) if b.expiry else ''} of {number(b.name, b.wanted)}; "
        f"bounds end at {number(b.name, b.legal)}, only governance can move them"
        for b in g.unreachable
    ]
    if wrong:
        parts.append(Padding(Text("\n".join(wrong), style="bold yellow"), (0, 0, 0, 2)))
    return parts


def _held(step: Step, after: Step | None) -> str:
    by: dict[str, list[str]] = {}
    for one in step.short:
        by.setdefault(FENCES.get(one.by, one.by), []).append(bound(one).partition(":")[0])
    said = [f"{fence}: {', '.join(dict.fromkeys(names))}" for fence, names in by.items()]
    if after is not None and after.waited:
        opens = dict.fromkeys(_OPENS.get(one.by, FENCES.get(one.by, one.by)) for one in after.waited)
        said.append(f"waits until {words.minute(after.at_s)}: {', '.join(opens)}")
    return "; ".join(said)


#: What time alone does about a fence.
_OPENS: Final = {
    "budget": "enough of the day's budget is free then",
    "joint": "enough of the joint day's budget is free then",
    "step": "a step is worth a publication then",
    "speed": "the pace of loosening lets it go on then",
    "veto": "the guardian's veto is over then",
}


def glides_tree(found: Sequence[GlidePath]) -> dict[str, Any]:
    """Every path as an object."""
    return {
        "underlyings": [
            {"symbol": one.symbol, "loosens_from_s": one.loosens_from_s} | _tree(one.glide) for one in found
        ]
    }


def _tree(g: Glide) -> dict[str, Any]:
    return {
        "underlying": g.underlying,
        "begins_s": g.begins_s,
        "set_at_s": g.set_at_s,
        "arrives_at_s": g.arrives_at_s,
        "stops": g.stops or None,
        "target": targets_tree(g.target),
        "unreachable": [bound_tree(one) for one in g.unreachable],
        "steps": [
            {
                "at_s": step.at_s,
                "params": targets_tree(step.params),
                "in_force": vars(step.in_force),
                "short": [bound_tree(one) for one in step.short],
                "waited": [bound_tree(one) for one in step.waited],
            }
            for step in g.steps
        ],
    }
