"""`keeper nonce`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import INPUT, OK, UNREACHABLE
from keeper.cli.show.answer import answer, console
from keeper.cli.show.nonces import nonces_tree, nonces_view, repairs_tree, repairs_view
from keeper.cli.waiting import waiting

EXAMPLE = """keeper nonce show
keeper nonce repair
keeper nonce repair --send
keeper nonce show --json | jq '.keys[] | {address, latest, gap_count, stuck_since}'"""


class Step(StrEnum):
    """What to do about the nonces."""

    SHOW = "show"
    REPAIR = "repair"


def nonce(
    step: Annotated[
        Step,
        typer.Argument(help="show: tell how each key stands. repair: bring it in order.", show_default=False),
    ],
    *,
    send: Annotated[
        bool, typer.Option("--send", help="For repair: do it. Without it the steps are only told.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show each key's nonces on the chain and in the store, and repair what keeps them apart.

    A running keeper does by itself what repair does: it fills gaps, pushes what vanished, raises or cancels what is
    stuck, gives up what is out of reach. Use it while no keeper runs, or to cancel at once what is only being raised;
    it refuses to send beside another process that sends from the same store.

    Repair tells its steps and sends nothing unless --send is given. A fill or a cancel is a transfer of nothing to the
    key itself, under the same fee caps as everything else.

    Exit codes: 0 when all nonces are in order, or every step was carried out; 2 when something is to be repaired; 3
    when a step could not be carried out now, or no node answers.
    """
    # Heavy, and only this command needs it.
    from keeper.wiring.nonces import NonceDesk  # noqa: PLC0415 - web3 is slow to import

    settings = settings_of(config)
    with waiting(settings):
        desk = NonceDesk(settings, os.environ, send=send and step is Step.REPAIR)
    try:
        if step is Step.SHOW:
            keys = desk.show()
            if as_json:
                answer(nonces_tree(keys))
            else:
                console().print(nonces_view(keys))
            raise typer.Exit(OK if all(one.sound for one in keys) else INPUT)
        steps = desk.planned()
        if send and steps:
            steps = desk.repaired(steps)
    finally:
        desk.close()
    if as_json:
        answer(repairs_tree(steps, sent=send))
    else:
        console().print(repairs_view(steps, sent=send))
    if send:
        raise typer.Exit(OK if all(one.done for one in steps) else UNREACHABLE)
    raise typer.Exit(INPUT if steps else OK)
