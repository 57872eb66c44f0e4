"""The published numbers of `published.json`, by id.  A test names the id it holds; `test_published.py` counts them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One number, or one family of them, with its papers."""

    inputs: dict[str, Any]
    expected: Any
    tol: float


def published(name: str) -> Published:
    """The entry `name`.  Raises: `KeyError` if there is none."""
    entry = json.loads(_FILE.read_text())["numbers"][name]
    return Published(inputs=entry["inputs"], expected=entry["expected"], tol=entry["tol"])


def names() -> tuple[str, ...]:
    """Every id, in the file's order."""
    return tuple(json.loads(_FILE.read_text())["numbers"])
