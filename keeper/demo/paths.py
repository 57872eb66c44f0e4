"""A price path: what each underlying is worth at each block of the demo.

Either recorded (`recorded`) or stylised (`keeper.demo.stylised`).  Both carry a warm-up before the first block, so that
the keeper starts with a volatility estimate, as it would in production.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from keeper.demo.pricefile import Tick, parse_time, read_ticks, show_time
from keeper.errors import BadInput

#: The demo's underlyings, in the order of their ids.
SYMBOLS = ("ETH", "BTC")
#: Blocks of a run unless the caller says otherwise.
BLOCKS = 150
#: Market time per block, seconds: a block of the demo stands for fifty of a chain.
BLOCK_S = 600
#: Longest market time per block; coarser prices would jump over expiries and hourly fences.
MAX_BLOCK_S = 14_400
#: Oracle rounds before the first block, one a block.
WARMUP_BLOCKS = 36
#: A hole in a file may last this many blocks (or rows, if those are longer); the last price is carried over it.
MAX_GAP_BLOCKS = 6
#: Return of the follower per return of the leader where one file serves both.
#: Source: regression of hourly returns 2020-01 … 2026-02 (BTC on ETH 0.65, ETH on BTC 1.10), rounded.
BETA = {"ETH": 0.65, "BTC": 1.1}
#: Opening price of a follower, USD.  Only its returns matter; a round number says that it is made up.
FOLLOWER_OPEN = {"BTC": 60_000.0, "ETH": 3_000.0}
#: Where in the window the trough lies when we choose the window.
TROUGH_AT = 0.6


@dataclass(frozen=True)
class Point:
    """Prices at one block."""

    time: int
    """Unix seconds."""
    prices: Mapping[str, float]
    """USD by symbol."""


@dataclass(frozen=True, kw_only=True)
class PricePath:
    """What happens to prices, block by block."""

    label: str
    """Where it comes from, for titles and reports."""
    stylised: bool
    """Whether it was made up."""
    block_s: int
    """Market time per block, seconds."""
    warmup: tuple[Point, ...]
    """Before the market opens, ascending, one block apart."""
    points: tuple[Point, ...]
    """One per block; the market opens at the first."""

    def fall(self, symbol: str) -> float:
        """Deepest fall below the opening price, as a positive fraction."""
        opening = self.points[0].prices[symbol]
        return max(0.0, 1 - min(point.prices[symbol] for point in self.points) / opening)

    def cut(self, blocks: int) -> PricePath:
        """The first `blocks` of it."""
        return PricePath(
            label=self.label,
            stylised=self.stylised,
            block_s=self.block_s,
            warmup=self.warmup,
            points=self.points[:blocks],
        )


def parse_sources(values: Sequence[str]) -> dict[str, Path]:
    """Read `FILE` or `SYMBOL=FILE` arguments; the first symbol leads.

    A bare file is BTC if its name says so, else ETH.

    Raises: `BadInput` for an unknown symbol or one given twice.
    """
    sources: dict[str, Path] = {}
    for value in values:
        symbol, equals, name = value.partition("=")
        if not equals:
            name, upper = value, Path(value).name.upper()
            symbol = "BTC" if ("BTC" in upper or "XBT" in upper) and not upper.startswith("ETH") else "ETH"
        symbol = symbol.strip().upper()
        if symbol not in SYMBOLS:
            raise BadInput(
                f"--prices {value}: the demo trades {' and '.join(SYMBOLS)}, not {symbol}",
                hint=f"name the underlying that the file stands for: --prices {SYMBOLS[0]}={name}",
            )
        if symbol in sources:
            raise BadInput(
                f"--prices: two files for {symbol}",
                hint=f"give each underlying one file: --prices {SYMBOLS[0]}=A.csv --prices {SYMBOLS[1]}=B.csv",
            )
        sources[symbol] = Path(name)
    return sources


def recorded(
    sources: Mapping[str, Path], *, start: str | None = None, end: str | None = None, blocks: int = BLOCKS
) -> PricePath:
    """Read a path from one file (the other underlying follows with a stated beta) or one per underlying.

    Args:
        sources: file by symbol; the first one leads: it chooses window and block length.
        start: first moment, any form `parse_time` reads.
        end: last moment.
        blocks: length of the run.  With both `start` and `end` the blocks get longer instead, so that no more than
            these are needed.  With neither, the window is the one with the file's deepest fall.

    Raises: `BadInput` naming the file and what to do.
    """
    ticks = {symbol: read_ticks(path) for symbol, path in sources.items()}
    leader = next(iter(sources))
    spacing = median(b.time - a.time for a, b in zip(ticks[leader], ticks[leader][1:], strict=False))
    block_s = max(BLOCK_S, int(spacing))
    if block_s > MAX_BLOCK_S:
        raise BadInput(
            f"{sources[leader]}: rows are {spacing / 3600:.0f} h apart",
            hint=f"a run needs a price at least every {MAX_BLOCK_S // 3600} h; use a finer series",
        )
    since, until, block_s = _window(
        ticks[leader], sources[leader], start=_moment("--start", start), end=_moment("--end", end),
        blocks=blocks, block_s=block_s,
    )  # fmt: skip
    times = range(since - WARMUP_BLOCKS * block_s, until + 1, block_s)
    series = {s: _resample(ticks[s], sources[s], times, longest_s=MAX_GAP_BLOCKS * block_s) for s in sources}
    label = f"{' + '.join(p.name for p in sources.values())}, {show_time(since)} to {show_time(times[-1])} UTC"
    for symbol in SYMBOLS:
        if symbol not in series:
            lead, beta = series[leader], BETA[leader]
            series[symbol] = [FOLLOWER_OPEN[symbol] * (price / lead[WARMUP_BLOCKS]) ** beta for price in lead]
            label += f"; {symbol} follows {leader} with beta {beta}"
    points = tuple(Point(t, {s: series[s][i] for s in SYMBOLS}) for i, t in enumerate(times))
    return PricePath(
        label=label,
        stylised=False,
        block_s=block_s,
        warmup=points[:WARMUP_BLOCKS],
        points=points[WARMUP_BLOCKS:],
    )


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}", hint="e.g. 2025-10-10, 2025-10-10T21:20 or unix seconds") from None


def _window(
    ticks: Sequence[Tick], path: Path, *, start: int | None, end: int | None, blocks: int, block_s: int
) -> tuple[int, int, int]:
    """First and last block's time and the block length, seconds; the warm-up lies before the first."""
    if start is not None and end is not None:
        if end <= start:
            raise BadInput(f"--end {show_time(end)} is not after --start {show_time(start)}", hint="swap them")
        block_s = max(block_s, -(-(end - start) // (blocks * 60)) * 60)
        if block_s > MAX_BLOCK_S:
            raise BadInput(
                f"--start to --end is {(end - start) / 86_400:.0f} days, {blocks} blocks would last "
                f"{block_s / 3600:.0f} h each",
                hint=f"cut it to {blocks * MAX_BLOCK_S // 86_400} days, or give more --blocks",
            )
        blocks = (end - start) // block_s + 1
    earliest, span = ticks[0].time + WARMUP_BLOCKS * block_s, (blocks - 1) * block_s
    if start is None:
        start = end - span if end is not None else _deepest_fall(ticks, earliest=earliest, span=span)
        start -= start % BLOCK_S if start - start % BLOCK_S >= earliest else 0  # round hours read better
    if start < earliest or start + span > ticks[-1].time + block_s:
        most = (ticks[-1].time + block_s - earliest) // block_s + 1
        hint = f"the first possible --start is {show_time(earliest)}; from there at most {most} blocks fit"
        if most < 1:
            hint = f"it is too short: a run of {blocks} blocks needs {(WARMUP_BLOCKS + blocks) * block_s / 3600:.0f} h"
        raise BadInput(
            f"{path}: covers {show_time(ticks[0].time)} to {show_time(ticks[-1].time)}; {blocks} blocks of "
            f"{block_s // 60} min from {show_time(start)}, and {WARMUP_BLOCKS} before them, do not fit",
            hint=hint,
        )
    return start, start + span, block_s


def _deepest_fall(ticks: Sequence[Tick], *, earliest: int, span: int) -> int:
    """Start of the window that holds the deepest fall, its trough at `TROUGH_AT`."""
    reach = int(span * TROUGH_AT)
    best, trough = -1.0, earliest
    peaks: list[Tick] = []  # falling prices: the first is the highest within reach
    first = 0
    for tick in ticks:
        while len(peaks) > first and peaks[-1].price <= tick.price:
            peaks.pop()
        peaks.append(tick)
        first = min(first, len(peaks) - 1)
        while peaks[first].time < tick.time - reach:
            first += 1
        fall = 1 - tick.price / peaks[first].price
        if fall > best and tick.time >= earliest:
            best, trough = fall, tick.time
    return max(earliest, min(trough - reach, ticks[-1].time - span))


def _resample(ticks: Sequence[Tick], path: Path, times: range, *, longest_s: int) -> list[float]:
    """The last known price at each time."""
    known = [tick.time for tick in ticks]
    prices = []
    for at in times:
        i = bisect_right(known, at) - 1
        if i < 0 or at - known[i] > longest_s:
            since = "its first row" if i < 0 else show_time(known[i])
            raise BadInput(
                f"{path}: no price within {longest_s // 60} min before {show_time(at)} (last: {since})",
                hint="choose --start and --end around the hole, or fill it from a source you trust",
            )
        prices.append(ticks[i].price)
    return prices
