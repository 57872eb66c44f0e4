"""The history of one parameter, for a person and for a script."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keeper.cli.show.refusals import in_words
from keeper.cli.show.words import signed, utc
from keeper.ops.parameter import Between, History, Moment
from keeper.policy.binding import NAMES
from keeper.policy.parameter import Parameter

#: Fences that are around more than one number.
_ABOUT: Final = {"joint": "joint post-condition"}


def history_view(history: History) -> RenderableType:
    """Newest first: what moved, and under it who, why, from what, inside which fences."""
    parts: list[RenderableType] = [Text(history.name, "bold")]
    if not history.moments:
        parts.append(Text("it was never published"))
    for moment in _by_block(history):
        if isinstance(moment, Between):
            parts += [Text(""), *_between(moment, history.parameter)]
            continue
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, said in _lines(moment, history.parameter):
            table.add_row(name, said)
        parts += [Text(""), _headline(moment, history.parameter), table]
    return Group(*parts)


def _by_block(history: History) -> list[Moment | Between]:
    """Both kinds, newest first; of one block what moved the number again comes first."""

    def at(one: Moment | Between) -> tuple[int, bool]:
        if isinstance(one, Moment):
            return one.landed.block.number, False
        return one.happened.block.number, one.new is not None

    return sorted([*history.moments, *history.between], key=at, reverse=True)


def _between(one: Between, parameter: Parameter) -> list[RenderableType]:
    """A headline, and who."""
    what = one.happened
    head = Text.assemble((what.event, "bold yellow"), f"  block {what.block.number:,}, {utc(what.block.timestamp)}")
    if one.new is not None:
        head = Text.assemble((f"{value(one.old, parameter)} → {value(one.new, parameter)}  ", "bold cyan"), head)
    until = f", until {utc(what.until_s)}" if what.until_s else ""
    about = f"{_ABOUT.get(what.about, NAMES.get(what.about, what.about))}: " if what.about else ""
    via = f" via {what.via}" if what.via else ""
    who = f"{what.sender or 'unknown'}{via}, transaction {what.tx_hash}"
    inside = (0, 0, 0, 2)
    return [head, Padding(Text(f"{about}{what.said}{until}"), inside), Padding(Text(f"by {who}", "dim"), inside)]


def _headline(moment: Moment, parameter: Parameter) -> Text:
    landed = moment.landed
    text = Text.assemble((f"{value(moment.old, parameter)} → {value(moment.new, parameter)}", "bold cyan"))
    text.append(f"  id {landed.id}, block {landed.block.number:,}, {utc(landed.block.timestamp)}")
    return text


def _lines(moment: Moment, parameter: Parameter) -> list[tuple[str, str]]:
    landed = moment.landed
    lines = [("who", f"{landed.sender or 'unknown'}, transaction {landed.tx_hash}")]
    if moment.kept:
        lines.append(("kept", f"the fences refused it: {in_words(moment.kept)}"))
    if moment.why:
        lines.append(("why", moment.why))
    if moment.here:
        lines.append(("target", value(moment.target, parameter)))
        # The first reason is the scan range's, the second the volatilities'.
        relevant = moment.reasons[:1] if parameter.what.ranged else moment.reasons[1:3]
        lines += [("", reason) for reason in relevant]
    lines += [
        (
            "floor",
            f"{floor.parameter} at least {floor.floor_ppm / 10_000:g} %, by {floor.operator}: {floor.reason}"
            + ("" if floor.stands(landed.block.timestamp) else f"; it ended {utc(floor.ends_at_s)}"),
        )
        for floor in moment.floors
    ]
    model = f", model {moment.model}" if moment.model is not None else "; not in this store"
    lines.append(("inputs", f"{landed.inputs_hash}{model}"))
    if moment.room is not None:
        room = moment.room
        lines.append(("fences", f"could be {value(room.low, parameter)} to {value(room.high, parameter)}"))
        left = f"{_points(room.left_up, parameter)} up, {_points(room.left_down, parameter)} down"
        lines.append(("budget left", f"{left}, counted from {value(room.anchor, parameter)} a day before"))
    if moment.ramp is not None:
        ramp = moment.ramp
        arrives = "not within a hundred days" if ramp.arrives_s is None else utc(ramp.arrives_s)
        said = f"from {value(ramp.in_force, parameter)} in force, at most {ramp.rate_ppm_per_hour / 10_000:g} % an hour"
        there = "in force already" if ramp.in_force == moment.new else f"{said}; there by {arrives}"
        lines.append(("ramp", there))
    return lines


def _points(number: int, parameter: Parameter) -> str:
    """A distance, in hundredths of one."""
    return signed(f"{number / 10_000_000:.4f}" if parameter.in_ppb else f"{number / 10_000:g}") + " points"


def value(number: int | None, parameter: Parameter) -> str:
    """In percent; `–` where there is none."""
    if number is None:
        return "–"
    return signed(f"{number / 10_000_000:.4f} %" if parameter.in_ppb else f"{number / 10_000:g} %")


def history_tree(history: History) -> dict[str, Any]:
    """The same for a script; numbers in the unit that is named."""
    return {
        "parameter": history.name,
        "unit": "ppb" if history.parameter.in_ppb else "ppm",
        "history": [_moment_tree(one) for one in history.moments],
        "between": [_between_tree(one) for one in history.between],
    }


def _between_tree(one: Between) -> dict[str, Any]:
    what = one.happened
    return {
        "event": what.event,
        "block": what.block.number,
        "time_s": what.block.timestamp,
        "tx": what.tx_hash,
        "sender": what.sender,
        "via": what.via,
        "about": what.about or None,
        "said": what.said,
        "until_s": what.until_s or None,
        "old": one.old,
        "new": one.new,
    }


def _moment_tree(moment: Moment) -> dict[str, Any]:
    landed = moment.landed
    return {
        "id": landed.id,
        "block": landed.block.number,
        "time_s": landed.block.timestamp,
        "tx": landed.tx_hash,
        "sender": landed.sender,
        "via": landed.via,
        "old": moment.old,
        "new": moment.new,
        "kept": moment.kept or None,
        "target": moment.target,
        "why": moment.why or None,
        "reasons": list(moment.reasons),
        "inputs_hash": landed.inputs_hash,
        "inputs_here": moment.here,
        "model": moment.model,
        "floors": [vars(one) for one in moment.floors],
        "fences": None
        if moment.room is None
        else vars(moment.room) | {"left_up": moment.room.left_up, "left_down": moment.room.left_down},
        "ramp": None if moment.ramp is None else vars(moment.ramp),
    }
