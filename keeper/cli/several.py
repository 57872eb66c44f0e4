"""Options that take several values after one name: `--prices A B` is `--prices A --prices B`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from typer.core import TyperCommand


class Several(TyperCommand):
    """A command whose repeatable options may be given all their values at once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Spell the short form out, then parse as usual."""
        many = {name for one in self.params if getattr(one, "multiple", False) for name in one.opts}
        return super().parse_args(ctx, list(spell_out(args, many)))


def spell_out(args: Sequence[str], many: Collection[str]) -> Iterator[str]:
    """Repeat the name of an option in `many` before each further value."""
    name, taken = "", True
    rest = iter(args)
    for one in rest:
        if one == "--":
            yield one
            yield from rest
        elif one.startswith("-") and len(one) > 1:
            option, _, value = one.partition("=")
            name, taken = (option, bool(value)) if option in many else ("", True)
            yield one
        else:
            if name and taken:
                yield name
            yield one
            taken = True
