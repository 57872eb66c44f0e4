"""What `keeper surface` found, for a person and for a script."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from keeper.cli.show.roomy import Roomy
from keeper.cli.show.words import day, signed, utc
from keeper.risk.surface.arbitrage import Kind, Violation
from keeper.risk.surface.quotes import Fit, FitError, FittedSurface, Model
from keeper.risk.surface.smile import Slice
from keeper.risk.surface.spread import AIM, ENOUGH, Survey

_TITLES: Final = {Model.SVI: "raw SVI", Model.SSVI: "SSVI", Model.SABR: "SABR (Hagan, lognormal)"}
#: A strike missed by more than this is pointed at, vol points.
FAR_OFF: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One snapshot, fitted, with where it is from."""

    source: str
    underlying: str
    time_s: int
    snapshots: int
    """How many of the underlying the file has."""
    underlyings: tuple[str, ...]
    """All that the file has."""
    fitted: FittedSurface
    left: tuple[Violation, ...]
    """What the slices that are used break, looked for again: nothing."""

    @property
    def rows(self) -> list[tuple[Fit, Slice]]:
        """Each expiry that is used, with its slice."""
        slices = self.fitted.surface.slices if self.fitted.surface else ()
        return list(zip(self.fitted.fits, slices, strict=True))


def model_name(model: Model) -> str:
    """A family of smiles as a person calls it."""
    return _TITLES[model]


def surface_view(found: Answered, plot: Path | None) -> RenderableType:
    """A table of expiries, then what was refused, what was found, and what is left of it."""
    parts: list[RenderableType] = [_head(found), _expiries(found), *_far_off(found)]
    if found.fitted.refused:
        parts += [Text("\nRefused", style="bold")]
        parts += [Text(f"  {day(one.expiry_s):16} {one.reason}", style="yellow") for one in found.fitted.refused]
    parts += _arbitrage(found)
    if plot is not None:
        parts.append(Text(f"\nDrawn: {plot}"))
    return Group(*parts)


def _head(found: Answered) -> Text:
    head = Text(f"{found.underlying}, {utc(found.time_s)}, {model_name(found.fitted.model)}", style="bold")
    more = []
    if found.snapshots > 1:
        more.append(f"one of {found.snapshots} snapshots, --snapshot for another")
    if len(found.underlyings) > 1:
        others = ", ".join(name for name in found.underlyings if name != found.underlying)
        more.append(f"--currency for {others}")
    return head.append(f"\n{found.source}: {'; '.join(more)}" if more else "", style="not bold bright_black")


def _expiries(found: Answered) -> Roomy:
    table = Roomy(
        *("expiry", "days", "forward", "ATM vol", "strikes", "median", "max", "rms", "free fit", "how"),
        needless=((9,), (1,), (4,), (2,), (7,), (8,)),
        left=(9,),
        caption="median, max and rms of |model − mark|, vol points, over the strikes that count; free fit: the median "
        "before repair",
    )
    for fit, slice_ in found.rows:
        atm = float(slice_.vol(slice_.forward))
        missed = fit.error.median > AIM and fit.error.quotes >= ENOUGH
        table.add_row(
            day(fit.expiry_s),
            f"{slice_.years * 365:,.1f}",
            f"{slice_.forward:,.2f}",
            f"{atm * 100:.1f} %",
            str(fit.error.quotes),
            Text(f"{fit.error.median:.2f}", style="yellow" if missed else "green"),
            miss(fit.error.max),
            f"{fit.error.rms:.2f}",
            f"{fit.error_before.median:.2f}",
            _how(fit, slice_),
        )
    return table


def miss(points: float) -> Text:
    """The largest miss of an expiry, vol points."""
    return Text(f"{points:.2f}", style="yellow" if points > FAR_OFF else "")


def _far_off(found: Answered) -> list[RenderableType]:
    """Expiries with a strike that the smile in use is far from: where, and whether the free fit is as far."""
    lines: list[RenderableType] = []
    for i, (fit, slice_) in enumerate(found.rows):
        if fit.error.max <= FAR_OFF:
            continue
        k, vol = np.array(fit.k), np.array(fit.vol)
        off = np.sqrt(slice_.total_variance(k) / slice_.years) - vol
        at = int(np.argmax(np.abs(off)))
        strike = slice_.forward * float(np.exp(k[at]))
        free = f"; the free fit's largest miss is {fit.error_before.max:.2f}" if fit.repaired else ""
        side = "above" if off[at] > 0.0 else "below"
        if i and float(found.rows[i - 1][1].total_variance(k[at])) > vol[at] ** 2 * slice_.years:
            free += f"; the wing of {day(found.rows[i - 1][0].expiry_s)} lies above that mark"
        words = f"  {day(fit.expiry_s):16} {abs(off[at]) * 100:.2f} vol points {side} the mark at {strike:,.8g}{free}"
        lines.append(Text(words, style="yellow"))
    return [Text("\nFar from a mark", style="bold"), *lines] if lines else []


def _how(fit: Fit, slice_: Slice) -> Text:
    hinges = len(getattr(slice_.smile, "hinges", ()))
    words = ["repaired" if fit.repaired else "as fitted"]
    if hinges:
        words.append("hinged")
    return Text(", ".join(words), style="cyan" if fit.repaired else "")


