"""`keeper recalibrate` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.numbers import number
from keeper.cli.show.tables import table as plain_table
from keeper.control.recalibrate import Recalibration
from keeper.control.sight import Sight
from keeper.policy.binding import FENCES, NAMES
from keeper.policy.publish import Proposal


def recalibrations_view(sight: Sight, found: Sequence[Recalibration]) -> RenderableType:
    """A table of numbers per underlying, then why, and what the loop does about it."""
    block = sight.inputs.snapshot.block
    parts: list[RenderableType] = [Text(f"block {block.number:,}, {words.utc(block.timestamp)}", style="bold"), Text()]
    for one in found:
        parts += [*_one(one), Text()]
    return Group(*parts[:-1])


def _one(one: Recalibration) -> list[RenderableType]:
    p = one.proposal
    parts: list[RenderableType] = []
    if one.numbers:
        table = plain_table(p.symbol, "in force", "last set", "target", "allowed now", "held by", numbers=4)
        for n in one.numbers:
            name = NAMES[n.name] + (f"  {words.day(n.expiry)}" if n.expiry else "")
            cells = (number(n.name, given) for given in (n.in_force, n.set_, n.aim, n.legal))
            style = "" if n.aim == n.set_ else "bold"
            table.add_row(Text(name, style=style), *cells, Text(FENCES.get(n.by, n.by), style="yellow"))
        parts.append(table)
    else:
        parts.append(Text(p.symbol, style="bold"))
    parts.append(Padding(_verdict(p), (0, 0, 0, 2)))
    lines = [*(p.aim.reasons if p.aim else ()), *p.held, p.regime.said]
    lines += [f"smile of {words.day(expiry)} is held by: {FENCES.get(by, by)}" for expiry, by in one.steepest]
    parts.append(Padding(Text("\n".join(lines), style="bright_black"), (0, 0, 0, 2)))
    return parts


def _verdict(p: Proposal) -> Text:
    if p.push is not None:
        return Text(f"due: {p.push.why}", style="bold green")
    if p.why:
        return Text(f"due: {p.why}; {p.waits}", style="bold yellow")
    return Text(f"not due: {p.waits}", style="yellow")


def recalibrations_tree(sight: Sight, found: Sequence[Recalibration]) -> dict[str, Any]:
    """Everything as one object."""
    block = sight.inputs.snapshot.block
    return {
        "block": {"number": block.number, "hash": block.hash, "timestamp": block.timestamp},
        "underlyings": [_tree(one) for one in found],
    }


def _tree(one: Recalibration) -> dict[str, Any]:
    p = one.proposal
    return {
        "underlying": p.underlying,
        "symbol": p.symbol,
        "due": p.push is not None,
        "why": p.why,
        "waits_for": p.waits,
        "held": list(p.held),
        "regime": {"stormy": p.regime.stormy, "ratio_ppm": p.regime.ratio_ppm, "said": p.regime.said},
        "gate_kept_ppm": None if p.gated is None else p.gated.kept_ppm,
        "numbers": [
            {
                "number": n.name,
                "expiry": n.expiry or None,
                "unit": "ppb" if n.name in ("phi", "df") else "ppm",
                "in_force": n.in_force,
                "last_set": n.set_,
                "target": n.aim,
                "own_target": n.own,
                "allowed_now": n.legal,
                "held_by": n.by or None,
            }
            for n in one.numbers
        ],
        "floors": [asdict(floor) for floor in one.floors],
        "smiles_held": [{"expiry": expiry, "held_by": by} for expiry, by in one.steepest],
        "reasons": list(p.aim.reasons) if p.aim else [],
        "inputs_hash": p.push.inputs_hash if p.push else None,
    }
