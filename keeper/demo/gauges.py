"""Published parameters beside their targets: what the day's budget leaves, and how far those in force have come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from keeper.demo.frames import Frame, UnderlyingFrame
from keeper.policy.standing import Standing

PPM = 10**6
#: Lines that the table takes without a frame for `n` rows, and what a frame adds.
HEAD, FRAME = 1, 2
#: From this width on what a budget leaves is said in points too, not only as a part of it.
WIDE = 104
#: Titles of the columns on a screen; `next` and `there` are times from now.
TITLES = ("", "target", "published", "in force", "left ↑", "left ↓", "next", "there", "IM")
#: The same where there is room.
NAMES = (
    "at the end",
    "target",
    "published",
    "in force",
    "budget left, up",
    "budget left, down",
    "may move on in",
    "in force in",
    "IM widened by",
    "held by",
)


def rows(frame: Frame, *, every: bool) -> list[tuple[UnderlyingFrame, Standing]]:
    """What is shown: every parameter, or the scan range alone where there is little room."""
    return [(u, p) for u in frame.underlyings for p in u.parameters if every or p.name == "psr"]


def height(frame: Frame, *, every: bool) -> int:
    """Lines of `parameters_panel`; 0 if there is nothing to show."""
    shown = len(rows(frame, every=every))
    return 0 if not shown else shown + HEAD + (FRAME if every else 0)


def parameters_panel(frame: Frame, *, width: int, every: bool) -> Panel | Table:
    """Target, published, in force, budget left and times, one line a parameter; framed if every one is shown."""
    table = Table(
        box=None, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1), expand=True, header_style="bright_black"
    )
    for i, title in enumerate(TITLES):
        table.add_column(title, justify="left" if i == 0 else "right", no_wrap=True)
    for u, one in rows(frame, every=every):
        table.add_row(*_cells(u, one, wide=width >= WIDE))
    if not every:
        return table
    return Panel(
        table,
        title=Text("parameters on-chain, budget left today ", style="bold"),
        title_align="left",
        border_style="bright_black",
        padding=(0, 1),
        box=box.ROUNDED,
    )


def _cells(u: UnderlyingFrame, one: Standing, *, wide: bool) -> list[Text]:
    name = Text(f"{u.symbol} ", style="bold").append(_short(one), style="not bold")
    target = Text(_percent(one.target_ppm))
    if one.target_ppm is not None and one.target_ppm != one.published_ppm:
        target.stylize("yellow" if one.target_ppm > one.published_ppm else "green")
    in_force = Text(_percent(one.in_force_ppm), style="yellow" if one.ramps else "")
    uplift = Text(f"+{u.im_uplift_pct} %", style="yellow") if one.name == "psr" and u.im_uplift_pct else Text("")
    return [
        name,
        target,
        Text(_percent(one.published_ppm), style="bold"),
        in_force,
        _left(one.left_up_ppm, one.left_up_share_ppm, "+", wide=wide),
        _left(one.left_down_ppm, one.left_down_share_ppm, "−", wide=wide),
        Text(until(one.next_allowed_s, u.chain_time)),
        Text(until(one.arrives_s, u.chain_time) if one.ramps else "✓", style="yellow" if one.ramps else "green"),
        uplift,
    ]


def cells(frame: Frame) -> list[list[str]]:
    """Every line of the table as plain text, in full."""
    return [
        [*(str(cell) for cell in _cells(u, one, wide=True)), u.held.get((one.name, one.expiry), "")]
        for u, one in rows(frame, every=True)
    ]


def _short(one: Standing) -> str:
    return {"psr": "scan range", "vsr_up": "vol range ↑", "vsr_down": "vol range ↓", "sigma": "front vol"}[one.name]


def _left(points_ppm: int, share_ppm: int, sign: str, *, wide: bool) -> Text:
    style = "red" if share_ppm < PPM // 20 else ""
    share = f"{share_ppm / 10_000:.0f} %"
    return Text(f"{sign}{points_ppm / 10_000:.1f} ({share})" if wide else share, style=style)


def _percent(ppm: int | None) -> str:
    return "–" if ppm is None else f"{ppm / 10_000:.2f} %"


def until(at_s: int | None, now_s: int) -> str:
    """How long until a moment: `now`, minutes, hours, days, or a dash for never."""
    if at_s is None:
        return "–"
    left = at_s - now_s
    if left <= 0:
        return "now"
    if left < 5_400:
        return f"{-(-left // 60)} min"
    return f"{left / 3_600:.0f} h" if left < 172_800 else f"{left / 86_400:.0f} d"


def as_columns(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """The same for a script: per underlying and parameter one list a field, one entry a block."""
    if not frames:
        return []
    found: list[dict[str, Any]] = []
    for i, first in enumerate(frames[0].underlyings):
        blocks = [f.underlyings[i] for f in frames]
        for name in dict.fromkeys(p.name for b in blocks for p in b.parameters):
            column = [(b, p) for b in blocks for p in b.parameters if p.name == name]
            found.append(
                {
                    "symbol": first.symbol,
                    "parameter": name,
                    "chain_time": [b.chain_time for b, _ in column],
                    "im_uplift_pct": [b.im_uplift_pct for b, _ in column],
                }
                | {
                    field: [getattr(p, field) for _, p in column]
                    for field in Standing.__dataclass_fields__
                    if field != "name"
                }
            )
    return found
