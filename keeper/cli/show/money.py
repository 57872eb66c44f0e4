"""What the last day brought and cost, for a person and for a script."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.tables import table as plain_table
from keeper.ops.money import Earned, Money


def money_view(money: Money) -> list[RenderableType]:
    """Outcomes by kind, and the loss budget; nothing while nothing was sent."""
    if not money.earned:
        return []
    table = plain_table("last 24 hours", "count", "brought, USD", "gas, USD", "profit, USD", "", numbers=4)
    for one in money.earned:
        style = "red" if one.profit_usd < 0 else "green"
        unknown = f"{one.unknown} of unknown outcome" if one.unknown else ""
        profit = Text(words.amount(one.profit_usd), style=style)
        table.add_row(one.kind, str(one.count), words.amount(one.gain_usd), words.amount(one.gas_usd), profit, unknown)
    parts: list[RenderableType] = [table]
    if money.budget_usd is not None:
        left = "cannot be told" if money.left_usd is None else f"{words.usd(money.left_usd)} left"
        parts.append(Text(f"loss budget {money.budget_usd:,} USD a day, {left}", style="bright_black"))
    for way in money.ways:
        how = "by the relay" if way.via == "relay" else "in public after the relay"
        said = f"{way.count} included {how}, after {way.median_blocks} block(s) in the median"
        parts.append(Text(said, style="bright_black"))
    return parts


def money_tree(money: Money) -> dict[str, Any]:
    """The same as an object."""
    return {
        "by_kind": {one.kind: _tree(one) for one in money.earned},
        "loss_budget_usd_per_day": money.budget_usd,
        "loss_budget_left_usd": None if money.left_usd is None else words.money(money.left_usd),
        "inclusion": {way.via: {"count": way.count, "median_blocks": way.median_blocks} for way in money.ways},
        "notes": list(money.notes),
    }


def _tree(one: Earned) -> dict[str, Any]:
    return {
        "count": one.count,
        "gain_usd": words.money(one.gain_usd),
        "gas_usd": words.money(one.gas_usd),
        "gas_wei": str(one.gas_wei),
        "profit_usd": words.money(one.profit_usd),
        "unknown": one.unknown,
    }
