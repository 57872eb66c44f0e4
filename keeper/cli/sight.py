"""The block that a command looks at, and the options by which a person names it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import settings_of
from keeper.cli.show.answer import working
from keeper.cli.waiting import waiting
from keeper.control.sight import Sight, at_head, at_stored
from keeper.offline import recall

Symbol = Annotated[
    str | None, typer.Argument(metavar="UNDERLYING", help="Ticker of one underlying; all of them if left out.")
]
AtBlock = Annotated[
    str | None,
    typer.Option(
        "--block", "-b", metavar="N|HASH", help="A stored block; needs no node. The chain's head if left out."
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=SHARE",
        help="A target of your own: scan_range, vol_up, vol_down or volatility, as in scan_range=25%. Repeatable.",
    ),
]


def sight_of(config: Path, block: str | None) -> Sight:
    """What a command looks at.

    Raises: `BadInput` for unusable settings or an unknown block; `Retry` if no node answers.
    """
    settings = settings_of(config)
    if block is not None:
        store = recall(settings)
        try:
            return at_stored(store, block)
        finally:
            store.close()
    # Heavy, and a stored block needs none of it.
    from keeper.wiring.looking import looking  # noqa: PLC0415 - web3 is slow to import

    keeper = looking(settings, environ=os.environ)
    try:
        with working("reading the newest block"), waiting(settings):
            return at_head(keeper.heads, keeper.ports, keeper.risk, keeper.policy)
    finally:
        keeper.ports.store.close()
