"""A proposal for people: Markdown for the forum, from the same records that a script reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keeper.governance.evidence import Evidence, Missing
from keeper.governance.proposal import Proposal
from keeper.governance.route import Way
from keeper.governance.simulate import Simulation
from keeper.policy.effect import Effect, Moved
from keeper.protocols.clearinghouse.names import account_name


@dataclass(frozen=True, kw_only=True)
class Report:
    """A proposal with everything that was found out about it."""

    proposal: Proposal
    simulation: Simulation | None
    """None if it was not asked for."""
    impact: Effect | None
    why_no_impact: str
    """Empty if there is one."""
    evidence: Evidence
    refused: str = ""
    """What the contracts said to its calls as they are today; empty if they take them."""

    @property
    def holds(self) -> bool | None:
        """Whether it goes through and does what is wanted; None if that was not looked at, and nothing refused it."""
        if self.simulation is not None:
            return self.simulation.holds
        return False if self.refused else None


def markdown(report: Report) -> str:
    """The text for the forum."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    p = report.proposal
    yield f"# {p.title}"
    yield ""
    if p.description:
        summary = p.description.partition("\n\n")[2].partition("```toml")[0].strip()
        yield from (summary, "") if summary else ()
    yield f"Made for chain {p.chain_id} at block {p.block:,} ({_time(p.time_s)}), `{p.block_hash}`."
    yield ""
    yield "## What changes"
    yield ""
    yield from _table(
        ("what", "key", "now", "then", "raw"),
        [(d.of, f"`{d.name}`", d.old_shown, d.new_shown, f"{d.old} → {d.new}") for d in p.differences],
    )
    for line in p.settled:
        yield f"- as wanted already: {line}"
    yield ""
    yield "## Whom it concerns"
    yield ""
    yield from _impact(report)
    yield ""
    yield "## What recorded prices say"
    yield ""
    yield from _evidence(report.evidence)
    yield ""
    yield "## Simulation"
    yield ""
    yield from _simulation(report.simulation)
    yield ""
    yield "## What is executed"
    yield ""
    yield from _calls(p)
    yield ""
    yield "## How to check it"
    yield ""
    yield from _ids(p)


def _impact(report: Report) -> Iterator[str]:
    e = report.impact
    if e is None:
        why = "the contracts refuse it today, " if report.refused else ""
        yield f"Not computed: {why}{report.why_no_impact}."
        return
    yield f"Every account replayed before and after, at the same prices and the same moment: {e.accounts:,} priced" + (
        f", {e.unknown:,} that cannot be priced." if e.unknown else "."
    )
    yield ""
    rows = [
        ("newly below maintenance", "", f"{e.below_mm:,}"),
        ("newly below initial margin", "", f"{e.below_im:,}"),
        ("maintenance, all accounts", _usd(e.mm_before), _usd(e.mm_after)),
        ("initial margin, all accounts", _usd(e.im_before), _usd(e.im_after)),
        ("bad debt", _usd(e.bad_debt_before), _usd(e.bad_debt_after)),
        ("bad debt at risk", _usd(e.at_risk_before), _usd(e.at_risk_after)),
    ]
    yield from _table(("", "now", "then"), rows)
    for title, moved in (
        ("Newly below maintenance", e.named_mm),
        ("Newly below initial margin", e.named_im),
        ("Whose requirement moves most", e.largest),
    ):
        if moved:
            yield ""
            yield f"{title}:"
            yield ""
            yield from _table(
                ("account", "equity", "maintenance now", "then", "initial now", "then"), map(_moved, moved)
            )


def _moved(one: Moved) -> tuple[str, ...]:
    amounts = (one.equity_after, one.mm_before, one.mm_after, one.im_before, one.im_after)
    return (f"`{account_name(one.account)}`", *map(_usd, amounts))


