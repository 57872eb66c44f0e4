"""One published case out of a file that holds one or many."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from keeper.documents.read import read_json
from keeper.errors import BadInput


def find_case(path: Path, name: str | None) -> dict[str, Any]:
    """The case object of a file: the file's only one, or the one called `name`.

    A file holds one case; or `{"cases": [...]}`, whose `param_set_P0`, if there is one, is put into the case.

    Raises: `BadInput` naming the cases there are.
    """
    tree = read_json(path)
    if not isinstance(tree, dict):
        raise BadInput(f"{path}: not a case", hint='write an object with "inputs", or one with "cases"')
    if "cases" not in tree:
        if name is not None and tree.get("name") not in (None, name):
            raise BadInput(f"{path}: holds the case {tree['name']}, not {name}", hint="leave --case out")
        return tree
    cases = tree["cases"]
    if not isinstance(cases, list) or not all(isinstance(one, dict) for one in cases):
        raise BadInput(f"{path}: cases: not a list of objects", hint="compare with a file that works")
    found = _named(path, cases, name)
    return {"param_set_P0": tree["param_set_P0"], **found} if "param_set_P0" in tree else found


def _named(path: Path, cases: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    names = [str(one.get("name", number)) for number, one in enumerate(cases)]
    if name is None:
        if len(cases) == 1:
            return cases[0]
        raise BadInput(f"{path}: holds {len(cases)} cases", hint=f"name one: --case {' | '.join(names) or '(none)'}")
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        raise BadInput(f"{path}: holds no case {name}", hint=hint)
    if names.count(name) > 1:
        raise BadInput(f"{path}: holds several cases {name}", hint="rename all but one")
    return dict(cases[names.index(name)])
