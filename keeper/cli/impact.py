"""`keeper impact`."""

from __future__ import annotations

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json
from keeper.cli.root import INPUT
from keeper.cli.show.answer import answer, console
from keeper.cli.show.impact import impacts_tree, impacts_view
from keeper.cli.sight import AtBlock, Changes, Symbol, sight_of
from keeper.control.impact import impacts
from keeper.control.what_if import changes

EXAMPLE = """keeper impact
keeper impact ETH --set scan_range=30%
keeper impact --json | jq '.underlyings[] | {symbol, below: .whole.below_mm, gate: .gate.said}'"""


def impact(
    underlying: Symbol = None,
    config: Config = DEFAULT_CONFIG,
    *,
    set_: Changes = None,
    block: AtBlock = None,
    as_json: Json = False,
) -> None:
    """Replay every account under the proposed parameters: who would be liquidated, what requirement moves.

    By the functions that judge accounts in every block, with price and time standing still: at each publication of the
    glide path as it binds, when the scan ranges arrive, and under the whole target at once. Told are the accounts newly
    below maintenance and below initial margin, the requirement moved in total and for the ten it moves most, and the
    bad debt at risk: what accounts below maintenance would owe if their worst row came true before they are closed.

    The impact gate ([policy] impact_gate and its two shares) is asked about the push that is legal now, as the running
    keeper asks it: by itself, and with what all pushes of the last day did, held against the parameters of a day ago,
    which the contract remembers, and with whom this keeper's own pushes of the day brought down, whatever became of
    them. The day's totals are told beside the push's own. Exit codes: 0 when the gate lets it pass; 2 when it shortens
    or holds it, or for an unknown underlying; 3 when no node answers.
    """
    named = changes(set_ or [])
    found = impacts(sight_of(config, block), underlying, named)
    if as_json:
        answer(impacts_tree(found))
    else:
        console().print(impacts_view(found))
    if any(one.gated is not None and one.gated.said for one in found):
        raise typer.Exit(INPUT)
