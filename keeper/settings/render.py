"""The commented settings file that `keeper init` writes, generated from the sections so that it cannot go stale."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from keeper.settings.secret import Secret
from keeper.settings.sections import Settings
from keeper.settings.tree import children, docs, section_of

_WIDTH = 100


def default_toml() -> str:
    """The file with every key, its meaning and its default.  Keys without a default are commented out."""
    head = [
        "# Settings of the margin keeper.",
        "# Environment variables override: KEEPER_FEES__MAX_FEE_GWEI=80 is max_fee_gwei of [fees].",
        "# Relative paths start at the folder the keeper is started in.",
    ]
    return "\n".join([*head, *_section("", Settings, Settings())]) + "\n"


def _section(name: str, section: type, value: Any) -> Iterator[str]:
    optional = value is None
    if name:
        yield ""
        yield from _comment(inspect.cleandoc(section.__doc__ or "").split("\n\n")[0])
        if optional or any(section_of(hint) is None for hint in children(section).values()):
            yield f"{'# ' if optional else ''}[{name}]"
    inner = []
    for key, hint in children(section).items():
        below = section_of(hint)
        path = f"{name}.{key}" if name else key
        if below is not None:
            if key in docs(section):
                inner += ["", *_comment(docs(section)[key])]
            inner += list(_section(path, below, None if optional else getattr(value, key)))
            continue
        yield ""
        yield from _comment(docs(section).get(key, ""))
        line = _line(key, _default(section, key) if optional else getattr(value, key))
        yield f"# {line.removeprefix('# ')}" if optional else line
    yield from inner


def _default(section: Any, key: str) -> object:
    """What a key would be in a section that is left out; None if it must be given there."""
    field = section.model_fields[key]
    return None if field.is_required() else field.default


def _line(key: str, value: object) -> str:
    if isinstance(value, Mapping):
        return f"# {key} = {{}}"  # an inline table would keep the operator from writing sections
    return f'# {key} = ""' if value is None else f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, Secret):
        return json.dumps(value.reveal())  # a default, not an operator's secret
    if isinstance(value, int):
        return f"{value:_}"
    if isinstance(value, float):
        return repr(value)
    if type(value).__name__ == "Decimal":
        return str(value)
    return json.dumps(str(value))


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(" ".join(text.split()), _WIDTH, break_on_hyphens=False):
        yield f"# {line}"
