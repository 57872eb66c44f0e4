"""`keeper explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Block, Config, Json, settings_of
from keeper.cli.show.account import account_tree, account_view
from keeper.cli.show.answer import answer, console
from keeper.cli.show.parameter import history_tree, history_view
from keeper.errors import BadInput
from keeper.offline import parse_account, recall
from keeper.ops.account import account_story
from keeper.ops.parameter import history_of
from keeper.ops.parameter_name import parse_parameter
from keeper.ports import Store
from keeper.settings import Settings

EXAMPLE = """keeper explain 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
keeper explain 0x70997970C51812dc3A010C7d01b50e0d17dc79C8:1 --block 19000001
keeper explain --parameter ETH.scan_range
keeper explain --parameter ETH.sigma@2026-12-25/3000 --limit 5 --json"""


def explain(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="OWNER, OWNER:SUB, or an id, decimal or 0x.", show_default=False)
    ] = "",
    config: Config = DEFAULT_CONFIG,
    *,
    block: Block = None,
    parameter: Annotated[
        str,
        typer.Option("--parameter", "-p", metavar="NAME", help="As in ETH.scan_range, ETH.sigma@EXPIRY[/STRIKE]."),
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100_000, help="For a parameter: how many changes, newest first.")
    ] = 20,
    since: Annotated[
        int | None, typer.Option("--since", min=0, metavar="HEIGHT", help="For a parameter: from this block on.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take one account apart, or tell the history of one published parameter.

    Of an account the stored block is lived again by the functions that the daemon trusts, and every figure is shown as
    lines that add up to it: equity; per underlying the worst row and what each position loses under it; each add-on;
    what was decided about the account at that block, and what became of it. It asks no node.

    Of a parameter it tells each publication that the chain remembers: when, who sent it, from which value to which,
    what was aimed at and why, the hash of the inputs, what the fences allowed and left of the day's budget then, and
    how the value in force follows. Between them it tells what else happened: fences and rules that governance moved, a
    guardian's pause or veto, an emergency, an add-on, a freeze, and who did it. Names are TICKER.scan_range, vol_up,
    vol_down, and sigma, forward or discount with @EXPIRY, a date or unix seconds; sigma of one strike with /STRIKE.
    Targets and fences come from stored inputs.

    Exit codes: 0 when told; 2 for a name that nothing has; 3 when no node answers.
    """
    if bool(account) == bool(parameter):
        said = "an account and a parameter were" if account else "neither an account nor a parameter was"
        raise BadInput(f"{said} named", hint="keeper explain ACCOUNT, or keeper explain --parameter ETH.scan_range")
    if parameter:
        _tell(parameter, config, since=since, limit=limit, as_json=as_json)
        return
    store = recall(settings_of(config))
    try:
        story = account_story(store, parse_account(account), which=block)
    finally:
        store.close()
    if as_json:
        answer(account_tree(story))
    else:
        console().print(account_view(story))


def _tell(parameter: str, config: Path, *, since: int | None, limit: int, as_json: bool) -> None:
    # Heavy, and only a parameter's history asks a node.
    from keeper.wiring.publications import chain_memory  # noqa: PLC0415 - web3 is slow to import

    wanted = parse_parameter(parameter)
    settings = settings_of(config)
    store = _store_of(settings)
    try:
        memory = chain_memory(settings)
        try:
            told = history_of(wanted, memory.publications, store, first=since, limit=limit)
        finally:
            memory.close()
    finally:
        if store is not None:
            store.close()
    if as_json:
        answer(history_tree(told))
    else:
        console().print(history_view(told))


def _store_of(settings: Settings) -> Store | None:
    """The store if there is one: without it a history has no targets and fences, and is one all the same."""
    try:
        return recall(settings)
    except BadInput:
        return None
