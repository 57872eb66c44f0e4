"""`keeper impact`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import INPUT
from keeper.cli.show.answer import answer, console
from keeper.cli.show.impact import impacts_tree, impacts_view
from keeper.cli.sight import AtBlock, Changes, Symbol, sight_of
from keeper.control.impact import impacts
from keeper.control.sight import Sight
from keeper.control.what_if import changes
from keeper.domain.landed import Landed

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
    them. The day's totals are told beside the push's own. Of a push that another keeper sent, whom an auction closed
    meanwhile is not known: where the day has such publications they are named, and its totals are lower bounds, with
    --json as gate.day.lower_bound; with --block nobody looks, and both are null.

    Exit codes: 0 when the gate lets it pass; 2 when it shortens
    or holds it, or for an unknown underlying; 3 when no node answers.
    """
    named = changes(set_ or [])
    sight = sight_of(config, block)
    found = impacts(sight, underlying, named, strangers=None if block is not None else _strangers(config, sight))
    if as_json:
        answer(impacts_tree(found))
    else:
        console().print(impacts_view(found))
    if any(one.gated is not None and one.gated.said for one in found):
        raise typer.Exit(INPUT)


def _strangers(config: Path, sight: Sight) -> Mapping[int, tuple[Landed, ...]]:
    from keeper.wiring.publications import strangers  # noqa: PLC0415 - web3 is slow to import

    return strangers(settings_of(config), sight.inputs.snapshot)
