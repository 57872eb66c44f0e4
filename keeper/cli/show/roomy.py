"""Tables that never cut a number: where a terminal is narrow, columns go or move below, and words wrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Row = Sequence[str | Text]

#: Wider than any table: to ask one how wide it would like to be.
_ENDLESS: Final = 10_000
#: Labels are wrapped to this before columns move below.
_LABEL: Final = 26


class Roomy:
    """A label and figures by row.

    Args:
        heads: of every column; the first is of the labels.
        needless: columns that may be left out, in groups, the most useful first.  Empty: none may be, and what does not
            fit beside the labels stands below in a table of its own.
        left: columns of words, aligned left.
    """

    def __init__(
        self, *heads: str, needless: Sequence[Sequence[int]] = (), left: Sequence[int] = (), caption: str = ""
    ) -> None:
        self.heads, self.needless, self.left, self.caption = heads, needless, {0, *left}, caption
        self._rows: list[Row] = []

    def add_row(self, *cells: str | Text) -> None:
        """One cell per column."""
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As much as there is room for."""
        room = options.max_width
        parts = self._parts(console, options, room)
        for number, columns in enumerate(parts):
            if number:
                yield Text()
            yield self._table(columns)
        if self.caption:
            yield Text(self.caption, style="bright_black")
        gone = [self.heads[i] for i in range(len(self.heads)) if not any(i in columns for columns in parts)]
        if gone:
            yield Text(f"no room here for: {', '.join(gone)}; --json has them", style="bright_black")

    def _parts(self, console: Console, options: ConsoleOptions, room: int) -> list[list[int]]:
        """The columns of each table, one below the other."""

        def fits(columns: Sequence[int], label: int | None = None) -> bool:
            endless = options.update(width=_ENDLESS, max_width=_ENDLESS)
            return Measurement.get(console, endless, self._table(columns, label=label)).maximum <= room

        everything = list(range(len(self.heads)))
        if fits(everything):
            return [everything]
        if self.needless:
            shown = [i for i in everything if not any(i in group for group in self.needless)]
            for group in self.needless:
                if fits(sorted([*shown, *group])):
                    shown = sorted([*shown, *group])
            return [shown]
        figures = everything[1:]
        for count in range(1, len(figures)):
            parts = [[0, *map(int, part)] for part in np.array_split(figures, count)]
            if all(fits(columns, _LABEL) for columns in parts):
                return parts
        return [[0, i] for i in figures]

    def _table(self, columns: Sequence[int], *, label: int | None = None) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for i in columns:
            # Only labels wrap; of figures every digit stays.
            most = label if i == 0 else None
            table.add_column(
                self.heads[i], justify="left" if i in self.left else "right", no_wrap=i != 0, max_width=most
            )
        for cells in self._rows:
            table.add_row(*(cells[i] for i in columns))
        return table
