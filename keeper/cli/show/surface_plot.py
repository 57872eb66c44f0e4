"""The picture of `keeper surface --plot`: every smile over its quotes, and total variance that must not cross."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from keeper.cli.show.surface import Answered, model_name
from keeper.cli.show.words import day, utc

INK, FAINT = "#1f2933", "#9aa5b1"
#: Near expiries are warm, far ones cold, through as many hues as there are; the ends that are nearly black are cut off,
#: and every colour is darkened, or yellow would vanish on white.
MAP: Final = "turbo"
ENDS: Final = (0.93, 0.06)
DARKENED: Final = 0.85
#: The picture shows this much beyond the last quote, in deviations.
BEYOND: Final = 0.5

STYLE: Any = {  # matplotlib types each key by itself
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
}


def draw(found: Answered, path: Path) -> None:
    """Write the picture; the kind follows the file's ending."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(14.0, 6.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        ends = [k for fit, _ in found.rows for k in (fit.k[0], fit.k[-1])]
        whole = np.linspace(min(ends), max(ends), 500)
        colours = mpl.colormaps[MAP](np.linspace(*ENDS, max(2, len(found.rows)))) * [DARKENED, DARKENED, DARKENED, 1.0]
        for (fit, slice_), colour in zip(found.rows, colours, strict=False):
            k, vol = np.array(fit.k), np.array(fit.vol)
            deviation = float(np.sqrt(slice_.total_variance(0.0)))
            line = np.linspace(k[0] - BEYOND * deviation, k[-1] + BEYOND * deviation, 400)
            model = np.sqrt(slice_.total_variance(line) / slice_.years)
            days = slice_.years * 365.0
            name = f"{day(fit.expiry_s):9}  {days:5.1f} d" if days < 10 else f"{day(fit.expiry_s):9}  {days:5.0f} d"
            left.plot(line / deviation, model * 100, color=colour, linewidth=1.4, label=name)
            left.plot(k / deviation, vol * 100, ".", color=colour, markersize=4.5, alpha=0.75)
            # Faint where nothing is quoted: the law holds there too.
            right.plot(whole, slice_.total_variance(whole), color=colour, linewidth=0.7, alpha=0.35)
            right.plot(line, slice_.total_variance(line), color=colour, linewidth=1.4)
            right.plot(k, vol**2 * slice_.years, ".", color=colour, markersize=4.5, alpha=0.75)
        _smiles(left)
        _variances(right)
        figure.legend(
            *left.get_legend_handles_labels(),
            loc="outside right center",
            title="expiry",
            alignment="left",
            prop={"family": "monospace", "size": 8.5},
        )
        title = figure.suptitle(
            f"{found.underlying} implied volatility, {model_name(found.fitted.model)}, {utc(found.time_s)}",
            ha="left",
            fontsize=13,
            fontweight="bold",
        )
        figure.draw_without_rendering()  # lays the panels out, so that the title can begin where they do
        title.set_x(left.get_position().x0)
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _smiles(axes: Axes) -> None:
    axes.set_title("Smiles: volatility in %, model (lines) over marks (dots)")
    axes.set_xlabel("ln(strike / forward), in deviations σ√T of the expiry")
    axes.axvline(0.0, color=FAINT, linewidth=0.8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))


def _variances(axes: Axes) -> None:
    axes.set_title("Total variance σ²T: no later expiry below an earlier one")
    axes.set_xlabel("ln(strike / forward)")
    axes.axvline(0.0, color=FAINT, linewidth=0.8)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10.0, subs=(1.0, 3.0)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
