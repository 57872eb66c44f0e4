"""The first value in which two records differ, by its path: what a person is told where numbers do not match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Final

#: Words and what quotes do not tell apart (`keeper.domain.fitted`): not compared.
_NOT_COMPARED: Final = frozenset({"quotes_said", "reason", "slices", "left_out"})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One number that is not what it should be."""

    name: str
    ours: str
    """As derived here."""
    theirs: str
    """As the file or the chain has it."""


def first_difference(
    ours: object, theirs: object, *, slack: Mapping[str, int] | None = None, name: str = "", field: str = ""
) -> Difference | None:
    """The first value in which two records differ, in the order of their fields; None if none does.

    Args:
        ours: a value as the records of `keeper.domain` are made of.
        theirs: another.
        slack: by how much an integer may differ, by the name of its field; words and the like are then left out.
        name: path to the value.
        field: name of the field that it is, or lies in.
    """
    if type(ours) is type(theirs):
        for mine, its, path, below in _parts(ours, theirs, slack, name, field):
            found = first_difference(mine, its, slack=slack, name=path, field=below)
            if found is not None:
                return found
        if is_dataclass(ours):
            return None
        if isinstance(ours, tuple) and isinstance(theirs, tuple):
            if len(ours) == len(theirs):
                return None
            return Difference(name=f"length of {name}", ours=str(len(ours)), theirs=str(len(theirs)))
        if isinstance(ours, int) and isinstance(theirs, int) and slack and abs(ours - theirs) <= slack.get(field, 0):
            return None
        if ours == theirs:
            return None
    return Difference(name=name, ours=_short(ours), theirs=_short(theirs))


def _parts(
    ours: object, theirs: object, slack: Mapping[str, int] | None, name: str, field: str
) -> Iterator[tuple[object, object, str, str]]:
    """What two records of one type are made of, with its path and field; nothing for a number."""
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        for i, (mine, its) in enumerate(zip(ours, theirs, strict=False)):
            yield mine, its, f"{name}[{i}]", field
    elif is_dataclass(ours):
        for one in fields(ours):
            if slack is None or one.name not in _NOT_COMPARED:
                path = f"{name}.{one.name}" if name else one.name
                yield getattr(ours, one.name), getattr(theirs, one.name), path, one.name


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
