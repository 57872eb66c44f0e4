"""`keeper model`."""

from __future__ import annotations

import getpass
import time
from enum import StrEnum
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.show.answer import answer, console
from keeper.errors import BadInput
from keeper.offline import recall

EXAMPLE = """keeper model show
keeper model sign-off 1 --first --operator "Ada" --reason "the backtest, and a week of dry runs"
keeper shadow --blocks 300
keeper model sign-off 2 --operator "Ada" --reason "an hour in the shadow, no account below MM"
"""


class Step(StrEnum):
    """What to do about the model."""

    SHOW = "show"
    SIGN_OFF = "sign-off"


def model(
    step: Annotated[
        Step, typer.Argument(help="show: tell all. sign-off VERSION: let it push from this store.", show_default=False)
    ],
    version: Annotated[int, typer.Argument(metavar="VERSION", help="For sign-off: the running one.")] = 0,
    *,
    operator: Annotated[str, typer.Option("--operator", metavar="NAME", help="Who; your login if left out.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why. It is kept and shown.")] = "",
    first: Annotated[
        bool, typer.Option("--first", help="The first model of a house: there is nothing to hold it beside.")
    ] = False,
    house_is_live: Annotated[
        str,
        typer.Option(
            "--house-is-live",
            metavar="TEXT",
            help="With --first although something was published: why, as a lost store.",
        ),
    ] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show what this version's model changed, hold its numbers beside the live ones, and sign it off.

    Whatever moves a target parameter is a new version of the model. With --send nothing is published until an
    operator has signed the running version off for this store, also a fresh store's first; everything else goes on.
    Before that keeper shadow must have held it beside the live parameters, in one run over every underlying and with
    the knobs that these settings have, for as many blocks as [model] shadow_blocks says; a block in which one
    underlying had no usable price does not count. The first model of a house has nothing to be held beside, and is
    signed off with --first, which is kept and shown; not where publications landed since the house was opened, but with
    --house-is-live and how the store came to be lost. A sign-off keeps who, when, why, a digest of the knobs, and the
    numbers that were on the table: those of the shadow, and live and proposed with these knobs at the newest block this
    store has lived, a dry one will do. Knobs move targets as a model does: while [risk], or what of [policy] decides
    about publications, is not what was signed off, the keeper says so with an alert, and so does keeper check.

    Exit codes: 0 when done; 2 when another version runs, there are no numbers to look at, it was not in the shadow for
    long enough, or it is not the first.
    """
    # Heavy, and only now needed.
    from keeper.cli.show.model import model_tree, model_view  # noqa: PLC0415 - numpy and scipy are slow to import
    from keeper.ops.models import model_state, sign_off  # noqa: PLC0415 - the same

    settings = settings_of(config)
    store = recall(settings)
    try:
        if step is Step.SIGN_OFF:
            if not version:
                raise BadInput("which version is signed off?", hint="keeper model sign-off 1; keeper model show tells")
            sign_off(
                store,
                version,
                operator=operator or _login(),
                reason=reason,
                now_s=int(time.time()),
                shadow_blocks=settings.model.shadow_blocks,
                risk=settings.risk,
                policy=settings.policy,
                first=first,
                house_is_live=house_is_live,
            )
        state = model_state(store, settings.risk, settings.policy)
    finally:
        store.close()
    if as_json:
        answer(model_tree(state))
    else:
        console().print(model_view(state))


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a password file
        return ""
