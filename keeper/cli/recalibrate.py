"""`keeper recalibrate`."""

from __future__ import annotations

from keeper.cli.options import DEFAULT_CONFIG, Config, Json
from keeper.cli.show.answer import answer, console
from keeper.cli.show.recalibrate import recalibrations_tree, recalibrations_view
from keeper.cli.sight import AtBlock, Symbol, sight_of
from keeper.control.recalibrate import recalibrate as look

EXAMPLE = """keeper recalibrate
keeper recalibrate ETH --block 19000001
keeper recalibrate --json | jq '.underlyings[] | {symbol, due, waits_for}'"""


def recalibrate(
    underlying: Symbol = None, config: Config = DEFAULT_CONFIG, *, block: AtBlock = None, as_json: Json = False
) -> None:
    """Show targets, what fences allow now, and why a push is due or what it waits for.

    For each published number: what margins are computed with, what was published last, the target, what speeds and
    fences allow at this block, and which of them holds it. Below: whether a push is due (out of the hysteresis band,
    heartbeat, storm, new expiries), what the impact gate makes of it, and the kernel's reasons: which estimate or floor
    decided, which floors set by hand stand. It sends and stores nothing.

    Exit codes: 0 when shown, due or not; 2 for an unknown underlying or block; 3 when no node answers.
    """
    sight = sight_of(config, block)
    found = look(sight, underlying)
    if as_json:
        answer(recalibrations_tree(sight, found))
    else:
        console().print(recalibrations_view(sight, found))
