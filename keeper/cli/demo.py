"""`keeper demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from keeper import logs
from keeper.cli.options import Json
from keeper.cli.show.answer import answer, console
from keeper.demo.paths import BLOCKS, parse_sources
from keeper.demo.report import ROWS
from keeper.demo.stage import Outcome, Request, show
from keeper.demo.view import Silent, View, choose_view
from keeper.errors import BadInput, LawBroken
from keeper.wiring import assemble

EXAMPLE = """keeper demo
keeper demo --control --seeds 3 --json
keeper demo --prices eth.csv.gz --start 2025-10-10T12:00 --end 2025-10-11T12:00
keeper demo --prices ETH=eth.csv.gz --prices BTC=btc.csv.gz"""

DEFAULT_REPORT = Path("demo-report") / "index.html"


def demo(
    *,
    prices: Annotated[
        list[str] | None,
        typer.Option(metavar="[SYMBOL=]FILE", help="CSV or CSV.gz to replay: a time and a close. Once per underlying."),
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="First moment of the file: ISO or unix.")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Last moment of the file.")] = None,
    control: Annotated[bool, typer.Option("--control", help="Live the path three times and compare.")] = False,
    seeds: Annotated[int, typer.Option(metavar="N", help="Repeat with N seeds; every one is shown.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="The first seed.")] = 1,
    blocks: Annotated[int, typer.Option(metavar="N", help="Length of a run.")] = BLOCKS,
    accounts: Annotated[int, typer.Option(metavar="N", help="Accounts in the market, makers included.")] = 110,
    report: Annotated[Path, typer.Option(metavar="PATH", help="Where the HTML page goes.")] = DEFAULT_REPORT,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, even on a terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Watch the whole job on an embedded chain: a market, a crash, a keeper.

    Starts a chain in this process, deploys the contracts, lets a hundred accounts trade perps and options, and lives
    through a crash while the keeper recalibrates, publishes, calls for margin, liquidates and settles. Without --prices
    the crash is made up and labelled so; with a file and no --start it is the file's deepest fall. Ends with a summary
    and an HTML page.

    With --control the same path is lived three times from one snapshot: no keeper, static margins of equal average
    requirement, recalibrating.

    Exit codes: 0 when Python and the contracts agreed to the wei at every check, 2 for input that cannot be used, 4
    when they did not agree.
    """
    logs.configure(level="error", style="console")
    request = Request(
        sources=parse_sources(prices or []),
        start=start,
        end=end,
        control=control,
        seeds=seeds,
        seed=seed,
        blocks=blocks,
        accounts=accounts,
    )
    out = console()
    _writable(report)
    watcher: View = Silent() if as_json else choose_view(out, plain=plain)
    with watcher:
        outcome = show(request, assemble, watcher)
    report.write_text(outcome.page(), encoding="utf-8")
    if as_json:
        answer(outcome.as_json() | {"report": str(report)})
    else:
        _summary(out, outcome, report)
    if outcome.parity_max_wei:
        raise LawBroken(
            f"Python and the contracts differ by {outcome.parity_max_wei} wei", max_wei=outcome.parity_max_wei
        )


def _writable(report: Path) -> None:
    """Find out before the run whether its page can be written.  Raises: `BadInput`."""
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        with report.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise BadInput(
            f"--report {report}: {error.strerror}", hint="choose a file in a folder you may write to"
        ) from None


def _summary(out: Console, outcome: Outcome, report: Path) -> None:
    """The table of runs, the verdict, and where the page is."""
    several = len(outcome.lives) > 1
    table = Table(title=outcome.lives[0].summary.path, title_justify="left", show_header=several, title_style="bold")
    table.add_column("")
    for life in outcome.lives:
        table.add_column(f"{life.summary.name}\nseed {life.summary.seed}" if several else "", justify="right")
    for label, fill in ROWS:
        table.add_row(label, *(fill(life.summary) for life in outcome.lives))
    out.print(table)
    for sentence in outcome.verdict:
        out.print(sentence, highlight=False)
    out.print(f"report: {report}", highlight=False, soft_wrap=True)
