"""`keeper margin` for a person."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from keeper.documents.derive_case import DeriveCase
from keeper.documents.evaluate import Evaluation, sizes_of
from keeper.risk.kernel.requirement import LineKind, Requirement, Unpriced

#: Cells of the longest bar, where the terminal has room for bars.
BAR: Final = 20
#: Columns from which on there is room for bars, and for lines of both requirements before and after.
WIDE: Final = 100


def margin_view(found: Evaluation, *, explain: bool, width: int) -> RenderableType:
    """The whole answer, for a terminal of `width` columns."""
    whose = "after the orders " if found.after is not None and isinstance(found.before, Requirement) else ""
    parts: list[RenderableType] = [_head(f"{found.preset} · {found.as_of:%Y-%m-%d %H:%M %Z}", found.final, whose)]
    if found.fills:
        parts += [Text("\nOrders, taken as filled", style="bold"), _fills(found)]
    if isinstance(found.before, Requirement) and isinstance(found.after, Requirement):
        parts += [Text("\nBefore and after", style="bold"), _change(found.before, found.after)]
    final = found.final
    if isinstance(final, Requirement):
        after = " after the orders" if found.after is not None else ""
        parts.append(_why(final, found.sizes if explain else {}, after, explain=explain, width=width))
    parts += [Text.assemble(("\nnote  ", "yellow"), minus_words(note)) for note in found.notes]
    return Group(*parts)


def standing(one: Requirement) -> tuple[str, str]:
    """Where an account stands, in a word, and its colour."""
    if one.equity < 0.0:
        return "insolvent", "bright_magenta"
    if one.mm_excess < 0.0:
        return "below maintenance", "red"
    if one.im_excess < 0.0:
        return "below initial", "yellow"
    return "healthy", "green"


def case_view(
    case: DeriveCase, figures: Mapping[str, float | str], found: Requirement, *, explain: bool, width: int
) -> RenderableType:
    """A published case: its four figures as the venue counts, and why."""
    table = _table("", "as the venue counts")
    for what, figure in figures.items():
        said = figure if isinstance(figure, str) else amount_words(figure, found.currency)
        table.add_row("  " + what, Text(said, style="bold"))
    head = _head(f"{found.preset} · {case.name}", found, "")
    sizes = sizes_of(case.portfolio) if explain else {}
    return Group(head, Text(), table, _why(found, sizes, "", explain=explain, width=width))


def _why(one: Requirement, sizes: Mapping[str, float], after: str, *, explain: bool, width: int) -> RenderableType:
    return Group(
        Text(f"\nWorst rows{after}", style="bold"),
        _worst(one),
        Text(f"\nRequirement{after}", style="bold"),
        _requirement(one, sizes, explain=explain, wide=width >= WIDE),
    )


def _head(title: str, final: Requirement | Unpriced, whose: str) -> RenderableType:
    if isinstance(final, Unpriced):
        body, style = Text.assemble((f"UNKNOWN {whose}", "bold bright_black"), " " + final.reason), "bright_black"
    else:
        word, style = standing(final)
        body = Text.assemble(
            (word.upper(), f"bold {style}"), "   health ", (health_words(final.health), f"bold {style}")
        )
        for name, amount in (("equity", final.equity), ("IM", final.im), ("MM", final.mm)):
            body.append(f"   {name} ")
            body.append(amount_words(amount, final.currency), "bold")
        body.append(f" {final.currency}", "bright_black")
        if final.debt > 0.0:
            body.append(f"\ndebt {amount_words(final.debt, final.currency)}")
            if final.is_loan:
                body.append("   health is the health factor: collateral at its thresholds over debt", "bright_black")
            else:
                body.append("   health factor ")
                body.append(health_words(final.health_factor), "bold")
    return Panel(
        body,
        title=Text(f" {title} ", style="bold"),
        title_align="left",
        box=box.ROUNDED,
        border_style=style,
        padding=(0, 1),
    )


def _fills(found: Evaluation) -> Table:
    currency = found.final.currency if isinstance(found.final, Requirement) else "USD"
    table = _table("", "", "price", "premium", "fee")
    for fill in found.fills:
        price = Text.assemble(amount_words(fill.price, "USD"), (" mark" if fill.at_mark else "     ", "bright_black"))
        table.add_row(
            Text(f"  {_signed(f'{fill.amount:+,.10g}')}"),
            fill.instrument,
            price,
            amount_words(fill.premium, currency) if fill.premium else "",
            amount_words(-fill.fee, currency) if fill.fee else "",
        )
    return table


def _change(before: Requirement, after: Requirement) -> Table:
    table = _table("", "before", "after", "change")
    rows: Sequence[tuple[str, float, float, int]] = (
        ("equity", before.equity, after.equity, 1),
        ("initial margin IM", before.im, after.im, -1),
        ("  free", before.im_excess, after.im_excess, 1),
        ("maintenance margin MM", before.mm, after.mm, -1),
        ("  free", before.mm_excess, after.mm_excess, 1),
    )
    for name, old, new, good in rows:
        muted = "bright_black" if name.startswith(" ") else ""
        change = new - old
        style = "" if not change else "green" if change * good > 0.0 else "red"
        cells = [Text(amount_words(value, after.currency), style=muted) for value in (old, new)]
        table.add_row(
            Text("  " + name, style=muted), *cells, Text(amount_words(change, after.currency, sign=True), style=style)
        )
    was, now = before.health, after.health
    style = "" if was == now else "green" if now > was else "red"
    shift = _signed(f"{now - was:+.3f}") if math.isfinite(now - was) else ""
    table.add_row("  health", health_words(was), health_words(now), Text(shift, style=style))
    return table


def _worst(one: Requirement) -> Table:
    """What each block of rows would require by itself, and which of them decides."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("", *(Text(head, style="bright_black") for head in ("loss", "binds", "row")))
    named = {row.name: row for level in (one.initial, one.maintenance) for row in level.worst}
    for row in named.values():
        binds = [short for short, level in (("IM", one.initial), ("MM", one.maintenance)) if level.binding == row.name]
        mark = Text("  ● " if binds else "    ", style="red")
        tags = " · ".join(dict.fromkeys(row.rows))
        table.add_row(
            Text.assemble(mark, (row.name, "bold" if binds else "")),
            amount_words(row.loss, one.currency),
            Text(" ".join(binds), style="red"),
            Text(minus_words(tags)) if tags else Text("nothing loses", style="bright_black"),
        )
    return table


