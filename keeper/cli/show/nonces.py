"""`keeper nonce` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from keeper.cli.show.tables import table
from keeper.domain.nonces import KeyNonces, Repair


def nonces_view(keys: Sequence[KeyNonces]) -> RenderableType:
    """One row a key, and what is wrong with it below."""
    made = table("key", "role", "chain", "pending", "open", "gaps", "stuck since", "foreign", numbers=7)
    for one in keys:
        made.add_row(
            one.address,
            one.role,
            str(one.latest),
            "?" if one.pending is None else str(one.pending),
            str(len(one.held)),
            str(one.gap_count) if one.gap_count else "–",
            "–" if one.stuck_since is None else f"block {one.stuck_since}",
            _foreign(one),
            style="" if one.sound else "yellow",
        )
    wrong = [line for one in keys for line in _wrong(one)]
    if not wrong:
        return Group(made, Text(), Text("in order", style="bold green"))
    hint = Text.assemble(("→ ", "cyan"), "a running keeper heals this by itself; else: keeper nonce repair")
    return Group(made, Text(), *(Text(line) for line in wrong), hint)


def _foreign(one: KeyNonces) -> str:
    seen = [f"{len(one.overtaken)} mined" if one.overtaken else "", _pending(one)]
    return ", ".join(part for part in seen if part) or "–"


def _pending(one: KeyNonces) -> str:
    return f"{one.foreign_pending} pending" if one.foreign_pending else ""


def _wrong(one: KeyNonces) -> list[str]:
    lines = []
    if one.gap_count:
        named = ", ".join(map(str, one.gaps)) + (", …" if one.gap_count > len(one.gaps) else "")
        lines.append(f"{one.address}: nobody holds {named}; {len(one.held)} transactions wait above")
    if one.stuck_since is not None and one.held:
        first = one.held[0]
        lines.append(
            f"{one.address}: nonce {first.nonce} ({first.kind} {first.subject}) waits since block {one.stuck_since}"
        )
    if one.overtaken:
        lines.append(f"{one.address}: {', '.join(map(str, one.overtaken))} used by something mined; final soon")
    return lines


def nonces_tree(keys: Sequence[KeyNonces]) -> dict[str, Any]:
    """The keys as one object."""
    return {"sound": all(one.sound for one in keys), "keys": [asdict(one) | {"sound": one.sound} for one in keys]}


def repairs_view(steps: Sequence[Repair], *, sent: bool) -> RenderableType:
    """One row a step."""
    if not steps:
        return Text("nothing to repair", style="bold green")
    made = table("key", "nonce", "step", "about", "outcome" if sent else "", numbers=1)
    for one in steps:
        outcome = one.said if sent else ""
        style = "" if not sent else "green" if one.done else "red"
        made.add_row(one.address, str(one.nonce), one.kind, one.what, Text(outcome, style=style))
    last = "" if sent else "nothing was sent: keeper nonce repair --send does it"
    return Group(made, Text(), Text(last)) if last else made


def repairs_tree(steps: Sequence[Repair], *, sent: bool) -> dict[str, Any]:
    """The steps as one object."""
    return {"sent": sent, "steps": [asdict(one) for one in steps]}
