"""Showing a run while it happens: a live screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live

from keeper.demo import gauges, panels
from keeper.demo.frames import Frame
from keeper.demo.pricefile import show_time
from keeper.domain.margin import Band

#: Lines of the fixed parts of the screen: header, accounts and house, footer.
HEADER, MIDDLE, FOOTER = 2, 7, 1
#: From this height on every parameter has its line on the screen; below, the scan ranges have theirs.
TALL = 32
#: Plain lines are printed this many times a run, and whenever somebody is liquidated or a breaker opens.
PLAIN_LINES = 30


class View(Protocol):
    """What a run tells whoever watches.  Use as a context manager: leaving it restores the terminal."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self, title: str) -> None:
        """A new run starts; earlier frames are forgotten."""

    def step(self, name: str, done: int, total: int) -> None:
        """Progress of the set-up."""

    def frame(self, frame: Frame) -> None:
        """One block is done."""


class Silent:
    """Shows nothing: for `--json` and tests."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, title: str) -> None:
        """Nothing."""

    def step(self, name: str, done: int, total: int) -> None:
        """Nothing."""

    def frame(self, frame: Frame) -> None:
        """Nothing."""


class Eta:
    """Time left, from the pace so far."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._from = 0.0

    def left(self, done: float) -> str:
        """Time left when the part `done` of the work is done, as m:ss."""
        spent = time.monotonic() - self._since
        if done <= 0 or spent < 1:
            return "–:–– left"
        seconds = round(spent / done * (1 - done))
        return f"{seconds // 60}:{seconds % 60:02d} left"


class Plain(Silent):
    """One line now and then, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._eta = Eta()
        self._last: Frame | None = None

    def begin(self, title: str) -> None:
        """Name the run."""
        self._last = None
        self._say(title)

    def step(self, name: str, done: int, total: int) -> None:
        """Say when a step is done."""
        if done >= total:
            self._say(f"{name}: {total} done")

    def frame(self, frame: Frame) -> None:
        """Say how things stand, every few blocks and when somebody is liquidated or a breaker opens."""
        last = self._last
        if last is None:
            self._eta = Eta()
        every = max(1, frame.blocks // PLAIN_LINES)
        news = frame.openings or (last is not None and frame.liquidations > last.liquidations)
        if news or frame.index % every == 0 or frame.index + 1 == frame.blocks:
            self._say(plain_line(frame, self._eta.left((frame.index + 1) / frame.blocks)))
            for line in (*frame.alerts, *(d for d in frame.decisions if not d.startswith("margin call"))):
                self._say(f"    {line}")
        self._last = frame

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def plain_line(frame: Frame, eta: str) -> str:
    """One block in one line."""
    prices = "  ".join(
        f"{u.symbol} {'unusable' if u.price is None else format(u.price, ',.2f')} scan {panels.percent(u.psr)}"
        + "".join(f" → {p.published_ppm / 10_000:.1f} %" for p in u.parameters if p.name == "psr" and p.ramps)
        for u in frame.underlyings
    )
    bands = " ".join(f"{panels.BANDS[band][1]} {n}" for band, n in frame.bands.items() if n or band is Band.HEALTHY)
    owed = f"fund {panels.money(frame.fund)} USD  bad debt {panels.money(frame.bad_debt)} USD"
    return (
        f"block {frame.index + 1}/{frame.blocks}  {show_time(frame.time)}  {prices}  |  {bands}  |  "
        f"auctions {frame.auctions}  {owed}  |  {eta}"
    )


class Screen(Silent):
    """The live screen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._title = ""
        self._frames: list[Frame] = []
        self._steps: dict[str, tuple[int, int]] = {}
        self._eta = Eta()
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def begin(self, title: str) -> None:
        """Clear the screen for a new run."""
        self._title, self._frames, self._steps = title, [], {}

    def step(self, name: str, done: int, total: int) -> None:
        """Move one line of the set-up's list."""
        self._steps[name] = (done, total)
        if done >= total or time.monotonic() - self._drawn > 0.1:
            lines = [(step, *progress) for step, progress in self._steps.items()]
            self._draw(panels.setup_panel(self._title, lines, width=self._console.width))

    def frame(self, frame: Frame) -> None:
        """Redraw everything."""
        if not self._frames:
            self._eta = Eta()
        self._frames.append(frame)
        left = self._eta.left((frame.index + 1) / frame.blocks)
        self._draw(screen(self._title, self._frames, eta=left, width=self._console.width, height=self._console.height))

    def _draw(self, what: RenderableType) -> None:
        self._drawn = time.monotonic()
        self._live.update(what, refresh=True)


def screen(title: str, frames: list[Frame], *, eta: str, width: int, height: int) -> Layout:
    """The whole screen of a run so far."""
    # What the fixed parts leave is shared by the price charts and the decisions.
    now, every = frames[-1], height >= TALL
    parameters = gauges.height(now, every=every)
    spare = max(0, height - HEADER - MIDDLE - FOOTER - parameters - 14)
    chart_rows = panels.CHART_ROWS + spare // 3
    half = width // 2
    root = Layout()
    root.split_column(
        Layout(panels.header(title, now, eta=eta, width=width), size=HEADER),
        Layout(name="prices", size=chart_rows + 3),
        *([Layout(gauges.parameters_panel(now, width=width, every=every), size=parameters)] if parameters else []),
        Layout(name="middle", size=MIDDLE),
        Layout(name="decisions", ratio=1, minimum_size=3),
        Layout(Group(panels.footer(now)), size=FOOTER),
    )
    root["prices"].split_row(
        *(
            Layout(panels.price_panel(frames, i, width=half if i == 0 else width - half, height=chart_rows))
            for i in range(len(now.underlyings))
        )
    )
    root["middle"].split_row(Layout(panels.accounts_panel(now, width=half)), Layout(panels.house_panel(now)))
    lines = height - HEADER - (chart_rows + 3) - parameters - MIDDLE - FOOTER - 2
    root["decisions"].update(panels.decisions_panel(frames, lines=max(1, lines)))
    return root


def choose_view(console: Console, *, plain: bool) -> View:
    """The live screen where there is a terminal large enough, plain lines otherwise."""
    fits = console.width >= 76 and console.height >= 22
    return Screen(console) if console.is_terminal and fits and not plain else Plain(console)
