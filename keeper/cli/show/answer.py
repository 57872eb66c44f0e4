"""Where answers go: stdout, as one JSON object or through rich."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Console


def console() -> Console:
    """stdout for a person.  Outside a terminal 100 columns wide and without colour."""
    out = Console(highlight=False, soft_wrap=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=100, color_system=None)
    return out


def answer(tree: Mapping[str, object], *, indent: int | None = 2) -> None:
    """One JSON object on stdout; with `indent=None` on one line, for streams."""
    print(json.dumps(tree, indent=indent, ensure_ascii=False, allow_nan=False), flush=True)
