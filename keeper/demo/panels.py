"""The parts of the live screen: frames in, renderables out.  Made for 80 × 24, grows with the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from keeper.demo.frames import Frame, UnderlyingFrame
from keeper.demo.pricefile import show_time
from keeper.domain.margin import Band

#: Colour and sign of each band; the sign also serves terminals without colour.
BANDS: dict[Band, tuple[str, str, str]] = {
    Band.HEALTHY: ("green", "healthy", "█"),
    Band.WARNING: ("yellow", "margin call", "▓"),
    Band.LIQUIDATABLE: ("red", "liquidatable", "▒"),
    Band.INSOLVENT: ("bright_magenta", "insolvent", "░"),
    Band.UNKNOWN: ("bright_black", "unknown", "·"),
}
EIGHTHS = " ▁▂▃▄▅▆▇█"
#: Frames recede behind what they hold.
BORDER = "bright_black"
#: Rows of the price chart on the smallest screen.
CHART_ROWS = 4


def money(usd: float) -> str:
    """Whole dollars with separators; cents below a hundred."""
    return f"{usd:,.0f}" if abs(usd) >= 100 or usd == 0 else f"{usd:,.2f}"


def percent(part: float | None) -> str:
    """A fraction with one decimal, or a dash."""
    return "–" if part is None else f"{part * 100:.1f} %"


def bar(done: float, width: int) -> Text:
    """A progress bar of `width` cells."""
    full = min(width, max(0, round(done * width)))
    return Text("━" * full, style="cyan") + Text("━" * (width - full), style="bright_black")


def chart(values: Sequence[float | None], *, width: int, height: int, total: int) -> list[str]:
    """An area chart of a run that is `total` values long; what has not happened yet is blank.

    The lowest value stands on a sliver, the highest fills its column.
    """
    known = [v for v in values if v is not None]
    if not known or width <= 0:
        return [" " * max(0, width)] * height
    low, high = min(known), max(known)
    low -= (high - low) * 0.06 or 1.0
    columns: list[int] = []
    for x in range(width):
        first = x * total // width
        last = max(first + 1, (x + 1) * total // width)
        seen = [v for v in values[first:last] if v is not None]
        share = (sum(seen) / len(seen) - low) / (high - low) if seen else 0.0
        columns.append(max(1, round(share * 8 * height)) if seen else 0)
    return ["".join(EIGHTHS[min(8, max(0, c - 8 * row))] for c in columns) for row in reversed(range(height))]


def header(title: str, frame: Frame, *, eta: str, width: int) -> Group:
    """Title, market time, progress and ETA: two lines."""
    top = Table.grid(expand=True)
    top.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    top.add_column(justify="right", no_wrap=True)
    top.add_row(Text(f" margin keeper · {title}", style="bold"), Text(f"{show_time(frame.time)} UTC "))
    done = (frame.index + 1) / frame.blocks
    tail = f" block {frame.index + 1}/{frame.blocks}  {done:4.0%}  {eta}"
    return Group(top, Text(" ") + bar(done, max(10, width - len(tail) - 2)) + Text(tail))


def price_panel(frames: Sequence[Frame], index: int, *, width: int, height: int) -> Panel:
    """Price and scan range of one underlying."""
    now = frames[-1].underlyings[index]
    prices = [f.underlyings[index].price for f in frames]
    opening = next((p for p in prices if p is not None), None)
    title = Text(f"{now.symbol} ", style="bold")
    if now.price is None:
        title.append("no usable price", style="bold red")
    else:
        title.append(f"{now.price:,.2f} ")
        change = now.price / opening - 1 if opening else 0.0
        title.append(f"{change:+.1%} ".replace("%", " %"), style="red" if change < 0 else "green")
    if now.breaker:
        title.append("breaker open ", style="bold yellow")
    rows = chart(prices, width=width - 4, height=height, total=frames[-1].blocks)
    known = [p for p in prices if p is not None]
    extent = f" {min(known):,.0f} … {max(known):,.0f} " if known else ""
    return Panel(
        Group(Text("\n".join(rows), style="cyan"), _scan(now)),
        title=title,
        title_align="left",
        subtitle=Text(extent, style="bright_black"),
        subtitle_align="right",
        border_style=BORDER,
        padding=(0, 1),
    )


def _scan(now: UnderlyingFrame) -> Text:
    text = Text("scan range ", style="bright_black")
    text.append(percent(now.psr), style="bold")
    if now.psr is not None and now.psr_target is not None:
        higher = now.psr_target > now.psr
        same = percent(now.psr_target) == percent(now.psr)
        text.append(" = " if same else " ↗ " if higher else " ↘ ")
        text.append(percent(now.psr_target), style="" if same else "yellow" if higher else "green")
        text.append(" target", style="bright_black")
    if now.price is not None and now.ref_price:
        text.append(f"  file {now.price / now.ref_price - 1:+.1%}".replace("%", " %"), style="bright_black")
    return text


def accounts_panel(frame: Frame, *, width: int) -> Panel:
    """Accounts by health, as a table with bars."""
    total = max(1, sum(frame.bands.values()))
    room = max(4, width - 4 - 13 - 5)
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=12)
    table.add_column(width=4, justify="right")
    table.add_column()
    for band, (colour, name, sign) in BANDS.items():
        count = frame.bands.get(band, 0)
        length = 0 if count == 0 else max(1, round(count / total * room))
        table.add_row(
            Text(name, style=colour if count else "bright_black"),
            Text(str(count), style="bold" if count else "bright_black"),
            Text(sign * length, style=colour),
        )
    return Panel(
        table, title=Text(f"accounts {total} ", style="bold"), title_align="left", border_style=BORDER, padding=(0, 1)
    )


def house_panel(frame: Frame) -> Panel:
    """Requirement, fund, bad debt, auctions."""
    table = Table.grid(expand=True)
    table.add_column(style="bright_black")
    table.add_column(justify="right")
    table.add_row("requirement, all accounts", money(frame.requirement))
    table.add_row("margin held, mean", money(frame.mean_margin))
    waited = sum(one.waited for one in frame.openings)
    auctions = Text(f"auctions, {waited} flags waited", style="yellow") if waited else Text("auctions running")
    table.add_row(auctions, Text(str(frame.auctions), style="bold red" if frame.auctions else ""))
    table.add_row("insurance fund", money(frame.fund))
    table.add_row("bad debt", Text(money(frame.bad_debt), style="bold red" if frame.bad_debt >= 1 else "green"))
    return Panel(
        table, title=Text("house, USD ", style="bold"), title_align="left", border_style=BORDER, padding=(0, 1)
    )


def decisions_panel(frames: Sequence[Frame], *, lines: int) -> Panel:
    """What the keeper did last, newest at the bottom."""
    rows: list[Text] = []
    for frame in reversed(frames):
        clock = show_time(frame.time)[-5:]
        for line in reversed((*frame.alerts, *frame.decisions)):
            text = Text(f"{clock} ", style="bright_black", no_wrap=True, overflow="ellipsis")
            text.append(line, style="yellow" if line in frame.alerts else _tone(line))
            rows.append(text)
        if len(rows) >= lines:
            break
    shown: list[RenderableType] = list(reversed(rows[:lines]))
    return Panel(
        Group(*shown),
        title=Text("last decisions ", style="bold"),
        title_align="left",
        border_style=BORDER,
        padding=(0, 1),
    )


def footer(frame: Frame) -> Text:
    """Counts since the opening, one line."""
    counts = (
        ("published", frame.pushes),
        ("refreshed", frame.refreshes),
        ("called", frame.margin_calls),
        ("liquidated", frame.liquidations),
        ("settled", frame.settled),
    )
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    for name, count in counts:
        text.append(f"{count} ", style="bold").append(f"{name}  ", style="bright_black")
    return text.append(f"cycle {frame.cycle_ms:.0f} ms", style="bright_black")


def setup_panel(title: str, steps: Sequence[tuple[str, int, int]], *, width: int) -> Group:
    """Progress before the market opens: one line a step."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False, padding=(0, 1))
    table.add_column(width=34)
    table.add_column()
    table.add_column(justify="right")
    for name, done, total in steps:
        finished = done >= total
        table.add_row(
            Text(("✓ " if finished else "▸ ") + name, style="green" if finished else "bold"),
            bar(done / total if total else 1.0, max(10, width - 56)),
            f"{done}/{total}",
        )
    return Group(Text(f" margin keeper · {title}", style="bold"), Text(""), table)


def _tone(line: str) -> str:
    for word, style in (
        ("flag", "red"),
        ("bid", "red"),
        ("margin call", "yellow"),
        ("publish", "cyan"),
        ("breaker", "bold yellow"),
    ):
        if line.startswith(word):
            return style
    return ""
