"""Answers that go into a pipe or a file: what a person copies from there is never broken.

A terminal has an edge, and half an address in the next line is better than none.  A pipe has no edge: there a line that
holds an address, a hash or a path grows until that stands in one piece, and every other line is set as on a terminal.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keeper.cli.show.tables import Fitting, least, most, set_widths

#: Columns in which words read well; a longer word is an address, a hash or a path.
COMFORT: Final = 32


class Piped(Console):
    """A console without an edge."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As `Console.print`, and longer lines where a word needs them; words with options of their own stay theirs."""
        whole = (one if isinstance(one, str) and options else Whole(one) if _known(one) else one for one in objects)
        super().print(*whole, **{"crop": False, **options})


class Whole:
    """What is inside, at the width it is given or at the least at which it breaks no word."""

    def __init__(self, inside: RenderableType) -> None:
        self.inside = inside

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Each part of a group has a width of its own."""
        for one in _flat(self.inside, console):
            found, room = _set(one, options.max_width)
            yield from console.render(found, options.update(width=room))


def _known(one: Any) -> bool:
    return isinstance(one, str | Text | Group | Padding | Table)


def _flat(one: RenderableType, console: Console) -> Iterator[RenderableType]:
    if isinstance(one, Group):
        for part in one.renderables:
            yield from _flat(part, console)
    elif isinstance(one, str):
        yield console.render_str(one)
    else:
        yield one


def _set(one: RenderableType, room: int) -> tuple[RenderableType, int]:
    """How it is set where nothing may be broken, and the width that this takes; at least the room there is."""
    if isinstance(one, Padding):
        margins = one.left + one.right
        found, inner = _inside(one.renderable, room - margins)
        return Padding(found, (one.top, one.right, one.bottom, one.left), style=one.style, expand=one.expand), (
            inner + margins
        )
    return _inside(one, room)


def _inside(one: RenderableType, room: int) -> tuple[RenderableType, int]:
    if isinstance(one, Text):
        return one, max([room, *(cell_len(word) for word in one.plain.split())])
    if isinstance(one, Group):
        parts = [_set(part, room) for part in one.renderables]
        return Group(*(part for part, _ in parts)), max([room, *(width for _, width in parts)])
    if isinstance(one, Fitting):
        return one.unbroken(), max(room, one.least_unbroken())
    if type(one) is Table and one.columns:
        return _table(one, room)
    return one, room


def _table(one: Table, room: int) -> tuple[Table, int]:
    """A plain table: each column as wide as its longest word at least, what is left of the room to the needy ones."""
    between = sum(one.padding[i] for i in (1, 3)) + (1 if one.box is not None else 0)
    columns, edges = one.columns, between if one.pad_edge or (one.show_edge and one.box is not None) else 0
    narrowest = [least(c, None) for c in columns]
    if max(narrowest) > COMFORT:  # the line is long as it is: words beside it need not be squeezed
        narrowest = [max(width, min(most(c), COMFORT)) for c, width in zip(columns, narrowest, strict=True)]
    room = max(room, sum(narrowest) + between * (len(columns) - 1) + edges)
    made = copy.copy(one)
    made.columns = [
        replace(c, width=c.width if c.width is not None else width, _index=c._index)  # noqa: SLF001 - see tables.py
        for c, width in set_widths(columns, room - edges, between, None)
    ]
    return made, room
