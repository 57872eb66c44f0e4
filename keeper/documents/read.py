"""From a file to a checked document: every refusal names the file, the field and what to do."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keeper.domain.nested import TooDeep, json_of
from keeper.errors import BadInput

#: A document larger than this is not one that a person wrote; bytes.
LARGEST: Final = 64 * 1024 * 1024


class Part(BaseModel):
    """A part of a document: its keys are its fields and no others, its numbers are finite."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        strict=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
    )


class Document(Part):
    """A whole document."""

    schema_: str | None = Field(default=None, alias="$schema")
    """Where an editor finds the schema; nothing here reads it."""


#: Of a whole number; Python itself refuses to read thousands of them.
MOST_DIGITS: Final = 400

D = TypeVar("D", bound=Part)


def read_json(path: Path) -> Any:
    """The JSON value of a file.

    A key that is given twice, NaN and Infinity are refused: readers disagree about what they mean.

    Raises: `BadInput` naming the file, and line and column where the text is wrong.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path}: larger than {LARGEST // 1024**2} MiB", hint="a document is written by a person")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file", hint="keeper margin --example DIR writes a set to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}", hint="check the path and who may read it") from None
    try:
        return json_of(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_whole)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadInput(
            f"{path}: not JSON: {error.msg} at {where}", hint="compare with: keeper margin --example DIR"
        ) from None
    except TooDeep as error:
        raise BadInput(f"{path}: {error}", hint="compare with: keeper margin --example DIR") from None
    except (_Bad, RecursionError) as error:
        raise BadInput(
            f"{path}: {error}", hint="each key once, each number finite, nothing nested without end"
        ) from None


def read_document(path: Path, model: type[D]) -> D:
    """The document of a file.  Raises: `BadInput` as `read_json`, and naming each field that is wrong."""
    return check(read_json(path), model, where=str(path))


def check(tree: Any, model: type[D], *, where: str) -> D:
    """A JSON value as a document; `where` opens each message.

    Raises: `BadInput` naming the first field that is wrong, and how many more there are.
    """
    try:
        return model.model_validate_json(json.dumps(tree))  # as JSON: an array is a tuple, and nothing is converted
    except ValidationError as error:
        raise _explain(error, model, where=where) from None


class _Bad(ValueError):
    """JSON that readers disagree about."""


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _Bad(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return tree


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _Bad(f"a number of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise _Bad(f"{name} is not a number")


def _explain(error: ValidationError, model: type[Part], *, where: str) -> BadInput:
    first = error.errors(include_url=False, include_input=False)[0]
    path = _dotted(first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        *parents, name = first["loc"]
        known = _known(model, parents)
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return BadInput(f"{where}: unknown key {path}{more}", hint=hint, field=path)
    problem = str(first["msg"]).removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    at = f"{path}: " if path else ""
    return BadInput(f"{where}: {at}{problem}{more}", hint=_hint(model, first["loc"]), field=path)


def _dotted(loc: Sequence[int | str]) -> str:
    """`underlyings.ETH.expiries[2].svi.b`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")


def _known(model: type[Part], parents: Sequence[int | str]) -> list[str]:
    found = _at(model.model_json_schema(by_alias=True), parents)
    return sorted(found.get("properties", {}))


def _hint(model: type[Part], loc: Sequence[int | str]) -> str:
    described = _at(model.model_json_schema(by_alias=True), loc).get("description", "")
    return " ".join(str(described).split()) or "see: keeper margin --schema"


def _at(schema: Mapping[str, Any], loc: Sequence[int | str]) -> Mapping[str, Any]:
    """The part of a JSON Schema that describes a place of a document; empty where it has no words for it."""
    node: Any = schema
    for step in loc:
        inner = _resolve(schema, node)
        node = inner.get("items", {}) if isinstance(step, int) else inner.get("properties", {}).get(step)
        if node is None:
            more = inner.get("additionalProperties")
            node = more if isinstance(more, Mapping) else {}
    own = {"description": node["description"]} if "description" in node else {}
    return {**_resolve(schema, node), **own}


def _resolve(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference; of an optional part, the part."""
    for _ in range(4):
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif "anyOf" in node and "properties" not in node:
            node = next((one for one in node["anyOf"] if one.get("type") != "null"), {})
    return node