def _requirement(one: Requirement, sizes: Mapping[str, float], *, explain: bool, wide: bool) -> Table:
    """Initial and maintenance side by side: legs or their sum, each add-on, the whole."""
    table = _table("", "size" if sizes else "", "IM", "MM", wide=wide)
    rows = list(_lines(one, explain=explain))
    largest = max((abs(row.initial) for row in rows), default=0.0)
    for row in rows:
        is_leg = row.kind is LineKind.LEG
        name = Text(f"  {row.what}", style="" if is_leg and explain else "bright_black" if is_leg else "cyan")
        size = _signed(f"{sizes[row.what]:+,.10g}") if is_leg and row.what in sizes else ""
        beside = (
            [Text.assemble(_bar(row.initial, largest), "  ", (minus_words(row.detail), "bright_black"))] if wide else []
        )
        table.add_row(
            name, size, amount_words(row.initial, one.currency), amount_words(row.maintenance, one.currency), *beside
        )
    total = [Text(amount_words(amount, one.currency), style="bold underline") for amount in (one.im, one.mm)]
    table.add_row(Text("  required", style="bold"), "", *total)
    return table


@dataclass(frozen=True)
class _Row:
    """One line of both requirements."""

    kind: LineKind
    what: str
    initial: float = 0.0
    maintenance: float = 0.0
    detail: str = ""


def _lines(one: Requirement, *, explain: bool) -> Iterator[_Row]:
    """What has a part in either requirement, legs first."""
    if explain:
        yield from _paired(one, LineKind.LEG)
    elif one.initial.scenario or one.maintenance.scenario:
        yield _Row(LineKind.LEG, "worst row, all legs", one.initial.scenario, one.maintenance.scenario)
    yield from _paired(one, LineKind.ADD_ON)


def _paired(one: Requirement, kind: LineKind) -> Iterator[_Row]:
    rows: dict[str, _Row] = {}
    for level, column in ((one.initial, "initial"), (one.maintenance, "maintenance")):
        for line in level.lines:
            if line.kind is kind:
                row = rows.get(line.what, _Row(kind, line.what, detail=line.detail if kind is LineKind.ADD_ON else ""))
                rows[line.what] = replace(row, **{column: getattr(row, column) + line.amount})
    yield from rows.values()


def _table(*heads: str, wide: bool = False) -> Table:
    """A name, figures under their heads, and if `wide` a column for bars and words."""
    table = Table.grid(padding=(0, 2))
    for number in range(len(heads)):
        table.add_column(justify="right" if number else "left", no_wrap=True)
    if wide:
        table.add_column(overflow="fold")
    if any(heads):
        table.add_row(*(Text(head, style="bright_black") for head in heads))
    return table


def _bar(amount: float, largest: float) -> Text:
    cells = math.ceil(abs(amount) / largest * BAR) if largest else 0
    return Text("█" * cells, style="red" if amount > 0.0 else "green")


def amount_words(amount: float, currency: str, *, sign: bool = False) -> str:
    """Cents, or a millionth of a coin; what is smaller says so."""
    decimals = 2 if currency == "USD" else 6
    if amount and abs(amount) < 0.5 * 10**-decimals:
        return _signed(f"{amount:.1e}")
    return _signed(f"{amount:{'+' if sign else ''},.{decimals}f}")


def _signed(number: str) -> str:
    """A true minus sign."""
    return number.replace("-", "−")


def minus_words(words: str) -> str:
    """True minus signs before numbers, and no change to dates and names."""
    return re.sub(r"(?<!\S)-(?=\d)", "−", words)


def health_words(value: float) -> str:
    """Equity over MM."""
    return "∞" if math.isinf(value) else f"{value:.3f}"
