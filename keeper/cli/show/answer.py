"""Where answers go: stdout, as one JSON object or through rich."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.status import Status


def console() -> Console:
    """stdout for a person.  Outside a terminal 100 columns wide and without colour."""
    out = Console(highlight=False, soft_wrap=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=100, color_system=None)
    return out


def working(what: str) -> Status:
    """Shows a line on stderr while something takes long, where a person is looking."""
    return Console(stderr=True).status(what)


def answer(tree: Mapping[str, object], *, indent: int | None = 2) -> None:
    """One JSON object on stdout; with `indent=None` on one line, for streams."""
    # Where stdout has no Unicode letters are escaped: JSON loses nothing by it.
    plain = not (sys.stdout.encoding or "utf-8").lower().replace("-", "").startswith("utf")
    print(json.dumps(tree, indent=indent, ensure_ascii=plain, allow_nan=False), flush=True)
