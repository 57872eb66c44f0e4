"""Plots of a run as SVG that follows the page: text and axes take the page's colours, in light and dark."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keeper.demo.frames import Frame
from keeper.domain.margin import Band

#: Stand-ins that are replaced by the page's variables; matplotlib knows only fixed colours.
INK, FAINT = "#010203", "#040506"
#: Mid-tones that read on white and on black.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#3b82c4", "#e08a1e", "#4f9d58", "#d64545", "#9b59b6", "#8a8f98"
BAND_COLOURS = {
    Band.HEALTHY: GREEN,
    Band.WARNING: ORANGE,
    Band.LIQUIDATABLE: RED,
    Band.INSOLVENT: PURPLE,
    Band.UNKNOWN: GREY,
}
BAND_NAMES = {Band.WARNING: "margin call", Band.UNKNOWN: "unknown"}
RUN_COLOURS = {"no keeper": GREY, "static": ORANGE, "recalibrating": BLUE}

STYLE: Any = {  # matplotlib types each key by itself
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def hours(frames: Sequence[Frame]) -> list[float]:
    """Hours since the market opened."""
    return [(frame.time - frames[0].time) / 3600 for frame in frames]


def prices(frames: Sequence[Frame]) -> str:
    """Price of each underlying inside the scan range that was in force, with the target beside it."""

    def draw(axes: Sequence[Axes]) -> None:
        for i, axis in enumerate(axes):
            rows = [f.underlyings[i] for f in frames]
            x = hours(frames)
            price = [u.price if u.price is not None else float("nan") for u in rows]
            low, high = (
                [p * (1 + sign * (u.psr or 0.0)) for p, u in zip(price, rows, strict=True)] for sign in (-1, 1)
            )
            axis.fill_between(x, low, high, color=BLUE, alpha=0.14, linewidth=0, label="scan range in force")
            for sign in (-1, 1):
                edge = [
                    p * (1 + sign * u.psr_target) if u.psr_target is not None else float("nan")
                    for p, u in zip(price, rows, strict=True)
                ]
                axis.plot(x, edge, color=ORANGE, linewidth=0.9, linestyle="--", label="target" if sign > 0 else None)
            axis.plot(x, price, color=BLUE, linewidth=1.6, label="price")
            leaps = [k for k, f in enumerate(frames) if any(one.symbol == rows[0].symbol for one in f.openings)]
            if leaps:
                at = [x[k] for k in leaps], [price[k] for k in leaps]
                axis.scatter(*at, s=34, color=RED, zorder=3, linewidths=0, label="breaker opened")
            axis.set_title(f"{rows[0].symbol}, USD")
            axis.yaxis.set_major_formatter("{x:,.0f}")
            axis.set_xlabel("hours since the opening")
        bottom_legend(axes)

    return svg(draw, name="prices", columns=len(frames[0].underlyings), height=3.4)


def health(frames: Sequence[Frame]) -> str:
    """Accounts by health over time, stacked, the worst at the bottom where counts are easiest to read."""

    def draw(axes: Sequence[Axes]) -> None:
        shown = [band for band in reversed(Band) if band is Band.HEALTHY or any(f.bands.get(band, 0) for f in frames)]
        axes[0].stackplot(
            hours(frames),
            [[f.bands.get(band, 0) for f in frames] for band in shown],
            labels=[BAND_NAMES.get(band, str(band)) for band in shown],
            colors=[BAND_COLOURS[band] for band in shown],
            alpha=0.85,
            step="post",
        )
        axes[0].set_title("accounts by health")
        axes[0].set_xlim(0, hours(frames)[-1])
        axes[0].set_xlabel("hours since the opening")
        legend(axes[0])

    return svg(draw, name="health", columns=1, height=2.7)


def events(frames: Sequence[Frame]) -> str:
    """Margin calls and liquidations a block, under the price of the first underlying relative to the opening."""

    def draw(axes: Sequence[Axes]) -> None:
        x, axis = hours(frames), axes[0]
        width = (x[1] - x[0]) * 0.9 if len(x) > 1 else 0.1
        calls, liquidated = (_steps([getattr(f, what) for f in frames]) for what in ("margin_calls", "liquidations"))
        axis.bar(x, calls, width=width, color=ORANGE, alpha=0.8, label="margin calls")
        axis.bar(x, liquidated, bottom=calls, width=width, color=RED, label="liquidations")
        axis.set_title("events a block; prices with opening = 100 (right)")
        axis.set_xlabel("hours since the opening")
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))
        right = axis.twinx()
        right.grid(visible=False)
        right.spines["right"].set_visible(True)
        for i, colour in zip(range(len(frames[0].underlyings)), (BLUE, PURPLE), strict=False):
            opening = next((f.underlyings[i].price for f in frames if f.underlyings[i].price), None) or 1.0
            line = [(u.price or float("nan")) / opening * 100 for u in (f.underlyings[i] for f in frames)]
            right.plot(x, line, color=colour, linewidth=1.4, label=frames[0].underlyings[i].symbol)
        handles = [*axis.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
        legend(right, handles)

    return svg(draw, name="events", columns=1, height=2.9)


def money(frames: Sequence[Frame]) -> str:
    """Fund and bad debt; requirement of all accounts."""

    def draw(axes: Sequence[Axes]) -> None:
        x = hours(frames)
        axes[0].plot(x, [f.fund for f in frames], color=GREEN, label="fund")
        axes[0].plot(x, [f.bad_debt for f in frames], color=RED, label="bad debt")
        axes[0].set_title("money, USD")
        legend(axes[0])
        axes[1].plot(x, [f.requirement for f in frames], color=BLUE)
        axes[1].set_title("maintenance requirement of all accounts, USD")
        for axis in axes:
            axis.set_ylim(bottom=0)
            axis.yaxis.set_major_formatter("{x:,.0f}")
            axis.set_xlabel("hours since the opening")

    return svg(draw, name="money", columns=2, height=2.5)


def control(runs: Sequence[tuple[str, Sequence[Frame]]], *, name: str) -> str:
    """Lives of one path side by side: bad debt and mean margin held."""

    def draw(axes: Sequence[Axes]) -> None:
        for run, frames in runs:
            colour = RUN_COLOURS.get(run, PURPLE)
            axes[0].plot(hours(frames), [f.bad_debt for f in frames], color=colour, label=run)
            axes[1].plot(hours(frames), [f.mean_margin for f in frames], color=colour, label=run)
        axes[0].set_title("bad debt, USD")
        axes[1].set_title("mean margin held (IM) per account, USD")
        legend(axes[0])
        for axis in axes:
            axis.set_ylim(bottom=0)
            axis.yaxis.set_major_formatter("{x:,.0f}")
            axis.set_xlabel("hours since the opening")

    return svg(draw, name=name, columns=2, height=2.7)


def legend(axis: Axes, handles: Sequence[Artist] | None = None) -> None:
    """A legend in one line above the axes, right of the title: it hides nothing."""
    found = axis.get_legend_handles_labels()[0] if handles is None else handles
    axis.legend(
        handles=found,
        loc="lower right",
        bbox_to_anchor=(1.0, 0.98),
        ncols=len(found),
        borderaxespad=0.1,
        columnspacing=1.0,
        handlelength=1.3,
        handletextpad=0.5,
    )


def bottom_legend(axes: Sequence[Axes]) -> None:
    """One legend for all axes, below them: four names leave no room beside a title."""
    named = {name: handle for axis in axes for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    axes[0].figure.legend(
        handles=list(named.values()), loc="outside lower center", ncols=len(named), frameon=False, fontsize=9
    )


def _steps(totals: Sequence[int]) -> list[int]:
    return [b - a for a, b in zip([0, *totals], totals, strict=False)]


def svg(draw: Callable[[Sequence[Axes]], None], *, name: str, columns: int, height: float) -> str:
    """Draw side-by-side axes and return an inline SVG element.  The same data gives the same text."""
    with mpl.rc_context():
        mpl.rcParams.update(STYLE)
        mpl.rcParams["svg.hashsalt"] = name
        figure = Figure(figsize=(9.6, height), layout="constrained")
        draw([figure.add_subplot(1, columns, i + 1) for i in range(columns)])
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    # Ids are local to a figure in matplotlib, global in a page.
    text = text.replace('id="', f'id="{name}-').replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    return text.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
