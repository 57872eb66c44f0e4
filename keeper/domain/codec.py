"""Canonical bytes for frozen records: the same object gives the same bytes in every process.

The form is JSON in ASCII, keys sorted, no whitespace, driven by the type hints of the record:

    dataclass            object of its fields; inside a union it also carries "@", the class's name
    int, bool, str       themselves; ints are exact whatever their size, so read them with a parser that keeps them
    float                its shortest text that reads back to the same bits; NaN and infinity are refused (LawBroken)
    unit amounts         the raw int
    bytes                "0x…" in lower case
    StrEnum, IntEnum     the value
    tuple                array
    dict, Mapping        object; int keys in decimal, enum keys by value
    Optional             null
    int | Mapping        either of them
    other classes        with `canonical` (`Roster`, `MarginReport`): as the value that this hint names

Writing trusts nobody: a value that does not fit its hint is `LawBroken`, because replay would read something else.
Reading names the path of what is wrong (`positions[3].size`) in `BadInput`.  A field with a default may be missing, so
that records written before the field existed can still be read.

The plan of each class is compiled once, in `keeper.domain.plans`.
"""

from __future__ import annotations

import json
from typing import TypeVar, cast

from keeper.domain.nested import json_of
from keeper.domain.plans import Misfit, plan_of
from keeper.errors import BadInput, LawBroken

T = TypeVar("T")


def dumps(obj: object) -> bytes:
    """Write a record.

    Raises: `LawBroken` if a value contradicts its type hint, is NaN or infinite, or the hint has no canonical form.
    """
    try:
        tree = plan_of(type(obj)).encode(obj)
        # Every plan already sorted its keys.
        return json.dumps(tree, separators=(",", ":"), allow_nan=False, check_circular=False).encode("ascii")
    except Misfit as misfit:
        raise LawBroken(f"{type(obj).__name__} cannot be written: {misfit}", path=misfit.path) from None
    except (ValueError, RecursionError) as error:
        raise LawBroken(f"{type(obj).__name__} cannot be written: {error}") from error


def loads(cls: type[T], data: bytes) -> T:
    """Read what `dumps` wrote for an object of class `cls`.

    Raises: `BadInput` naming the path of an unknown field, a missing field or a value of the wrong type.
    """
    hint = "the data is damaged or was written by another version of the keeper"
    try:
        return cast("T", plan_of(cls).decode(json_of(data)))
    except Misfit as misfit:
        raise BadInput(f"{cls.__name__} cannot be read: {misfit}", hint=hint, path=misfit.path) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{cls.__name__} cannot be read: {error}", hint=hint) from error
