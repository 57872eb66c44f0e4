"""`keeper explain` for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.actions import action_tree, tx_tree
from keeper.cli.show.takeover import takeover_lines
from keeper.domain.action import kind
from keeper.domain.margin import AccountMargin, UnderlyingMargin, Unpriced
from keeper.domain.snapshot import Instrument, Usable
from keeper.offline import account_name
from keeper.ops.account import AccountStory
from keeper.policy.why import Answer
from keeper.risk.exact.grid import NO_ROW
from keeper.risk.explain_grid import Line, UnderlyingExplanation
from keeper.units import Wad

#: Cells of the longest bar.
BAR = 18
#: Columns of a figure, and of the words before it: at least and at most.
FIGURE = 14
LABEL = (18, 62)
_ANSWERS = {
    Answer.ACTED: ("●", "bold red"),
    Answer.SAFE: ("✓", "green"),
    Answer.WAITS: ("◌", "yellow"),
    Answer.UNKNOWN: ("?", "bright_black"),
}


def account_view(story: AccountStory) -> RenderableType:
    """The whole answer, for a terminal."""
    parts: list[RenderableType] = [_head(story)]
    if isinstance(story.explained, Unpriced):
        parts.append(_holdings(story))
    else:
        found = story.explained.margin
        parts.append(_sum("Equity, USD", _named(story, story.explained.equity), "equity", found.equity))
        requirements = {u.underlying: u for u in found.underlyings}
        parts += [_underlying(story, part, requirements[part.underlying]) for part in story.explained.underlyings]
        parts.append(
            _sum(
                "Maintenance, USD", _named(story, story.explained.mm), "maintenance requirement", found.mm, gains=False
            )
        )
        parts.append(
            _sum("Initial, USD", _named(story, story.explained.im), "initial requirement", found.im, gains=False)
        )
    parts.append(_why(story))
    return Group(*parts)


def _head(story: AccountStory) -> RenderableType:
    block = story.record.block
    title = Text.assemble((f" {account_name(story.state.account)} ", "bold"))
    where = f"block {block.number:,} · {words.utc(block.timestamp)} · "
    proof = ("replayed, bytes agree", "green") if story.same else ("REPLAYED, BYTES DIFFER", "bold red")
    if isinstance(story.explained, Unpriced):
        body, style = Text.assemble(("UNKNOWN", "bold bright_black"), f"   {story.explained.reason}"), "bright_black"
    else:
        body, style = _figures(story.explained.margin), words.BAND_STYLES[story.explained.margin.band]
    auction = story.state.in_auction
    return Panel(
        Group(body, Text.assemble((where, "bright_black"), proof, ("  ·  in auction", "bold red") if auction else "")),
        title=title,
        title_align="left",
        box=box.ROUNDED,
        border_style=style,
        padding=(0, 1),
    )


def _figures(found: AccountMargin) -> Text:
    style = words.BAND_STYLES[found.band]
    text = Text.assemble(
        (found.band.upper(), f"bold {style}"), "   health ", (words.health(found.health_ppm), f"bold {style}")
    )
    for name, amount in (("equity", found.equity), ("maintenance", found.mm), ("initial", found.im)):
        text.append(f"   {name} ")
        text.append(words.usd(amount), "bold")
    return text


def _named(story: AccountStory, lines: Sequence[Line]) -> list[Line]:
    """Lines that say the ticker where the pure half says the underlying's number."""
    out = list(lines)
    for u in story.inputs.snapshot.underlyings:
        out = [replace(line, what=line.what.replace(f"underlying {u.underlying}", u.symbol)) for line in out]
    return out


def _sum(title: str, lines: Sequence[Line], total_name: str, total: int, *, gains: bool = True) -> RenderableType:
    """Lines that add up; `gains`: a positive amount is good for the account."""
    table = _table()
    largest = max((abs(line.amount) for line in lines), default=0)
    for line in lines:
        good = (line.amount > 0) is gains
        table.add_row("  " + line.what, words.amount(line.amount), _bar(line.amount, largest, good=good))
    return _section(title, table, total_name, total)


def _underlying(story: AccountStory, part: UnderlyingExplanation, found: UnderlyingMargin) -> RenderableType:
    state = next(u for u in story.inputs.snapshot.underlyings if u.underlying == part.underlying)
    spot = words.usd(state.spot.wad) if isinstance(state.spot, Usable) else "–"
    scan = words.percent(state.live.ranges.psr_ppm) if state.live else "–"
    table = _table()
    largest = max((abs(line.amount) for line in (*part.grid, *part.short_minimum)), default=0)
    for line in part.grid:
        name = (
            line.what
            if line.instrument is None
            else f"{words.signed(line.what):>8}  {words.instrument(line.instrument)}"
        )
        table.add_row("  " + name, words.amount(line.amount), _bar(line.amount, largest, good=line.amount < 0))
    for line in part.short_minimum:
        name = line.what if line.instrument is None else f"{line.what}, {words.instrument(line.instrument)}"
        table.add_row("  short minimum: " + name, words.amount(line.amount), _bar(line.amount, largest, good=False))
    stale = "  ·  file stale" if story.market.of(part.underlying).stale else ""
    title = Text.assemble((state.symbol, "bold"), f"  spot {spot}  ·  scan range {scan}{stale}")
    row = Text.assemble("  worst of 24 rows: ", (row_words(part, found), "bold"), style="default")
    return _section(title, table, f"{state.symbol} requirement, USD", found.grid + found.short_minimum, above=row)


