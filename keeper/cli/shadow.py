"""`keeper shadow`."""

from __future__ import annotations

import os
import time
from threading import Event
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.show.answer import answer, console
from keeper.cli.show.shadow import shadowed_line, shadowed_tree
from keeper.cli.sight import Symbol
from keeper.control.shadow import shadow as follow
from keeper.control.shadow_run import kept
from keeper.policy.choices import digest

EXAMPLE = """keeper shadow --blocks 300
keeper shadow ETH --config proposed.toml --json | jq -c '{block: .block.number, below: .effect.below_mm}'"""


def shadow(
    underlying: Symbol = None,
    config: Config = DEFAULT_CONFIG,
    *,
    blocks: Annotated[int, typer.Option("--blocks", "-n", min=1, max=1_000_000, help="Blocks to look at.")] = 10,
    as_json: Json = False,
) -> None:
    """Hold proposed parameters beside the live ones over the next blocks, without pushing.

    The proposed ones are what this settings file's knobs and this version's model would have in force: they begin
    with the live ones and take for pushed whatever the loop would push, under fences, speeds, gate and slew. Each
    block tells what either requires of whom. Run it beside the keeper that pushes, with other knobs or a newer
    version, before you change it. It sends nothing and decides nothing; the store keeps that it ran, with which knobs
    and numbers, and over how many blocks, which keeper model sign-off asks for. A block counts if every underlying with
    numbers in force was looked at in it, none of them skipped for want of a price. With --json stdout carries one
    object a line.

    Exit codes: 0 when all blocks were seen; 2 for an unknown underlying; 3 when no node answers.
    """
    # Heavy, and only now needed.
    from keeper.wiring.looking import looking  # noqa: PLC0415 - web3 is slow to import

    settings = settings_of(config)
    keeper = looking(settings, environ=os.environ)
    pause = Event()

    def wait() -> None:
        pause.wait(settings.chain.poll_interval_s)

    try:
        seen = follow(
            keeper.heads,
            keeper.ports,
            keeper.risk,
            keeper.policy,
            symbol=underlying,
            blocks=blocks,
            wait=wait,
        )
        knobs = digest(keeper.risk, keeper.policy)
        for one in kept(seen, keeper.ports.store, symbol=underlying, now_s=int(time.time()), knobs=knobs):
            if as_json:
                answer(shadowed_tree(one), indent=None)
            else:
                console().print(shadowed_line(one))
    finally:
        keeper.ports.store.close()
