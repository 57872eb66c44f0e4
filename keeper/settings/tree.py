"""Which keys the settings know, and what each means, read off the sections themselves."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel


def children(section: type) -> dict[str, Any]:
    """Key → type of each key in a section."""
    hints = get_type_hints(section)
    if dataclasses.is_dataclass(section):
        return {field.name: hints[field.name] for field in dataclasses.fields(section)}
    if issubclass(section, BaseModel):
        return {name: hints[name] for name in section.model_fields}
    return {}


def section_of(hint: object) -> type | None:
    """The section class behind a key's type, or None if the key holds a value, or sections by name."""
    if named_section_of(hint) is not None:
        return None
    for one in (hint, *get_args(hint)):
        if isinstance(one, type) and (dataclasses.is_dataclass(one) or issubclass(one, BaseModel)):
            return one
    return None


def named_section_of(hint: object) -> type | None:
    """The section class behind a key that holds any number of sections by name, or None if it holds something else."""
    return section_of(get_args(hint)[1]) if get_origin(hint) is Mapping else None


def leaves(section: type, prefix: str = "") -> Iterator[str]:
    """Dotted path of each key that holds a value, in the order of the file; sections by name count as one value."""
    for name, hint in children(section).items():
        inner = section_of(hint)
        if inner is None:
            yield prefix + name
        else:
            yield from leaves(inner, f"{prefix}{name}.")


@cache
def docs(section: type) -> dict[str, str]:
    """Key → the docstring under it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = inspect.cleandoc(str(ast.literal_eval(text.value)))
    return found
