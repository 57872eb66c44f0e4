"""`keeper status`."""

from __future__ import annotations

import time

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.show.answer import answer, console
from keeper.cli.show.status import status_tree, status_view
from keeper.offline import recall
from keeper.ops.status import status as where_everything_stands

EXAMPLE = "keeper status\nkeeper status --json | jq '.accounts.liquidatable.count'"


def status(config: Config = DEFAULT_CONFIG, *, as_json: Json = False) -> None:
    """Show where everything stands, from the store alone.

    The last block, the age of each loop's heartbeat, sending and dry, and whether a process lives that sends; accounts
    by band and those nearest to liquidation, markets with the scan range on-chain and its target, auctions, open
    transactions, margin calls, and what was decided lately. It asks no node, so it answers while the keeper runs, and
    when the chain is down.
    """
    store = recall(settings_of(config))
    try:
        found = where_everything_stands(store, now_s=int(time.time()))
    finally:
        store.close()
    if as_json:
        answer(status_tree(found))
    else:
        console().print(status_view(found))
