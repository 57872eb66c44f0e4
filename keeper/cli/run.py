"""`keeper run`."""

from __future__ import annotations

import os
import sys

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, Send, settings_of
from keeper.cli.show.answer import answer
from keeper.cli.show.cycle import cycle_tree
from keeper.domain.cycle import CycleRecord
from keeper.wiring import build, daemon

EXAMPLE = "keeper run\nkeeper run --send\nkeeper run --json | jq -c '{block: .block.number, accounts}'"

_DRY = "DRY RUN: nothing will be sent. Decisions are simulated and logged; add --send to act."
_LIVE = "SENDING: transactions will be signed and broadcast with the configured keys."


def run(config: Config = DEFAULT_CONFIG, *, send: Send = False, as_json: Json = False) -> None:
    """Follow the chain and keep it: dry unless told to send.

    Lives every new head until SIGTERM or Ctrl-C, and ends between two transactions. Starting is recovering: what an
    earlier process left open is adopted first. Logs go to stderr; with --json stdout carries one object a line, one for
    each block, in the form of keeper once --json.

    One process at a time sends from a store: a second one is refused, and told which. The end of the first, kill -9
    too, lets the next one in at once.
    """
    settings = settings_of(config)
    print(_LIVE if send else _DRY, file=sys.stderr, flush=True)

    def tell(record: CycleRecord) -> None:
        if as_json:
            answer(cycle_tree(record, sends=send), indent=None)

    keeper = build(settings, environ=os.environ, send=send)
    try:
        daemon(settings, keeper, on_cycle=tell, send=send).run()
    finally:
        keeper.ports.store.close()
