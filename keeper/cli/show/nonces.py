"""`keeper nonce` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.domain.nonces import KeyNonces, Repair


def nonces_view(keys: Sequence[KeyNonces]) -> RenderableType:
    """Two lines a key, and what is wrong with it below.  They wrap where a terminal is narrow; nothing is cut."""
    parts: list[RenderableType] = []
    for one in keys:
        head = Text.assemble((one.address, "bold"), f"  {one.role}", overflow="fold")
        facts = Text(_facts(one), style="green" if one.sound else "yellow")
        parts += [head, Padding(facts, (0, 0, 0, 2))]
    wrong = [line for one in keys for line in _wrong(one)]
    if not wrong:
        return Group(*parts, Text(), Text("in order", style="bold green"))
    hint = Text.assemble(("→ ", "cyan"), "a running keeper heals this by itself; else: keeper nonce repair")
    return Group(*parts, Text(), *(Text(line, overflow="fold") for line in wrong), hint)


def _facts(one: KeyNonces) -> str:
    return " · ".join(
        (
            f"next on chain {one.latest}",
            f"after the node's pool {'?' if one.pending is None else one.pending}",
            f"{len(one.held)} open",
            f"{len(one.mined)} mined and not settled yet" if one.mined else "nothing to settle",
            f"{one.gap_count} missing" if one.gap_count else "no gaps",
            "not stuck" if one.stuck_since is None else f"stuck since block {one.stuck_since}",
            _foreign(one),
        )
    )


def _foreign(one: KeyNonces) -> str:
    seen = [f"{len(one.overtaken)} used by something foreign" if one.overtaken else "", _pending(one)]
    return ", ".join(part for part in seen if part) or "nothing foreign"


def _pending(one: KeyNonces) -> str:
    return f"{one.foreign_pending} foreign pending" if one.foreign_pending else ""


def _wrong(one: KeyNonces) -> list[str]:
    lines = []
    if one.gap_count:
        named = ", ".join(map(str, one.gaps)) + (", …" if one.gap_count > len(one.gaps) else "")
        lines.append(f"{one.address}: nobody holds {named}; {_waiting(len(one.held))} above")
    if one.stuck_since is not None and one.held:
        first = one.held[0]
        lines.append(
            f"{one.address}: nonce {first.nonce} ({first.kind} {first.subject}) waits since block {one.stuck_since}"
        )
    if one.overtaken:
        lines.append(f"{one.address}: {', '.join(map(str, one.overtaken))} used by a foreign transaction; final soon")
    return lines


def _waiting(count: int) -> str:
    return "1 transaction waits" if count == 1 else f"{count} transactions wait"


def nonces_tree(keys: Sequence[KeyNonces]) -> dict[str, Any]:
    """The keys as one object."""
    return {"sound": all(one.sound for one in keys), "keys": [asdict(one) | {"sound": one.sound} for one in keys]}


def repairs_view(steps: Sequence[Repair], *, sent: bool) -> RenderableType:
    """The steps of each key below its address, and what came of them."""
    if not steps:
        return Text("nothing to repair", style="bold green")
    parts: list[RenderableType] = []
    for address in dict.fromkeys(one.address for one in steps):
        parts.append(Text(address, style="bold", overflow="fold"))
        for one in steps:
            if one.address == address:
                came = (f"  → {one.said}", "green" if one.done else "red") if sent else ""
                step = Text.assemble(f"nonce {one.nonce}: {one.kind}, {one.what}", came, overflow="fold")
                parts.append(Padding(step, (0, 0, 0, 2)))
    if not sent:
        parts += [Text(), Text("nothing was sent: keeper nonce repair --send does it")]
    return Group(*parts)


def repairs_tree(steps: Sequence[Repair], *, sent: bool) -> dict[str, Any]:
    """The steps as one object."""
    return {"sent": sent, "steps": [asdict(one) for one in steps]}
