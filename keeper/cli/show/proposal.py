"""`keeper propose` and `keeper proposal` for a person and for a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.tables import table as plain_table
from keeper.domain import codec
from keeper.governance.check import Verdict
from keeper.governance.evidence import Evidence
from keeper.governance.files import report_tree, write_files
from keeper.governance.forum import Report, by_reason
from keeper.governance.proposal import Proposal
from keeper.governance.simulate import Simulation

__all__ = ["report_tree", "report_view", "verdict_tree", "verdict_view", "write_files"]


def report_view(report: Report, files: Sequence[Path]) -> RenderableType:
    """What changes, whom it concerns, what became of it on the fork."""
    p = report.proposal
    head = Text.assemble((p.title, "bold"), f"   block {p.block:,}, {words.utc(p.time_s)}", overflow="fold")
    parts: list[RenderableType] = [head, Text(), _differences(p)]
    parts += [Text(f"  as wanted already: {line}", style="bright_black") for line in p.settled]
    parts += [
        Text(),
        _impact(report),
        Text(),
        *_evidence(report.evidence),
        Text(),
        _simulation(report.simulation),
        Text(),
        _ids(p),
    ]
    if files:
        parts.append(Text(f"written: {', '.join(str(path) for path in files)}", overflow="fold"))
    else:
        parts.append(
            Text("→ --out DIR writes the forum's text, the calldata and the file to check it by", style="cyan")
        )
    return Group(*parts)


def _differences(p: Proposal) -> RenderableType:
    table = plain_table("what changes", "key", "now", "then", numbers=2)
    for one in p.differences:
        table.add_row(one.of, one.name, one.old_shown, Text(one.new_shown, style="bold"))
    return table


def _impact(report: Report) -> RenderableType:
    e = report.impact
    if report.refused:
        return Text(f"the contracts refuse it: {report.refused}", style="bold red", overflow="fold")
    if e is None:
        return Text(f"whom it concerns is not known: {report.why_no_impact}", style="yellow", overflow="fold")
    style = "bold red" if e.below_mm else "green"
    return Text.assemble(
        f"{e.accounts:,} accounts replayed",
        f", {e.unknown:,} cannot be priced" if e.unknown else "",
        ": ",
        (f"{e.below_mm:,} newly below maintenance", style),
        f", {e.below_im:,} below initial margin; maintenance {words.usd(e.mm_before)} → {words.usd(e.mm_after)}",
        f", bad debt at risk {words.usd(e.at_risk_before)} → {words.usd(e.at_risk_after)}",
        overflow="fold",
    )


def _evidence(evidence: Evidence) -> Iterator[RenderableType]:
    """What was counted in words, then limits in use, then for what nothing was."""
    for h in evidence.held:
        now = "" if h.old_breaches < 0 else f"{h.old_breaches:,} now ({h.old_shown}{_p(h.p_old)}), "
        then = f"{h.new_breaches:,} then ({h.new_shown}{_p(h.p_new)})"
        expected = "" if h.expected is None else f", {h.expected:.1f} expected"
        said = f"; calibration asks for {h.said}" if h.said else ""
        yield Text.assemble(
            (f"{h.of}, {h.name}: ", "bold"),
            f"{h.asked}, of {h.windows:,} in {h.history}: {now}{then}{expected}{said}",
            overflow="fold",
        )
    for u in evidence.used:
        words_ = f"{u.in_use} in use, {u.old_share} of the limit now, {u.new_share} then"
        yield Text.assemble((f"{u.of}, {u.name}: ", "bold"), words_, overflow="fold")
    for why, numbers in by_reason(evidence.missing).items():
        line = f"no evidence: {', '.join(f'{n.of}, {n.name}' for n in numbers)}: {why}"
        yield Text(line, style="bright_black", overflow="fold")


def _p(value: float | None) -> str:
    return "" if value is None else f", p {value:.2g}"


def _simulation(simulation: Simulation | None) -> RenderableType:
    if simulation is None:
        return Text("not simulated", style="yellow")
    good = simulation.holds
    said = "executed, and the state is as wanted" if good else simulation.failure or "the state is not as wanted"
    head = Text.assemble(
        f"on a fork of block {simulation.block:,} ({simulation.engine}): ",
        (said, "bold green" if good else "bold red"),
        overflow="fold",
    )
    steps = [Text(f"{a.what}" + (f", {a.gas:,} gas" if a.gas else ""), overflow="fold") for a in simulation.acted]
    held = sum(check.holds for check in simulation.checks)
    if held:
        steps.append(Text(f"{held} of {len(simulation.checks)} checks of the state afterwards hold", overflow="fold"))
    wrong = [Text(f"{c.what}: {c.said}", style="red", overflow="fold") for c in simulation.checks if not c.holds]
    return Group(head, *(Padding(line, (0, 0, 0, 2)) for line in (*steps, *wrong)))


def _ids(p: Proposal) -> RenderableType:
    pairs = [("proposal", p.ids.proposal), ("operation", p.ids.operation), ("by", p.route.executor)]
    pairs += [(f"Safe hash to {s.name}", s.safe_tx_hash) for s in p.steps]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(name, str(value))
    return table


def verdict_view(made: Proposal, verdict: Verdict) -> RenderableType:
    """Sound or not, then what is not as it was, then what became of it on the fork."""
    word, style = ("may be executed as it was meant", "bold green")
    if not verdict.sound:
        word, style = ("still goes through, but is not what it was", "bold yellow")
    if not verdict.alive:
        word, style = ("is over" if verdict.simulation is None else "does not go through any more", "bold red")
    head = Text.assemble((made.title, "bold"), f": {verdict.state}, ", (word, style), overflow="fold")
    parts: list[RenderableType] = [head, Text(f"made at block {verdict.made_block:,}, today is {verdict.block:,}")]
    parts += [Text.assemble((f"{one.drift}: ", "yellow"), one.said, overflow="fold") for one in verdict.findings]
    if verdict.simulation is not None:
        parts += [Text(), _simulation(verdict.simulation)]
    return Group(*parts)


def verdict_tree(made: Proposal, verdict: Verdict) -> dict[str, Any]:
    """Everything as one object."""
    tree: dict[str, Any] = json.loads(codec.dumps(verdict))
    return tree | {"sound": verdict.sound, "alive": verdict.alive, "calls": len(made.calls)}
