"""`keeper glide`."""

from __future__ import annotations

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json
from keeper.cli.root import INPUT
from keeper.cli.show.answer import answer, console
from keeper.cli.show.glide import glides_tree, glides_view
from keeper.cli.sight import AtBlock, Changes, Symbol, sight_of
from keeper.control.glide import glide_paths
from keeper.control.what_if import changes

EXAMPLE = """keeper glide
keeper glide ETH --set scan_range=30%
keeper glide ETH --json | jq '.underlyings[0] | {set_at_s, arrives_at_s, steps: (.steps | length)}'"""


def glide(
    underlying: Symbol = None,
    config: Config = DEFAULT_CONFIG,
    *,
    set_: Changes = None,
    block: AtBlock = None,
    as_json: Json = False,
) -> None:
    """Show the way to the target: each legal publication, when it may come, and what holds it back.

    The path is walked with the mirror of the fences, as if price and target stood still. Two times end it: when the
    target is published whole, and when the scan ranges in force, which follow at the slew rate, have arrived; from then
    on margins are those of the target. A target beyond a bound is out of reach, and said so.

    Exit codes: 0 when every target will be set; 2 when one is out of reach or never set, or for an unknown underlying;
    3 when no node answers.
    """
    named = changes(set_ or [])
    found = glide_paths(sight_of(config, block), underlying, named)
    if as_json:
        answer(glides_tree(found))
    else:
        console().print(glides_view(found))
    if any(one.glide.stops or one.glide.unreachable for one in found):
        raise typer.Exit(INPUT)