def row_words(part: UnderlyingExplanation, found: UnderlyingMargin) -> str:
    """The worst row as a person would say it."""
    row = part.row
    said = f"spot {words.move(row.move_ppm)}, volatility {row.volatility}"
    if row.weight_ppm != words.PPM:
        said += f", counted at {words.percent(row.weight_ppm)}"
    return said if found.worst_row != NO_ROW else f"none loses; least gain at {said}"


def _holdings(story: AccountStory) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for position in story.state.positions:
        table.add_row("  " + words.signed(f"{position.size / words.WAD:+g}"), words.instrument(position.instrument))
    return Group(Text("\nPositions", style="bold"), table, Text(f"  cash {words.usd(story.state.cash)}"))


def _why(story: AccountStory) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=3, justify="right")
    table.add_column()
    for reason in story.reasons:
        sign, style = _ANSWERS[reason.answer]
        table.add_row(Text(sign, style=style), Text(reason.said))
    for one in story.handled:
        state = one.tx.state if one.tx else one.handed.state
        said = f"{kind(one.handed.action)}: {state}"
        if one.tx and one.tx.mined:
            said += f" in block {one.tx.mined.number:,}"
        if one.tx and (one.tx.mined_hash or one.tx.attempts):
            said += f"  {one.tx.mined_hash or one.tx.attempts[-1].tx_hash}"
        table.add_row("", Text(said + (f"  ({one.handed.reason})" if one.handed.reason else ""), style="bright_black"))
        for line in takeover_lines(one.handed.action, {u.underlying: u.symbol for u in story.market.underlyings}):
            table.add_row("", line)
    return Group(Text("\nWhat was done, and why", style="bold"), table)


def _section(
    title: Text | str, table: Table, total_name: str, total: int, *, above: RenderableType | None = None
) -> RenderableType:
    table.add_row(Text("  " + total_name, style="bold"), Text(words.amount(total), style="bold underline"), "")
    heading = Text(title, style="bold") if isinstance(title, str) else title
    return Padding(Group(heading, *([above] if above else []), table), (1, 0, 0, 0))


class _Lines(Table):
    """Words, a figure and a bar a line, one column under the other in all sections; every figure stays whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Where there is little room words go on in the next line, and then bars are cut."""
        label, figure, bar = self.columns
        room = options.max_width - FIGURE - 4
        label.width = max(LABEL[0], min(LABEL[1], room - BAR))
        figure.width = FIGURE
        bar.width = max(1, min(BAR, room - label.width))
        yield from super().__rich_console__(console, options)


def _table() -> Table:
    table = _Lines(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="crop")
    return table


def _bar(amount: int, largest: int, *, good: bool) -> Text:
    cells = 0 if not largest else abs(amount) * BAR / largest
    full, part = int(cells), int(cells * 8) % 8
    return Text("█" * full + (" ▏▎▍▌▋▊▉"[part] if part else ""), style="green" if good else "red")


# --- for a script -----------------------------------------------------------------------------------------------------


def account_tree(story: AccountStory) -> dict[str, Any]:
    """The whole answer, as one object."""
    block = story.record.block
    state = story.state
    tree: dict[str, Any] = {
        "account": account_name(state.account),
        "account_id": f"{state.account:#066x}",
        "block": {"number": block.number, "hash": block.hash, "timestamp": block.timestamp},
        "replay_agrees": story.same,
        "positions": [_position(p.instrument, p.size) for p in state.positions],
        "reasons": [{"answer": r.answer, "said": r.said} for r in story.reasons],
        "handled": [
            {
                "action": action_tree(one.handed.action),
                "state": one.tx.state if one.tx else one.handed.state,
                "reason": one.handed.reason,
                "transaction": tx_tree(one.tx) if one.tx else None,
            }
            for one in story.handled
        ],
    }
    if isinstance(story.explained, Unpriced):
        return tree | {"band": "unknown", "unknown_because": story.explained.reason}
    found = story.explained.margin
    requirements = {u.underlying: u for u in found.underlyings}
    return tree | {
        "band": found.band,
        "in_auction": found.in_auction,
        "stale_file": found.stale,
        "health_ppm": str(found.health_ppm),
        "equity": _lines(story.explained.equity, found.equity),
        "maintenance": _lines(story.explained.mm, found.mm),
        "initial": _lines(story.explained.im, found.im),
        "underlyings": [_part(story, part, requirements[part.underlying]) for part in story.explained.underlyings],
    }


def _part(story: AccountStory, part: UnderlyingExplanation, found: UnderlyingMargin) -> dict[str, Any]:
    market = story.market.of(part.underlying)
    return {
        "underlying": part.underlying,
        "symbol": market.symbol,
        "spot": words.money(market.spot or 0),
        "worst_row": {
            "number": part.row.number,
            "loses": found.worst_row != NO_ROW,
            "said": row_words(part, found),
            "move_ppm": part.row.move_ppm,
            "volatility": part.row.volatility,
            "weight_ppm": part.row.weight_ppm,
        },
        "grid": _lines(part.grid, found.grid),
        "short_minimum": _lines(part.short_minimum, found.short_minimum),
    }


def _lines(lines: Sequence[Line], total: int) -> dict[str, Any]:
    return {
        "total": words.money(total),
        "lines": [
            {"what": line.what, "amount": words.money(line.amount)}
            | ({"instrument": _instrument(line.instrument)} if line.instrument else {})
            for line in lines
        ],
    }


def _position(instrument: Instrument, size: int) -> dict[str, Any]:
    return {"instrument": _instrument(instrument), "size": {"contracts": str(Wad(size)), "wad": str(size)}}


def _instrument(one: Instrument) -> dict[str, Any]:
    return {"underlying": one.underlying, "kind": one.kind, "expiry": one.expiry, "strike_1e8": str(one.strike)}
