"""JSON and TOML of others: read only as deep as a document nests.

A parser that recurses in C does not survive any depth.  Python's own limit guards it, but libraries raise that limit
for the whole process (py-evm to 100,000 frames, more than a stack holds), and then a file of brackets ends the process
instead of being refused.  So depth is measured before JSON is parsed, and TOML's tree before anybody walks it.
"""

from __future__ import annotations

import json
import re
import tomllib
from itertools import accumulate
from typing import Any, Final

#: Documents nest less than this.
DEEPEST: Final = 100
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
#: Bytes that say nothing about depth.  UTF-8 writes none of the others as part of a letter.
_REST: Final = bytes(set(range(256)) - set(b'[]{}"'))
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
#: A text without its end swallows nothing: what follows still counts.
_TEXT: Final = re.compile(rb'"[^"]*"')


class TooDeep(ValueError):
    """A text nests deeper than any document."""

    def __init__(self) -> None:
        super().__init__(f"nested more than {DEEPEST} deep")


def json_of(data: bytes | str, **how: Any) -> Any:
    """The JSON value of a text.

    Args:
        data: UTF-8 if bytes.
        how: as `json.loads` takes it.

    Raises: `TooDeep`; `ValueError` if it is no JSON.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if depth_of(raw) > DEEPEST:
        raise TooDeep
    return json.loads(data if isinstance(data, str) else data.decode("utf-8"), **how)


def depth_of(raw: bytes) -> int:
    """How deep the brackets of a JSON text nest, those in its texts aside; no less than that where they are few."""
    opened = raw.count(b"[") + raw.count(b"{")
    if opened <= DEEPEST:
        return opened
    # A backslash stands in texts only, and the quotation mark after it does not end them.
    plain = _ESCAPED.sub(b"", raw) if b"\\" in raw else raw
    marks = _TEXT.sub(b"", plain.translate(None, _REST))
    return max(accumulate(_STEPS.get(mark, 0) for mark in marks), default=0)


def toml_of(text: str) -> dict[str, Any]:
    """The table of a TOML text.  Raises: `TooDeep`; `tomllib.TOMLDecodeError` if it is no TOML."""
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise TooDeep from None
    level: list[Any] = [tree]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, (dict, list))]
        if not level:
            return tree
    raise TooDeep