def _evidence(evidence: Evidence) -> Iterator[str]:
    if evidence.held:
        yield from _table(
            (
                "number",
                "record",
                "counted",
                "of",
                "now",
                "then",
                "expected",
                "p now",
                "p then",
                "largest",
                "calibrated",
            ),
            [
                (
                    f"{h.of}: `{h.name}`",
                    f"{h.history}, {_day(h.first_s)} to {_day(h.last_s)}",
                    h.asked,
                    f"{h.windows:,}",
                    "–" if h.old_breaches < 0 else f"{h.old_breaches:,} ({h.old_shown})",
                    f"{h.new_breaches:,} ({h.new_shown})",
                    "–" if h.expected is None else f"{h.expected:.1f}",
                    _p(h.p_old),
                    _p(h.p_new),
                    h.worst or "–",
                    h.said or "–",
                )
                for h in evidence.held
            ],
        )
        if any(h.expected is not None for h in evidence.held):
            yield ""
            yield (
                "*expected*: what the level behind the calibration admits; *p*: the exact chance of a count as "
                "unlikely as this if that level held (Kupiec), over windows that do not overlap."
            )
    if evidence.used:
        yield from ("",) if evidence.held else ()
        yield from _table(
            ("limit", "in use", "of the limit now", "then"),
            [(f"{u.of}: `{u.name}`", u.in_use, u.old_share, u.new_share) for u in evidence.used],
        )
    if evidence.missing:
        yield from ("",) if evidence.held or evidence.used else ()
        for why, numbers in by_reason(evidence.missing).items():
            yield f"- no evidence applies to {', '.join(f'{n.of}: `{n.name}`' for n in numbers)}: {why}"


def by_reason(missing: Sequence[Missing]) -> dict[str, list[Missing]]:
    """Numbers about which nothing is known, by the reason, in their order."""
    found: dict[str, list[Missing]] = {}
    for one in missing:
        found.setdefault(one.why, []).append(one)
    return found


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def _simulation(simulation: Simulation | None) -> Iterator[str]:
    if simulation is None:
        yield "Not simulated."
        return
    word = "executed, and the state is the one that was wanted" if simulation.holds else "NOT as wanted"
    yield f"On a fork of block {simulation.block:,} ({simulation.engine}), through the whole way: **{word}**."
    yield ""
    yield from _table(
        ("step", "block", "time", "gas"),
        [(a.what, f"{a.block:,}", _time(a.time_s), f"{a.gas:,}" if a.gas else "") for a in simulation.acted],
    )
    if simulation.failure:
        yield ""
        yield f"It ended with: {simulation.failure}"
    yield ""
    for check in simulation.checks:
        yield f"- {'ok' if check.holds else 'WRONG'}: {check.what}: {check.said}"


def _calls(p: Proposal) -> Iterator[str]:
    yield f"By `{p.route.executor}`, in one transaction and this order:"
    yield ""
    for place, call in enumerate(p.calls, start=1):
        yield f"{place}. {call.contract} at `{call.target}`: `{call.signature}`"
        yield from (f"   - `{argument}`" for argument in call.arguments)
        yield f"   - calldata `0x{call.data.hex()}`"


def _ids(p: Proposal) -> Iterator[str]:
    found = [
        ("governor", p.route.governor),
        ("timelock", p.route.timelock),
        ("Safe", p.route.safe),
        ("proposal id", p.ids.proposal),
        ("description hash", p.ids.description_hash),
        ("timelock operation", p.ids.operation if p.route.timelock else ""),
        ("salt", p.ids.salt),
        ("Safe domain hash", p.ids.safe_domain),
        ("hash by which owners approve this text off chain", p.ids.safe_text),
    ]
    yield from _table(("", ""), [(name, f"`{value}`") for name, value in found if value])
    yield ""
    for step in (*p.steps, *p.views):
        yield f"- {step.name}, by {step.who}: to `{step.call.target}`, `{step.call.signature}`"
        if step.safe_tx_hash:
            yield f"  - Safe transaction hash `{step.safe_tx_hash}`, message hash `{step.safe_message_hash}`"
    yield ""
    name = p.ids.proposal if p.route.way is Way.GOVERNOR else "proposal.json"
    yield f"Again before execution: `keeper proposal check {name}`."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]] | Iterator[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


def _usd(wad: int) -> str:
    cents = (abs(wad) + 5 * 10**15) // 10**16
    return f"{'-' if wad < 0 else ''}{cents // 100:,}.{cents % 100:02d} USD"


def _time(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d")
