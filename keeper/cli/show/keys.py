"""`keeper keys test` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keeper.ops.keys import WEI_PER_ETH, KeyFinding, KeyVerdict

_SIGNS = {
    KeyVerdict.SIGNS: ("✓", "green"),
    KeyVerdict.WARNING: ("!", "yellow"),
    KeyVerdict.UNREACHABLE: ("?", "yellow"),
    KeyVerdict.UNUSABLE: ("✗", "bold red"),
}


def keys_view(found: Sequence[KeyFinding]) -> RenderableType:
    """Each key in three lines or fewer, and the sum of them."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # an address to copy is folded, never cut
    for one in found:
        sign, style = _SIGNS[one.verdict]
        head = Text.assemble((one.address or "no address", "bold" if one.address else "bright_black"), _facts(one))
        table.add_row(Text(sign, style=style), Text(f"{one.name}  "), head)
        table.add_row("", Text(f"  {one.kind}", style="bright_black"), Text(one.said))
        if one.hint:
            table.add_row("", "", Text.assemble(("→ ", "cyan"), one.hint))
    return Group(table, Text(), _verdict(found))


def _facts(one: KeyFinding) -> str:
    facts = [] if one.took_ms is None else [f"{one.took_ms:,.1f} ms"]
    if one.balance_wei is not None:
        facts.append(f"{one.balance_wei / WEI_PER_ETH:,.4f} ETH, lasts for {one.transactions:,} transactions")
    return "".join(f"  ·  {fact}" for fact in facts)


def _verdict(found: Sequence[KeyFinding]) -> Text:
    counts = {verdict: sum(one.verdict is verdict for one in found) for verdict in KeyVerdict}
    if counts[KeyVerdict.UNUSABLE]:
        return Text(f"{counts[KeyVerdict.UNUSABLE]} of {len(found)} cannot be used", style="bold red")
    if counts[KeyVerdict.UNREACHABLE]:
        return Text(f"{counts[KeyVerdict.UNREACHABLE]} of {len(found)} could not be asked", style="bold yellow")
    few = counts[KeyVerdict.WARNING]
    said = f"every key signs{f', {few} with something to look at' if few else ''}"
    return Text(said, style="bold yellow" if few else "bold green")


def keys_tree(found: Sequence[KeyFinding]) -> dict[str, Any]:
    """The same as one object."""
    return {
        "usable": all(one.verdict in (KeyVerdict.SIGNS, KeyVerdict.WARNING) for one in found),
        "keys": [
            {
                "role": one.role,
                "name": one.name,
                "kind": one.kind,
                "address": one.address,
                "verdict": one.verdict,
                "said": one.said,
                "hint": one.hint,
                "took_ms": one.took_ms,
                "balance_wei": None if one.balance_wei is None else str(one.balance_wei),
                "transactions": one.transactions,
            }
            for one in found
        ],
    }
