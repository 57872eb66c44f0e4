"""`keeper propose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import DEAD, OK
from keeper.cli.several import Several
from keeper.cli.show.answer import answer, console, working
from keeper.errors import BadInput

EXAMPLE = """keeper propose CHANGES.toml --out proposal
keeper propose CHANGES.toml --safe 0x… --prices ETH=eth_1h.csv --json
keeper recalibrate --json > targets.json && keeper propose --from-recalibration targets.json

# CHANGES.toml
title = "Let the scan range of ETH follow a crash"
summary = "Why, in Markdown."
[underlying.ETH.fence.psr]     # also vsr_up, vsr_down
max = "40 %"                   # or the raw 400_000
[collateral.WETH]
haircut_ppm = "12 %"
[[new_expiry]]
underlying = "ETH"
expiry = 1800000000
strikes = ["3000 USD"]
sigma_atm_ppm = 650_000
# further tables: underlying.ETH.config, .vol_fences, .joint_fence, .market; oracle.ETH,
# breaker.ETH, sequencer, auction, fund, keepers, timelock; house.fee, .interest, .min_equity,
# .guardian, .breaker; lists: [[new_feed]], [[new_collateral]], [[new_underlying]],
# [[new_strikes]], [[role]], [[frozen]], [[call]]"""

SHAPE = Several

Address = typer.Option(metavar="ADDRESS")


def propose(
    changes: Annotated[
        Path | None, typer.Argument(metavar="[CHANGES.toml]", help="What is to change.", show_default=False)
    ] = None,
    *,
    from_recalibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Instead: an answer of keeper recalibrate --json or calibrate --json."),
    ] = None,
    governor: Annotated[str | None, typer.Option(metavar="ADDRESS", help="OpenZeppelin Governor that decides.")] = None,
    timelock: Annotated[str | None, typer.Option(metavar="ADDRESS", help="TimelockController that executes.")] = None,
    safe: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Safe that schedules, or executes.")] = None,
    proposer: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who proposes in the simulation.")] = None,
    voter: Annotated[list[str] | None, typer.Option(metavar="ADDRESS…", help="Who votes in it.")] = None,
    prices: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE…", help="Price histories for the evidence, beside stored rounds."),
    ] = None,
    engine: Annotated[str, typer.Option(metavar="auto|anvil|embedded", help="What runs the fork.")] = "auto",
    simulate: Annotated[bool, typer.Option(help="Take the whole way on a fork.")] = True,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write forum.md, proposal.json and the rest.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Build a proposal for what governance decides: calls, diff, impact, evidence, simulation, text.

    For what the keeper may not push: bounds and budgets, new instruments and collateral, haircuts and caps, roles,
    feeds, the auction. Old values are read from the chain at one block and shown beside the new ones with their units;
    every account is replayed before and after; old and new bounds are held against recorded prices; and the proposal is
    taken on a local fork from propose over vote, queue and delay to execution, where the state must be the one that was
    wanted. Nothing is sent.

    Who decides is --governor, --safe or --timelock, or [route] in the file, or the deployment file's Governor, Safe or
    TimelockController. With --out: forum.md, description.md (the text for the chain), transactions.json, proposal.json
    (for keeper proposal check), report.json, and for a Safe the files of its transaction builder.

    Exit codes: 0 when it was built and its simulation ends as wanted; 2 for changes that do not fit, or when nothing is
    left to propose; 3 when no node answers; 6 when the simulation does not end as wanted.
    """
    if (changes is None) == (from_recalibration is None):
        raise BadInput("give CHANGES.toml, or --from-recalibration FILE", hint="keeper propose --help shows a file")
    settings = settings_of(config)
    # Heavy, and only this command needs it.
    from keeper.cli.show.proposal import report_tree, report_view, write_files  # noqa: PLC0415 - see above
    from keeper.wiring.proposals import (  # noqa: PLC0415 - web3 is slow to import
        ProposalDesk,
        engine_named,
        given_route,
        named_histories,
        read_changes,
        stored_histories,
    )

    desk = ProposalDesk.configured(settings, engine=engine_named(engine))
    try:
        wanted = read_changes(changes) if changes else desk.recalibrated(from_recalibration or Path())
        given = given_route(governor=governor, timelock=timelock, safe=safe, proposer=proposer, voters=voter or ())
        histories = stored_histories(settings) | named_histories(prices or ())
        with working("replaying every account, and the proposal on a fork"):
            report = desk.prepare(wanted, given, histories=histories, with_simulation=simulate)
    finally:
        desk.close()
    files = write_files(report, out) if out else ()
    if as_json:
        answer(report_tree(report) | {"files": [str(path) for path in files]})
    else:
        console().print(report_view(report, files))
    raise typer.Exit(OK if report.simulation is None or report.simulation.holds else DEAD)
