"""What a proposal leaves behind: files for the forum, for the chain, for the Safe, and for the check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keeper.domain import codec
from keeper.errors import BadInput
from keeper.governance.forum import Report, markdown
from keeper.governance.items import Call
from keeper.governance.proposal import Proposal
from keeper.governance.route import Way
from keeper.governance.safe import builder_file


def report_tree(report: Report) -> dict[str, Any]:
    """Everything as one object, for a script."""
    tree = {
        "proposal": json.loads(codec.dumps(report.proposal)),
        "simulation": None if report.simulation is None else json.loads(codec.dumps(report.simulation)),
        "impact": None if report.impact is None else json.loads(codec.dumps(report.impact)),
        "why_no_impact": report.why_no_impact,
        "refused": report.refused or None,
        "evidence": json.loads(codec.dumps(report.evidence)),
    }
    exact: dict[str, Any] = _exact(tree)
    return exact | {"holds": report.holds}


def _exact(tree: Any) -> Any:
    """Integers that a double would not keep, as text."""
    if isinstance(tree, dict):
        return {key: _exact(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_exact(one) for one in tree]
    return str(tree) if isinstance(tree, int) and not isinstance(tree, bool) and abs(tree) > 2**53 else tree


def safe_files(proposal: Proposal) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of each file for the transaction builder: one a transaction of the Safe."""
    if proposal.route.way is not Way.SAFE:
        return
    parts: list[tuple[str, tuple[Call, ...]]] = [(step.name, (step.call,)) for step in proposal.steps]
    if proposal.route.direct:  # the builder makes the multi-send itself
        parts = [("execute", proposal.calls)]
    for name, calls in parts:
        batch = builder_file(
            calls,
            safe=proposal.route.safe,
            chain_id=proposal.chain_id,
            name=f"{proposal.title}: {name}",
            description=proposal.title,
            created_at_ms=proposal.time_s * 1000,
        )
        yield f"safe-{name}.json", batch


def write_files(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write them all.  Returns: their paths.  Raises: `BadInput` if the folder cannot be written."""
    p = report.proposal
    texts = {
        "forum.md": markdown(report),
        "description.md": p.description,
        "report.json": _dump(report_tree(report)),
        "transactions.json": _dump(
            [
                {
                    "step": step.name,
                    "who": step.who,
                    "to": step.call.target,
                    "value": str(step.call.value),
                    "data": "0x" + step.call.data.hex(),
                    "safe_tx_hash": step.safe_tx_hash or None,
                }
                for step in (*p.steps, *p.views)
            ]
        ),
        **{name: _dump(batch) for name, batch in safe_files(p)},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        p.save(folder / "proposal.json")
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}", hint="name another folder") from error
    return (folder / "proposal.json", *(folder / name for name in texts))


def _dump(tree: Any) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
