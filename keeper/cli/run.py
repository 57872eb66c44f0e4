"""`keeper run`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

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
    """
    settings = settings_of(config)
    print(_LIVE if send else _DRY, file=sys.stderr, flush=True)

    def tell(record: CycleRecord) -> None:
        if as_json:
            answer(cycle_tree(record, sends=send), indent=None)

    keeper = build(settings, environ=os.environ, send=send)
    try:
        beats, every_s = keeper.ports.store.heartbeats(), settings.jobs.heartbeat_every_s
        if send and (warning := beside(beats, now_s=int(time.time()), every_s=every_s)):
            print(warning, file=sys.stderr, flush=True)
        daemon(settings, keeper, on_cycle=tell).run()
    finally:
        keeper.ports.store.close()


def beside(heartbeats: Mapping[str, tuple[int, int]], *, now_s: int, every_s: int) -> str:
    """What to say if another keeper may run on this store: one that was just killed looks the same, so none is refused.

    Args:
        heartbeats: time and block of each, by name.
        now_s: unix seconds.
        every_s: seconds between two.
    """
    beat = heartbeats.get("loop")
    if beat is None or now_s - beat[0] >= 2 * every_s:
        return ""
    ago = max(0, now_s - beat[0])
    return f"WARNING: a keeper wrote its heartbeat to this store {ago} s ago; if it still runs, stop one of the two."
