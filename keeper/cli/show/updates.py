"""Publications, their inputs and their check, for a person and for a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keeper.cli.show.words import utc
from keeper.domain.updates import KeptInputs
from keeper.ops.updates import Fate
from keeper.ops.verify import Verdict
from keeper.policy.attested import Unattested
from keeper.policy.difference import Difference


def verdict_view(verdict: Verdict) -> RenderableType:
    """Each step, and the first difference."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for check in verdict.checks:
        sign = Text("✓", "green") if check.difference is None else Text("✗", "bold red")
        said = check.said if check.difference is None else f"{check.difference.name} differs"
        table.add_row(sign, check.what, Text(said, "dim" if check.difference is None else "red"))
    landed = verdict.landed
    head = Text.assemble((verdict.name, "bold"), f" at block {landed.block.number:,}, {utc(landed.block.timestamp)}")
    head.append(f", sent by {landed.sender or 'unknown'}", "dim")
    head.append(f"\ndecided at block {verdict.file.block.number:,}, {verdict.lag_s:,} s before it landed")
    if verdict.first is None and verdict.state_seen:
        end = Text("what stands on the chain follows from its inputs", "bold green")
    elif verdict.first is None:
        end = Text(
            "what stands on the chain follows from its file; the state that the file tells was not seen: not verified",
            "bold yellow",
        )
    else:
        end = _difference(verdict.first)
    return Group(head, table, end, *untold(verdict.unattested))


def untold(found: Sequence[Unattested]) -> Iterator[RenderableType]:
    """What the chain does not bear out."""
    if not found:
        return
    yield Text("not borne out by the chain:", "yellow")
    for one in found:
        yield Text.assemble("  ", one.what, (f" ({one.where})", "dim"))
        if one.digest:
            yield Text(f"    sha-256 {one.digest}", "dim")


def _difference(one: Difference) -> Text:
    said = f"\n  derived here  {one.ours}\n  theirs        {one.theirs}"
    return Text.assemble(("first difference: ", "bold red"), (one.name, "bold"), said)


def verdict_tree(verdict: Verdict) -> dict[str, Any]:
    """The same for a script."""
    landed, file = verdict.landed, verdict.file
    return {
        "update": verdict.name,
        "verified": verdict.verified,
        "matches": verdict.matches,
        "first_difference": _difference_tree(verdict.first),
        "inputs_hash": landed.inputs_hash,
        "schema": file.schema,
        "deployed": None
        if file.deployed is None
        else {"chain_id": file.deployed.chain_id, "contracts": file.deployed.addresses},
        "unattested": [vars(one) for one in verdict.unattested],
        "model": file.model,
        "state_seen": verdict.state_seen,
        "decided_at": {
            "number": file.block.number,
            "hash": file.block.hash,
            "time_s": file.block.timestamp,
            "seconds_before_it_landed": verdict.lag_s,
        },
        "landed": {
            "block": landed.block.number,
            "time_s": landed.block.timestamp,
            "tx": landed.tx_hash,
            "sender": landed.sender,
            "via": landed.via,
            "refused": [{"expiry": r.expiry, "what": r.what, "reason": r.reason} for r in landed.refused],
        },
        "checks": [
            {
                "what": check.what,
                "ok": check.difference is None,
                "said": check.said,
                "difference": _difference_tree(check.difference),
            }
            for check in verdict.checks
        ],
    }


def _difference_tree(one: Difference | None) -> dict[str, str] | None:
    return None if one is None else {"name": one.name, "ours": one.ours, "theirs": one.theirs}


_FATES: Final = {Fate.LANDED: "green", Fate.SENT: "yellow", Fate.FAILED: "bold red", Fate.DRY: "bright_black"}


def kept_view(files: Sequence[KeptInputs], became: Mapping[str, Fate]) -> RenderableType:
    """Stored inputs files, newest first."""
    if not files:
        return Text("no publication has been decided yet")
    table = Table(box=None, pad_edge=False)
    for name in ("update", "", "block", "model", "inputs hash", "why"):
        table.add_column(name, overflow="fold" if name in ("inputs hash", "why") else "ellipsis")
    for one in files:
        fate = became[one.hash]
        table.add_row(
            one.name, Text(fate, style=_FATES[fate]), f"{one.block_number:,}", str(one.model), one.hash, one.why
        )
    return table


def kept_tree(files: Sequence[KeptInputs], became: Mapping[str, Fate]) -> dict[str, Any]:
    """The same for a script."""
    return {"inputs": [{"update": one.name, "fate": str(became[one.hash]), **vars(one)} for one in files]}
