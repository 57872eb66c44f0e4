"""`keeper guardian`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import DEAD, OK
from keeper.cli.show.answer import answer, console
from keeper.errors import BadInput

EXAMPLE = """keeper guardian show
keeper guardian pause ETH
keeper guardian veto ETH --out veto.json
keeper guardian halt --hours 24 --json | jq '.calls[] | {to, data}'
keeper guardian freeze ETH --out CHANGES.toml"""


class Step(StrEnum):
    """What a guardian does, or what governance does in its place."""

    SHOW = "show"
    PAUSE = "pause"
    VETO = "veto"
    HALT = "halt"
    RESUME = "resume"
    FREEZE = "freeze"
    THAW = "thaw"


def guardian(
    step: Annotated[
        Step,
        typer.Argument(
            help="show: how everything stands. pause, veto: an underlying's publications, a loosening on its way. "
            "halt, resume: the whole house. freeze, thaw: what governance alone may.",
            show_default=False,
        ),
    ],
    underlyings: Annotated[
        list[str] | None, typer.Argument(metavar="TICKER", help="Which; all of them if left out.")
    ] = None,
    *,
    hours: Annotated[float, typer.Option(metavar="N", help="How long a halt lasts, 72 at most.")] = 72,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the Safe's transaction builder file, or the changes to propose."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show what a guardian can stop, and the call that stops it: decoded, tried, and as a Safe's file.

    pause stops every publication of an underlying for 72 hours, then the guardian rests for a day; veto keeps ranges
    that are on their way down where they are, and lets nothing be lowered for a day; halt stops withdrawals and trades
    that raise risk in the whole house, resume ends that early. None of it stops liquidation, refreshing or closing, and
    none loosens anything. freeze has no end but thaw, so governance decides it: what is written is CHANGES.toml for
    keeper propose where a timelock owns the parameters.

    Needs no key and sends nothing: the guardian's wallet does, or its Safe, whose transaction builder takes the file of
    --out. Each call is tried on the head, from whoever may make it.

    Exit codes: 0 when it goes through now; 2 for an unknown underlying; 3 when no node answers; 6 when the contract
    would refuse it: the guardian rests, nothing is on its way down, or nobody holds the role.
    """
    whole = step in (Step.SHOW, Step.HALT, Step.RESUME)
    if whole and underlyings:
        raise BadInput(f"{step} is of everything: name no underlying", hint="keeper guardian pause TICKER stops one")
    if step is Step.SHOW and out is not None:
        raise BadInput("show writes no file", hint="leave --out out")
    settings = settings_of(config)
    # Heavy, and only this command needs it.
    from keeper.cli.show.guardian import (  # noqa: PLC0415 - see above
        orders_tree,
        orders_view,
        standing_tree,
        standing_view,
        write_orders,
    )
    from keeper.wiring.guardian import GuardianDesk  # noqa: PLC0415 - web3 is slow to import

    desk = GuardianDesk(settings)
    try:
        if step is Step.SHOW:
            standing = desk.standing()
            if as_json:
                answer(standing_tree(standing))
            else:
                console().print(standing_view(standing))
            return
        found = desk.orders(step, symbols=underlyings or (), hours=hours)
    finally:
        desk.close()
    if out is not None:
        write_orders(found, out)
    if as_json:
        answer(orders_tree(found))
    else:
        console().print(orders_view(found, out))
    raise typer.Exit(OK if found.holds else DEAD)
