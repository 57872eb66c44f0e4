"""`keeper impact` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.numbers import span
from keeper.cli.show.tables import table as plain_table
from keeper.control.impact import Impact, Stage
from keeper.domain.landed import Landed
from keeper.offline import account_name
from keeper.policy.effect import Effect, Moved
from keeper.policy.weigh import Weighed

#: Stages of a long path that are shown.
SHOWN = 12


def impacts_view(found: Sequence[Impact]) -> RenderableType:
    """Stage by stage, then who falls below what, whose requirement moves most, and what the gate says."""
    if not found:
        return Text("nothing can be moved: keeper recalibrate tells why", style="yellow")
    parts: list[RenderableType] = []
    for one in found:
        parts += [*_one(one), Text()]
    return Group(*parts[:-1])


def _one(one: Impact) -> list[RenderableType]:
    begins = one.glide.begins_s
    table = plain_table(
        one.symbol, "comes in", "below MM", "below IM", "MM moves by, USD", "IM moves by, USD", "bad debt at risk, USD"
    )
    for stage in (*_shown(one.stages), one.whole):
        e = stage.effect
        comes = "–" if stage.at_s is None else "now" if stage.at_s <= begins else span(stage.at_s - begins)
        table.add_row(
            stage.name,
            comes,
            Text(f"{e.below_mm:+,}" if e.below_mm else "0", style="bold red" if e.below_mm else "green"),
            Text(f"{e.below_im:+,}" if e.below_im else "0", style="yellow" if e.below_im else "green"),
            words.amount(e.mm_after - e.mm_before),
            words.amount(e.im_after - e.im_before),
            words.amount(e.at_risk_after - e.at_risk_before),
        )
    whole = one.whole.effect
    parts: list[RenderableType] = [
        table,
        Padding(
            Text(
                f"{whole.accounts:,} accounts hold it; maintenance {words.usd(whole.mm_before)}, "
                f"initial {words.usd(whole.im_before)}, bad debt {words.usd(whole.bad_debt_before)} now"
                + (f"; {whole.unknown:,} cannot be priced" if whole.unknown else ""),
                style="bright_black",
            ),
            (0, 0, 0, 2),
        ),
    ]
    if one.gated is not None:
        said = one.gated.said or "the impact gate lets the push pass that is legal now"
        parts.append(Padding(Text(said, style="bold red" if one.gated.said else "green"), (0, 0, 0, 2)))
        parts.append(Padding(Text(_day_said(one.gated.whole), style="bright_black"), (0, 0, 0, 2)))
        if one.strangers:
            parts.append(Padding(Text(_strangers_said(one.strangers), style="yellow"), (0, 0, 0, 2)))
    worst = one.worst.effect if one.worst.effect.below_mm else whole
    for title, rows in (
        ("newly below maintenance", worst.named_mm),
        ("newly below initial margin", worst.named_im),
        ("requirement moves most", worst.largest),
    ):
        if rows:
            parts += [Text(), _accounts(title, rows[:10])]
    return parts


def _day_said(weighed: Weighed) -> str:
    """What the whole push does with those of the last day."""
    day, worst = weighed.day, weighed.worst
    if weighed.first and not weighed.brought.accounts_ppm:
        return "no push of the last day moved anything: it is held to the shares alone"
    taken = f", {day.in_auction:,} of them in auction" if day.in_auction else ""
    ours = ""
    if weighed.brought.accounts_ppm:
        ours = (
            f"; our own pushes of the day brought {weighed.brought.accounts_ppm / 10_000:.2f} % of the accounts with "
            f"{weighed.brought.requirement_ppm / 10_000:.2f} % below it when they went out"
        )
    return (
        f"with the pushes of the last day: {day.below_mm:,} of {day.accounts:,} accounts below MM{taken}, "
        f"{day.requirement_ppm / 10_000:.2f} % of the maintenance; the push alone: {worst.below_mm:,}, "
        f"{worst.requirement_ppm / 10_000:.2f} %{ours}"
    )


def _strangers_said(found: Sequence[Landed]) -> str:
    """That the day's totals are lower bounds."""
    names = ", ".join(f"{one.id} by {one.sender or 'unknown'}" for one in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (
        f"{len(found)} of the day's publications were not this keeper's own ({names}{more}): of those whom they "
        "brought down only they count whom the book still shows, so the day's share is a lower bound"
    )


def _shown(stages: Sequence[Stage]) -> Sequence[Stage]:
    if len(stages) <= SHOWN:
        return stages
    return (*stages[: SHOWN - 2], *stages[-2:])


def _accounts(title: str, rows: Sequence[Moved]) -> RenderableType:
    table = plain_table(f"{title}, USD", "equity", "maintenance", "then", "initial", "then")
    for one in rows:
        table.add_row(
            account_name(one.account),
            words.amount(one.equity_after),
            words.amount(one.mm_before),
            words.amount(one.mm_after),
            words.amount(one.im_before),
            words.amount(one.im_after),
        )
    return table


def impacts_tree(found: Sequence[Impact]) -> dict[str, Any]:
    """Everything as one object."""
    return {
        "underlyings": [
            {
                "symbol": one.symbol,
                "set_at_s": one.glide.set_at_s,
                "arrives_at_s": one.glide.arrives_at_s,
                "whole": effect_tree(one.whole.effect),
                "stages": [
                    {"name": stage.name, "at_s": stage.at_s, "effect": effect_tree(stage.effect)}
                    for stage in one.stages
                ],
                "gate": None
                if one.gated is None
                else {
                    "passes": one.gated.whole.passes,
                    "kept_ppm": one.gated.kept_ppm,
                    "said": one.gated.said or None,
                    "accounts": [account_name(m.account) for m in one.gated.whole.worst.named_mm],
                    "day": day_tree(one.gated.whole) | _strangers_tree(one.strangers),
                },
            }
            for one in found
        ]
    }


def _strangers_tree(found: Sequence[Landed] | None) -> dict[str, Any]:
    if found is None:
        return {"lower_bound": None, "not_our_own": None}
    told = [
        {"id": one.id, "time_s": one.block.timestamp, "sender": one.sender, "inputs_hash": one.inputs_hash}
        for one in found
    ]
    return {"lower_bound": bool(found), "not_our_own": told}


def day_tree(weighed: Weighed) -> dict[str, Any]:
    """What a push does with all those of the last day, as an object."""
    day = weighed.day
    return {
        "first": weighed.first,
        "accounts": day.accounts,
        "below_mm": day.below_mm,
        "in_auction": day.in_auction,
        "accounts_ppm": day.accounts_ppm,
        "requirement_ppm": day.requirement_ppm,
        "adds_ppm": {"accounts": weighed.brings.accounts_ppm, "requirement": weighed.brings.requirement_ppm},
        "brought_ppm": {"accounts": weighed.brought.accounts_ppm, "requirement": weighed.brought.requirement_ppm},
        "newly_below_mm": [_moved(one) for one in day.named],
    }


def effect_tree(e: Effect) -> dict[str, Any]:
    """One comparison as an object."""
    return {
        "accounts": e.accounts,
        "unknown": e.unknown,
        "below_mm": e.below_mm,
        "below_im": e.below_im,
        "accounts_ppm": e.accounts_ppm,
        "requirement_ppm": e.requirement_ppm,
        **{
            name: words.money(getattr(e, name))
            for name in (
                "mm_before",
                "mm_after",
                "im_before",
                "im_after",
                "bad_debt_before",
                "bad_debt_after",
                "at_risk_before",
                "at_risk_after",
            )
        },
        "newly_below_mm": [_moved(one) for one in e.named_mm],
        "newly_below_im": [_moved(one) for one in e.named_im],
        "largest": [_moved(one) for one in e.largest],
    }


def _moved(one: Moved) -> dict[str, Any]:
    amounts = {name: words.money(given) for name, given in vars(one).items() if name != "account"}
    return {"account": account_name(one.account)} | amounts
