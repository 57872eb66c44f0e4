"""One cycle: where the accounts stand, what was decided, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.actions import became, handed_tree, on_what
from keeper.cli.show.takeover import takeover_lines
from keeper.domain.action import kind
from keeper.domain.cycle import CycleRecord
from keeper.domain.margin import Band


def bands_of(record: CycleRecord) -> dict[Band, int]:
    """Accounts by band, every band named."""
    bands = record.decision.report.summary.bands
    return {band: bands[band].accounts for band in Band}


def bands_line(bands: Mapping[Band, int]) -> Text:
    """`412 accounts: 400 healthy · 9 warning · …`, empty bands left out."""
    text = Text(f"{sum(bands.values())} accounts: ")
    parts = [(f"{count} {band}", words.BAND_STYLES[band]) for band, count in bands.items() if count]
    for i, (said, style) in enumerate(parts):
        text.append(" · " if i else "")
        text.append(said, style)
    return text


def alerts_view(record: CycleRecord) -> RenderableType:
    """What a person should know, one line each."""
    return Group(*(Text.assemble(("! ", "bold yellow"), alert) for alert in record.decision.alerts))


def cycle_view(record: CycleRecord, symbols: dict[int, str], *, sends: bool) -> RenderableType:
    """The answer of `keeper once`."""
    block = record.block
    head = Text.assemble(
        ("sending" if sends else "dry run, nothing was sent", "bold red" if sends else "bold cyan"),
        f"  block {block.number:,} · {words.utc(block.timestamp)}",
    )
    parts: list[RenderableType] = [head, bands_line(bands_of(record))]
    if record.decision.alerts:
        parts.append(alerts_view(record))
    parts.append(Text())
    if not record.handed:
        return Group(*parts, Text("nothing to do at this block", style="green"))
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False, header_style="bright_black", expand=False
    )
    for name in ("action", "on", "why", "what became of it"):
        table.add_column(name, no_wrap=name in ("action", "on"))
    for one in record.handed:
        why = Text("\n").join([Text(one.action.why), *takeover_lines(one.action, symbols)])
        table.add_row(Text(kind(one.action), style="bold"), on_what(one.action, symbols), why, became(one))
    return Group(*parts, table)


def cycle_tree(record: CycleRecord, *, sends: bool) -> dict[str, Any]:
    """A cycle as one object."""
    block = record.block
    return {
        "block": {"number": block.number, "hash": block.hash, "timestamp": block.timestamp},
        "sends": sends,
        "accounts": {str(band): count for band, count in bands_of(record).items()},
        "alerts": list(record.decision.alerts),
        "actions": [handed_tree(one) for one in record.handed],
    }
