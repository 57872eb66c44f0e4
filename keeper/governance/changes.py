"""CHANGES.toml: what a proposal is for, in the words of whoever proposes.

    title = "Let the scan range of ETH follow a crash"
    summary = "In March 2020 …"

    [underlying.ETH.fence.psr]
    max = "40 %"                        # or the raw 400_000
    budget_abs = "15 %"

    [[role]]
    role = "PUBLISHER_ROLE"
    grant = "0x…"

Keys that are not named keep their value on the chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keeper.domain.nested import toml_of
from keeper.errors import BadInput
from keeper.governance.kinds import APART, KINDS, Kind, keys_of

_WORDS: Final = ("title", "summary", "route")
#: A proposal's text goes on chain; one that is longer than this costs more gas than its calls.
LONGEST: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Changes:
    """One CHANGES.toml."""

    title: str
    summary: str
    """Markdown."""
    route: Mapping[str, Any]
    """What the file says of the way the proposal takes; the command line goes first."""
    tree: Mapping[str, Any]
    """The tables of changes."""
    source: str
    """The file as it was written: it becomes part of the proposal, so that anyone can generate the calls again."""

    def wanted(self) -> Iterator[tuple[Kind, tuple[str, ...], Mapping[str, Any]]]:
        """Each table of a kind: the kind, the names in its path, its keys.  Raises: `BadInput` for an unknown one."""
        claimed: set[tuple[str, ...]] = set()
        for kind in KINDS:
            for path, names, table in _tables(self.tree, kind.path):
                claimed.add(path)
                yield kind, names, table
        for path in _leaves({k: v for k, v in self.tree.items() if k not in APART}):
            if not any(path[: len(c)] == c for c in claimed):
                raise BadInput(f"[{'.'.join(path)}] is no change that is known", hint=_known(path))

    def apart(self, table: str) -> tuple[Mapping[str, Any], ...]:
        """Entries of an array of tables such as [[role]].  Raises: `BadInput` if it is something else."""
        found = self.tree.get(table, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise BadInput(f"{table} is not an array of tables", hint=f"write [[{table}]] above each of its entries")
        return tuple(found)


def read_changes(path: Path) -> Changes:
    """Read a file.  Raises: `BadInput`."""
    try:
        return parse_changes(path.read_text(encoding="utf-8"), name=str(path))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", hint="name a CHANGES.toml") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text", hint="name a CHANGES.toml") from error


def parse_changes(source: str, *, name: str = "the changes") -> Changes:
    """Read a text.  Raises: `BadInput` naming the line or the key."""
    if len(source) > LONGEST:
        raise BadInput(f"{name} has {len(source):,} letters, {LONGEST:,} at most", hint="shorten the summary")
    try:
        tree = toml_of(source)
    except ValueError as error:
        raise BadInput(f"{name}: {error}", hint="keeper propose --help shows a file") from error
    title, summary, route = (tree.get(word, default) for word, default in zip(_WORDS, ("", "", {}), strict=True))
    if not isinstance(title, str) or not title.strip() or "\n" in title:
        raise BadInput(f"{name} has no title", hint='begin it with title = "…", one line')
    if not isinstance(summary, str) or not isinstance(route, dict):
        raise BadInput(f"{name}: summary is a text, route a table", hint="keeper propose --help shows a file")
    if "```" in source:
        raise BadInput(f"{name} contains ```, which would end it in the proposal's text", hint="use ~~~ instead")
    changes = Changes(
        title=title.strip(),
        summary=summary.strip(),
        route=route,
        tree={key: value for key, value in tree.items() if key not in _WORDS},
        source=source,
    )
    if not changes.tree:
        raise BadInput(f"{name} changes nothing", hint="keeper propose --help shows a file")
    return changes


def _tables(
    tree: Any, path: tuple[str, ...], done: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Mapping[str, Any]]]:
    """Where a path with placeholders leads."""
    if not isinstance(tree, dict):
        return
    if not path:
        yield done, names, tree
        return
    first, rest = path[0], path[1:]
    if first.startswith("<"):
        for key, below in tree.items():
            yield from _tables(below, rest, (*done, key), (*names, key))
    elif first in tree:
        yield from _tables(tree[first], rest, (*done, first), names)


def _known(path: tuple[str, ...]) -> str:
    """What stands nearest to a path that leads nowhere: the table that it names, those beside it, or all."""
    for kind in KINDS:
        if len(path) >= len(kind.path) and all(
            theirs in ("", ours) for ours, theirs in zip(path, _fixed(kind), strict=False)
        ):
            return f"write [{'.'.join(path[: len(kind.path)])}] and below it {', '.join(keys_of(kind))}"
    beside = [".".join(kind.path) for kind in KINDS if kind.path[0] == path[0]]
    if beside:
        return f"under {path[0]} are [{'], ['.join(beside)}]"
    return f"tables are {', '.join(sorted({kind.path[0] for kind in KINDS}))}; lists are {', '.join(sorted(APART))}"


def _fixed(kind: Kind) -> tuple[str, ...]:
    """Its path, with nothing where a name stands."""
    return tuple("" if part.startswith("<") else part for part in kind.path)


def _leaves(tree: Mapping[str, Any], done: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*done, key))
        else:
            yield (*done, key)
