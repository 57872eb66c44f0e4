"""`keeper calibrate`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keeper.cli.options import DEFAULT_CONFIG, Json
from keeper.cli.root import INPUT
from keeper.cli.several import Several
from keeper.cli.show.answer import answer, console
from keeper.cli.show.calibrate import Answer, calibrate_tree, calibrate_view
from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.errors import BadInput
from keeper.offline import price_history, quote_sheets, vol_histories
from keeper.risk.calibration.calibrate import Calibration
from keeper.risk.calibration.calibrate import calibrate as calibrate_history
from keeper.risk.calibration.surface_targets import surface_targets
from keeper.risk.calibration.vol_range import vol_moves, vol_ranges
from keeper.risk.timeseries.volatility import Unestimated
from keeper.settings import Settings, load_settings

EXAMPLE = """keeper calibrate --prices BTC=btc_1h.csv.gz ETH=eth_1h.csv.gz
keeper calibrate --prices eth_1h.csv --vol-history atm.csv.gz --level 0.975 --horizon 4
keeper calibrate --prices eth_1h.csv --surface deribit_chain.parquet --in-force 12.5 --json"""

SHAPE = Several


def calibrate(
    *,
    prices: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE…", help="Price histories: CSV or CSV.gz with a time and a close."),
    ] = None,
    surface: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE…", help="Option quotes, as keeper surface reads them; the newest snapshot counts."),
    ] = None,
    vol_history: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE…", help="At-the-money volatilities: a time, a tenor and a vol, by symbol."),
    ] = None,
    level: Annotated[
        float | None, typer.Option(metavar="α", help="Expected-shortfall level, instead of es_level.")
    ] = None,
    horizon: Annotated[
        float | None, typer.Option(metavar="HOURS", help="Time to close out, instead of horizon_hours.")
    ] = None,
    in_force: Annotated[
        float | None,
        typer.Option(metavar="PERCENT", help="Scan range published now: its breaches may forbid a lower one."),
    ] = None,
    replicates: Annotated[int, typer.Option(metavar="N", min=20, max=100_000, help="Bootstrap samples.")] = 500,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of bootstrap and simulation; one seed, one answer.")
    ] = 1,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="KEEPER_CONFIG", metavar="FILE", help="Settings whose [risk] counts."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find target parameters in recorded histories, each with its reasons.

    For each price history: the scan range, which of its terms binds, from which sample, with a confidence interval; how
    often it was breached over that sample and, day by day without knowing the future, how often the same rule would
    have been; coverage tests with exact probabilities beside the usual limits, traffic light, shortfall test, what the
    margin costs and how much it swings. Gaps in the data are left open. For each history of volatilities: the
    volatility scan range, up and down. For each file of quotes: what would be published per expiry, by the code that
    publishes.

    Price files have a column ts, time, timestamp or date (unix seconds or ISO, UTC) and a column close or price; rows
    ascend. Volatility files have ts, atm_iv (0.5 is 50 %), and t in years or dte in days; cur names the underlying.

    Settings are [risk] of --config, of keeper.toml if there is one, else the defaults.

    Exit codes: 0 when everything was calibrated; 2 for input that cannot be used, and for a history that is too short,
    with the reason in the answer.
    """
    if not prices and not vol_history and not surface:
        raise BadInput("nothing to calibrate on", hint="give at least one file: keeper calibrate --prices eth_1h.csv")
    settings, origin = _settings(config)
    knobs = _knobs(settings.risk, level, horizon)
    in_force_ppm = _in_force(in_force)
    histories = _histories(prices or ())
    vols = [one for path in vol_history or () for one in vol_histories(path).values()]
    most = settings.quotes.max_per_expiry
    sheets = [one for path in surface or () for one in quote_sheets(path, max_per_expiry=most).items()]
    # Each history draws from its own generator: what stands beside it changes no figure.
    found: list[tuple[str, Calibration | Unestimated]] = []
    for history in histories:
        with _progress(history.name) as tick:
            one = calibrate_history(
                history,
                knobs,
                rng=np.random.default_rng(seed),
                replicates=replicates,
                in_force_ppm=in_force_ppm,
                tick=tick,
            )
        found.append((history.name, one))
    moves = [(one.name, vol_moves(one, knobs)) for one in vols]
    ranges = [
        (
            name,
            m
            if isinstance(m, Unestimated)
            else vol_ranges(m, knobs, rng=np.random.default_rng(seed), replicates=replicates),
        )
        for name, m in moves
    ]
    surfaces = [(name, surface_targets(sheet, knobs)) for name, sheet in sheets]
    result = Answer(
        knobs=knobs, origin=origin, seed=seed, replicates=replicates, prices=found, vols=ranges, surfaces=surfaces
    )
    if as_json:
        answer(calibrate_tree(result))
    else:
        console().print(calibrate_view(result))
    if any(isinstance(one, Unestimated) for _, one in [*found, *ranges, *surfaces]):
        raise typer.Exit(INPUT)


def _settings(config: Path | None) -> tuple[Settings, str]:
    """The settings that count, and where they are from.  Raises: `BadInput`."""
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)
    return load_settings(path, os.environ), str(path) if path else "defaults"


def _knobs(knobs: RiskKnobs, level: float | None, horizon: float | None) -> RiskKnobs:
    """With what the command line says instead.  Raises: `BadInput`."""
    if level is not None:
        knobs = replace(knobs, es_level=level)
    if horizon is not None:
        knobs = replace(knobs, horizon_hours=horizon)
    knobs.validate()
    return knobs


def _in_force(percent: float | None) -> int | None:
    if percent is None:
        return None
    if not 0.0 < percent <= 100.0:
        raise BadInput(f"--in-force {percent:g} is no scan range", hint="give a percentage of spot: --in-force 12.5")
    return round(percent * 10_000)


def _histories(given: Sequence[str]) -> list[PriceHistory]:
    """Each of `FILE` or `NAME=FILE`.  Raises: `BadInput`, also for a name that is empty or there twice."""
    histories: list[PriceHistory] = []
    for one in given:
        name, separator, file = one.partition("=")
        if separator and not (name.strip() and file):
            raise BadInput(f"--prices {one}: no {'file' if name.strip() else 'name'}", hint="write ETH=eth_1h.csv")
        history = price_history(Path(file), name=name.strip()) if separator else price_history(Path(one))
        if any(history.name == before.name for before in histories):
            raise BadInput(
                f"--prices {one}: there is a history of {history.name} already",
                hint="tell them apart: --prices ETH=eth_1h.csv ETH-OLD=eth_old.csv",
            )
        histories.append(history)
    return histories


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while the past is relived; nothing outside a terminal."""
    out = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(f"{name}: day by day", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
