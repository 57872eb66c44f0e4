"""`keeper check` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keeper.cli.show.roomy import Roomy
from keeper.ops.doctor.findings import Finding, Verdict, ready

_SIGNS = {
    Verdict.GOOD: ("✓", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.BAD: ("✗", "bold red"),
    Verdict.SKIPPED: ("–", "bright_black"),
}


def findings_view(findings: Sequence[Finding]) -> RenderableType:
    """One line a finding, its hint below it, and the sum of them."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # an address to copy is folded, never cut
    for one in findings:
        sign, style = _SIGNS[one.verdict]
        muted = "bright_black" if one.verdict is Verdict.SKIPPED else ""
        table.add_row(Text(sign, style=style), Text(one.what + "  ", style=muted), Text(one.said, style=muted))
        if one.hint:
            table.add_row("", "", Text.assemble(("→ ", "cyan"), one.hint))
    return Group(*_endpoints(findings), table, Text(), _verdict(findings))


def _endpoints(findings: Sequence[Finding]) -> Sequence[RenderableType]:
    """What was measured of each endpoint, one line each."""
    measured = [one.measured for one in findings if one.measured]
    if not measured:
        return ()
    figures = ("head", "age", "behind", "answers in")
    words = [at for at, column in enumerate(measured[0]) if column not in figures]
    table = Roomy(*measured[0], left=words)
    for one in measured:
        table.add_row(*one.values())
    return (table, Text())


def _verdict(findings: Sequence[Finding]) -> Text:
    counts = {verdict: sum(one.verdict is verdict for one in findings) for verdict in Verdict}
    if not ready(findings):
        bad = counts[Verdict.BAD]
        return Text(f"not ready: {bad} {'thing is' if bad == 1 else 'things are'} wrong", style="bold red")
    if counts[Verdict.WARNING]:
        few = counts[Verdict.WARNING]
        return Text(f"ready, with {few} {'thing' if few == 1 else 'things'} to look at", style="bold yellow")
    return Text("ready: next, keeper once", style="bold green")


def findings_tree(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as one object."""
    return {
        "ready": ready(findings),
        "findings": [
            {"what": one.what, "verdict": one.verdict, "said": one.said, "hint": one.hint}
            | ({"measured": dict(one.measured)} if one.measured else {})
            for one in findings
        ],
    }
