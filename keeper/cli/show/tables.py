"""The one table that all answers for a person are set in."""

from __future__ import annotations

from rich import box
from rich.table import Table


def table(*names: str, numbers: int = 9) -> Table:
    """A table whose columns after the first are right-aligned, `numbers` of them.

    Where there is no room cells go on in the next line: half an address or half a number is worse than two lines.
    """
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False, header_style="bright_black")
    for i, name in enumerate(names):
        right = 0 < i <= numbers and name != ""
        made.add_column(name, justify="right" if right else "left", overflow="fold")
    return made
