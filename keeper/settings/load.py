"""One TOML file, environment overrides on top, validated once and frozen.

`KEEPER_FEES__MAX_FEE_GWEI=80` overrides `max_fee_gwei` of `[fees]`; `__` separates the levels.  A list is written with
commas.  Everything wrong is `BadInput` with the file's line or the variable's name, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from keeper.domain.nested import toml_of
from keeper.errors import BadInput
from keeper.settings.sections import Settings
from keeper.settings.tree import children, docs, named_section_of, section_of

_PREFIX = "KEEPER_"


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file at `path` (None: defaults only) under the overrides in `environ`.

    Raises: `BadInput`.
    """
    text = "" if path is None else _read(path)
    tree = _parse(text, path)
    sources = _override(tree, environ)

    def where(key: str) -> str:
        if key in sources:
            return f"environment {sources[key]}"
        # What is missing has no line: the section it is missing from has one.
        parts = key.split(".")
        above = (line_of(text, ".".join(parts[:count])) for count in range(len(parts), 0, -1))
        line = next((line for line in above if line), None)
        return f"{path or 'settings'} line {line}" if line else str(path or "settings")

    _check_keys(tree, Settings, "", where)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise _explain(error, where) from None
    for knobs in (settings.risk, settings.policy):
        try:
            knobs.validate()
        except BadInput as error:
            raise BadInput(
                f"{where(str(error.fields['key']))}: {error.message}", hint=error.hint, **error.fields
            ) from None
    return settings


def line_of(text: str, key: str) -> int | None:
    """Line of the file where the dotted `key`, or the table of that name, stands.  None if it is not found."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("#")[0].strip()
        if code.startswith("["):
            table = code.strip("[] ").replace(" ", "")
            found = table
        else:
            found = f"{table}.{code.split('=')[0].strip()}".strip(".")
        if found == key:
            return number
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist", hint="write one with: keeper init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}", hint="check the path and who may read it") from None


def _parse(text: str, path: Path | None) -> dict[str, Any]:
    try:
        return toml_of(text)
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}", hint="compare with a fresh file from: keeper init") from None


def _override(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Put the overrides into `tree`.  Returns: dotted key → variable."""
    sources = {}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or "__" not in variable:
            continue
        *tables, name = variable.removeprefix(_PREFIX).lower().split("__")
        table = tree
        for step in tables:
            inner = table.setdefault(step, {})
            if not isinstance(inner, dict):
                raise BadInput(f"environment {variable}: {step} is not a section", hint="see: keeper init")
            table = inner
        table[name] = environ[variable]
        sources[".".join((*tables, name))] = variable
    return sources


def _check_keys(tree: Mapping[str, Any], section: type, prefix: str, where: Any) -> None:
    known = children(section)
    for name, value in tree.items():
        key = prefix + name
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known here: {', '.join(known)}"
            raise BadInput(f"{where(key)}: unknown key {key}", hint=hint, key=key)
        inner, named = section_of(known[name]), named_section_of(known[name])
        if named is not None and isinstance(value, Mapping):
            for one, below in value.items():
                if not isinstance(below, Mapping):
                    raise BadInput(f"{where(key)}: {key}.{one} is a section", hint=f"write [{key}.{one}]", key=key)
                _check_keys(below, named, f"{key}.{one}.", where)
        if inner is not None and not isinstance(value, Mapping):
            raise BadInput(f"{where(key)}: {key} is a section", hint=f"write [{key}] and its keys below", key=key)
        if inner is not None:
            _check_keys(value, inner, f"{key}.", where)
        # No key is a switch, and Python would take true for the number 1.
        elif isinstance(value, bool) or (
            isinstance(value, Mapping) and any(isinstance(v, bool) for v in value.values())
        ):
            raise BadInput(f"{where(key)}: {key} is true or false", hint=docs(section).get(name, ""), key=key)


def _explain(error: ValidationError, where: Any) -> BadInput:
    problems = error.errors(include_url=False, include_input=False)
    key, hint, _ = _located(problems[0]["loc"])
    # A key that may be a number or a table has a problem as either: the table's says which of its entries it is.
    same = [one for one in problems if _located(one["loc"])[0] == key]
    first = max(same, key=lambda one: len(_located(one["loc"])[2]))
    key = ".".join((key, *_located(first["loc"])[2]))
    more = f" (and {len(problems) - len(same)} more)" if len(problems) > len(same) else ""
    problem = str(first["msg"]).removeprefix("Value error, ")
    return BadInput(f"{where(key)}: {key}: {problem}{more}", hint=hint or "see: keeper init", key=key)


def _located(loc: tuple[int | str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Dotted key of a problem, what the key means, and the entry of its table, without the names of its types."""
    section: type = Settings
    hint, steps = "", []
    rest = [step for step in loc if isinstance(step, str)]
    while rest:
        step = rest.pop(0)
        steps.append(step)
        hint = docs(section).get(step) or hint
        kind = children(section).get(step)
        below = section_of(kind) or named_section_of(kind)
        if kind is not None and below is None:  # a value: what comes now are the types it might have, and its entries
            break
        section = below or section
    kinds = [at for at, step in enumerate(rest) if "[" in step]
    entries = tuple(rest[kinds[-1] + 1 :]) if kinds else ()
    return ".".join(steps), hint, entries
