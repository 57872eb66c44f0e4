"""`keeper surface`."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from keeper.cli.options import Json
from keeper.cli.show.answer import answer, console
from keeper.cli.show.surface import Answered, spread_tree, spread_view, surface_tree, surface_view
from keeper.errors import BadInput
from keeper.offline import quote_file
from keeper.risk.surface.arbitrage import check
from keeper.risk.surface.quotes import Model, QuoteHistory
from keeper.risk.surface.shock import USUAL, shocked
from keeper.risk.surface.spread import survey

EXAMPLE = """keeper surface chain.parquet --currency ETH --plot eth.png
keeper surface chain.csv.gz --snapshot 2026-02-05T21:29 --model ssvi --json
keeper surface chain.parquet --all"""

#: The year 5138: whoever writes more has not written seconds.
FAR_FUTURE_S = 10**11
#: Pictures that matplotlib draws without more.
PICTURES = (".png", ".svg", ".pdf")


def surface(
    quotes: Annotated[Path, typer.Argument(metavar="QUOTES", help="CSV, CSV.gz, Parquet, or a venue's JSON answer.")],
    *,
    currency: Annotated[
        str | None, typer.Option(metavar="NAME", help="Underlying, such as BTC or ETH; the first if left out.")
    ] = None,
    snapshot: Annotated[
        str | None, typer.Option(metavar="TIME", help="ISO or unix; the last one until then. The latest if left out.")
    ] = None,
    model: Annotated[Model, typer.Option(help="Family of smiles.")] = Model.SVI,
    everything: Annotated[bool, typer.Option("--all", help="Fit every snapshot, show how errors are spread.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw smiles and variances: PNG, SVG, PDF.")] = None,
    as_json: Json = False,
) -> None:
    """Fit a chain of option quotes, find its arbitrage, repair or refuse.

    Columns: snap (when quoted), expiry (a day alone, 2026-03-27 or 27MAR26, is 08:00 UTC), strike, cp (C or P), fut
    (forward), bid and ask (premium over forward), iv (mark volatility, 0.5 is 50 %); cur (underlying), index, mark, oi
    if there. Other names for them are known, other columns are ignored; Deribit's get_book_summary_by_currency is read
    as it is.

    What counts: strikes with both a bid and an ask, out of the money or near it, within 8 deviations, not older than an
    hour; where a file has marks alone, all of them. They weigh by vega and spread. Errors are |model − mark| in vol
    points. Expiries within an hour, and those with fewer than 5 strikes, are refused.

    Every slice is checked for butterflies (g ≥ 0), Lee's wings and the calendar, as it is and after vol shocks. A free
    fit that breaks a law is refitted within the laws, with hinges where one hyperbola cannot follow the quotes, or
    refused with the reason: what is shown as used breaks none.

    Exit codes: 0 when there is a surface, 2 when the file cannot be used or no expiry of it.
    """
    if plot is not None:
        _drawable(plot)
    file = quote_file(quotes)
    if currency is not None and not currency.strip():
        raise BadInput("--currency is empty", hint=f"choose one of {', '.join(file.underlyings)}, or leave it out")
    name = (currency or file.underlyings[0]).strip().upper()
    if everything:
        if plot is not None:
            raise BadInput("--plot draws one snapshot, --all fits many", hint="leave one of them out")
        _all(file, file.underlyings if currency is None else (name,), model, as_json=as_json)
        return
    times = file.times(name)
    chosen = times[-1] if snapshot is None else _at(times, snapshot)
    from keeper.risk.surface.fit import fit_surface  # noqa: PLC0415 - the compiler loads when there is work for it

    fitted = fit_surface(file.at(name, chosen).quotes, now_s=chosen, model=model)
    slices = fitted.surface.slices if fitted.surface else ()
    answered = Answered(
        source=quotes.name,
        underlying=name,
        time_s=chosen,
        snapshots=len(times),
        underlyings=file.underlyings,
        fitted=fitted,
        left=check(slices, USUAL) + tuple(v for shock in USUAL for v in check(shocked(slices, shock))),
    )
    if fitted.surface is None:
        reasons = "; ".join(sorted({one.reason for one in fitted.refused}))
        raise BadInput(f"{quotes}: no expiry of {name} can be fitted: {reasons}", hint="see keeper surface --help")
    if plot is not None:
        from keeper.cli.show.surface_plot import draw  # noqa: PLC0415 - matplotlib only for a picture

        draw(answered, plot)
    if as_json:
        answer(surface_tree(answered) | ({} if plot is None else {"plot": str(plot)}))
    else:
        console().print(surface_view(answered, plot))


def _all(file: QuoteHistory, names: tuple[str, ...], model: Model, *, as_json: bool) -> None:
    """Fit every snapshot and show the distribution; progress goes to stderr."""
    from keeper.risk.surface.fit import fit_surface  # noqa: PLC0415 - the compiler loads when there is work for it

    keys = [(name, time_s) for name in names for time_s in file.times(name)]
    shown = Console(stderr=True)
    steps = track(keys, description="fitting", console=shown, transient=True, disable=not shown.is_terminal)
    found = survey(
        (name, time_s, fit_surface(file.at(name, time_s).quotes, now_s=time_s, model=model)) for name, time_s in steps
    )
    if as_json:
        answer(spread_tree(found, model))
    else:
        console().print(spread_view(found, model))


def _at(times: tuple[int, ...], text: str) -> int:
    """The last time until the one asked for.  Raises: `BadInput`."""
    try:
        asked = float(text)
    except ValueError:
        try:
            when = dt.datetime.fromisoformat(text)
        except ValueError:
            asked = math.nan
        else:
            asked = (when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp()
    if not math.isfinite(asked):
        raise BadInput(f"--snapshot {text}: is no time", hint="write 2026-02-05T21:29 or unix seconds")
    if asked >= FAR_FUTURE_S:
        raise BadInput(
            f"--snapshot {text}: is beyond every calendar",
            hint="write 2026-02-05T21:29 or unix seconds, no smaller unit",
        )
    known = [time for time in times if time <= asked]
    if not known:
        first = dt.datetime.fromtimestamp(times[0], dt.UTC).isoformat()
        raise BadInput(f"--snapshot {text}: the file begins at {first}", hint="choose a later time")
    return known[-1]


def _drawable(plot: Path) -> None:
    """Find out before the work whether the picture can be written.  Raises: `BadInput`."""
    if plot.suffix.lower() not in PICTURES:
        raise BadInput(f"--plot {plot}: is no picture", hint=f"choose a name that ends in {', '.join(PICTURES)}")
    try:
        plot.parent.mkdir(parents=True, exist_ok=True)
        with plot.open("ab"):
            pass
    except OSError as error:
        raise BadInput(f"--plot {plot}: {error.strerror}", hint="choose a file in a folder you may write to") from None
