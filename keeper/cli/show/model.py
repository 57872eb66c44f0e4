"""The running model: what changed, its numbers beside the live ones, and who signed it off."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keeper.cli.show.words import percent, utc
from keeper.domain.updates import SignOff
from keeper.ops.models import ModelState

#: Runs of the shadow that are shown, the newest.
SHOWN = 5


def model_view(state: ModelState) -> RenderableType:
    """For a person."""
    head = Text.assemble(("model ", "bold"), (str(state.version), "bold cyan"))
    if state.may_push:
        head.append("  may push", "green")
    else:
        head.append(f"  may not push: keeper model sign-off {state.version} --operator NAME --reason WHY", "yellow")
    changes = Table(box=None, show_header=False, pad_edge=False)
    for version, changed in sorted(state.changelog.items(), reverse=True):
        changes.add_row(str(version), Text(changed, overflow="fold"))
    parts: list[RenderableType] = [head, changes]
    if state.block is not None:
        table = Table(box=None, pad_edge=False, title=f"at block {state.block.number:,}", title_justify="left")
        for name in ("parameter", "live", "proposed"):
            table.add_column(name, justify="left" if name == "parameter" else "right")
        for row in state.beside:
            both = [_share(row.live_ppm), _share(row.proposed_ppm)]
            table.add_row(row.name, both[0], Text(both[1], "" if both[0] == both[1] else "bold"))
        parts.append(table)
    else:
        parts.append(Text("no block was lived yet: keeper once", "dim"))
    parts += [
        Text(f"shadow run {run.number}: {run.blocks:,} blocks of {run.symbol or 'everything'}, to {run.last_block:,}")
        for run in state.shadows[-SHOWN:]
    ]
    parts += [
        Text(f"model {one.version} signed off by {one.operator}, {utc(one.at_s)}, {_shadowed(one)}: {one.reason}")
        for one in state.sign_offs
    ]
    return Group(*parts)


def _shadowed(one: SignOff) -> str:
    return f"after {one.shadowed_blocks:,} blocks in the shadow" if one.shadowed_blocks else "as the first, unshadowed"


def _share(ppm: int | None) -> str:
    return "–" if ppm is None else percent(ppm)


def model_tree(state: ModelState) -> dict[str, Any]:
    """For a script."""
    return {
        "version": state.version,
        "may_push": state.may_push,
        "changelog": {str(version): changed for version, changed in state.changelog.items()},
        "block": None if state.block is None else {"number": state.block.number, "hash": state.block.hash},
        "beside": [
            {"parameter": row.name, "live_ppm": row.live_ppm, "proposed_ppm": row.proposed_ppm} for row in state.beside
        ],
        "shadows": [vars(run) for run in state.shadows],
        "sign_offs": [vars(one) for one in state.sign_offs],
    }
