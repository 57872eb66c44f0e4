"""Plots of published parameters: target, published, in force, and what the day's budget left at every block."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes

from keeper.demo.frames import Frame
from keeper.demo.plots import BLUE, GREEN, GREY, ORANGE, bottom_legend, hours, legend, svg
from keeper.policy.standing import Standing

NAN = float("nan")


def scan_ranges(frames: Sequence[Frame]) -> str:
    """Scan range of each underlying: target, published, in force, inside what the day's budget leaves."""

    def draw(axes: Sequence[Axes]) -> None:
        for i, axis in enumerate(axes):
            _ways(axis, frames, i, "psr")
            axis.set_title(f"{frames[0].underlyings[i].symbol} scan range, % of spot")
            axis.set_ylim(bottom=0)
        bottom_legend(axes)

    return svg(draw, name="ranges", columns=len(frames[0].underlyings), height=3.0)


def levels(frames: Sequence[Frame]) -> str:
    """Volatility at the money of each front expiry, and what IM is widened by while ranges are on their way."""

    def draw(axes: Sequence[Axes]) -> None:
        *levels_, uplift = axes
        for i, axis in enumerate(levels_):
            _ways(axis, frames, i, "sigma")
            axis.set_title(f"{frames[0].underlyings[i].symbol} front volatility, %")
        for i, colour in zip(range(len(frames[0].underlyings)), (BLUE, ORANGE, GREY), strict=False):
            widened = [f.underlyings[i].im_uplift_pct for f in frames]
            label = frames[0].underlyings[i].symbol
            uplift.plot(hours(frames), widened, color=colour, drawstyle="steps-post", label=label)
        uplift.set_title("IM widened, %")
        uplift.set_ylim(bottom=0, top=max(5, *uplift.get_ylim()))
        uplift.set_xlabel("hours since the opening")
        legend(uplift)

    return svg(draw, name="levels", columns=len(frames[0].underlyings) + 1, height=2.5)


def _ways(axis: Axes, frames: Sequence[Frame], index: int, name: str) -> None:
    x = hours(frames)
    found = [next((p for p in f.underlyings[index].parameters if p.name == name), None) for f in frames]
    low = _percents(found, lambda p: p.published_ppm - p.left_down_ppm)
    high = _percents(found, lambda p: p.published_ppm + p.left_up_ppm)
    target = _percents(found, lambda p: p.target_ppm)
    published = _percents(found, lambda p: p.published_ppm)
    in_force = _percents(found, lambda p: p.in_force_ppm)
    label = "within the day's budget"
    axis.fill_between(x, low, high, color=GREY, alpha=0.16, linewidth=0, step="post", label=label)
    axis.plot(x, target, color=ORANGE, linestyle="--", linewidth=1.1, drawstyle="steps-post", label="target")
    axis.plot(x, published, color=BLUE, linewidth=1.6, drawstyle="steps-post", label="published")
    if name != "sigma":  # a level is in force when it is published
        axis.plot(x, in_force, color=GREEN, linewidth=1.6, drawstyle="steps-post", label="in force")
    axis.set_xlabel("hours since the opening")


def _percents(found: Sequence[Standing | None], read: Callable[[Standing], int | None]) -> list[float]:
    values = [None if one is None else read(one) for one in found]
    return [NAN if v is None else v / 10_000 for v in values]
