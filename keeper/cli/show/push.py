"""`keeper push` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.actions import DRY, tx_state
from keeper.cli.show.numbers import when
from keeper.cli.show.refusals import in_words
from keeper.cli.show.tables import table as plain_table
from keeper.control.push import Push
from keeper.domain.previews import Previewed


def pushes_view(found: Sequence[Push], *, now_s: int) -> RenderableType:
    """Each push: why, its calldata taken apart, the contract's word, what became of it."""
    parts: list[RenderableType] = []
    for one in found:
        parts += [*_one(one, now_s), Text()]
    return Group(*parts[:-1])


def _one(one: Push, now_s: int) -> list[RenderableType]:
    p = one.proposal
    if one.intent is None:
        return [Text(f"{p.symbol}: nothing is pushed: {p.waits}", style="yellow")]
    parts: list[RenderableType] = [Text(one.intent.why, style="bold")]
    table = plain_table(f"to {one.intent.to}", "", numbers=0)
    for name, value in one.decoded:
        table.add_row(name, value)
    parts.append(Padding(table, (0, 0, 0, 2)))
    if one.previewed is not None:
        parts.append(Padding(preview_view(one.previewed, now_s), (0, 0, 0, 2)))
    parts.append(Padding(_became(one), (0, 0, 0, 2)))
    return parts


def preview_view(said: Previewed, now_s: int) -> RenderableType:
    """The contract's word on a publication."""
    if said.refusal:
        return Text(
            f"the contract refuses it: {in_words(said.refusal)}; it would pass {_from(said.next_allowed_s, now_s)}",
            "red",
        )
    wrong = [item for item in said.items if item.refusal]
    if not wrong:
        return Text("preview: the contract takes every item of it", style="green")
    lines = [
        f"{item.what}{' ' + words.day(item.expiry) if item.expiry else ''} is refused and keeps what is in force: "
        f"{in_words(item.refusal)}; it would pass {_from(item.next_allowed_s, now_s)}"
        for item in wrong
    ]
    return Text("\n".join(lines), style="yellow")


def _from(at_s: int | None, now_s: int) -> str:
    return "never by waiting" if at_s is None else when(at_s, now_s)


def _became(one: Push) -> Text:
    if one.refused:
        return Text(f"not sent: {one.refused}", style="bold red")
    assert one.record is not None, "it was handed over"
    if one.record.reason.startswith(DRY):
        return Text(f"{one.record.reason}; --send does it", style="bright_black")
    sent = f" as {one.record.attempts[-1].tx_hash}, nonce {one.record.nonce}" if one.record.attempts else ""
    return Text.assemble(tx_state(one.record), sent, f": {one.record.reason}" if one.record.reason else "")


def pushes_tree(found: Sequence[Push], *, sends: bool) -> dict[str, Any]:
    """Everything as one object."""
    return {"sends": sends, "pushes": [_tree(one) for one in found]}


def _tree(one: Push) -> dict[str, Any]:
    p, said, record = one.proposal, one.previewed, one.record
    return {
        "symbol": p.symbol,
        "why": p.push.why if p.push else "",
        "waits_for": p.waits,
        "id": p.push.id if p.push else None,
        "inputs_hash": p.push.inputs_hash if p.push else None,
        "gate_kept_ppm": None if p.gated is None else p.gated.kept_ppm,
        "to": one.intent.to if one.intent else None,
        "data": f"0x{one.intent.data.hex()}" if one.intent else None,
        "decoded": dict(one.decoded),
        "preview": None
        if said is None
        else {
            "ok": said.ok,
            "refusal": said.refusal or None,
            "next_allowed_s": said.next_allowed_s,
            "items": [vars(item) | {"refusal": item.refusal or None} for item in said.items],
        },
        "state": None if record is None else str(record.state),
        "reason": one.refused or (record.reason if record else ""),
        "hash": record.attempts[-1].tx_hash if record and record.attempts else None,
        "nonce": None if record is None else record.nonce,
    }
