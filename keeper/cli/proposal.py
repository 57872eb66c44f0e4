"""`keeper proposal`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import DEAD, DRIFTED, OK
from keeper.cli.several import Several
from keeper.cli.show.answer import answer, console, working

EXAMPLE = """keeper proposal check proposal/proposal.json
keeper proposal check 71458896023267581572978290281930306655594664347847742374947196220384911013290
keeper proposal check proposal.json --json | jq '{sound, alive, findings}'"""

SHAPE = Several


class Step(StrEnum):
    """What to do about a proposal."""

    CHECK = "check"


def proposal(
    step: Annotated[Step, typer.Argument(help="check: look at it again, before it is executed.", show_default=False)],
    subject: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="Number at the governor, or proposal.json.", show_default=False)
    ],
    *,
    governor: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Governor that a number is of.")] = None,
    proposer: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who proposes in the simulation.")] = None,
    voter: Annotated[list[str] | None, typer.Option(metavar="ADDRESS…", help="Who votes in it.")] = None,
    engine: Annotated[str, typer.Option(metavar="auto|anvil|embedded", help="What runs the fork.")] = "auto",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Look at a live proposal again before it is executed: drift, and whether it still goes through.

    Its changes are generated again on today's state and compared with its calls byte by byte; it is taken on a fork
    from where it stands to its end. Told is what moved meanwhile: a bound, a neighbour of it that would be put back, a
    contract's code, also behind a proxy, a price that is stale, a delay, a Safe's nonce; and that it was executed,
    defeated or expired. A number is enough: the proposal's text on chain carries its changes.

    Exit codes: 0 when it may be executed as it was meant; 2 for an unknown proposal; 3 when no node answers; 5 when it
    still goes through but something is not as it was; 6 when it does not go through any more, or is over.
    """
    del step  # there is one so far
    settings = settings_of(config)
    # Heavy, and only this command needs it.
    from keeper.cli.show.proposal import verdict_tree, verdict_view  # noqa: PLC0415 - see above
    from keeper.wiring.proposals import ProposalDesk, engine_named, given_route  # noqa: PLC0415 - web3 is slow to import

    desk = ProposalDesk.configured(settings, engine=engine_named(engine))
    try:
        given = given_route(governor=governor, timelock=None, safe=None, proposer=proposer, voters=voter or ())
        with working("generating it again, and taking it to its end on a fork"):
            made, verdict = desk.check(subject, given)
    finally:
        desk.close()
    if as_json:
        answer(verdict_tree(made, verdict))
    else:
        console().print(verdict_view(made, verdict))
    raise typer.Exit(OK if verdict.sound else DRIFTED if verdict.alive else DEAD)
