"""Floors set by hand, for a person and for a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.tables import table as plain_table
from keeper.domain.overrides import PARAMETERS, Override
from keeper.domain.raw_units import moment

_NAMES = {ours: theirs for theirs, ours in PARAMETERS.items()}


def overrides_view(
    found: Sequence[Override],
    symbols: Mapping[int, str],
    remarks: Mapping[int, str],
    cleared_why: Mapping[int, str],
    *,
    now_s: int,
) -> RenderableType:
    """A line each.

    Args:
        found: floors.
        symbols: tickers by underlying.
        remarks: what else to know of one, by its number.
        cleared_why: why one was taken back, by its number.
        now_s: unix seconds.
    """
    if not found:
        return Text("no floor stands", style="bright_black")
    table = plain_table("floor", "at least", "set", "until", "by", "reason", "", numbers=1)
    for one in found:
        table.add_row(
            f"{one.number}  {_name(one, symbols)}",
            words.percent(one.floor_ppm),
            _minute(one.set_at_s),
            _minute(one.expires_at_s),
            one.operator,
            one.reason,
            _state(one, remarks.get(one.number, ""), cleared_why.get(one.number, ""), now_s),
        )
    return table


def _minute(at_s: int) -> str:
    return moment(at_s - at_s % 60)


def _name(one: Override, symbols: Mapping[int, str]) -> str:
    return f"{symbols.get(one.underlying, one.underlying)}.{_NAMES[one.parameter]}"


def _state(one: Override, remark: str, cleared_why: str, now_s: int) -> Text:
    if one.stands(now_s):
        return Text.assemble(("stands", "green"), (f"; {remark}", "yellow") if remark else "")
    if one.cleared_at_s is not None:
        why = f": {cleared_why}" if cleared_why else ""
        return Text(f"cleared {_minute(one.cleared_at_s)} by {one.cleared_by}{why}", style="bright_black")
    return Text("lapsed", style="bright_black")


def overrides_tree(
    found: Sequence[Override],
    symbols: Mapping[int, str],
    remarks: Mapping[int, str],
    cleared_why: Mapping[int, str],
    *,
    now_s: int,
) -> dict[str, Any]:
    """The same as one object."""
    trees = [override_tree(one, symbols, cleared_why, now_s=now_s) for one in found]
    return {"overrides": [tree | {"remark": remarks.get(one.number)} for tree, one in zip(trees, found, strict=True)]}


def override_tree(
    one: Override, symbols: Mapping[int, str], cleared_why: Mapping[int, str], *, now_s: int
) -> dict[str, Any]:
    """One floor as an object."""
    more = {"parameter": _name(one, symbols), "stands": one.stands(now_s), "cleared_why": cleared_why.get(one.number)}
    return vars(one) | more


def cleared_line(one: Override, symbols: Mapping[int, str], cleared_why: Mapping[int, str]) -> Text:
    """What became of the floor that was just taken back."""
    why = f": {cleared_why[one.number]}" if one.number in cleared_why else ""
    return Text(f"floor {one.number} under {_name(one, symbols)} is cleared by {one.cleared_by}{why}")
