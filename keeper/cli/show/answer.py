"""Where answers go: stdout, as one JSON object or through rich."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.status import Status

from keeper.cli.show.piped import Piped

#: Columns where nobody says how many there are, and the fewest that are believed.
WIDTH: Final = 80
NARROWEST: Final = 40


def console() -> Console:
    """stdout for a person.

    Outside a terminal without colour, and as wide as COLUMNS says, else 80, but for lines with a longer word in them.
    """
    out = Console(highlight=False, soft_wrap=False, emoji=False)
    if not out.is_terminal:
        out = Piped(highlight=False, emoji=False, width=_columns(os.environ.get("COLUMNS", "")), color_system=None)
    return out


def _columns(said: str) -> int:
    """A width that tables can be set in."""
    wanted = int(said) if said.isascii() and said.isdecimal() and len(said) < 5 else 0
    return max(wanted, NARROWEST) if wanted else WIDTH


def working(what: str) -> Status:
    """Shows a line on stderr while something takes long, where a person is looking."""
    return Console(stderr=True).status(what)


def answer(tree: Mapping[str, object], *, indent: int | None = 2) -> None:
    """One JSON object on stdout; with `indent=None` on one line, for streams."""
    # Where stdout has no Unicode letters are escaped: JSON loses nothing by it.
    plain = not (sys.stdout.encoding or "utf-8").lower().replace("-", "").startswith("utf")
    print(json.dumps(tree, indent=indent, ensure_ascii=plain, allow_nan=False), flush=True)
