"""`keeper check`."""

from __future__ import annotations

import os
import time

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import INPUT, OK
from keeper.cli.show.answer import answer, console
from keeper.cli.show.findings import findings_tree, findings_view
from keeper.cli.waiting import waiting
from keeper.ops.doctor import examine
from keeper.ops.doctor.findings import ready
from keeper.wiring.site import ConfiguredSite

EXAMPLE = "keeper check\nkeeper check -c mainnet.toml --json | jq .ready"


def check(config: Config = DEFAULT_CONFIG, *, as_json: Json = False) -> None:
    """Prove that the keeper could run: node, contracts, keys, prices, quotes, store.

    Nothing is sent and nothing is changed, except that a store which is not there yet is made. Each thing that is wrong
    comes with what to do. Ends with 0 if the keeper could run, with 2 if not.
    """
    settings = settings_of(config)
    with waiting(settings):
        findings = tuple(examine(ConfiguredSite(settings, os.environ), now_s=int(time.time())))
    if as_json:
        answer(findings_tree(findings))
    else:
        console().print(findings_view(findings))
    raise typer.Exit(OK if ready(findings) else INPUT)
