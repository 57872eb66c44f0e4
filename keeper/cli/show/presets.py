"""`keeper margin --preset all`: one account under every rule, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keeper.cli.show.margin import amount_words, health_words, minus_words, standing
from keeper.cli.show.margin_tree import margin_tree
from keeper.documents.evaluate import Evaluation
from keeper.errors import BadInput
from keeper.risk.kernel.requirement import Requirement, Unpriced

Found = Mapping[str, Evaluation | BadInput]


def comparison_view(found: Found) -> RenderableType:
    """A row for each rule that has an answer; a line for each that has none."""
    table = Table.grid(padding=(0, 2))
    for number in range(5):
        table.add_column(no_wrap=True, justify="right" if number else "left")
    table.add_column(overflow="fold")
    heads = ("", "equity", "IM", "MM", "health", "decided by")
    table.add_row(*(Text(head, style="bright_black") for head in heads))
    refused = Table.grid(padding=(0, 2))
    for name, one in found.items():
        if isinstance(one, BadInput):
            refused.add_row(f"  {name}", Text(_short(one), style="bright_black"))
        elif isinstance(one.final, Unpriced):
            table.add_row(f"  {name}", "", "", "", Text("unknown", style="bold bright_black"), one.final.reason)
        else:
            table.add_row(*_row(name, one.final))
    answered = next(one for one in found.values() if isinstance(one, Evaluation))
    when = f"{answered.as_of:%Y-%m-%d %H:%M %Z}"
    after = ", after the orders" if answered.after is not None else ""
    title = Text(f"One account under every rule{after} · {when}", style="bold")
    without: list[RenderableType] = [Text("\nNo rule for it", style="bold"), refused] if refused.row_count else []
    return Group(title, table, *without)


def _row(name: str, one: Requirement) -> list[RenderableType]:
    style = standing(one)[1]
    unit = "" if one.currency == "USD" else f" {one.currency}"
    amounts = [Text(amount_words(amount, one.currency) + unit) for amount in (one.equity, one.im, one.mm)]
    row = one.initial.binding_row
    tags = ", ".join(dict.fromkeys(row.rows)) if row else "nothing loses"
    decided = minus_words(f"{one.initial.binding}: {tags}" if row else tags)
    return [Text(f"  {name}", style="bold"), *amounts, Text(health_words(one.health), style=style), Text(decided)]


def _short(refused: BadInput) -> str:
    """The refusal without the document and the field in front."""
    return refused.message.split(": ", 2)[-1]


def comparison_tree(found: Found) -> dict[str, Any]:
    """Every rule's whole answer, or why it has none."""
    return {
        "presets": {
            name: {"refused": one.message} if isinstance(one, BadInput) else margin_tree(one)
            for name, one in found.items()
        }
    }
