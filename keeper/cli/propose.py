"""`keeper propose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import DEAD, OK
from keeper.cli.several import Several
from keeper.cli.show.answer import answer, console, working
from keeper.cli.sight import AtBlock, sight_of
from keeper.errors import BadInput

EXAMPLE = """keeper propose CHANGES.toml --out proposal
keeper propose CHANGES.toml --safe 0x… --prices ETH=eth_1h.csv --json
keeper propose --from-recalibration --within-days 1
keeper calibrate --prices ETH=eth_1h.csv --json > targets.json
keeper propose --from-recalibration targets.json

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

#: Days after which a target that is not published is late.  In March 2020 an honest scan range of bitcoin went from 13
#: to 40 % within two days: fences that are slower leave the whole of it to floors and the emergency lane.
WITHIN_DAYS: Final = 2.0

Address = typer.Option(metavar="ADDRESS")


def propose(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="CHANGES.toml",
            help="What is to change; with --from-recalibration an answer of recalibrate --json or calibrate --json.",
            show_default=False,
        ),
    ] = None,
    *,
    from_recalibration: Annotated[
        bool,
        typer.Option(
            "--from-recalibration",
            help="Propose what targets need and the keeper may not push: those of the file, or else of the kernel now.",
        ),
    ] = False,
    within_days: Annotated[
        float, typer.Option(metavar="DAYS", min=0.05, max=60, help="How soon such targets are to be published.")
    ] = WITHIN_DAYS,
    underlying: Annotated[
        str | None, typer.Option(metavar="TICKER", help="Of the kernel's targets only those of one underlying.")
    ] = None,
    with_overrides: Annotated[
        bool,
        typer.Option(
            "--with-overrides", help="Take targets with the floors that operators set by hand, not the model's own."
        ),
    ] = False,
    block: AtBlock = None,
    governor: Annotated[str | None, typer.Option(metavar="ADDRESS", help="OpenZeppelin Governor that decides.")] = None,
    timelock: Annotated[str | None, typer.Option(metavar="ADDRESS", help="TimelockController that executes.")] = None,
    safe: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Safe that schedules, or executes.")] = None,
    proposer: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who proposes in the simulation.")] = None,
    voter: Annotated[list[str] | None, typer.Option(metavar="ADDRESS…", help="Who votes in it.")] = None,
    prices: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE…", help="Price histories for the evidence, beside stored rounds."),
    ] = None,
    vol_history: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE…", help="At-the-money volatilities for the evidence, as keeper calibrate reads them."
        ),
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

    With --from-recalibration there is nothing to write: a bound that does not admit its target is moved past it, steps
    and budgets that keep the glide path from it for longer than --within-days are raised by as little as brings it
    there in time, and haircuts become the calibrated ones. The text of the proposal tells the rules and the targets.
    Floors that stand (keeper override) are named in it, who set them and why, and left aside: targets are the model's
    own unless --with-overrides.

    Who decides is --governor, --safe or --timelock, or [route] in the file, or the deployment file's Governor, Safe or
    TimelockController. With --out: forum.md, description.md (the text for the chain), transactions.json, proposal.json
    (for keeper proposal check), report.json, and for a Safe the files of its transaction builder.

    Exit codes: 0 when it was built and its simulation ends as wanted; 2 for changes that do not fit, or when nothing is
    left to propose; 3 when no node answers; 6 when the simulation does not end as wanted, or without one when the
    contracts refuse what it would call.
    """
    _consistent(file, from_recalibration=from_recalibration, underlying=underlying, block=block)
    if with_overrides and not from_recalibration:
        raise BadInput("--with-overrides chooses among targets", hint="give --from-recalibration too")
    settings = settings_of(config)
    # Heavy, and only this command needs it.
    from keeper.cli.show.proposal import report_tree, report_view, write_files  # noqa: PLC0415 - see above
    from keeper.wiring.proposals import (  # noqa: PLC0415 - web3 is slow to import
        ProposalDesk,
        engine_named,
        given_route,
        named_histories,
        named_vols,
        read_changes,
        stored_histories,
    )

    desk = ProposalDesk.configured(settings, engine=engine_named(engine))
    try:
        given = given_route(governor=governor, timelock=timelock, safe=safe, proposer=proposer, voters=voter or ())
        histories, vols = stored_histories(settings) | named_histories(prices or ()), named_vols(vol_history or ())
        if file is not None:
            wanted = (
                desk.recalibrated(file, within_days=within_days, with_overrides=with_overrides)
                if from_recalibration
                else read_changes(file)
            )
        else:
            wanted = desk.recalibrated_now(
                sight_of(config, block),
                symbol=underlying,
                within_days=within_days,
                histories=histories,
                with_overrides=with_overrides,
            )
        with working("replaying every account, and the proposal on a fork"):
            report = desk.prepare(wanted, given, histories=histories, vol_histories=vols, with_simulation=simulate)
    finally:
        desk.close()
    files = write_files(report, out) if out else ()
    if as_json:
        answer(report_tree(report) | {"files": [str(path) for path in files]})
    else:
        console().print(report_view(report, files))
    raise typer.Exit(DEAD if report.holds is False else OK)


def _consistent(file: Path | None, *, from_recalibration: bool, underlying: str | None, block: str | None) -> None:
    """Raises: `BadInput` where arguments contradict each other."""
    if file is None and not from_recalibration:
        raise BadInput("give CHANGES.toml, or --from-recalibration", hint="keeper propose --help shows a file")
    if (underlying or block) and (file is not None or not from_recalibration):
        raise BadInput(
            "--underlying and --block choose among the kernel's own targets", hint="leave them or the file out"
        )