def _arbitrage(found: Answered) -> list[RenderableType]:
    """What the free fits held, by law, and that none is left."""
    if found.left:
        head: list[RenderableType] = [Text("\nArbitrage left", style="bold red")]
        return head + [Text(f"  {day(v.expiry_s):16} {signed(str(v))}") for v in found.left]
    every = [v for fit in found.fitted.fits for v in fit.found]
    if not every:
        return [
            Text("\nNo arbitrage found: the free fits break no law, as they are and after vol shocks.", style="green")
        ]
    plain = [v for v in every if not v.shock]
    lines: list[RenderableType] = [Text("\nArbitrage of the free fits", style="bold")]
    lines += [Text(f"  {day(v.expiry_s):16} {signed(str(v))}") for v in plain]
    shocked = [v for v in every if v.shock]
    if shocked:
        count = {kind: sum(v.kind is kind for v in shocked) for kind in Kind}
        told = ", ".join(f"{n} {kind}" for kind, n in count.items() if n)
        lines.append(Text(f"  after vol shocks: {told}"))
    lines.append(Text("After repair none is left, before and after vol shocks.", style="green"))
    return lines


def surface_tree(found: Answered) -> dict[str, object]:
    """Figures as they are, for a script."""
    return {
        "source": found.source,
        "underlying": found.underlying,
        "time": found.time_s,
        "model": str(found.fitted.model),
        "expiries": [_fit_tree(fit, slice_) for fit, slice_ in found.rows],
        "refused": [dataclasses.asdict(one) for one in found.fitted.refused],
        "arbitrage_left": [_violation_tree(v) for v in found.left],
    }


def _fit_tree(fit: Fit, slice_: Slice) -> dict[str, object]:
    return {
        "expiry": fit.expiry_s,
        "name": dt.datetime.fromtimestamp(fit.expiry_s, dt.UTC).isoformat(),
        "years": slice_.years,
        "forward": slice_.forward,
        "atm_vol": float(slice_.vol(slice_.forward)),
        # The port promises no dataclass; every smile is one.
        "smile": {"kind": type(slice_.smile).__name__} | dataclasses.asdict(slice_.smile),  # type: ignore[call-overload]
        "repaired": fit.repaired,
        "error": _error_tree(fit.error),
        "error_before_repair": _error_tree(fit.error_before),
        "error_all_marks": _error_tree(fit.error_marks),
        "arbitrage_before_repair": [_violation_tree(v) for v in fit.found],
        "quotes": [
            {"strike": round(slice_.forward * float(np.exp(k)), 8), "mark_vol": vol, "model_vol": float(model)}
            for k, vol, model in zip(
                fit.k, fit.vol, np.sqrt(slice_.total_variance(np.array(fit.k)) / slice_.years), strict=True
            )
        ],
    }


def _error_tree(error: FitError) -> dict[str, object]:
    return dataclasses.asdict(error)


def _violation_tree(v: Violation) -> dict[str, object]:
    return dataclasses.asdict(v) | {"kind": str(v.kind), "says": str(v)}


def spread_view(found: Survey, model: Model) -> RenderableType:
    """How errors are spread over the snapshots, by life of the expiry, and each expiry that misses the aim."""
    names = ("expiries", "repaired", "hinged", "median", "90 %", "99 %", "max", "free fit", f"> {AIM}", "refused")
    table = Roomy(
        "days to expiry",
        *names,
        needless=((7,), (9,), (5,), (6,), (8,), (10,), (2,), (3,)),
        caption="quantiles of the expiries' median |model − mark|, vol points; refused: with any number of strikes",
    )
    for one in found.spreads:
        low, high = one.days
        table.add_row(
            f"{low:g} to {high:g}" if high < float("inf") else f"{low:g} and more",
            *(f"{n:,}" for n in (one.expiries, one.repaired, one.hinged)),
            *(f"{value:.2f}" for value in (*one.medians, one.free_median)),
            Text(str(one.missed), style="yellow" if one.missed else "green"),
            f"{one.refused:,}",
        )
    title = f"{found.snapshots} snapshots, {model_name(model)}; expiries with {ENOUGH} strikes or more"
    parts: list[RenderableType] = [Text(title, style="bold"), table]
    if found.refusals:
        parts.append(Text("\nRefused", style="bold"))
        parts += [Text(f"  {n:6,}  {reason}") for reason, n in found.refusals]
    if found.misses:
        parts.append(Text("\nMissed the aim", style="bold"))
        parts += [
            Text(f"  {utc(m.time_s)}  {m.underlying:4} {day(m.expiry_s):16} {signed(m.what)}") for m in found.misses
        ]
    return Group(*parts)


def spread_tree(found: Survey, model: Model) -> dict[str, object]:
    """The same for a script."""
    spreads = [dataclasses.asdict(one) for one in found.spreads]
    for one in spreads:
        one["days"] = [one["days"][0], None if one["days"][1] == float("inf") else one["days"][1]]
    return {
        "model": str(model),
        "snapshots": found.snapshots,
        "aim_vol_points": AIM,
        "spreads": spreads,
        "refusals": [{"reason": reason, "count": n} for reason, n in found.refusals],
        "misses": [dataclasses.asdict(one) for one in found.misses],
    }
