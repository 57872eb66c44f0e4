"""The one table that all answers for a person are set in."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

#: A word longer than this is an address or a hash: it may go on in the next line, where nothing else helps.
_LONGEST_WORD: Final = 24
#: A figure with its unit stays in one line up to this.
_LONGEST_FIGURE: Final = 20
#: What stands between two columns: a blank on either side, and the box's own.
_BETWEEN: Final = 3


class Fitting(Table):
    """A table that breaks no word: where a line has no room for all columns, some go into a table below.

    The first column, which says what a row is about, stands in each.  Words that are no words (addresses, hashes) are
    folded: half an address is worse than two lines.
    """

    longest: int | None = _LONGEST_WORD
    """A word longer than this may be folded; None: none is."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As much beside one another as there is room for."""
        room = min(options.max_width, self.width or options.max_width)
        for nth, columns in enumerate(_parts(self.columns, room, self.longest)):
            if nth:
                yield Text()
            part = copy.copy(self)
            widths = set_widths(columns, room, _BETWEEN, self.longest)
            part.columns = [replace(c, width=w, _index=i) for i, (c, w) in enumerate(widths)]
            yield from Table.__rich_console__(part, console, options)

    def unbroken(self) -> Fitting:
        """The same, folding no word at all."""
        made = copy.copy(self)
        made.longest = None
        return made

    def least_unbroken(self) -> int:
        """The room which that takes: the first column beside the widest of the others."""
        first, *rest = (least(column, None) for column in self.columns)
        return first + max((_BETWEEN + one for one in rest), default=0)


def table(*names: str, numbers: int = 9) -> Fitting:
    """A table whose columns after the first are right-aligned, `numbers` of them."""
    made = Fitting(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False, header_style="bright_black")
    for i, name in enumerate(names):
        right = 0 < i <= numbers and name != ""
        made.add_column(name, justify="right" if right else "left", overflow="fold")
    return made


def _parts(columns: Sequence[Column], room: int, longest: int | None) -> Iterator[list[Column]]:
    """The columns of each table, one below the other."""
    if not columns:
        yield []
        return
    first, rest = columns[0], list(columns[1:])
    while True:
        taken, used = [first], least(first, longest)
        while rest and (len(taken) == 1 or used + _BETWEEN + least(rest[0], longest) <= room):
            used += _BETWEEN + least(rest[0], longest)
            taken.append(rest.pop(0))
        yield taken
        if not rest:
            return


def set_widths(
    columns: Sequence[Column], room: int, between: int, longest: int | None
) -> list[tuple[Column, int | None]]:
    """Each column's width: as wide as it likes where there is room, else what is left after the least of each.

    Args:
        columns: of one table.
        room: columns of the screen.
        between: what stands between two of the table's.
        longest: a word longer than this may be folded; None: none is.
    """
    room -= between * (len(columns) - 1)
    likes, widths = [most(c) for c in columns], [least(c, longest) for c in columns]
    if sum(likes) <= room or sum(widths) > room:
        return [(c, None) for c in columns]
    for i, column in enumerate(columns):  # an address in one piece, before sentences have it comfortable
        whole = _longest(column)
        if widths[i] < whole <= widths[i] + room - sum(widths):
            widths[i] = whole
    for _ in range(room - sum(widths)):
        needy = max(range(len(columns)), key=lambda i: likes[i] / widths[i])
        widths[needy] += 1
    return list(zip(columns, widths, strict=True))


def _texts(column: Column) -> Iterator[str]:
    for cell in (column.header, *column.cells):
        if isinstance(cell, Text):
            yield "" if cell.overflow == "crop" else cell.plain  # a bar, which may be shorter
        else:
            yield str(cell)


def _longest(column: Column) -> int:
    """Its longest word, whatever that is."""
    return max((cell_len(word) for text in _texts(column) for word in text.split()), default=1)


def most(column: Column) -> int:
    """Columns of the screen in which it breaks no line."""
    every = (cell.plain if isinstance(cell, Text) else str(cell) for cell in (column.header, *column.cells))
    return max((cell_len(line) for text in every for line in text.split("\n")), default=1) or 1


def least(column: Column, longest: int | None) -> int:
    """Columns of the screen in which it breaks no word up to `longest` (None: none at all), nor a figure from its unit.

    What must not be wrapped at all is taken as it is.
    """
    found, limit = 1, 10**9 if longest is None else longest
    if column.no_wrap and not any(isinstance(cell, Text) and cell.overflow == "crop" for cell in column.cells):
        return most(column)
    for nth, text in enumerate(_texts(column)):
        whole = cell_len(text)
        # The first column's head is the table's title.
        title = not nth and column._index == 0  # noqa: SLF001 - rich has no public name for a column's place
        if (title and whole <= _LONGEST_WORD) or (nth and column.justify == "right" and whole <= _LONGEST_FIGURE):
            found = max(found, whole)
        else:
            found = max(found, *(min(cell_len(word), limit) for word in text.split()), 1)
    return found
