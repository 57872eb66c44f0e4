"""Arguments that may be negative: `-0.02%` is a number, not an option called `-0`."""

from __future__ import annotations

import re
from typing import Any, Final

from typer.core import TyperCommand

_NUMBER: Final = re.compile(r"-\.?[0-9].*", re.DOTALL)


class Negatives(TyperCommand):
    """A command of which an argument may be a negative number."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave what looks like a number to the command, which says what it thinks of it."""
        ctx.ignore_unknown_options = any(_NUMBER.fullmatch(one) for one in args)
        return super().parse_args(ctx, args)
