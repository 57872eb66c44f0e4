"""`keeper once`."""

from __future__ import annotations

import os

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, Send, settings_of
from keeper.cli.show.answer import answer, console
from keeper.cli.show.cycle import cycle_tree, cycle_view
from keeper.cli.waiting import waiting
from keeper.ops.once import once as live_one_block
from keeper.wiring import build

EXAMPLE = "keeper once\nkeeper once --send --json | jq '.actions[] | {kind, why, state}'"


def once(config: Config = DEFAULT_CONFIG, *, send: Send = False, as_json: Json = False) -> None:
    """Live one block: decide what to do at the head, and say why.

    Without --send nothing leaves this machine: each transaction is decided, encoded and simulated, and shown with what
    would have become of it. The block is stored, so that explain and replay know it.
    """
    settings = settings_of(config)
    keeper = build(settings, environ=os.environ, send=send)
    try:
        with waiting(settings):
            record = live_one_block(keeper.heads, keeper.ports, keeper.risk, keeper.policy)
    finally:
        keeper.ports.store.close()
    if as_json:
        answer(cycle_tree(record, sends=send))
    else:
        console().print(cycle_view(record, keeper.deployment.symbols, sends=send))
