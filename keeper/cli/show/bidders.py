"""`keeper bidders` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from keeper.cli.show.actions import tx_state
from keeper.ops.bidders import Bidder, Change, Right

_RIGHTS = {
    Right.OWNER: ("✓", "green", "owns the account"),
    Right.APPROVED: ("✓", "green", "approved"),
    Right.NONE: ("!", "yellow", "may not bid: it flags, refreshes and settles only"),
}
_STRANGER = ("!", "bold red", "approved, and no key that is configured here")


def bidders_view(account: int, owner: str, keys: Sequence[Bidder]) -> RenderableType:
    """The account, its owner, and each key in a line."""
    parts: list[RenderableType] = [Text(f"account {account:#066x}", "bold", overflow="fold"), Text(f"owner   {owner}")]
    for one in keys:
        sign, style, said = _RIGHTS[one.right] if one.configured else _STRANGER
        parts.append(Text.assemble((f"{sign} ", style), one.address, f"  {said}", overflow="fold"))
    if not any(one.configured for one in keys):
        parts.append(Text("no liquidator key is configured", "yellow"))
    if any(one.right is Right.NONE for one in keys):
        parts.append(Text.assemble(("→ ", "cyan"), "keeper bidders approve shows the calls, --send sends them"))
    if not all(one.configured for one in keys):
        said = "whose keys are those?  keeper bidders revoke ADDRESS takes an approval back"
        parts.append(Text.assemble(("→ ", "cyan"), said))
    return Group(*parts)


def bidders_tree(account: int, owner: str, keys: Sequence[Bidder]) -> dict[str, Any]:
    """The same as one object."""
    return {
        "account": f"{account:#066x}",
        "owner": owner,
        "keys": [{"address": one.address, "right": str(one.right), "configured": one.configured} for one in keys],
    }


def changes_view(found: Sequence[Change], *, sent: bool) -> RenderableType:
    """Each call, from whom, and what became of it."""
    if not found:
        return Text("nothing to change", "green")
    parts: list[RenderableType] = []
    for one in found:
        parts += [
            Text(one.intent.why, "bold", overflow="fold"),
            Text(f"  from  {one.by}"),
            Text(f"  to    {one.intent.to}"),
            Text(f"  data  0x{one.intent.data.hex()}", overflow="fold"),
            _became(one, sent=sent),
        ]
    return Group(*parts)


def _became(one: Change, *, sent: bool) -> Text:
    if one.refused:
        return Text(f"  not sent: {one.refused}", "bold red")
    if one.record is None:
        said = "--send sends it" if one.ours else "the caller's key is not configured: have its holder send the call"
        return Text(f"  {'not sent' if sent else 'dry run'}; {said}", "bright_black")
    out = f" as {one.record.attempts[-1].tx_hash}, nonce {one.record.nonce}" if one.record.attempts else ""
    why = f": {one.record.reason}" if one.record.reason else ""
    return Text.assemble("  ", tx_state(one.record), out, why, overflow="fold")


def changes_tree(found: Sequence[Change], *, sent: bool) -> dict[str, Any]:
    """The same as one object."""
    return {
        "sent": sent,
        "changes": [
            {
                "key": one.key,
                "approved": one.approved,
                "by": one.by,
                "ours": one.ours,
                "to": one.intent.to,
                "data": f"0x{one.intent.data.hex()}",
                "state": None if one.record is None else str(one.record.state),
                "hash": one.record.attempts[-1].tx_hash if one.record and one.record.attempts else None,
                "reason": one.refused or (one.record.reason if one.record else ""),
            }
            for one in found
        ],
    }
